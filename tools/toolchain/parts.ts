import { join } from "node:path";
import type { Group, PartOf } from "./groups";

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

/** The version that programs of Kubernetes say they are, as variables for the linker. */
export const kubernetesVariables: readonly string[] = [
  "gitVersion=v1.34.4",
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
    big: true,
    minutes: 11,
  },
  {
    name: "kwok",
    folder: join(__dirname, "kwok"),
    packages: { kwok: "sigs.k8s.io/kwok/cmd/kwok", kwokctl: "sigs.k8s.io/kwok/cmd/kwokctl" },
    files: { module: "sigs.k8s.io/kwok", paths: { stage: "kustomize/stage" } },
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
