import { type Report, reportToStderr } from "../shared/terminal";

/** Seconds between two lines if lines cannot be rewritten. */
const interval = 15;

/**
 * The progress of one step: on a terminal, one line that is rewritten each second; elsewhere, a new line every 15
 * seconds at most.
 */
export class Progress {
  private readonly begun = Date.now();
  private readonly timer: NodeJS.Timeout;
  private readonly live: boolean;
  private lastLine = Date.now();

  /** `describe` returns the line for a number of seconds. */
  constructor(
    private readonly report: Report,
    private readonly describe: (seconds: number) => string,
  ) {
    this.live = report === reportToStderr && process.stderr.isTTY;
    report(describe(0));
    this.timer = setInterval(() => this.tick(), 1_000);
    this.timer.unref();
  }

  /** Seconds since the step began. */
  get seconds(): number {
    return (Date.now() - this.begun) / 1_000;
  }

  private tick(): void {
    if (this.live) process.stderr.write(`\r\x1b[K${this.describe(this.seconds).slice(0, process.stderr.columns - 1)}`);
    else if (Date.now() - this.lastLine >= interval * 1_000) {
      this.lastLine = Date.now();
      this.report(this.describe(this.seconds));
    }
  }

  /** Ends the step; must always be called. */
  stop(): void {
    clearInterval(this.timer);
    if (this.live) process.stderr.write("\r\x1b[K");
  }
}

/** `45s`, `3m10s`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
}
