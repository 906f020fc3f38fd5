import { readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { UserError } from "../../shared/terminal";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Writes a stack's file and runs `work` with it. Restores the previous file unless `work` keeps the new one, also after Ctrl-C or a lost
 * terminal.
 * @param work receives a function that keeps the file from then on, whatever happens
 * @throws UserError from that function, if a signal has restored the file
 */
export async function tryFile<T>(path: string, text: string, work: (keep: () => void) => Promise<T>): Promise<T> {
  const before = readFileSync(path, "utf8");
  let kept = false;
  let stopped: NodeJS.Signals | undefined;
  const exitCode = (signal: NodeJS.Signals) => 128 + constants.signals[signal];
  const onSignal = (signal: NodeJS.Signals): void => {
    writeFileSync(path, before);
    stopped = signal;
    // A running preview receives the signal too, and we wait for its end. Without another listener, the signal ends this process as usual.
    if (process.listenerCount(signal) === 1) process.exit(exitCode(signal));
  };
  const deaf = (): void => signals.forEach((signal) => process.off(signal, onSignal));
  signals.forEach((signal) => process.on(signal, onSignal));
  writeFileSync(path, text);
  try {
    return await work(() => {
      if (stopped !== undefined) throw new UserError("interrupted", "nothing was changed", exitCode(stopped));
      kept = true;
      deaf();
    });
  } finally {
    deaf();
    if (!kept) writeFileSync(path, before);
  }
}
