import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RemoteFile } from "./download";
import type { Group, PartOf, Platform, Release } from "./groups";

/** The Pulumi CLI, and the plugins at the versions that the npm packages in package.json require. */
export const versions = {
  pulumi: "3.218.0",
  kubernetes: "4.25.0",
  random: "4.21.2",
  docker: "5.2.0",
} as const;

/** Parts that are resource plugins of Pulumi: found under its home by name and version, never on the PATH. */
export type Plugin = "kubernetes" | "random" | "docker";
export const plugins: readonly Plugin[] = ["kubernetes", "random", "docker"];

/** Parts that an installed Pulumi includes. */
export const pulumiParts: readonly Part[] = ["pulumi", "language", ...plugins];

const nodejs = "github.com/pulumi/pulumi/sdk/v3";
const github = "https://github.com";

/** A program in the Pulumi CLI's archive, which also contains the language hosts. */
const pulumiRelease = (program: string, { os, arch }: Platform): Release => {
  const folder = `${github}/pulumi/pulumi/releases/download/v${versions.pulumi}`;
  const archive = `pulumi-v${versions.pulumi}-${os}-${arch === "amd64" ? "x64" : arch}.tar.gz`;
  const sha256 = `${folder}/pulumi-${versions.pulumi}-checksums.txt`;
  return { files: [{ url: `${folder}/${archive}`, sha256 }], program: `pulumi/${program}` };
};

/** The archive of a plugin. */
export function pluginFile(plugin: Plugin, { os, arch }: Platform): RemoteFile {
  const tag = `v${versions[plugin]}`;
  const file = `pulumi-resource-${plugin}-${tag}-${os}-${arch}.tar.gz`;
  return {
    url: `${github}/pulumi/pulumi-${plugin}/releases/download/${tag}/${file}`,
    sha256: `https://api.github.com/repos/pulumi/pulumi-${plugin}/releases/tags/${tag}`,
  };
}

const etcd = "3.6.11";
const kubernetes = "1.34.4";
const kwok = "0.8.0";

const etcdRelease = ({ os, arch }: Platform): Release => {
  const folder = `${github}/etcd-io/etcd/releases/download/v${etcd}`;
  const name = `etcd-v${etcd}-${os}-${arch}`;
  return {
    files: [{ url: `${folder}/${name}.tar.gz`, sha256: `${folder}/SHA256SUMS` }],
    program: `${name}/etcd`,
  };
};

/** Programs of Kubernetes. */
export const kubernetesReleases = <Name extends string>(
  names: readonly Name[],
  { os, arch }: Platform,
): Record<Name, Release> => {
  const folder = `https://dl.k8s.io/release/v${kubernetes}/bin/${os}/${arch}`;
  const release = (name: Name): Release => ({
    files: [{ url: `${folder}/${name}`, sha256: `${folder}/${name}.sha256` }],
    program: name,
  });
  return Object.fromEntries(names.map((name) => [name, release(name)])) as Record<Name, Release>;
};

/** A program of KWOK. */
const kwokFile = (name: string, { os, arch }: Platform): RemoteFile => ({
  url: `${github}/kubernetes-sigs/kwok/releases/download/v${kwok}/${name}-${os}-${arch}`,
  sha256: `https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags/v${kwok}`,
  to: name,
});

/**
 * KWOK's stages that the sandbox uses. Only its sources contain them; `stages.sha256` has their checksums, the output of `sha256sum` in the
 * module's folder `kustomize/stage`.
 */
const kwokStages = (): RemoteFile[] =>
  readFileSync(join(__dirname, "kwok", "stages.sha256"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split("  "))
    .map(([sha256 = "", path = ""]) => ({
      url: `https://raw.githubusercontent.com/kubernetes-sigs/kwok/v${kwok}/kustomize/stage/${path}`,
      sha256,
      to: `stage/${path}`,
    }));

/** Linker variables with the version that Kubernetes programs report. */
export const kubernetesVariables: readonly string[] = [
  `gitVersion=v${kubernetes}`,
  "gitMajor=1",
  "gitMinor=34",
  "gitTreeState=clean",
].map((variable) => `k8s.io/component-base/version.${variable}`);

const list = [
  {
    name: "language",
    folder: join(__dirname, "language"),
    packages: { language: `${nodejs}/nodejs/cmd/pulumi-language-nodejs` },
    files: {
      module: nodejs,
      // The engine starts these for policy packs and dynamic providers.
      paths: {
        "pulumi-analyzer-policy": "nodejs/dist/pulumi-analyzer-policy",
        "pulumi-resource-pulumi-nodejs": "nodejs/dist/pulumi-resource-pulumi-nodejs",
      },
    },
    releases: (platform) => ({ language: pulumiRelease("pulumi-language-nodejs", platform) }),
    minutes: 0.5,
  },
  {
    name: "core",
    folder: join(__dirname, "core"),
    packages: {
      pulumi: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
      kubernetes: "./pulumi-resource-kubernetes",
      random: "./pulumi-resource-random",
      etcd: "./etcd",
      "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
      "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
      "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    },
    variables: [
      `github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${versions.pulumi}`,
      ...kubernetesVariables,
    ],
    ownVariables: {
      kubernetes: [`main.version=${versions.kubernetes}`],
      random: [`main.version=${versions.random}`],
    },
    unoptimised: ["github.com/pulumi/pulumi-kubernetes/sdk/..."],
    embed: {
      module: "github.com/pulumi/pulumi-kubernetes/provider/v4",
      paths: {
        "pulumi-resource-kubernetes/schema.json": "cmd/pulumi-resource-kubernetes/schema.json",
        "pulumi-resource-kubernetes/terraform-mapping.json": "cmd/pulumi-resource-kubernetes/terraform-mapping.json",
      },
    },
    releases: (platform) => ({
      pulumi: pulumiRelease("pulumi", platform),
      etcd: etcdRelease(platform),
      ...kubernetesReleases(["kube-apiserver", "kube-controller-manager", "kube-scheduler"], platform),
    }),
    big: true,
    minutes: 11,
  },
  {
    name: "kwok",
    folder: join(__dirname, "kwok"),
    packages: { kwok: "sigs.k8s.io/kwok/cmd/kwok", kwokctl: "sigs.k8s.io/kwok/cmd/kwokctl" },
    files: { module: "sigs.k8s.io/kwok", paths: { stage: "kustomize/stage" } },
    releases: (platform) => ({
      kwok: { files: [kwokFile("kwok", platform), ...kwokStages()], program: "kwok" },
      kwokctl: { files: [kwokFile("kwokctl", platform)], program: "kwokctl" },
    }),
    minutes: 2,
  },
  {
    name: "docker",
    folder: join(__dirname, "docker"),
    packages: { docker: "./pulumi-resource-docker" },
    // Upstream's compose resource needs hundreds of packages, and Pulumi's npm package does not expose it.
    tags: "no_compose",
    ownVariables: { docker: [`main.version=${versions.docker}`] },
    big: true,
    minutes: 2.5,
  },
] as const satisfies readonly Group[];

/** Names of the parts that the toolchain provides. */
export type Part = PartOf<(typeof list)[number]>;

/** In build order: quick ones first, so that problems show early. */
export const groups: readonly Group[] = list;

/** All parts, in build order. */
export const allParts = groups.flatMap((group) => Object.keys(group.packages)) as readonly Part[];
