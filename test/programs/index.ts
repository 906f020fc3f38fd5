import { join } from "node:path";
import type { Report } from "../../tools/shared/terminal";
import { type Group, type PartOf, ensurePrograms } from "../../tools/toolchain";
import { kubernetesReleases, kubernetesVariables } from "../../tools/toolchain/parts";

/** Programs that only tests need, each group from the Go module of its name in this folder. */
export const programGroups = [
  {
    name: "actionlint",
    folder: join(__dirname, "actionlint"),
    packages: { actionlint: "github.com/rhysd/actionlint/cmd/actionlint" },
    releases: ({ os, arch }) => {
      const folder = "https://github.com/rhysd/actionlint/releases/download/v1.7.12";
      const url = `${folder}/actionlint_1.7.12_${os}_${arch}.tar.gz`;
      const sha256 = `${folder}/actionlint_1.7.12_checksums.txt`;
      return { actionlint: { files: [{ url, sha256 }], program: "actionlint" } };
    },
    minutes: 0.5,
  },
  {
    name: "coredns",
    folder: join(__dirname, "coredns"),
    packages: { coredns: "github.com/coredns/coredns" },
    releases: ({ os, arch }) => {
      const url = `https://github.com/coredns/coredns/releases/download/v1.15.0/coredns_1.15.0_${os}_${arch}.tgz`;
      return { coredns: { files: [{ url, sha256: `${url}.sha256` }], program: "coredns" } };
    },
    minutes: 3,
  },
  {
    // Evaluates NetworkPolicies, for tests that should not trust the program's own reading of them.
    name: "cyclonus",
    folder: join(__dirname, "cyclonus"),
    packages: { cyclonus: "github.com/mattfenwick/cyclonus/cmd/cyclonus" },
    minutes: 2,
  },
  {
    name: "kube-score",
    folder: join(__dirname, "kube-score"),
    packages: { "kube-score": "github.com/zegl/kube-score/cmd/kube-score" },
    minutes: 1,
  },
  {
    // Tells a Prometheus what the API server knows of StatefulSets and pods.
    name: "kube-state-metrics",
    folder: join(__dirname, "kube-state-metrics"),
    packages: { "kube-state-metrics": "k8s.io/kube-state-metrics/v2" },
    unoptimised: ["all"],
    minutes: 3,
  },
  {
    // Enforces NetworkPolicies on the real node.
    name: "kube-router",
    folder: join(__dirname, "kube-router"),
    packages: { "kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router" },
    minutes: 3,
  },
  {
    // Pins what the API server's module pins: most of it is compiled already then.
    name: "kubernetes",
    folder: join(__dirname, "kubernetes"),
    packages: {
      kubelet: "k8s.io/kubernetes/cmd/kubelet",
      "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
      kubectl: "k8s.io/kubernetes/cmd/kubectl",
    },
    releases: (platform) => kubernetesReleases(["kubelet", "kube-proxy", "kubectl"], platform),
    variables: kubernetesVariables,
    big: true,
    minutes: 7,
  },
  {
    name: "prometheus",
    folder: join(__dirname, "prometheus"),
    packages: {
      prometheus: "github.com/prometheus/prometheus/cmd/prometheus",
      promtool: "github.com/prometheus/prometheus/cmd/promtool",
    },
    // Of its ways to find what is scraped only that in Kubernetes: those of clouds are most of what it would be compiled from.
    tags: "remove_all_sd,enable_kubernetes_sd",
    unoptimised: ["all"],
    minutes: 5,
  },
] as const satisfies readonly Group[];

/** The name of a program that only tests need. */
export type TestProgram = PartOf<(typeof programGroups)[number]>;

/** Where the programs are that a test has asked for. */
export type TestPrograms = (name: TestProgram) => string;

/** Makes sure that these programs are there, building what is missing, and returns where. */
export const testPrograms = (names: readonly TestProgram[], report: Report): Promise<TestPrograms> =>
  ensurePrograms(programGroups, names, report);
