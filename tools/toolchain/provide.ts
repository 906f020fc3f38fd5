import { execFileSync } from "node:child_process";
import { interruptible } from "../shared/interrupt";
import { withLock } from "../shared/lock";
import { type Report, UserError } from "../shared/terminal";
import { buildMissing, removeLeftovers } from "./build";
import { Entries, lockFile } from "./cache";
import { checkDisk, checkGo } from "./checks";
import type { Group } from "./groups";
import { Memory } from "./memory";
import { Releases } from "./releases";

/** Disk space for all downloads, in GiB. */
const room = 2;

/** Options for providing programs. */
export interface Provision {
  /** Folder of the cache. */
  readonly root: string;
  readonly groups: readonly Group[];
  /** The only permitted way. @default the cache, then a download, then a build */
  readonly only?: "download" | "build";
  /** A mirror to download from instead: `<mirror>/<host>/<path>`. */
  readonly mirror?: string;
  readonly report: Report;
}

/** Path of a part's program. */
export type Place = Entries | Releases;

/**
 * Provides parts, all parts of a unit from one place, and returns where each is. Throws a UserError if something that they need is missing.
 */
export async function provide(
  units: readonly (readonly string[])[],
  { root, groups, only, mirror, report }: Provision,
): Promise<(part: string) => Place> {
  const releases = new Releases(root, groups, mirror);
  const entries = only === "download" ? undefined : entriesOf(groups, units.flat(), root);
  const places = [...(entries instanceof Entries ? [entries] : []), ...(only === "build" ? [] : [releases])];
  const placeOf = (unit: readonly string[]): Place | undefined =>
    places.find((place) => unit.every((part) => place.has(part)));
  const missing = () => units.filter((unit) => placeOf(unit) === undefined);
  const toDownload = () => missing().filter((unit) => unit.every((part) => releases.offers(part)));

  let problem: string | undefined;
  if (only !== "build" && toDownload().length > 0) {
    const waiting = (pid: number): void => report(`waiting for the toolchain download of process ${pid}`);
    // Without Go, a download is the only way: try it each time, even if it failed before.
    const memory = entries instanceof Entries ? new Memory(root) : undefined;
    problem = await withLock(lockFile(root), waiting, () => downloadUnits(toDownload(), releases, memory, report));
  }
  const left = missing();
  if (left.length > 0) {
    if (entries === undefined) {
      throw new UserError(
        `TOOLCHAIN=download, but ${left.flat().join(", ")} cannot be downloaded: ${problem ?? "it is not published anywhere"}`,
        "check the network, set KAZOO_MIRROR to a mirror, or unset TOOLCHAIN to build what cannot be downloaded",
      );
    }
    if (!(entries instanceof Entries)) {
      if (problem === undefined) throw entries;
      throw new UserError(
        `${entries.message}, and it cannot be downloaded: ${problem}`,
        `check the network, or ${entries.next}`,
      );
    }
    await buildMissing(left.flat(), entries, report);
  }
  const found = new Map(units.flatMap((unit) => unit.map((part) => [part, placeOf(unit)] as const)));
  return (part) => {
    const place = found.get(part);
    if (place === undefined) throw new Error(`the toolchain was not asked for ${part}`);
    return place;
  };
}

/** Downloads units. Returns the reason if any of them failed. */
async function downloadUnits(
  units: readonly (readonly string[])[],
  releases: Releases,
  memory: Memory | undefined,
  report: Report,
): Promise<string | undefined> {
  const untried = units.filter((unit) => !memory?.hasFailed(releases.subject(unit)));
  if (untried.length === 0) return undefined;
  removeLeftovers(releases.root);
  checkDisk(releases.root, room, "downloading the toolchain");
  const problems = await interruptible((signal) => releases.download(untried, report, signal));
  const failed = untried.filter((_, index) => problems[index] !== undefined);
  if (failed.length === 0) return undefined;
  const problem = [...new Set(problems.filter((text) => text !== undefined))].join("; ");
  if (memory !== undefined) {
    memory.remember(failed.map((unit) => releases.subject(unit)));
    report(
      `${failed.flat().join(", ")} cannot be downloaded (${problem}): building instead, now and in later runs (TOOLCHAIN=download retries)`,
    );
  }
  return problem;
}

/** The cache for the installed Go; an error if no Go is installed that can build these parts. */
export function entriesOf(groups: readonly Group[], parts: readonly string[], root: string): Entries | UserError {
  const wanted = groups.filter(({ packages }) => parts.some((part) => part in packages));
  try {
    return new Entries(root, groups, checkGo(goEnvironment(), wanted));
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

/** The output of `go env`; undefined without Go. */
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
