import { createHash } from "node:crypto";
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Group, type Part, binaryName, buildFlags, groupOf, groups, plugins, versions } from "./parts";

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
 * - `home-<key>/` the Pulumi home (`bin/`, `plugins/`) made of links to them,
 * - `go-build/` Go's build cache. It is kept: parts are asked for one after the other and share most of their
 *   packages, so that a kubelet takes one minute after an API server and seven without. Go drops what was not used
 *   for five days, `--prune` all of it,
 * - `tmp-<pid>-…/` what a build at work writes to, `lock` the number of its process, `system.json` see system.ts.
 */
export function toolchainRoot(env: NodeJS.ProcessEnv = process.env): string {
  return join(env["KAZOO_CACHE"] ?? join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "kazoo"), "toolchain");
}

/** Go's build cache of the toolchain. */
export const buildCache = (root: string): string => join(root, "go-build");

/** Held by the process that builds. */
export const lockFile = (root: string): string => join(root, "lock");

/** Where everything of one version is: the same for the same sources, flags and compiler, in whichever clone. */
export class Entries {
  private readonly keys: ReadonlyMap<string, string>;

  /** `sources` is the folder with one folder for each group (this one). */
  constructor(
    readonly root: string,
    sources: string,
    compiler: Compiler,
  ) {
    this.keys = new Map(groups.map((group) => [group.name, groupKey(group, join(sources, group.name), compiler)]));
  }

  /** The folder of a group's programs. */
  group(group: Group): string {
    return join(this.root, `${group.name}-${this.keys.get(group.name)}`);
  }

  /** A part's program, there or not. */
  binary(part: Part): string {
    return join(this.group(groupOf(part)), binaryName(part));
  }

  /** Whether a part is built: a program gets its name only when it and all that goes with it is complete. */
  has(part: Part): boolean {
    return existsSync(this.binary(part));
  }

  /** The home of this version's Pulumi. */
  get home(): string {
    return join(this.root, `home-${hash([...this.keys].flat())}`);
  }

  /** Gives the engine the built parts as it looks for them. Hard links: the CLI looks for the host beside itself. */
  linkHome(): void {
    for (const part of plugins) {
      if (!this.has(part)) continue;
      const name = binaryName(part);
      link(
        this.binary(part),
        join(this.home, "plugins", `resource-${part}-v${versions[part as keyof typeof versions]}`),
        name,
      );
    }
    const bin = join(this.home, "bin");
    const language = groupOf("language");
    const hostFiles = [binaryName("language"), ...Object.keys(language.files?.paths ?? {})];
    if (this.has("language")) for (const name of hostFiles) link(join(this.group(language), name), bin, name);
    if (this.has("pulumi")) link(this.binary("pulumi"), bin, "pulumi");
  }

  /** Removes all entries that are not of this version, and Go's build cache. Returns the names of what was removed. */
  prune(): string[] {
    if (!existsSync(this.root)) return [];
    const current = new Set([this.home, ...groups.map((group) => this.group(group))]);
    const removable = readdirSync(this.root).filter((name) => {
      const path = join(this.root, name);
      return /^([a-z]+-[0-9a-f]{16}|go-build|system\.json)$/.test(name) && !current.has(path);
    });
    for (const name of removable) rmSync(join(this.root, name), { recursive: true, force: true });
    return removable;
  }
}

/** A group's key: what its Go files, go.mod and go.sum hold, the flags, the compiler. Times and places do not count. */
function groupKey(group: Group, folder: string, compiler: Compiler): string {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /(\.go|^go\.(mod|sum)|\/go\.(mod|sum))$/.test(name))
    .sort();
  return hash([
    compiler.version,
    compiler.os,
    compiler.arch,
    ...buildFlags(group),
    JSON.stringify([group.packages, group.files, group.embed]),
    ...files.flatMap((name) => [name, readFileSync(join(folder, name), "utf8")]),
  ]);
}

/** 16 hexadecimal digits for a list of texts. */
function hash(texts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("hex").slice(0, 16);
}

function link(from: string, folder: string, name: string): void {
  const to = join(folder, name);
  if (existsSync(to)) return;
  mkdirSync(folder, { recursive: true });
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another process was faster
  }
}
