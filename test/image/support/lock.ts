import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** Whether a process of this machine is alive. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Runs `work` while no other process of this machine holds the lock: test files run side by side.
 * A lock whose holder has died is taken over.
 * @param folder path of the lock, a folder that is made and removed
 * @param limit longest wait for the lock, in ms
 */
export async function withLock<T>(folder: string, work: () => Promise<T>, limit = 900_000): Promise<T> {
  mkdirSync(dirname(folder), { recursive: true });
  const holder = join(folder, "pid");
  const end = Date.now() + limit;
  for (;;) {
    try {
      mkdirSync(folder);
      writeFileSync(holder, String(process.pid));
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (!holderIsAlive(holder)) rmSync(folder, { recursive: true, force: true });
    if (Date.now() > end) throw new Error(`another process has held ${folder} for ${limit / 1000} s`);
    await wait(200);
  }
  try {
    return await work();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function holderIsAlive(file: string): boolean {
  try {
    // An empty file: its holder is between making and writing it.
    const pid = readFileSync(file, "utf8");
    return pid === "" || isAlive(Number(pid));
  } catch {
    return true;
  }
}
