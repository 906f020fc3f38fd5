import { join } from "node:path";
import type { RemoteFile } from "./download";
import type { Group, PartOf, Platform, Release } from "./groups";

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

const nodejs = "github.com/pulumi/pulumi/sdk/v3";
const github = "https://github.com";

/** A program of the Pulumi CLI's archive, which has the language hosts beside it. */
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

/** KWOK's stages that the sandbox uses. They are published in its sources alone, so their checksums are kept here. */
const kwokStages: readonly RemoteFile[] = Object.entries({
  "node/fast/node-initialize": "bb38f752d90248528b579a0ae8f0f660ff3428457eb5c1ebe6345c3246cc7ee5",
  "node/heartbeat-with-lease/node-heartbeat-with-lease":
    "9becfc93321222915bd1ec8ab103fe769afe4b23e1386bf40553deb02e332c9c",
  "pod/fast/pod-complete": "86b800597419abbd7d8c43b0dfc4782643cfcfcfc8ac617f1e79e4e3a68533b2",
  "pod/fast/pod-delete": "a83bc287bfc7a4f1e3748e01761186128a4042e38b304195e984111ce5626cef",
  "pod/fast/pod-ready": "4d04a22c1b9dc6adcd4da90b32ce85687ba0058e15ca1eebcfa7cd64201d4148",
  "volume/fast/pv-bind": "747eba6defd437d6d1bdf847ef744fb8fc7527f4ba8d8c27656025e0376fb9ce",
  "volume/fast/pv-delete": "4746963af0734ea8175b4562042075848412d8888f2345d8afa1a3058160d52d",
  "volume/fast/pvc-delete": "554cbb324b752baf8c72d9f2fa973c0825fd3eb67cf30b8e871a4b6c4509d7a1",
  "volume/fast/pvc-provision": "1a4983eb79c325bfea0e201f382c8c1b8e95e27862eac6da0b2cdffc67603773",
  "volume/fast/storage-class": "113866dbd7e34db57db60b9b67f7dde6b3dee210fb550c0bb9dca00a1eb6d17c",
}).map(([stage, sha256]) => ({
  url: `https://raw.githubusercontent.com/kubernetes-sigs/kwok/v${kwok}/kustomize/stage/${stage}.yaml`,
  sha256,
  to: `stage/${stage}.yaml`,
}));

/** The version that programs of Kubernetes say they are, as variables for the linker. */
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
      // What the engine starts for policy packs and for dynamic providers, by these names.
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
      kwok: { files: [kwokFile("kwok", platform), ...kwokStages], program: "kwok" },
      kwokctl: { files: [kwokFile("kwokctl", platform)], program: "kwokctl" },
    }),
    minutes: 2,
  },
  {
    name: "docker",
    folder: join(__dirname, "docker"),
    packages: { docker: "./pulumi-resource-docker" },
    // Upstream's compose resource brings hundreds of packages, and Pulumi's package does not have it.
    tags: "no_compose",
    ownVariables: { docker: [`main.version=${versions.docker}`] },
    big: true,
    minutes: 2.5,
  },
] as const satisfies readonly Group[];

/** What the toolchain can provide, by the name it is asked for. */
export type Part = PartOf<(typeof list)[number]>;

/** In the order of building: the quick ones first, so that what cannot work fails early. */
export const groups: readonly Group[] = list;

/** All parts, in the order of building. */
export const allParts = groups.flatMap((group) => Object.keys(group.packages)) as readonly Part[];
