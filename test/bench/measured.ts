import { readdirSync } from "node:fs";
import { processFields } from "../../tools/shared/processes";

/** What a step took. */
export interface Figures {
  /** Wall time. */
  readonly seconds: number;
  /** User and system time of all processes that it started, in seconds. */
  readonly cpu: number;
  /** The most resident memory that they had together, in MiB. */
  readonly memory: number;
}

const interval = 200;
// Linux reports CPU time in hundredths of a second and memory in pages of 4 KiB, on every common machine.
const ticksPerSecond = 100;
const pagesPerMebibyte = 256;

/** Measures an action by looking at this process's descendants several times a second: a last fraction of a process is not counted. */
export async function measured(action: () => Promise<unknown>): Promise<Figures> {
  const cpu = new Map<string, number>();
  let memory = 0;
  const look = (): void => {
    let pages = 0;
    for (const process of descendants()) {
      cpu.set(process.id, process.ticks);
      pages += process.pages;
    }
    memory = Math.max(memory, pages / pagesPerMebibyte);
  };
  const timer = setInterval(look, interval);
  const start = performance.now();
  try {
    await action();
  } finally {
    clearInterval(timer);
  }
  const ticks = [...cpu.values()].reduce((sum, each) => sum + each, 0);
  return { seconds: (performance.now() - start) / 1000, cpu: ticks / ticksPerSecond, memory };
}

/** The figures in the middle, each for itself. */
export function median(all: readonly Figures[]): Figures {
  const middle = (key: keyof Figures): number =>
    all.map((figures) => figures[key]).sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? NaN;
  return { seconds: middle("seconds"), cpu: middle("cpu"), memory: middle("memory") };
}

interface Process {
  readonly id: string;
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
  readonly pages: number;
}

/** Running processes that this one started, and those that they started. */
function descendants(): Process[] {
  const children = new Map<number, Process[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const process = readProcess(Number(entry));
    if (process !== undefined) children.set(process.parent, [...(children.get(process.parent) ?? []), process]);
  }
  const below = (pid: number): Process[] =>
    (children.get(pid) ?? []).flatMap((process) => [process, ...below(process.pid)]);
  return below(process.pid);
}

function readProcess(pid: number): Process | undefined {
  const field = processFields(pid);
  if (field === undefined) return undefined;
  const number = (index: number): number => Number(field(index));
  return {
    id: `${pid}/${field(22)}`,
    pid,
    parent: number(4),
    ticks: number(14) + number(15),
    pages: number(24),
  };
}
