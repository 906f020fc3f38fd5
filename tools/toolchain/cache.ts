import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { type Group, binaryName, buildFlags, groupOf } from "./groups";
import { plugins, versions } from "./parts";

/** The compiler that builds: what it is called (`go1.26.0`) and for which system and processor it builds. */
export interface Compiler {
  readonly version: string;
  readonly os: string;
  readonly arch: string;
}

/**
 * Where the toolchain keeps what it builds, shared by all clones of one user. Below it:
 *
 * - `<group>-<key>/` the programs of one Go module,
 * - `home-<key>/` a Pulumi home: `plugins/`, and `bin/` where it is made of links to what was built,
 * - `release-<key>/` what was downloaded, an archive or a program each,
 * - `go-build/` Go's build cache. It is kept: parts are asked for one after the other and share most of their
 *   packages, so that a kubelet takes one minute after an API server and seven without. Go drops what was not used
 *   for five days, `--prune` all of it,
 * - `tmp-<pid>-…/` what a process at work writes to, `lock` the number of this process,
 * - `downloads.json` the downloads that failed.
 */
export function toolchainRoot(env: NodeJS.ProcessEnv = process.env): string {
  // A variable that is empty counts as unset.
  return resolve(env["KAZOO_CACHE"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "kazoo"), "toolchain");
}

/** Go's build cache of the toolchain. */
export const buildCache = (root: string): string => join(root, "go-build");

/** Held by the process that builds. */
export const lockFile = (root: string): string => join(root, "lock");

/** Where the programs of some groups are: the same place for the same sources, flags and compiler, in whichever clone. */
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

  /** A part's program, there or not. */
  binary(part: string): string {
    const group = groupOf(this.groups, part);
    return join(this.folder(group), binaryName(group, part));
  }

  /** Whether a part is built: a program gets its name only when it and all that goes with it is complete. */
  has(part: string): boolean {
    return existsSync(this.binary(part));
  }

  /** The folder that a Pulumi of these groups gets as its home. */
  get home(): string {
    return join(this.root, `home-${hash([...this.keys].flat())}`);
  }

  /** Gives the engine the built parts as it looks for them. Hard links: the CLI looks for the host beside itself. */
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

  /** Everything that these groups can have in the cache. */
  get folders(): string[] {
    return [this.home, ...this.groups.map((group) => this.folder(group))];
  }
}

/**
 * Removes the folders of these kinds (what comes before their key) that are not `current`, Go's build cache, and the
 * memory of downloads that failed. Returns the names of what was removed.
 */
export function prune(root: string, kinds: readonly string[], current: readonly string[]): string[] {
  if (!existsSync(root)) return [];
  const prunable = new RegExp(`^((${kinds.join("|")})-[0-9a-f]{16}|go-build|system\\.json|downloads\\.json)$`);
  const removable = readdirSync(root).filter((name) => prunable.test(name) && !current.includes(join(root, name)));
  for (const name of removable) rmSync(join(root, name), { recursive: true, force: true });
  return removable;
}

/** A group's key: what its Go files, go.mod and go.sum hold, the flags, the compiler. Times and places do not count. */
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
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another process was faster
  }
}
