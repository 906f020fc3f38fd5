import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "../shared/terminal";
import { hash } from "./cache";
import { type DownloadOptions, download } from "./download";
import { type Group, type Platform, type Release, groupOf } from "./groups";
import { type Plugin, pluginFile, plugins } from "./parts";
import { hasPlugin, installPlugin, pluginBinary } from "./plugins";
import { Progress, duration } from "./progress";

/** Time without a byte, in milliseconds, after which a download fails. */
const patience = 5_000;

const isPlugin = (part: string): part is Plugin => (plugins as readonly string[]).includes(part);

/** The downloaded programs. The same files lead to the same folder in every clone. */
export class Releases {
  private readonly platform: Platform = {
    os: process.platform,
    arch: process.arch === "x64" ? "amd64" : process.arch,
  };

  constructor(
    readonly root: string,
    readonly groups: readonly Group[],
    /** A mirror to fetch files from instead: `<mirror>/<host>/<path>`. */
    readonly mirror: string | undefined,
  ) {}

  /** Path of a part's program, whether it exists or not. */
  binary(part: string): string {
    if (isPlugin(part)) return pluginBinary(this.home, part);
    const release = this.release(part);
    return join(this.folder(release), release.program);
  }

  /** Whether a part is published anywhere. */
  offers(part: string): boolean {
    return isPlugin(part) || this.published(part) !== undefined;
  }

  /** Whether a part is downloaded. A folder gets its final name only when it is complete. */
  has(part: string): boolean {
    return isPlugin(part) ? hasPlugin(this.home, part) : this.offers(part) && existsSync(this.binary(part));
  }

  /** The home of the downloaded Pulumi, with its plugins. */
  get home(): string {
    return join(this.root, `home-${hash([this.folder(this.release("pulumi"))])}`);
  }

  /** Names of all entries that these groups can have in the cache. */
  get folders(): string[] {
    const parts = this.groups.flatMap(({ packages }) => Object.keys(packages)).filter((part) => !isPlugin(part));
    const homes = parts.includes("pulumi") ? [this.home] : [];
    const releases = parts.flatMap((part) => this.published(part) ?? []);
    return [...releases.map((release) => this.folder(release)), ...homes];
  }

  /** Key under which a failed download of these parts is recorded. */
  subject(parts: readonly string[]): string {
    const files = parts.flatMap((part) =>
      isPlugin(part) ? [pluginFile(part, this.platform)] : this.release(part).files,
    );
    return hash([this.mirror ?? "", ...files.map(({ url }) => url)]);
  }

  /** Downloads units (parts that are only useful together) in parallel. Returns for each, in order, why it failed; undefined for success. */
  async download(
    units: readonly (readonly string[])[],
    report: Report,
    signal: AbortSignal,
  ): Promise<(string | undefined)[]> {
    let megabytes = 0;
    const names = units.flat().join(", ");
    const progress = new Progress(
      report,
      (seconds) => `downloading ${names}: ${megabytes.toFixed(0)} MB, ${duration(seconds)}`,
    );
    const onBytes = (count: number): void => void (megabytes += count / 1e6);
    const options: DownloadOptions = {
      patience,
      signal,
      onBytes,
      ...(this.mirror === undefined ? {} : { mirror: this.mirror }),
    };
    try {
      const results = await Promise.allSettled(units.map((unit) => this.downloadUnit(unit, options)));
      signal.throwIfAborted();
      return results.map((result) => (result.status === "fulfilled" ? undefined : (result.reason as Error).message));
    } finally {
      progress.stop();
    }
  }

  private async downloadUnit(unit: readonly string[], options: DownloadOptions): Promise<void> {
    const wanted = unit.filter((part) => !this.has(part));
    const missingPlugins = wanted.filter(isPlugin);
    const programs = wanted.filter((part) => !isPlugin(part));
    if (missingPlugins.length > 0 && !this.has("pulumi")) programs.push("pulumi");
    // Programs of one archive are downloaded together.
    const releases = new Map(programs.map((part) => [this.folder(this.release(part)), this.release(part)]));
    for (const [folder, release] of releases) await this.downloadRelease(release, folder, options);
    for (const plugin of missingPlugins) await this.downloadPlugin(plugin, options);
  }

  private async downloadRelease(release: Release, folder: string, options: DownloadOptions): Promise<void> {
    await this.inTemporary(async (temporary) => {
      const results = await Promise.allSettled(release.files.map((file) => download(file, temporary, options)));
      for (const result of results) if (result.status === "rejected") throw result.reason;
      if (!existsSync(join(temporary, release.program))) {
        throw new Error(`${release.files[0]?.url} does not have ${release.program}`);
      }
      renameSync(temporary, folder);
    });
  }

  /** Pulumi installs the plugin from our download: its own checksum option rejects correct files. */
  private async downloadPlugin(plugin: Plugin, options: DownloadOptions): Promise<void> {
    await this.inTemporary(async (temporary) => {
      await download({ ...pluginFile(plugin, this.platform), to: "archive" }, temporary, options);
      const { home } = this;
      const args = ["--file", join(temporary, "archive")];
      const problem = await installPlugin(this.binary("pulumi"), plugin, {
        home,
        env: process.env,
        signal: options.signal,
        args,
      });
      if (problem !== undefined) throw new Error(problem);
    });
  }

  private async inTemporary(work: (folder: string) => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(this.root, `tmp-${process.pid}-`));
    try {
      await work(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  private folder(release: Release): string {
    return join(this.root, `release-${hash(release.files.map(({ url }) => url))}`);
  }

  private published(part: string): Release | undefined {
    return groupOf(this.groups, part).releases?.(this.platform)[part];
  }

  private release(part: string): Release {
    const release = this.published(part);
    if (release === undefined) throw new Error(`no release has ${part}`);
    return release;
  }
}
