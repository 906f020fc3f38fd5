import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The downloads that failed, kept between runs so that no later run waits for them again. */
export class Memory {
  private readonly file: string;

  constructor(private readonly root: string) {
    this.file = join(root, "downloads.json");
  }

  /** Whether this download failed before. */
  hasFailed(download: string): boolean {
    return this.failed.includes(download);
  }

  /** Remembers that these downloads failed. */
  remember(downloads: readonly string[]): void {
    mkdirSync(this.root, { recursive: true });
    const draft = `${this.file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify([...new Set([...this.failed, ...downloads])]));
    renameSync(draft, this.file);
  }

  private get failed(): readonly string[] {
    try {
      return JSON.parse(readFileSync(this.file, "utf8")) as string[];
    } catch {
      return [];
    }
  }
}
