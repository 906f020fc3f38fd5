import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { withLock } from "../shared/lock";
import { type Report, UserError } from "../shared/terminal";
import { buildMissing } from "./build";
import { Entries, lockFile, toolchainRoot } from "./cache";
import { checkGo } from "./checks";
import type { Group, PartOf } from "./groups";
import { type Part, groups, pulumiParts } from "./parts";
import { type Mode, decideMode, userHome } from "./system";

export type { Group, PartOf } from "./groups";
export type { Part } from "./parts";
export { allParts, pulumiParts } from "./parts";

/** Programs that are there, and how to run Pulumi with them. */
export interface Toolchain {
  /** Where the Pulumi CLI and its plugins come from. What the sandbox runs is built in both modes. */
  readonly mode: Mode;
  /** The absolute path of a part's program. In mode `system`, the language host and the plugins are Pulumi's own: none. */
  binary(part: Part): string;
  /** The folder of KWOK's stage files (`node/`, `pod/`, `volume/`), to be passed to it with `--config`. */
  readonly kwokStages: string;
  /**
   * What to set in the environment of `pulumi` (and of an Automation API workspace): PATH with the CLI and the
   * language host first, PULUMI_HOME, … In mode `system`, the user's own Pulumi stays as it is.
   */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Makes sure that these parts are there and returns where. Builds what is missing, which takes minutes and says so
 * through `report`; does next to nothing when all is there. Throws a UserError when something that it needs (Go, disk,
 * network) is missing.
 */
export async function ensureToolchain(parts: readonly Part[], report: Report): Promise<Toolchain> {
  const root = toolchainRoot();
  const source = await decideMode(parts, root, process.env, report);
  const toBuild = source.mode === "system" ? parts.filter((part) => !pulumiParts.includes(part)) : parts;
  // A stack on a cluster of the user's, with the user's Pulumi, needs no Go at all.
  const entries = toBuild.length === 0 ? undefined : entriesFor(groups, toBuild, root);
  if (entries !== undefined) await buildMissing(toBuild, entries, report);
  if (entries !== undefined && source.mode === "build") entries.linkHome();
  const built = (part: Part): Entries => {
    if (entries === undefined || !entries.has(part)) throw new Error(`the toolchain was not asked for ${part}`);
    return entries;
  };
  return {
    mode: source.mode,
    binary: (part) => {
      if (part !== "pulumi") return built(part).binary(part);
      return source.mode === "system" ? source.cli : join(built(part).home, "bin", "pulumi");
    },
    get kwokStages() {
      return join(dirname(built("kwok").binary("kwok")), "stage");
    },
    env: source.mode === "system" ? { PULUMI_SKIP_UPDATE_CHECK: "true" } : builtEnvironment(entries?.home),
  };
}

/**
 * The same for programs of other groups than the toolchain's own: makes sure that these parts are there and returns
 * where.
 */
export async function ensurePrograms<G extends Group>(
  from: readonly G[],
  parts: readonly PartOf<G>[],
  report: Report,
): Promise<(part: PartOf<G>) => string> {
  const entries = entriesFor(from, parts, toolchainRoot());
  await buildMissing(parts, entries, report);
  return (part) => entries.binary(part);
}

/**
 * Removes what other versions of these groups have left, and Go's build cache. Returns the names of what was removed,
 * and from where.
 */
export async function pruneToolchain(
  report: Report,
  of: readonly Group[] = groups,
): Promise<{ readonly root: string; readonly removed: readonly string[] }> {
  const root = toolchainRoot();
  const entries = entriesFor(of, [], root);
  const waiting = (pid: number): void => report(`waiting for the toolchain build of process ${pid}`);
  const removed = await withLock(lockFile(root), waiting, () => Promise.resolve(entries.prune()));
  return { root, removed };
}

/** Where everything is for the compiler that is installed, which must be new enough to build `parts`. */
function entriesFor(from: readonly Group[], parts: readonly string[], root: string): Entries {
  const wanted = from.filter(({ packages }) => parts.some((part) => part in packages));
  return new Entries(root, from, checkGo(goEnvironment(), wanted));
}

/** What `go env` says; undefined when there is no go. */
function goEnvironment(): string | undefined {
  try {
    return execFileSync("go", ["env", "-json", "GOVERSION", "GOOS", "GOARCH"], {
      cwd: __dirname,
      encoding: "utf8",
      env: { ...process.env, GOTOOLCHAIN: "local", GOWORK: "off" },
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    if (code === "ENOENT") return undefined;
    throw new UserError(`go env fails: ${String(stderr).trim()}`, "repair the Go installation");
  }
}

function builtEnvironment(home: string | undefined): Record<string, string> {
  if (home === undefined) return {}; // no part was asked for
  // A login to another backend that the user has: it stays in use, only the place of the plugins is ours.
  const login = process.env["PULUMI_CREDENTIALS_PATH"] ?? userHome(process.env);
  return {
    PATH: [join(home, "bin"), process.env["PATH"]].filter(Boolean).join(delimiter),
    PULUMI_HOME: home,
    ...(existsSync(join(login, "credentials.json")) ? { PULUMI_CREDENTIALS_PATH: login } : {}),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // What is missing is missing: an error at once, not after minutes of trying a network that may not be there.
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}
