import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ProcessId, endProcess, identify, isAlive, processName } from "../../shared/processes";
import { beside } from "../../shared/beside";
import type { Report } from "../../shared/terminal";

/**
 * Each run of Pulumi has its own temporary folder as TMPDIR, because its providers leave kubeconfigs with credentials there. The folder also
 * identifies the processes of the run, which outlive a killed Pulumi.
 */
const prefix = "kazoo-run-";
const ownerFile = "owner";

const own = new Map<string | undefined, string>();

/** The temporary folder of this command, or of one of its runs; created by the first call and removed when the command ends. */
export function runFolder(): string {
  const run = beside()?.name;
  const known = own.get(run);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), prefix));
  writeFileSync(join(folder, ownerFile), JSON.stringify(identify(process.pid) ?? { pid: process.pid, startTime: "" }));
  if (own.size === 0) process.once("exit", () => own.forEach((each) => rmSync(each, { recursive: true, force: true })));
  own.set(run, folder);
  return folder;
}

/**
 * Removes the folders of runs whose command was killed, and ends their remaining processes: language host and providers. Does not touch a run
 * whose Pulumi still works.
 * @param parent parent of the runs' folders
 */
export async function clearDeadRuns(report: Report, parent: string = tmpdir()): Promise<void> {
  const processes = processesByFolder(parent);
  const folders = readdirSync(parent)
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(parent, name));
  for (const folder of [...new Set([...folders, ...processes.keys()])].filter(isOfThisUser)) {
    const left = processes.get(folder) ?? [];
    if (isOwned(folder) || left.some(({ pid }) => processName(pid) === "pulumi")) continue;
    if (left.length > 0) report(`ending ${left.length} processes that a killed pulumi left behind`);
    await endAll(left);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Ends the processes that have this folder as their TMPDIR. */
export const endProcessesOf = (folder: string): Promise<void> => endAll(processesByFolder(tmpdir()).get(folder) ?? []);

const endAll = async (processes: readonly ProcessId[]): Promise<void> => {
  await Promise.all(processes.map((id) => endProcess(id, 5_000)));
};

/** Whether this user created the folder, or it no longer exists. Other users of the machine clean up their own. */
const isOfThisUser = (folder: string): boolean =>
  [process.getuid?.(), undefined].includes(statSync(folder, { throwIfNoEntry: false })?.uid);

/** Whether the command that created the folder still runs. */
function isOwned(folder: string): boolean {
  try {
    return isAlive(JSON.parse(readFileSync(join(folder, ownerFile), "utf8")) as ProcessId);
  } catch {
    // A young folder without its mark is being created right now.
    return Date.now() - (statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0) < 10_000;
  }
}

/** Processes by the run's folder in their environment; none without a /proc. */
function processesByFolder(parent: string): Map<string, ProcessId[]> {
  const found = new Map<string, ProcessId[]>();
  for (const pid of pids()) {
    const folder = temporaryFolderOf(pid);
    const id = folder?.startsWith(join(parent, prefix)) === true ? identify(pid) : undefined;
    if (folder !== undefined && id !== undefined) found.set(folder, [...(found.get(folder) ?? []), id]);
  }
  return found;
}

function pids(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function temporaryFolderOf(pid: number): string | undefined {
  try {
    return /(?:^|\0)TMPDIR=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, "latin1"))?.[1];
  } catch {
    return undefined; // another user's, or ended
  }
}
