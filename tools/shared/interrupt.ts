import { setTimeout as sleep } from "node:timers/promises";
import { beside } from "./beside";
import { UserError } from "./terminal";

/**
 * Runs `work` with an AbortSignal that Ctrl-C and SIGTERM abort, so that it stops only where it checks: nothing may interrupt
 * it between starting a process and recording its id. One of several runs side by side has its own signal, which they abort.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const run = beside();
  if (run !== undefined) return work(run.stop);
  const controller = new AbortController();
  const interrupt = (name: NodeJS.Signals): void =>
    controller.abort(
      new UserError("interrupted", "run the same command again to continue", name === "SIGINT" ? 130 : 143),
    );
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    return await work(controller.signal);
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/**
 * Runs `work`, which ends gracefully by itself on Ctrl-C and SIGTERM, as Pulumi does.
 * @throws UserError afterwards, if one of them arrived: what follows must not start
 */
export const unlessInterrupted = <T>(work: () => Promise<T>): Promise<T> =>
  interruptible(async (signal) => {
    const result = await work();
    signal.throwIfAborted();
    return result;
  });

/**
 * Polls `condition` every 50 ms until it returns something; undefined after `limit` milliseconds.
 * Throws what the condition throws, and the signal's reason once it is aborted.
 */
export async function poll<T>(
  limit: number,
  signal: AbortSignal,
  condition: () => Promise<T | undefined> | T | undefined,
): Promise<T | undefined> {
  const deadline = Date.now() + limit;
  for (;;) {
    signal.throwIfAborted();
    const result = await condition();
    if (result !== undefined) return result;
    if (Date.now() > deadline) return undefined;
    await sleep(50);
  }
}
