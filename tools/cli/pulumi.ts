import { execFile, spawn } from "node:child_process";
import { constants } from "node:os";
import { promisify } from "node:util";
import { endProcessesOf } from "./runFolder";
import { UserError } from "../shared/terminal";

/** A Pulumi CLI that can be run: which, where, with what around it. */
export interface PulumiContext {
  readonly binary: string;
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Runs the Pulumi CLI on this terminal and returns its exit code (128 + number when a signal ended it).
 * Pulumi gets Ctrl-C once, so that it ends in order: a second one would make it drop what it is doing.
 */
export async function runPulumi(context: PulumiContext, args: readonly string[]): Promise<number> {
  // On a terminal, Ctrl-C reaches everything in the foreground by itself; without one, Pulumi gets a group of its own
  // and hears what is sent to us from us alone.
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  const child = spawn(context.binary, args, {
    cwd: context.directory,
    env: context.env,
    stdio: "inherit",
    detached: !terminal,
  });
  const onInterrupt = (): void => {
    if (!terminal) child.kill("SIGINT");
  };
  const onTerminate = (): void => {
    child.kill("SIGTERM");
  };
  process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate);
  try {
    return await new Promise((resolve, reject) => {
      child.on("error", (error) => reject(new UserError(`could not start ${context.binary}: ${error.message}`)));
      child.on("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGTERM"]));
    });
  } finally {
    process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate);
    // A Pulumi that is killed leaves its language host and providers running.
    if (child.signalCode !== null && context.env.TMPDIR !== undefined) await endProcessesOf(context.env.TMPDIR);
  }
}

/** Runs a short Pulumi command and returns what it prints; its own words are the error when it fails. */
export async function askPulumi(context: PulumiContext, args: readonly string[]): Promise<string> {
  try {
    const options = { cwd: context.directory, env: context.env, maxBuffer: 64 * 1024 * 1024 };
    return (await promisify(execFile)(context.binary, ["--non-interactive", ...args], options)).stdout;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const said = (stderr ?? "").trim().replace(/^error: /, "");
    const unknown = /^no stack named '(?:\S+\/)?([^'/]+)'/.exec(said)?.[1];
    throw new UserError(
      `pulumi ${args.slice(0, 2).join(" ")}: ${said === "" ? message : said}`,
      unknown === undefined ? undefined : `if it is new to the backend: ${stackInit(unknown)}`,
    );
  }
}

/** How a stack is made in the user's own backend. */
export const stackInit = (stack: string): string => `eval "$(npx kazoo env -s ${stack})" && pulumi stack init ${stack}`;
