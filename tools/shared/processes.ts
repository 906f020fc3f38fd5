import { type SpawnOptions, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, renameSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "./terminal";

/**
 * A process, distinguished from every other with the same id: ids are reused, but not within the same boot with the same
 * start time.
 */
export interface ProcessId {
  readonly pid: number;
  /** Boot and clock ticks since then, as the kernel reports them. */
  readonly startTime: string;
}

/** The fields of a process in /proc, by their numbers in proc_pid_stat(5), from 3; undefined if there is no such process. */
export function processFields(pid: number): ((number: number) => string | undefined) | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The command's name is in parentheses and can contain spaces and parentheses: count from the last one.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (number) => fields[number - 3];
}

/** The process with this id; undefined if there is none, or only one that has ended (a zombie). */
export function identify(pid: number): ProcessId | undefined {
  const field = processFields(pid);
  if (field === undefined) return undefined;
  const state = field(3);
  const threads = Number(field(20));
  const ticks = field(22);
  // A killed program is a zombie as soon as its first thread has ended; its ports stay in use until the others have.
  const ended = state === "X" || (state === "Z" && threads <= 1);
  if (ended || ticks === undefined) return undefined;
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return { pid, startTime: `${boot}/${ticks}` };
}

/** Whether exactly this process still runs. */
export function isAlive(id: ProcessId): boolean {
  return identify(id.pid)?.startTime === id.startTime;
}

/** The name of a running program, as the kernel knows it (15 characters); undefined if it does not run. */
export function processName(pid: number): string | undefined {
  if (identify(pid) === undefined) return undefined;
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return undefined; // ended between the two reads
  }
}

/** Resident memory of a process, in bytes; 0 if it does not run. */
export function residentMemory(id: ProcessId): number {
  if (!isAlive(id)) return 0;
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${id.pid}/status`, "utf8"))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0; // ended between the two reads
  }
}

/** Refuses systems on which {@link identify} cannot work. */
export function requireProc(): void {
  if (existsSync("/proc/self/stat")) return;
  throw new UserError(
    `the sandbox needs Linux with /proc (found: ${process.platform})`,
    "use another cluster for the stack, e.g. one created by kind: see docs/sandbox.md#kind",
  );
}

/**
 * Starts a program that outlives this one. Its output goes to `log`; the previous log is kept as `log`.previous. Only its
 * owner can read the files it writes. Returns at once, before the program is known to work.
 */
export function startDetached(options: {
  readonly binary: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly log: string;
  readonly env: Readonly<Record<string, string>>;
}): ProcessId {
  if (existsSync(options.log)) renameSync(options.log, `${options.log}.previous`);
  const log = openSync(options.log, "a", 0o600);
  const umask = process.umask(0o077); // inherited: only its owner can read the files it writes
  try {
    const spawnOptions: SpawnOptions = {
      cwd: options.directory,
      env: options.env,
      detached: true,
      stdio: ["ignore", log, log],
    };
    const child = spawn(options.binary, options.args, spawnOptions);
    child.on("error", () => undefined); // reported below: a child that did not start has no id
    child.unref();
    if (child.pid === undefined)
      throw new UserError(`could not start ${options.binary}`, "check that it exists and is executable");
    // A program that has already ended counts as started; its log says why it ended.
    return identify(child.pid) ?? { pid: child.pid, startTime: "ended" };
  } finally {
    process.umask(umask);
    closeSync(log);
  }
}

/** Ends a process with SIGTERM and, after `patience` milliseconds, with SIGKILL. */
export async function endProcess(id: ProcessId, patience = 15_000): Promise<void> {
  const deadline = Date.now() + patience;
  sendSignal(id, "SIGTERM");
  while (isAlive(id)) {
    if (Date.now() > deadline) sendSignal(id, "SIGKILL");
    await sleep(25);
  }
}

function sendSignal(id: ProcessId, signal: NodeJS.Signals): void {
  if (!isAlive(id)) return;
  try {
    process.kill(id.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ESRCH: it has just ended
  }
}
