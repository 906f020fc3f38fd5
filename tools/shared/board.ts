import { clearScreenDown, moveCursor } from "node:readline";

/** A terminal that the board writes to, such as `process.stdout`. */
export type Screen = Pick<NodeJS.WriteStream, "write" | "columns" | "rows">;

/**
 * What several runs do, at the end of a terminal's output: a line for each that runs, with the latest line that it printed, and how many wait and
 * have ended. A run's whole output appears above once it has ended, and so does what anyone else writes.
 */
export class Board {
  /** The output of those that run, and the latest line of it that is not empty. */
  private readonly running = new Map<string, { readonly lines: string[]; latest: string }>();
  private ended = 0;
  /** How many lines of the terminal the block has now. */
  private drawn = 0;
  private readonly write: (text: string) => boolean;
  private readonly restore: (() => void)[];

  /**
   * @param count how many runs there are
   * @param screen the terminal
   * @param others more streams that end in the same terminal
   */
  constructor(
    private readonly count: number,
    private readonly screen: Screen,
    others: readonly Screen[] = [],
  ) {
    this.write = screen.write.bind(screen);
    this.restore = [screen, ...others].map((stream) => this.stepAside(stream));
    this.draw();
  }

  /** A run begins. */
  begin(name: string): void {
    this.running.set(name, { lines: [], latest: "" });
    this.redraw();
  }

  /** A line of a run's output. */
  show(name: string, line: string): void {
    const run = this.running.get(name);
    run?.lines.push(line);
    if (run !== undefined && line.trim() !== "") run.latest = line.trim();
    this.redraw();
  }

  /** A run has ended: prints its output. */
  end(name: string): void {
    const { lines } = this.running.get(name) ?? { lines: [] };
    this.running.delete(name);
    this.ended += 1;
    this.screen.write(lines.map((line) => `${name}: ${line}\n`).join(""));
  }

  /** Removes the block. */
  close(): void {
    this.clear();
    this.restore.forEach((restore) => restore());
  }

  /** Lets a stream write above the block. */
  private stepAside(stream: Screen): () => void {
    const { write } = stream;
    stream.write = (text: string | Uint8Array, ...rest: unknown[]): boolean => {
      this.clear();
      const result = Reflect.apply(write, stream, [text, ...rest]) as boolean;
      // After half a line, the block must wait for its end.
      if (text.length === 0 || String(text).endsWith("\n")) this.draw();
      return result;
    };
    return () => {
      stream.write = write;
    };
  }

  private redraw(): void {
    this.clear();
    this.draw();
  }

  private clear(): void {
    if (this.drawn === 0) return;
    const terminal = { write: this.write } as unknown as NodeJS.WritableStream;
    moveCursor(terminal, 0, -this.drawn);
    clearScreenDown(terminal);
    this.drawn = 0;
  }

  private draw(): void {
    const { columns = 80, rows = 24 } = this.screen;
    const width = Math.max(0, ...[...this.running.keys()].map(({ length }) => length));
    const each = [...this.running].map(([name, { latest }]) => `${name.padEnd(width)}  ${latest}`);
    const waiting = this.count - this.ended - this.running.size;
    const counts = `${this.running.size} running, ${waiting} waiting, ${this.ended} ended`;
    // Lines that have left the screen cannot be cleared.
    const block = [...each.slice(0, Math.max(0, rows - 2)), counts];
    this.write(block.map((line) => `${line.slice(0, columns - 1)}\n`).join(""));
    this.drawn = block.length;
  }
}
