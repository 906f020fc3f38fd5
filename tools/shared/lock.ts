import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ProcessId, identify, isAlive } from "./processes";

/**
 * Runs `work` while holding the lock file, which only one process can do at a time. Waits for another holder and calls
 * `waiting` once with its process id; `signal` ends the wait. The lock of a killed process is taken over.
 */
export async function withLock<T>(
  path: string,
  waiting: (pid: number) => void,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let said = false;
  for (let holder = tryLock(path); holder !== undefined; holder = tryLock(path)) {
    if (!said) waiting(holder.pid);
    said = true;
    signal?.throwIfAborted();
    await sleep(100);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/** Takes the lock and returns undefined, or returns its holder. */
function tryLock(path: string): ProcessId | undefined {
  const own = identify(process.pid);
  const draft = `${path}.${process.pid}`;
  // A link appears with its content, so no one reads a half-written lock.
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    linkSync(draft, path);
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  const holder = read(path);
  if (holder !== undefined && isAlive(holder)) return holder;
  removeStale(path, holder);
  return tryLock(path);
}

/** Moves a dead holder's lock aside; puts it back if another process took the lock over in between. */
function removeStale(path: string, dead: ProcessId | undefined): void {
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
    if (read(aside)?.startTime !== dead?.startTime) linkSync(aside, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOENT" && code !== "EEXIST") throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function read(path: string): ProcessId | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ProcessId;
  } catch {
    return undefined;
  }
}
