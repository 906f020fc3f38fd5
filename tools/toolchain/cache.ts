import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { type Group, binaryName, buildFlags, groupOf } from "./groups";
import { plugins, versions } from "./parts";

/** The compiler: its version (`go1.26.0`), and the system and processor that it builds for. */
export interface Compiler {
  readonly version: string;
  readonly os: string;
  readonly arch: string;
}

/**
 * The toolchain's cache, shared by all clones of a user. It contains:
 *
 * - `<group>-<key>/`: the programs of one Go module;
 * - `home-<key>/`: a Pulumi home with `plugins/` and, if it was built here, `bin/`, which links to the built programs;
 * - `release-<key>/`: a downloaded archive or program;
 * - `go-build/`: Go's build cache. Parts share most of their packages: a kubelet takes one minute after an API server, and seven without it.
 *   Go removes entries that were not used for five days, `--prune` removes all;
 * - `tmp-<pid>-…/`: temporary files of a running process, and `lock`, its process id;
 * - `downloads.json`: downloads that failed.
 */
export function toolchainRoot(env: NodeJS.ProcessEnv = process.env): string {
  // An empty variable counts as unset.
  return resolve(env["KAZOO_CACHE"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "kazoo"), "toolchain");
}

/** Go's build cache of the toolchain. */
export const buildCache = (root: string): string => join(root, "go-build");

/** Lock of the process that builds. */
export const lockFile = (root: string): string => join(root, "lock");

/** The cached programs of some groups. The same sources, flags and compiler lead to the same folder in every clone. */
export class Entries {
  private readonly keys: ReadonlyMap<string, string>;

  constructor(
    readonly root: string,
    readonly groups: readonly Group[],
    compiler: Compiler,
  ) {
    this.keys = new Map(groups.map((group) => [group.name, groupKey(group, compiler)]));
  }

  /** The folder of a group's programs. */
  folder(group: Group): string {
    return join(this.root, `${group.name}-${this.keys.get(group.name)}`);
  }

  /** Path of a part's program, whether it exists or not. */
  binary(part: string): string {
    const group = groupOf(this.groups, part);
    return join(this.folder(group), binaryName(group, part));
  }

  /** Whether a part is built. A program gets its final name only when it and its other files are complete. */
  has(part: string): boolean {
    return existsSync(this.binary(part));
  }

  /** The home of a Pulumi that these groups build. */
  get home(): string {
    return join(this.root, `home-${hash([...this.keys].flat())}`);
  }

  /** Links the built parts where the engine looks for them. Hard links, because the CLI looks for the language host in its own folder. */
  linkHome(): void {
    for (const part of plugins) {
      if (!this.has(part)) continue;
      const folder = join(this.home, "plugins", `resource-${part}-v${versions[part]}`);
      link(this.binary(part), folder);
    }
    const bin = join(this.home, "bin");
    const { files } = groupOf(this.groups, "language");
    if (this.has("language")) {
      const beside = Object.keys(files?.paths ?? {}).map((name) => join(dirname(this.binary("language")), name));
      for (const file of [this.binary("language"), ...beside]) link(file, bin);
    }
    if (this.has("pulumi")) link(this.binary("pulumi"), bin);
  }

  /** Names of all entries that these groups can have in the cache. */
  get folders(): string[] {
    return [this.home, ...this.groups.map((group) => this.folder(group))];
  }
}

/**
 * Removes folders of these kinds (the part of a name before its key) that are not `current`, Go's build cache, and the list of failed
 * downloads. Returns the names of removed entries.
 */
export function prune(root: string, kinds: readonly string[], current: readonly string[]): string[] {
  if (!existsSync(root)) return [];
  const prunable = new RegExp(`^((${kinds.join("|")})-[0-9a-f]{16}|go-build|system\\.json|downloads\\.json)$`);
  const removable = readdirSync(root).filter((name) => prunable.test(name) && !current.includes(join(root, name)));
  for (const name of removable) rmSync(join(root, name), { recursive: true, force: true });
  return removable;
}

/** A group's key: a hash of its Go files, go.mod, go.sum, flags and compiler. Times and paths have no influence. */
function groupKey(group: Group, compiler: Compiler): string {
  const files = readdirSync(group.folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /(\.go|^go\.(mod|sum)|\/go\.(mod|sum))$/.test(name))
    .sort();
  return hash([
    compiler.version,
    compiler.os,
    compiler.arch,
    ...buildFlags(group),
    JSON.stringify([group.packages, group.files, group.embed]),
    ...files.flatMap((name) => [name, readFileSync(join(group.folder, name), "utf8")]),
  ]);
}

/** 16 hexadecimal digits for a list of texts. */
export function hash(texts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 16);
}

function link(from: string, folder: string): void {
  const to = join(folder, basename(from));
  if (existsSync(to)) return;
  mkdirSync(folder, { recursive: true });
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another process has created it
  }
}
