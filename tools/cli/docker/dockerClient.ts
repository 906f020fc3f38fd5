import { spawn } from "node:child_process";
import { constants } from "node:os";
import { UserError } from "../../shared/terminal";
import { requireEngines } from "./dockerEngines";

/**
 * Runs the Docker client on this terminal against an engine.
 * @param host address of the engine
 * @param input written to its standard input; default: this process's standard input
 * @param environment variables to add to this process's own
 * @returns its exit code, 128 + number if a signal ended it; if it is not 0, Docker has printed the reason
 * @throws UserError if there is no client, or if the engine does not run
 */
export async function runDocker(
  host: string,
  args: readonly string[],
  input?: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<number> {
  const child = spawn("docker", ["--host", host, ...args], {
    stdio: [input === undefined ? "inherit" : "pipe", "inherit", "inherit"],
    env: { ...process.env, ...environment },
  });
  // The client may end before it has read everything.
  child.stdin?.on("error", () => undefined).end(input);
  // Ctrl-C is for the client: it ends `docker logs --follow`, and then this process ends too.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on("error", () => reject(new UserError("the docker command was not found", "install Docker's client")));
      child.on("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGTERM"]));
    });
    // Docker's own message has no next step.
    if (code === 1) await requireEngines([host]);
    return code;
  } finally {
    process.off("SIGINT", ignore);
  }
}

/** Arguments of docker for running a command in a container. */
export function execArguments(
  container: string,
  command: readonly string[],
  { stdin, terminal }: { readonly stdin: boolean; readonly terminal: boolean },
): string[] {
  return ["exec", ...(stdin ? ["--interactive"] : []), ...(terminal ? ["--tty"] : []), container, ...command];
}

/** Arguments of docker for a log. `tail` is a number of lines; default: all. */
export function logArguments(
  container: string,
  { follow, tail }: { readonly follow: boolean; readonly tail?: number | undefined },
): string[] {
  return ["logs", ...(follow ? ["--follow"] : []), ...(tail === undefined ? [] : ["--tail", String(tail)]), container];
}
