import { spawn } from "node:child_process";
import { constants } from "node:os";
import { UserError } from "../shared/terminal";

/**
 * Runs the Docker client on this terminal against an engine.
 * @param host address of the engine
 * @param input written to its standard input; left out: this process's own
 * @param environment variables over this process's own
 * @returns its exit code, 128 + number when a signal ended it; where it is not 0, Docker has said why
 * @throws UserError where there is no client
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
  // It may end before it has read all.
  child.stdin?.on("error", () => undefined).end(input);
  // Ctrl-C is for what runs in front: `docker logs --follow` ends by it, and then so do we.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  try {
    return await new Promise((resolve, reject) => {
      child.on("error", () => reject(new UserError("the docker command was not found", "install Docker's client")));
      child.on("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? "SIGTERM"]));
    });
  } finally {
    process.off("SIGINT", ignore);
  }
}

/** What `docker exec` is told to run a command in a container. */
export function execArguments(
  container: string,
  command: readonly string[],
  { stdin, terminal }: { readonly stdin: boolean; readonly terminal: boolean },
): string[] {
  return ["exec", ...(stdin ? ["--interactive"] : []), ...(terminal ? ["--tty"] : []), container, ...command];
}

/** What `docker logs` is told. `tail` is a number of lines; left out: all. */
export function logArguments(
  container: string,
  { follow, tail }: { readonly follow: boolean; readonly tail?: number | undefined },
): string[] {
  return ["logs", ...(follow ? ["--follow"] : []), ...(tail === undefined ? [] : ["--tail", String(tail)]), container];
}
