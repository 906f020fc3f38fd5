import type { RemoteFile } from "./download";

/** Files or folders of a Go module: path here -> path there. */
export interface ModuleFiles {
  readonly module: string;
  readonly paths: Readonly<Record<string, string>>;
}

/** A system and a processor, as Go calls them: `linux`, `amd64`. */
export interface Platform {
  readonly os: string;
  readonly arch: string;
}

/** A published program. */
export interface Release {
  /** Files to download into one folder. */
  readonly files: readonly RemoteFile[];
  /** The program's path in this folder. */
  readonly program: string;
}

/** Programs of one Go module. One `go build` builds all of them and compiles shared packages once. */
export interface Group {
  readonly name: string;
  /** The folder with go.mod and go.sum. */
  readonly folder: string;
  /** Part -> package, relative to the module or in one of its dependencies. Its last element names the binary. */
  readonly packages: Readonly<Record<string, string>>;
  /** Build tags. */
  readonly tags?: string;
  /** `name=value` set by the linker in every binary. */
  readonly variables?: readonly string[];
  /** The same for one part alone. */
  readonly ownVariables?: Readonly<Record<string, readonly string[]>>;
  /** Pattern of packages to compile without optimisation: large ones that do not affect run time. */
  readonly unoptimised?: readonly string[];
  /**
   * Files of a module to embed in a package of this folder. Go cannot embed files of another module, so the build puts
   * them here by an overlay.
   */
  readonly embed?: ModuleFiles;
  /** Files of a module that belong beside the binaries: path in the group's folder -> path in the module. */
  readonly files?: ModuleFiles;
  /** Where the same programs are published, by part. */
  readonly releases?: (platform: Platform) => Readonly<Record<string, Release>>;
  /** Whether it takes gigabytes of disk to compile. */
  readonly big?: true;
  /** Minutes on two cores with nothing compiled yet, for the progress line. */
  readonly minutes: number;
}

/** The names of the parts that a group provides. */
export type PartOf<G> = G extends Group ? keyof G["packages"] & string : never;

/** The group that a part belongs to. */
export function groupOf(groups: readonly Group[], part: string): Group {
  const group = groups.find(({ packages }) => part in packages);
  if (group === undefined) throw new Error(`no group builds ${part}`);
  return group;
}

/** The package of a part's program, as an argument of `go build` in the group's folder. */
export function packageOf(group: Group, part: string): string {
  const found = group.packages[part];
  if (found === undefined) throw new Error(`no package is ${part}`);
  return found;
}

/** The file name of a part's program: `go build` names it after the last element of its package that is no major version. */
export function binaryName(group: Group, part: string): string {
  const path = packageOf(group, part).replace(/\/v\d+$/, "");
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The arguments of `go build` that affect its result, except the packages. */
export function buildFlags(group: Group): string[] {
  const link = (variables: readonly string[]): string =>
    ["-s -w", ...variables.map((variable) => `-X ${variable}`)].join(" ");
  const shared = group.variables ?? [];
  return [
    "-mod=readonly",
    "-trimpath",
    "-buildvcs=false",
    ...(group.tags === undefined ? [] : [`-tags=${group.tags}`]),
    // No debugging tables: the linker drops them, and producing them takes much of the compile time.
    "-gcflags=all=-dwarf=false",
    ...(group.unoptimised ?? []).map((pattern) => `-gcflags=${pattern}=-N -l -dwarf=false`),
    `-ldflags=${link(shared)}`,
    ...Object.entries(group.ownVariables ?? {}).map(
      ([part, variables]) => `-ldflags=${packageOf(group, part)}=${link([...shared, ...variables])}`,
    ),
  ];
}
