import pc from "picocolors";
import { labelled } from "./beside";

/** Colours on a terminal, none in a pipe or file; picocolors itself would colour all output in CI. */
export const colours = pc.createColors(
  process.stdout.isTTY === true &&
    process.stderr.isTTY === true &&
    (process.env.NO_COLOR ?? "") === "" &&
    process.env.TERM !== "dumb",
);

/** Functions that colour text, or return it unchanged. */
export type Colours = typeof colours;

/**
 * Whether input and output are a terminal. `isTTY` is undefined otherwise, which would become an empty query parameter: the API server reads
 * that as true.
 */
export const isTerminal = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true;

/**
 * An error that the user can fix: printed as its message, without a stack trace. The message says what is wrong, `next` what
 * to do about it; `exitCode` defaults to 1.
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

/** An error that a reviewer must see as well: reports include it. */
export class RefusedError extends UserError {}

/** Receives one line of progress; never a secret. */
export type Report = (line: string) => void;

/** Writes progress to standard error; standard output is for a command's result. */
export const reportToStderr: Report = (line) => process.stderr.write(labelled(`${line}\n`));

/** Prints an error for the user and returns the exit code. */
export function printError(error: unknown): number {
  if (error instanceof UserError) {
    reportToStderr(`${colours.red("error:")} ${error.message}`);
    if (error.next !== undefined) reportToStderr(`${colours.cyan("next:")} ${error.next}`);
    return error.exitCode;
  }
  const place = placeError(error);
  if (place !== undefined) return printError(place);
  const unexpected = error instanceof Error ? (error.stack ?? error.message) : String(error);
  reportToStderr(`${colours.red("unexpected error:")} ${unexpected}`);
  return 70;
}

/** What a user can do about a file or folder that cannot be used; undefined for any other error. */
function placeError(error: unknown): UserError | undefined {
  const { code = "", path, message, syscall } = error as NodeJS.ErrnoException;
  const missing = code === "ENOENT" && (syscall === "mkdir" || syscall === "mkdtemp");
  if (path === undefined || (!missing && !/^(EACCES|EPERM|EROFS|ENOTDIR|ENOSPC|EDQUOT)$/.test(code))) return undefined;
  const reason = /^[A-Z]+: ([^,]+),/.exec(message)?.[1] ?? code;
  return new UserError(
    `cannot use ${path}: ${reason}`,
    "give this user access to it; KAZOO_CACHE and TMPDIR choose other folders for the toolchain and temporary files",
  );
}
