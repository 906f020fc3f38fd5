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
    // Evaluates NetworkPolicies independently of the program.
    name: "cyclonus",
    folder: join(__dirname, "cyclonus"),
    packages: { cyclonus: "github.com/mattfenwick/cyclonus/cmd/cyclonus" },
    minutes: 2,
  },
  {
    // What `make bench` compares with; no test needs it.
    name: "helm",
    folder: join(__dirname, "helm"),
    packages: { helm: "helm.sh/helm/v3/cmd/helm" },
    minutes: 3,
  },
  {
    name: "kube-score",
    folder: join(__dirname, "kube-score"),
    packages: { "kube-score": "github.com/zegl/kube-score/cmd/kube-score" },
    minutes: 1,
  },
  {
    // Exports the state of StatefulSets and pods to Prometheus.
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
    // Pins the same modules as the API server, so that most packages are compiled already.
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
    // Only Kubernetes service discovery, because the clouds' SDKs are most of what would be compiled.
    tags: "remove_all_sd,enable_kubernetes_sd",
    unoptimised: ["all"],
    minutes: 5,
  },
] as const satisfies readonly Group[];

/** The name of such a program. */
export type TestProgram = PartOf<(typeof programGroups)[number]>;

/** The paths of the programs that a test requested. */
export type TestPrograms = (name: TestProgram) => string;

/** Builds these programs if they are missing, and returns their paths. */
export const testPrograms = (names: readonly TestProgram[], report: Report): Promise<TestPrograms> =>
  ensurePrograms(programGroups, names, report);
