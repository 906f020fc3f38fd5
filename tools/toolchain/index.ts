import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { withLock } from "../shared/lock";
import type { Report } from "../shared/terminal";
import { Entries, lockFile, prune, toolchainRoot } from "./cache";
import type { Group, PartOf } from "./groups";
import { type Mode, forcedMode, mirrorOf } from "./mode";
import { type Part, groups, pulumiParts } from "./parts";
import { type Place, entriesOf, provide } from "./provide";
import { Releases } from "./releases";
import { installedPulumi, userHome } from "./system";

export type { Group, PartOf } from "./groups";
export type { Part } from "./parts";
export { allParts, pulumiParts } from "./parts";

/** Available programs, and how to run Pulumi with them. */
export interface Toolchain {
  /** Where the Pulumi CLI and its plugins come from. The sandbox's programs are always downloaded or built. */
  readonly mode: Mode;
  /** The absolute path of a part's program. In mode `system`, the language host and the plugins have none, because Pulumi uses its own. */
  binary(part: Part): string;
  /** The folder of KWOK's stage files (`node/`, `pod/`, `volume/`), to be passed to it with `--config`. */
  readonly kwokStages: string;
  /**
   * Variables for the environment of `pulumi` (and of an Automation API workspace): PATH with the CLI and the
   * language host first, PULUMI_HOME, … In mode `system`, the user's own Pulumi is used unchanged.
   */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Provides these parts. Missing ones are downloaded or, if that fails, built, which takes minutes; `report` receives the progress. Quick if
 * nothing is missing. Throws a UserError if Go, disk space or the network is needed and missing.
 */
export async function ensureToolchain(parts: readonly Part[], report: Report): Promise<Toolchain> {
  const root = toolchainRoot();
  const mode = forcedMode(process.env["TOOLCHAIN"]);
  const pulumi = parts.filter((part) => pulumiParts.includes(part));
  const look = pulumi.length > 0 && (mode === undefined || mode === "system");
  const system = look ? await installedPulumi(pulumi, root, process.env, mode === "system", report) : undefined;
  // Pulumi, its language host and its plugins must come from one place.
  const others = parts.filter((part) => !pulumi.includes(part)).map((part) => [part]);
  const units = system !== undefined || pulumi.length === 0 ? others : [pulumi, ...others];
  const placeOf = await provide(units, { ...provision(report), root, groups });
  const place = system === undefined && pulumi[0] !== undefined ? placeOf(pulumi[0]) : undefined;
  if (place instanceof Entries) place.linkHome();
  return {
    mode: system !== undefined ? "system" : place instanceof Entries ? "build" : "download",
    binary: (part) => {
      if (part !== "pulumi") return placeOf(part).binary(part);
      return system ?? (place instanceof Entries ? join(place.home, "bin", "pulumi") : placeOf(part).binary(part));
    },
    get kwokStages() {
      return join(dirname(placeOf("kwok").binary("kwok")), "stage");
    },
    env: system !== undefined ? { PULUMI_SKIP_UPDATE_CHECK: "true" } : ownEnvironment(place),
  };
}

/** The same for programs of groups outside the toolchain. */
export async function ensurePrograms<G extends Group>(
  from: readonly G[],
  parts: readonly PartOf<G>[],
  report: Report,
): Promise<(part: PartOf<G>) => string> {
  const units = parts.map((part) => [part]);
  const placeOf = await provide(units, { ...provision(report), root: toolchainRoot(), groups: from });
  return (part) => placeOf(part).binary(part);
}

/** How programs other than an installed Pulumi are provided, from the environment. */
function provision(report: Report) {
  const mode = forcedMode(process.env["TOOLCHAIN"]);
  const mirror = mirrorOf(process.env["KAZOO_MIRROR"]);
  return {
    report,
    ...(mode === "download" || mode === "build" ? { only: mode } : {}),
    ...(mirror === undefined ? {} : { mirror }),
  };
}

/**
 * Removes other versions of these groups, Go's build cache, and the list of failed downloads. Returns the names of removed entries and their
 * folder.
 */
export async function pruneToolchain(
  report: Report,
  of: readonly Group[] = groups,
): Promise<{ readonly root: string; readonly removed: readonly string[] }> {
  const root = toolchainRoot();
  const entries = entriesOf(of, [], root);
  const releases = new Releases(root, of, undefined);
  // Without Go it is unknown which built programs are current, so they stay.
  const built =
    entries instanceof Entries ? { kinds: of.map(({ name }) => name), folders: entries.folders } : undefined;
  const downloaded = of === groups ? ["home", "release"] : [];
  const kinds = [...downloaded, ...(built?.kinds ?? [])];
  const current = [...releases.folders, ...(built?.folders ?? [])];
  const waiting = (pid: number): void => report(`waiting for the toolchain build of process ${pid}`);
  const removed = await withLock(lockFile(root), waiting, () => Promise.resolve(prune(root, kinds, current)));
  return { root, removed };
}

/** The environment in which `pulumi` uses the CLI and plugins of a place, and no others. */
function ownEnvironment(place: Place | undefined): Record<string, string> {
  if (place === undefined) return {}; // no part of Pulumi is needed
  const bin = place instanceof Entries ? join(place.home, "bin") : dirname(place.binary("pulumi"));
  // The user's login to a backend stays in use; only the folder of plugins is ours.
  const login = process.env["PULUMI_CREDENTIALS_PATH"] ?? userHome(process.env);
  return {
    PATH: [bin, process.env["PATH"]].filter(Boolean).join(delimiter),
    PULUMI_HOME: place.home,
    ...(existsSync(join(login, "credentials.json")) ? { PULUMI_CREDENTIALS_PATH: login } : {}),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // A missing plugin is an immediate error, instead of minutes of retries on a closed network.
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}
