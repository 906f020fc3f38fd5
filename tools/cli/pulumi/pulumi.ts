import { execFile, spawn } from "node:child_process";
import { constants } from "node:os";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { type Program, withProgram } from "./program";
import { endProcessesOf } from "./runFolder";
import { beside, labelled } from "../../shared/beside";
import { UserError } from "../../shared/terminal";

/** A Pulumi CLI with its working folder and environment. */
export interface PulumiContext {
  readonly binary: string;
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  /** What `preview` and `up` run. @default Pulumi starts the program that Pulumi.yaml names */
  readonly program?: Program;
  /** Returns why a run must stop, for example because the disk is almost full; called every second. @default never */
  readonly mustStop?: () => string | undefined;
}

/**
 * Runs the Pulumi CLI on this terminal and returns its exit code (128 + number if a signal ended it).
 * Pulumi gets Ctrl-C once, so that it stops gracefully: a second one would make it abandon its work.
 * @throws UserError if `mustStop` returns a reason
 */
export const runPulumi = (context: PulumiContext, args: readonly string[]): Promise<number> =>
  withProgram(context.program, args, (client) => onTerminal(context, [...args, ...client]));

async function onTerminal(context: PulumiContext, args: readonly string[]): Promise<number> {
  // On a terminal, Ctrl-C reaches the whole foreground group; without one, or as one of several, Pulumi gets its own process group and only
  // receives the signals that we pass on.
  const run = beside();
  const terminal = run === undefined && (process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY);
  const stop = () => void child.kill("SIGINT");
  const onInterrupt = (): void => {
    if (!terminal) stop();
  };
  const onTerminate = (): void => {
    child.kill("SIGTERM");
  };
  if (run?.stop.aborted === true) return 128 + constants.signals.SIGINT;
  // Before Pulumi starts: a signal must never end this command alone. Of several runs, each is stopped by its own signal, once.
  if (run === undefined) process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate);
  else run.stop.addEventListener("abort", stop, { once: true });
  const child = spawn(context.binary, args, {
    cwd: context.directory,
    env: context.env,
    stdio: run === undefined ? "inherit" : ["ignore", "pipe", "pipe"],
    detached: !terminal,
  });
  if (child.stdout !== null && child.stderr !== null) {
    pass(child.stdout, run?.show ?? printTo(process.stdout));
    pass(child.stderr, printTo(process.stderr));
  }
  let reason: string | undefined;
  const watch = setInterval(() => {
    reason = context.mustStop?.();
    if (reason === undefined) return;
    clearInterval(watch);
    stop();
  }, 1000);
  let code: number;
  try {
    code = await new Promise((resolve, reject) => {
      child.on("error", (error) => reject(new UserError(`could not start ${context.binary}: ${error.message}`)));
      // With all of its output; but what a killed Pulumi leaves running holds its output open.
      child.on("close", (code) => resolve(code ?? 1));
      child.on("exit", (_, signal) => signal !== null && resolve(128 + constants.signals[signal]));
    });
  } finally {
    clearInterval(watch);
    run?.stop.removeEventListener("abort", stop);
    process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate);
    // A Pulumi that is killed leaves its language host and providers running.
    if (child.signalCode !== null && context.env.TMPDIR !== undefined) await endProcessesOf(context.env.TMPDIR);
  }
  if (reason === undefined) return code;
  throw new UserError(`pulumi was stopped: ${reason}`, "free some space, then run the same command again to continue");
}

const pass = (from: Readable, to: (line: string) => void): void =>
  void createInterface({ input: from }).on("line", (line) => to(line));

/** Prints lines, each with the name of its run in front. */
const printTo =
  (stream: NodeJS.WriteStream) =>
  (line: string): void =>
    void stream.write(labelled(`${line}\n`));

/** The backend does not have the stack. */
export class NotInBackendError extends UserError {}

/**
 * Runs a short Pulumi command and returns its output; if it fails, its message is the error. It does not use Pulumi's Automation API: loading that
 * takes half a second, and each of its calls runs further commands of the CLI, so that `status` would take twice as long.
 * @param input what the command reads from standard input
 */
export async function askPulumi(context: PulumiContext, args: readonly string[], input = ""): Promise<string> {
  try {
    const options = { cwd: context.directory, env: context.env, maxBuffer: 64 * 1024 * 1024 };
    const asked = promisify(execFile)(context.binary, ["--non-interactive", ...args], options);
    asked.child.stdin?.on("error", () => undefined).end(input); // a Pulumi that fails early does not read it: its message says why
    return (await asked).stdout;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const said = (stderr ?? "").trim().replace(/^error: /, "");
    const unknown = /^no stack named '(?:\S+\/)?([^'/]+)'/.exec(said)?.[1];
    const problem = `pulumi ${args.slice(0, 2).join(" ")}: ${said === "" ? message : said}`;
    if (unknown === undefined) throw new UserError(problem);
    throw new NotInBackendError(problem, `if the backend does not have it yet: ${stackInit(unknown)}`);
  }
}

/** The outputs of a stack; secret ones are masked unless `options` show them. */
export async function readOutputs<T>(
  context: PulumiContext,
  stack: string,
  options: readonly string[] = [],
): Promise<T> {
  return JSON.parse(await askPulumi(context, ["stack", "output", "--json", ...options, "--stack", stack])) as T;
}

/** The command that creates a stack in the user's own backend. */
export const stackInit = (stack: string): string => `eval "$(npx kazoo env -s ${stack})" && pulumi stack init ${stack}`;
