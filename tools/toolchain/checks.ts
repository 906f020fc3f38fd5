import { existsSync, readFileSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "../shared/terminal";
import type { Compiler } from "./cache";
import type { Group } from "./groups";

/**
 * The compiler that `go env -json` describes; `undefined` output means that `go` is missing. Refuses a compiler that is
 * older than the go.mod of a wanted group requires.
 */
export function checkGo(output: string | undefined, wanted: readonly Group[]): Compiler {
  const minimum = wanted.map(({ folder }) => goMinimum(folder)).reduce(newer, "1.21.0");
  const next = `install Go ${minimum} or newer (https://go.dev/dl) and put its bin folder on the PATH`;
  if (output === undefined)
    throw new UserError(`Go is not installed: building the toolchain needs ${minimum} or newer`, next);
  const env = JSON.parse(output) as Record<string, string>;
  const version = env["GOVERSION"] ?? "";
  if (!atLeast(version.replace(/^go/, ""), minimum)) {
    throw new UserError(`Go ${version.replace(/^go/, "")} is too old: ${minimum} or newer is required`, next);
  }
  return { version, os: env["GOOS"] ?? "", arch: env["GOARCH"] ?? "" };
}

/** The version on the `go` line of a module's go.mod. */
function goMinimum(folder: string): string {
  const line = /^go (\S+)$/m.exec(readFileSync(join(folder, "go.mod"), "utf8"));
  if (line?.[1] === undefined) throw new Error(`${folder}/go.mod has no go line`);
  return line[1];
}

/** Refuses to start work that would fill the disk. `need` in GiB; `folder` need not exist yet. */
export function checkDisk(
  folder: string,
  need: number,
  what: string,
  free: (path: string) => number = freeBytes,
): void {
  let existing = folder;
  while (!existsSync(existing)) existing = dirname(existing);
  const gibibytes = free(existing) / 2 ** 30;
  if (gibibytes >= need) return;
  throw new UserError(
    `too little disk for ${what}: ${need} GiB are needed in ${folder}, ${gibibytes.toFixed(1)} GiB are free`,
    "free some space, or set KAZOO_CACHE (and GOMODCACHE) to a folder on a larger disk",
  );
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Whether a version (`1.26`, `1.26.3`, `1.27rc1`, `3.219.0-alpha`) is `minimum` or newer. */
export function atLeast(version: string, minimum: string): boolean {
  const [a, b] = [numbers(version), numbers(minimum)];
  for (let index = 0; index < 3; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

function newer(a: string, b: string): string {
  return atLeast(a, b) ? a : b;
}

function numbers(version: string): number[] {
  return (/^\d+(\.\d+)*/.exec(version)?.[0] ?? "0").split(".").map(Number);
}
