import { mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ProcessId, endProcess, identify, isAlive } from "../../../tools/shared/processes";

/**
 * Everything that a run has on this machine is in one folder, or has its name: processes have the folder in their command line, control
 * groups are named after it. So the leftovers of a killed run can be found, and nothing else is mistaken for them.
 */
export interface RunFolder {
  readonly path: string;
  /** Name of the folder and of the run's control group. */
  readonly name: string;
}

const prefix = "kazoo-e2e-";
const ownerFile = "owner.json";
const controlGroups = "/sys/fs/cgroup";

/** The run's network interface on this machine; names have at most 15 characters, so it has only the unique part of the run's name. */
export const linkName = (name: string): string => `kz${name.slice(-6)}`;

export function makeRunFolder(): RunFolder {
  const path = mkdtempSync(join(tmpdir(), prefix));
  writeFileSync(join(path, ownerFile), JSON.stringify(identify(process.pid)));
  return { path, name: path.slice(path.lastIndexOf("/") + 1) };
}

/** Removes the leftovers of runs whose process has ended. */
export async function removeLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir()).filter((entry) => entry.startsWith(prefix))) {
    const path = join(tmpdir(), name);
    const owner = readOwner(path);
    // A folder without an owner is being created right now, or its run was killed while creating it.
    const isOld = Date.now() - statSync(path).mtimeMs > 60_000;
    if (owner === undefined ? isOld : !isAlive(owner)) await removeRun({ path, name });
  }
}

/** Stops the run's processes, then removes its control groups and its folder. May be called at any time, repeatedly. */
export async function removeRun({ path, name }: RunFolder): Promise<void> {
  await endProcessesNaming(path);
  for (const hierarchy of [controlGroups, ...readdirSync(controlGroups).map((entry) => join(controlGroups, entry))]) {
    await removeControlGroup(join(hierarchy, name));
  }
  rmSync(path, { recursive: true, force: true });
}

/** Root folders of the cgroup hierarchies: one in version 2, one per controller in version 1. */
export function controlGroupRoots(): string[] {
  const isSecond = readdirSync(controlGroups).includes("cgroup.controllers");
  if (isSecond) return [controlGroups];
  return readdirSync(controlGroups)
    .map((entry) => join(controlGroups, entry))
    .filter((path) => statSync(path).isDirectory());
}

/** Kills all processes with the path in their command line, except this one. */
export async function endProcessesNaming(path: string): Promise<void> {
  await Promise.all(processesNaming(path).map((id) => endProcess(id, 10_000)));
}

function readOwner(path: string): ProcessId | undefined {
  try {
    return JSON.parse(readFileSync(join(path, ownerFile), "utf8")) as ProcessId;
  } catch {
    return undefined;
  }
}

function processesNaming(path: string): ProcessId[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((entry) => {
      try {
        const commandLine = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0").join(" ");
        return commandLine.includes(path) ? (identify(Number(entry)) ?? []) : [];
      } catch {
        return []; // has ended in the meantime
      }
    });
}

/** Innermost first; killed processes in it may not be gone yet. */
async function removeControlGroup(path: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        if (entry.isDirectory()) await removeControlGroup(join(path, entry.name));
      }
      rmdirSync(path);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") return;
      if (code !== "EBUSY" || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
