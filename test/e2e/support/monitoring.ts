import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../support/until";
import { prometheusOperatorDefinitions } from "../../support/definitions";
import type { Stage } from "./stage";

/** Programs of the pod that monitors the stack. */
export const monitoringPrograms = ["prometheus", "kube-state-metrics"] as const;

const namespace = "monitoring";
const pod = "prometheus";

interface PodMonitor {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly podMetricsEndpoints: readonly {
      readonly port: string;
      readonly path: string;
      readonly params?: Readonly<Record<string, readonly string[]>>;
    }[];
  };
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

/** One result of a Prometheus query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

/** A real Prometheus, configured from the stack's objects as Prometheus Operator would configure it. */
export interface Watch {
  readonly rules: readonly Rule[];
  /** The answer to a query. */
  readonly query: (expression: string) => Promise<Sample[]>;
}

/** Adds Prometheus Operator's kinds to the cluster. */
export async function definePrometheusOperator({ kubectl }: Stage): Promise<void> {
  const files = (await prometheusOperatorDefinitions()).flatMap((path) => ["-f", path]);
  await kubectl(["create", ...files]);
  // kubectl fails at once while a definition has no conditions yet.
  const wait = () => kubectl(["wait", "--for=condition=Established", "--timeout=60s", ...files]);
  await until("the kinds of Prometheus Operator", wait);
}

/**
 * Runs Prometheus and kube-state-metrics in a pod of the namespace `monitoring`, with the PodMonitors and rules from the cluster, except
 * that alerts fire sooner and scrapes are more frequent.
 */
export async function startWatch(stage: Stage): Promise<Watch> {
  const { kubectl, runFolder, program } = stage;
  const items = async <T>(kind: string) =>
    (JSON.parse(await kubectl(["get", kind, "-A", "-o", "json"])) as { items: T[] }).items;
  const monitors = await items<PodMonitor>("podmonitors");
  const rules = await items<{ spec: { groups: { rules: Rule[] }[] } }>("prometheusrules");

  const folder = join(runFolder.path, "monitoring");
  mkdirSync(folder);
  const file = (name: string, content: object | string) =>
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  for (const name of monitoringPrograms) {
    copyFileSync(program(name), join(folder, name));
    chmodSync(join(folder, name), 0o755);
  }
  file("kubeconfig", stage.accessAs(`system:serviceaccount:${namespace}:${pod}`));
  for (const [index, { spec }] of rules.entries())
    file(`rules-${index}.json`, JSON.stringify(spec).replace(/"for":"\d+[mh]"/g, '"for":"1s"'));
  file("prometheus.json", {
    global: { scrape_interval: "1s", evaluation_interval: "1s" },
    rule_files: ["rules-*.json"],
    scrape_configs: [
      ...monitors.flatMap(scrapeConfigs),
      {
        job_name: "kube-state-metrics",
        honor_labels: true,
        static_configs: [{ targets: ["127.0.0.1:8080"] }],
      },
    ],
  });

  await kubectl(["create", "-f", "-"], JSON.stringify(objects(folder, stage.curlImage)));
  const query: Watch["query"] = async (expression) => {
    const url = "http://127.0.0.1:9090/api/v1/query";
    const said = await stage.exec(namespace, pod, [
      "curl",
      "-sS",
      "-G",
      url,
      "--data-urlencode",
      `query=${expression}`,
    ]);
    const { status, error, data } = JSON.parse(said) as { status: string; error?: string; data: { result: Sample[] } };
    if (status !== "success") throw new Error(`${expression}: ${error}`);
    return data.result;
  };
  await until("Prometheus", async () => (await query("vector(1)")).length === 1);
  return { rules: rules.flatMap(({ spec }) => spec.groups.flatMap((group) => group.rules)), query };
}

/** Stops it. */
export const stopWatch = ({ kubectl }: Stage): Promise<string> => kubectl(["delete", "namespace", namespace]);

/** The scrape config that Prometheus Operator makes from a PodMonitor, as far as this program uses one. */
const scrapeConfigs = ({ metadata, spec }: PodMonitor): object[] =>
  spec.podMetricsEndpoints.map(({ port, path, params }, index) => ({
    job_name: `${metadata.namespace}/${metadata.name}/${index}`,
    metrics_path: path,
    ...(params === undefined ? {} : { params }),
    kubernetes_sd_configs: [
      { role: "pod", kubeconfig_file: "kubeconfig", namespaces: { names: [metadata.namespace] } },
    ],
    relabel_configs: [
      ...Object.entries(spec.selector.matchLabels).map(([label, value]) => ({
        action: "keep",
        source_labels: [`__meta_kubernetes_pod_label_${label.replace(/\W/g, "_")}`],
        regex: value,
      })),
      { action: "keep", source_labels: ["__meta_kubernetes_pod_container_port_name"], regex: port },
      ...Object.entries({ namespace: "namespace", pod: "pod_name", container: "pod_container_name" }).map(
        ([target_label, of]) => ({ source_labels: [`__meta_kubernetes_${of}`], target_label }),
      ),
    ],
  }));

/** The namespace, its RBAC rules, and the pod; the level `restricted` does not apply there. */
function objects(folder: string, image: string): object {
  const subject = { kind: "ServiceAccount", name: pod, namespace };
  const container = (name: string, ...args: string[]) => ({
    name,
    image,
    command: [`/monitoring/${name}`, ...args],
    workingDir: "/monitoring",
    volumeMounts: [{ name: "programs", mountPath: "/monitoring", readOnly: true }],
  });
  const items = [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: `${namespace}-view` },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
      subjects: [subject],
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: pod, namespace },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        // The files belong to root.
        securityContext: { runAsUser: 0 },
        containers: [
          container("prometheus", "--config.file=prometheus.json", "--storage.tsdb.path=/tmp/prometheus"),
          container(
            "kube-state-metrics",
            "--kubeconfig=kubeconfig",
            "--port=8080",
            "--resources=pods,statefulsets,jobs",
          ),
        ],
        volumes: [{ name: "programs", hostPath: { path: folder, type: "Directory" } }],
      },
    },
  ];
  return { apiVersion: "v1", kind: "List", items };
}
