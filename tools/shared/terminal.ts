import pc from "picocolors";

/** Colours where a person reads, none in a pipe or file; picocolors itself would colour everything that runs in CI. */
export const colours = pc.createColors(
  process.stdout.isTTY === true &&
    process.stderr.isTTY === true &&
    (process.env.NO_COLOR ?? "") === "" &&
    process.env.TERM !== "dumb",
);

/** What colours text, or leaves it as it is. */
export type Colours = typeof colours;

/**
 * Whether a person sits at both ends. What is no terminal has no `isTTY` at all, which a query would hand on as an empty text: to the API
 * server that is true.
 */
export const isTerminal = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true;

/**
 * An error of the user's making, or one that the user can mend: printed as its message alone, without a stack trace.
 * The message says what is wrong; `next` what to do about it; `exitCode` defaults to 1.
 */
export class UserError extends Error {
  constructor(
    message: string,
    readonly next?: string,
    readonly exitCode = 1,
  ) {
    super(message);
    this.name = "UserError";
  }
}

/** Receives one line of progress, for people: what is done now, never a secret. */
export type Report = (line: string) => void;

/** Writes progress to standard error, so that standard output stays clean for what a command returns. */
export const reportToStderr: Report = (line) => process.stderr.write(`${line}\n`);

/** Prints an error as a user should see it and returns the exit code. */
export function printError(error: unknown): number {
  if (error instanceof UserError) {
    process.stderr.write(`${colours.red("error:")} ${error.message}\n`);
    if (error.next !== undefined) process.stderr.write(`${colours.cyan("next:")} ${error.next}\n`);
    return error.exitCode;
  }
  const unexpected = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${colours.red("unexpected error:")} ${unexpected}\n`);
  return 70;
}
