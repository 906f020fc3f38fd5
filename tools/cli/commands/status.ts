import { emitKeypressEvents } from "node:readline";
import type { Writable } from "node:stream";
import type { ReadStream } from "node:tty";
import type { Finding } from "../doctor/checks/finding";
import { type Examination, examine, stateFindings } from "../doctor/examine";
import { type Readiness, type ZoneHealth, healthOf, isHealthy } from "../cluster/health";
import { deployedIn, knownObjects } from "../stack/deployed";
import { zonesOf } from "../cluster/nodes";
import { type FleetOptions, stackOf } from "../run/fleet";
import { openRegions, readPlatform } from "../stack/openStack";
import { runningImages } from "../cluster/runningImages";
import { table } from "../../shared/table";
import { UserError, colours, printError, reportToStderr } from "../../shared/terminal";

interface StatusOptions extends FleetOptions {
  readonly json: boolean;
  readonly watch: boolean;
}

/** Shows the state of a stack's zones. Returns 0 if everything is ready, otherwise 1. */
export async function status({ json, watch, ...options }: StatusOptions): Promise<number> {
  if (watch && (json || !process.stdout.isTTY || !process.stdin.isTTY)) {
    throw new UserError("--watch needs a terminal, and cannot be combined with --json", "omit it to look once");
  }
  const name = await stackOf(options);
  const stacks = await openRegions(name, reportToStderr);
  const found = await Promise.allSettled(
    stacks.map((stack) => Promise.all([zonesOf(stack), deployedIn(stack)] as const)),
  );
  const problems = found.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  const seen = found.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (seen.length === 0) throw problems[0];
  // The other regions can still be shown.
  problems.forEach(printError);
  const known = knownObjects(seen.flatMap(([, deployed]) => deployed));
  const zones = seen.flatMap(([own]) => own);
  const look = () => healthOf(zones, known);
  if (watch) {
    await watchHealth(name, look);
    // Do not wait for clusters that have not answered yet.
    process.exit();
  }
  const [health, examination] = await Promise.all([look(), examine(readPlatform(name), zones, "status")]);
  const findings = [...examination.findings, ...stateFindings(health, "status")];
  const { unasked, simulated } = examination;
  const all = { stack: name, zones: health, findings, unasked, simulated };
  const hasPods = zones.some(({ cluster }) => cluster.kind !== "docker");
  const text = json ? `${JSON.stringify(all, null, 2)}\n` : tables(health, hasPods ? all : undefined);
  return endWith(
    text,
    problems.length === 0 && health.every(isHealthy) && findings.every(({ kind }) => kind !== "error") ? 0 : 1,
  );
}

/** Writes a result and exits, because a hanging connection would keep the process alive. */
export const endWith = (text: string, exitCode: number): Promise<never> =>
  new Promise(() => process.stdout.write(text, () => process.exit(exitCode)));

/** The findings of `examine`, and the stack's name. */
type Examined = Examination & { readonly stack: string };

const tables = (health: readonly ZoneHealth[], examined?: Examined): string =>
  [healthTable(health, new Date(), examined), imageTable(health)].filter((text) => text !== "").join("\n");

const readinessColumns = ["ZONE", "CLUSTER", "RING", "KAZOO", "BROKERS", "DATABASE"];

/** The zones as a table for people, their findings, and the next step in one line. */
export function healthTable(zones: readonly ZoneHealth[], now: Date, examined?: Examined): string {
  const rows = zones.map((zone) => [
    zone.zone,
    zone.cluster,
    zone.ring,
    count(zone.kazoo),
    count(zone.brokers),
    count(zone.database),
    zone.join ?? "-",
    zone.firstBoot ?? "-",
    shortImage(zone.image),
    zone.rolled === undefined ? "-" : `${ago(now.getTime() - Date.parse(zone.rolled))} ago`,
  ]);
  const text = table([[...readinessColumns, "JOIN", "FIRST BOOT", "IMAGE", "LAST RESTART"], ...rows]);
  const [heading = "", ...lines] = text.trimEnd().split("\n");
  const problems = zones.flatMap(({ zone, problem, missing = [] }) => [
    ...(problem === undefined ? [] : [`${zone}: ${problem}`]),
    ...(missing.length === 0 ? [] : [`${zone}: missing in the cluster: ${missing.join(", ")}`]),
  ]);
  const { findings = [], simulated = false } = examined ?? {};
  const unseen = new Set(zones.flatMap(({ zone, problem }) => (problem === undefined ? [] : [zone])));
  const unasked = examined?.unasked.filter((line) => !unseen.has(line.split(/[/:]/)[0] ?? "")) ?? [];
  const next = nextStep(zones, findings, examined?.stack);
  return [
    colours.bold(heading),
    ...lines.map((line, index) => (zones[index] !== undefined && isHealthy(zones[index]) ? line : colours.red(line))),
    ...problems.map((problem) => colours.red(problem)),
    ...findings.map(({ kind, where, what }) => (kind === "error" ? colours.red : colours.yellow)(`${where}: ${what}`)),
    ...(simulated ? [colours.dim("the pods are simulated: brokers, databases and Kazoo were not queried")] : []),
    ...unaskedLines(unasked),
    ...(next === undefined ? [] : [`${colours.cyan("next:")} ${next}`]),
    "",
  ].join("\n");
}

/** The most urgent step; undefined if there is nothing to do. */
function nextStep(
  zones: readonly ZoneHealth[],
  findings: readonly Finding[],
  stack: string | undefined,
): string | undefined {
  const [worst] = [...findings].sort((a, b) => a.kind.localeCompare(b.kind));
  const step = zones.find(({ next }) => next !== undefined)?.next;
  const rest = `make doctor STACK=${stack} explains why it matters and how to fix it`;
  if (step !== undefined || stack === undefined) return step;
  if (worst !== undefined) return findings.length === 1 ? `${worst.where}: ${worst.fix}` : rest;
  return zones.every(isHealthy) ? undefined : rest;
}

/** Some of the checks that could not be made. */
export const unaskedLines = (unasked: readonly string[], most = 5): string[] => [
  ...unasked.slice(0, most).map((line) => colours.dim(`not checked: ${line}`)),
  ...(unasked.length > most ? [colours.dim(`not checked: ${unasked.length - most} more, see JSON=1`)] : []),
];

/** The images of all nodes as a table for people; `--json` has the whole digests. Empty if no node runs. */
export function imageTable(zones: readonly ZoneHealth[]): string {
  const images = runningImages(zones);
  if (images.length === 0) return "";
  const rows = images.map(({ workload, zones: own, name, digest }) => [
    workload,
    name,
    digest?.slice(0, "sha256:".length + 12) ?? "-",
    zones.length > 1 && own.length === zones.length ? "all" : own.join(", "),
  ]);
  const [heading = "", ...lines] = table([["WORKLOAD", "IMAGE", "DIGEST", "ZONES"], ...rows])
    .trimEnd()
    .split("\n");
  return [colours.bold(heading), ...lines, ""].join("\n");
}

const count = ({ ready, wanted }: Readiness): string => `${ready}/${wanted}`;

/** `repository@12 digits` or `repository:tag`, to keep the table narrow. */
export function shortImage(reference: string | undefined): string {
  if (reference === undefined) return "-";
  const name = reference.split("/").at(-1) ?? reference;
  return name.replace(/sha256:([a-f0-9]{12})[a-f0-9]*$/, "$1");
}

/** A duration in its largest unit: `42 s`, `3 min`, `5 h`, `12 d`. */
export function ago(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** Redraws the table until q or Ctrl-C, even while a cluster does not answer. */
export async function watchHealth(
  stack: string,
  look: () => Promise<ZoneHealth[]>,
  stdin: ReadStream = process.stdin,
  stdout: Writable = process.stdout,
): Promise<void> {
  let end: (pressed: "ended") => void;
  const ended = new Promise<"ended">((resolve) => (end = resolve));
  const onKey = (_: string, key: { name?: string; ctrl?: boolean }): void => {
    if (key.name === "q" || (key.ctrl === true && key.name === "c")) end("ended");
  };
  emitKeypressEvents(stdin);
  stdin.setRawMode(true).on("keypress", onKey);
  const draw = (text: string): boolean => stdout.write(`\x1b[H\x1b[J${stack}, every 2 s; q ends\n\n${text}`);
  let timer: NodeJS.Timeout | undefined;
  // On the alternate screen, so that the previous content returns at the end.
  stdout.write("\x1b[?1049h\x1b[?25l");
  draw("looking\n");
  try {
    for (;;) {
      const health = await Promise.race([look(), ended]);
      if (health === "ended") return;
      draw(tables(health));
      const pause = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, 2000, undefined)));
      if ((await Promise.race([pause, ended])) === "ended") return;
    }
  } finally {
    clearTimeout(timer);
    stdout.write("\x1b[?25h\x1b[?1049l");
    stdin.setRawMode(false).off("keypress", onKey).pause();
  }
}
