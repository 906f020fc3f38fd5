import { PassThrough, Transform, type Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { execArguments, logArguments, runDocker } from "../docker/dockerClient";
import { type LogOptions, type PodPlace, type Streams, execInPod, podLog } from "./kubernetes";
import type { ZoneNode } from "./nodes";
import { UserError, isTerminal } from "../../shared/terminal";

/** Logs of and commands in a node's container, the same on Kubernetes and on Docker. */

/** Runs a command in a node's container on this process's standard input and output; returns its exit code. */
export async function runInside({ place }: ZoneNode, command: readonly string[]): Promise<number> {
  const terminal = isTerminal();
  if (place.kind === "container") {
    return runDocker(place.host, execArguments(place.container, command, { stdin: true, terminal }));
  }
  return withRawTerminal(terminal, () => execInPod(place, command, ownStreams(terminal)));
}

/** Runs a shell script in a node's container. The script must end with `exit` or `exec`, because its input stays open. */
export async function runScriptInside({ place }: ZoneNode, script: string): Promise<number> {
  if (place.kind === "container") {
    return runDocker(place.host, execArguments(place.container, ["sh"], { stdin: true, terminal: false }), script);
  }
  const input = new PassThrough();
  input.write(script);
  try {
    const { output, errors } = ownStreams(false);
    return await execInPod(place, ["sh"], { input, output, errors, terminal: false });
  } finally {
    input.destroy();
  }
}

/**
 * The output of a shell script in a pod, which must end like {@link runScriptInside}'s.
 * @param signal stops waiting for it
 * @param heard receives the output as it arrives
 * @throws UserError with the end of its error output if it fails, or if the signal stopped the wait
 */
export async function askInside(
  place: PodPlace,
  script: string,
  { signal, heard }: { readonly signal?: AbortSignal; readonly heard?: (chunk: Buffer) => void } = {},
): Promise<string> {
  const output = new Transform({
    transform: (chunk: Buffer, _, done) => {
      heard?.(chunk);
      done(null, chunk);
    },
  });
  const [input, errors] = [new PassThrough(), new PassThrough()];
  input.write(script);
  const [said, complaints] = [text(output), text(errors)];
  try {
    const streams = { input, output, errors, terminal: false };
    const run = execInPod(place, ["sh"], signal === undefined ? streams : { ...streams, signal });
    const code = await (signal === undefined ? run : Promise.race([run, endOf(signal, place)]));
    if (code !== 0) {
      errors.end();
      throw new UserError(`pod ${place.pod}: ${(await complaints).trim() || `exit code ${code}`}`);
    }
  } finally {
    for (const stream of [input, output, errors]) stream.end();
  }
  return said;
}

const endOf = (signal: AbortSignal, { pod }: PodPlace): Promise<never> =>
  new Promise((_, reject) => {
    const end = (): void => reject(new UserError(`pod ${pod} did not answer in time`));
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });

/** Writes a node's log to standard output. Returns the exit code. */
export async function showLog({ place }: ZoneNode, options: LogOptions): Promise<number> {
  if (place.kind === "container") return runDocker(place.host, logArguments(place.container, options));
  await podLog(place, options, process.stdout);
  return 0;
}

const ownStreams = (terminal: boolean): Streams => ({
  input: process.stdin,
  output: process.stdout as Writable,
  errors: process.stderr,
  terminal,
});

/** On a terminal every key goes to the container, including Ctrl-C. */
async function withRawTerminal<T>(terminal: boolean, work: () => Promise<T>): Promise<T> {
  if (!terminal) return work().finally(() => process.stdin.destroy());
  process.stdin.setRawMode(true);
  try {
    return await work();
  } finally {
    process.stdin.setRawMode(false);
    process.stdin.destroy();
  }
}
