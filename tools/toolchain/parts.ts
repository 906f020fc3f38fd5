/** What the toolchain can provide, by the name it is asked for. */
export type Part =
  | "pulumi"
  | "language"
  | "kubernetes"
  | "random"
  | "docker"
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubelet"
  | "kube-proxy"
  | "kubectl"
  | "kwok"
  | "kwokctl"
  | "coredns"
  | "actionlint";

/** The Pulumi CLI, and the plugins at the versions that the npm packages of package.json ask the engine for. */
export const versions = {
  pulumi: "3.218.0",
  kubernetes: "4.25.0",
  random: "4.21.2",
  docker: "5.2.0",
} as const;

/** Parts that are resource plugins of Pulumi: found under its home by name and version, never on the PATH. */
export type Plugin = "kubernetes" | "random" | "docker";
export const plugins: readonly Plugin[] = ["kubernetes", "random", "docker"];

/** Parts that come with an installed Pulumi, so that they need not be built where that can be used. */
export const pulumiParts: readonly Part[] = ["pulumi", "language", ...plugins];

/** Files or folders of a Go module: path here -> path there. */
export interface ModuleFiles {
  readonly module: string;
  readonly paths: Readonly<Record<string, string>>;
}

/** One Go module of this folder: its parts are built by one `go build`, which compiles once what they share. */
export interface Group {
  readonly name: string;
  /** Part -> package, relative to the module or of one of its dependencies. Its last element names the binary. */
  readonly packages: Readonly<Partial<Record<Part, string>>>;
  /** Build tags. */
  readonly tags?: string;
  /** `name=value` set by the linker in every binary. */
  readonly variables?: readonly string[];
  /** The same for one part alone. */
  readonly ownVariables?: Readonly<Partial<Record<Part, readonly string[]>>>;
  /** Packages (a pattern) that are compiled without optimisation: bulky, and not where the time of a run goes. */
  readonly unoptimised?: readonly string[];
  /**
   * Files of a module to embed in a package of this folder. Go cannot embed what lies in another module: the build
   * puts them here by an overlay.
   */
  readonly embed?: ModuleFiles;
  /** Files of a module that belong beside the binaries: path in the group's folder -> path in the module. */
  readonly files?: ModuleFiles;
  /** Minutes on two cores with nothing compiled yet, for the progress line. */
  readonly minutes: number;
}

const kubernetesVersion = "k8s.io/component-base/version";
const kubernetesProvider = "github.com/pulumi/pulumi-kubernetes/provider/v4";
const nodejs = "github.com/pulumi/pulumi/sdk/v3";

/** In the order of building: the quick ones first, so that what cannot work fails early. */
export const groups: readonly Group[] = [
  {
    name: "language",
    packages: { language: `${nodejs}/nodejs/cmd/pulumi-language-nodejs` },
    files: {
      module: nodejs,
      // What the engine starts for policy packs and for dynamic providers, by these names.
      paths: {
        "pulumi-analyzer-policy": "nodejs/dist/pulumi-analyzer-policy",
        "pulumi-resource-pulumi-nodejs": "nodejs/dist/pulumi-resource-pulumi-nodejs",
      },
    },
    minutes: 0.5,
  },
  {
    name: "core",
    packages: {
      pulumi: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
      kubernetes: "./pulumi-resource-kubernetes",
      random: "./pulumi-resource-random",
      etcd: "./etcd",
      "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
      "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
      "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
      kubelet: "k8s.io/kubernetes/cmd/kubelet",
      "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
      kubectl: "k8s.io/kubernetes/cmd/kubectl",
    },
    variables: [
      `github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${versions.pulumi}`,
      `${kubernetesVersion}.gitVersion=v1.34.4`,
      `${kubernetesVersion}.gitMajor=1`,
      `${kubernetesVersion}.gitMinor=34`,
      `${kubernetesVersion}.gitTreeState=clean`,
    ],
    ownVariables: {
      kubernetes: [`main.version=${versions.kubernetes}`],
      random: [`main.version=${versions.random}`],
    },
    unoptimised: ["github.com/pulumi/pulumi-kubernetes/sdk/..."],
    embed: {
      module: kubernetesProvider,
      paths: {
        "pulumi-resource-kubernetes/schema.json": "cmd/pulumi-resource-kubernetes/schema.json",
        "pulumi-resource-kubernetes/terraform-mapping.json": "cmd/pulumi-resource-kubernetes/terraform-mapping.json",
      },
    },
    minutes: 11,
  },
  {
    name: "kwok",
    packages: { kwok: "sigs.k8s.io/kwok/cmd/kwok", kwokctl: "sigs.k8s.io/kwok/cmd/kwokctl" },
    files: { module: "sigs.k8s.io/kwok", paths: { stage: "kustomize/stage" } },
    minutes: 2,
  },
  {
    name: "docker",
    packages: { docker: "./pulumi-resource-docker" },
    // Upstream's compose resource brings hundreds of packages, and Pulumi's package does not have it.
    tags: "no_compose",
    ownVariables: { docker: [`main.version=${versions.docker}`] },
    minutes: 2.5,
  },
  { name: "coredns", packages: { coredns: "github.com/coredns/coredns" }, minutes: 3 },
  { name: "actionlint", packages: { actionlint: "github.com/rhysd/actionlint/cmd/actionlint" }, minutes: 0.5 },
];

/** All parts, in the order of building. */
export const allParts: readonly Part[] = groups.flatMap((group) => Object.keys(group.packages) as Part[]);

/** The group that builds a part. */
export function groupOf(part: Part): Group {
  const group = groups.find(({ packages }) => part in packages);
  if (group === undefined) throw new Error(`no group builds ${part}`);
  return group;
}

/** The package that is a part's program, as `go build` takes it in the group's folder. */
export function packageOf(part: Part): string {
  const found = groupOf(part).packages[part];
  if (found === undefined) throw new Error(`no package is ${part}`);
  return found;
}

/** The file name of a part's program: `go build` names it after the last element of its package. */
export function binaryName(part: Part): string {
  const path = packageOf(part);
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The arguments of `go build` that decide what comes out, but for the parts and the folder. A pure function. */
export function buildFlags(group: Group): string[] {
  const link = (variables: readonly string[]): string =>
    ["-s -w", ...variables.map((variable) => `-X ${variable}`)].join(" ");
  const shared = group.variables ?? [];
  return [
    "-mod=readonly",
    "-trimpath",
    "-buildvcs=false",
    ...(group.tags === undefined ? [] : [`-tags=${group.tags}`]),
    // No debugging tables: the linker would drop them, and making them takes a good part of a compiler's time.
    "-gcflags=all=-dwarf=false",
    ...(group.unoptimised ?? []).map((pattern) => `-gcflags=${pattern}=-N -l -dwarf=false`),
    `-ldflags=${link(shared)}`,
    ...Object.entries(group.ownVariables ?? {}).map(
      ([part, variables]) => `-ldflags=${packageOf(part as Part)}=${link([...shared, ...variables])}`,
    ),
  ];
}
