import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { interruptible } from "../shared/interrupt";
import { withLock } from "../shared/lock";
import { identify } from "../shared/processes";
import type { Report } from "../shared/terminal";
import { type Entries, buildCache, lockFile } from "./cache";
import { checkDisk } from "./checks";
import { type GoOptions, isPackage, mustGo } from "./go";
import { type Group, type ModuleFiles, binaryName, buildFlags, packageOf } from "./groups";
import { Progress, duration } from "./progress";

/**
 * Free disk space required before a build, in GiB. Measured with Go 1.26 for the stack `dev`: 6.0 for the build cache, 2.7 for modules, 0.7
 * for programs. Packages in the cache need no more space.
 */
const room = { fresh: 10, more: 3, small: 2 } as const;

/**
 * Builds missing parts, group by group. Only one process per user builds; others wait and then use the result. An interrupted build leaves
 * no incomplete part, and the next one continues from Go's build cache.
 */
export async function buildMissing(parts: readonly string[], entries: Entries, report: Report): Promise<void> {
  const missing = (): string[] => parts.filter((part) => !entries.has(part));
  if (missing().length === 0) return;
  const waiting = (pid: number): void => report(`waiting for the toolchain build of process ${pid}`);
  await withLock(lockFile(entries.root), waiting, async () => {
    const todo = missing(); // another process may have built them while this one waited
    if (todo.length === 0) return;
    removeLeftovers(entries.root);
    const steps = entries.groups.filter(({ packages }) => todo.some((part) => part in packages));
    const fresh = !existsSync(buildCache(entries.root));
    const need = !steps.some(({ big }) => big) ? room.small : fresh ? room.fresh : room.more;
    checkDisk(entries.root, need, "building the toolchain");
    await interruptible(async (signal) => {
      for (const [index, group] of steps.entries()) {
        const step = { label: `[${index + 1}/${steps.length}]`, report };
        const wanted = todo.filter((part) => part in group.packages);
        await buildGroup(group, wanted, entries, step, signal);
      }
    });
    report("the build cache is kept for later builds; `kazoo toolchain --prune` removes it");
  });
}

/** Removes temporary folders of killed processes. */
export function removeLeftovers(root: string): void {
  for (const name of readdirSync(root)) {
    const pid = /^tmp-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && identify(Number(pid)) === undefined)
      rmSync(join(root, name), { recursive: true, force: true });
  }
}

/** How a step reports its progress: its label, such as `[2/3]`, and the receiver. */
interface Step {
  readonly label: string;
  readonly report: Report;
}

async function buildGroup(
  group: Group,
  parts: readonly string[],
  entries: Entries,
  step: Step,
  signal: AbortSignal,
): Promise<void> {
  const { folder } = group;
  const temporary = mkdtempSync(join(entries.root, `tmp-${process.pid}-`));
  const output = join(temporary, "output");
  const work = join(temporary, "work");
  mkdirSync(output);
  mkdirSync(work);
  const env = {
    ...process.env,
    CGO_ENABLED: "0",
    GO111MODULE: "on",
    GOCACHE: buildCache(entries.root),
    // Not empty: with an empty value, Go would use the flags that the user has set with `go env -w GOFLAGS=…`.
    GOFLAGS: "-mod=readonly",
    GOTMPDIR: work,
    GOTOOLCHAIN: "local",
    GOWORK: "off",
  };
  try {
    const names = parts.join(", ");
    let fetched = 0;
    const onDownload = (line: string): void => void (line.startsWith("go: downloading ") && fetched++);
    const modules = new Progress(
      step.report,
      (seconds) =>
        `${step.label} ${names}: modules${fetched === 0 ? "" : ` (${fetched} fetched)`}, ${duration(seconds)}`,
    );
    const options = { folder, env, signal, onLine: onDownload };
    const flags = [...buildFlags(group), ...(await overlay(group.embed, temporary, options))];
    const packages = parts.map((part) => packageOf(group, part));
    let waiting: number;
    let all: number;
    try {
      const list = ["list", ...flags, "-deps", "-f", "{{.Stale}} {{.StaleReason}}", ...packages];
      const states = (await mustGo("fetch Go modules", list, options)).trim().split("\n");
      all = states.length;
      waiting = states.filter((state) => /^true (?!.*available in build cache)/.test(state)).length;
    } finally {
      modules.stop();
    }

    let compiled = 0;
    const expected = duration(Math.max(10, 60 * group.minutes * (waiting / all)));
    const building = new Progress(
      step.report,
      (seconds) =>
        `${step.label} ${names}: ${compiled} of ${waiting} packages, ${duration(seconds)} of about ${expected} on two cores`,
    );
    try {
      const build = ["build", "-v", ...flags, "-o", `${output}/`, ...packages];
      const onLine = (line: string): void => void (isPackage(line) && compiled++);
      await mustGo(`build ${names}`, build, { ...options, onLine });
    } finally {
      building.stop();
    }
    for (const [to, from] of await locate(group.files, options)) {
      cpSync(from, join(output, to), { recursive: true });
      makeUsable(join(output, to));
    }
    install(
      output,
      entries.folder(group),
      parts.map((part) => binaryName(group, part)),
    );
    step.report(`${step.label} ${names}: done in ${duration(modules.seconds)}`);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** The flag that maps the files to embed to the paths where the group's packages look for them. */
async function overlay(files: ModuleFiles | undefined, temporary: string, options: GoOptions): Promise<string[]> {
  const located = await locate(files, options);
  if (located.length === 0) return [];
  const file = join(temporary, "overlay.json");
  const replace = Object.fromEntries(located.map(([to, from]) => [join(options.folder, to), from]));
  writeFileSync(file, JSON.stringify({ Replace: replace }));
  return [`-overlay=${file}`];
}

/** Fetches the module and returns its files: pairs of the path here and the absolute path in the module. */
async function locate(
  files: ModuleFiles | undefined,
  options: GoOptions,
): Promise<(readonly [to: string, from: string])[]> {
  if (files === undefined) return [];
  const download = await mustGo("fetch Go modules", ["mod", "download", "-json", files.module], options);
  const { Dir } = JSON.parse(download) as { Dir: string };
  return Object.entries(files.paths).map(([to, from]) => [to, join(Dir, from)]);
}

/** Moves everything into place. Programs come last, because their presence marks a part as complete. */
function install(output: string, folder: string, programs: readonly string[]): void {
  mkdirSync(folder, { recursive: true });
  const last = (name: string): number => Number(programs.includes(name));
  for (const name of readdirSync(output).sort((a, b) => last(a) - last(b))) {
    const to = join(folder, name);
    if (statSync(join(output, name)).isDirectory()) rmSync(to, { recursive: true, force: true });
    renameSync(join(output, name), to);
  }
}

/** Go's module cache is read-only, and scripts in it are not executable. */
function makeUsable(path: string): void {
  const folder = statSync(path).isDirectory();
  chmodSync(path, 0o755);
  if (folder) for (const name of readdirSync(path)) makeUsable(join(path, name));
}
