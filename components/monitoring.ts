import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { alertsOf } from "./alerts";
import { type DashboardArgs, dashboardOf } from "./dashboard";
import { workloadLabel, workloads } from "./names";

export interface MonitoringArgs {
  readonly namespace: pulumi.Input<string>;
  /** Name of the zone, a label of each alert. */
  readonly zone: string;
  /** Whether Prometheus Operator scrapes the brokers, and the database if it has metrics. @default true */
  readonly podMonitors?: boolean;
  /** Whether there are alerts. @default true */
  readonly rules?: boolean;
  /** The dashboard of the zone's ring. @default none */
  readonly dashboard?: DashboardArgs;
  /** Labels by which a Prometheus selects these objects. @default none */
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether the database exports metrics. @default false */
  readonly databaseMetrics?: boolean;
  /** Name of the Certificate (cert-manager) of the zone's Ingress, for an alert before it expires. @default none */
  readonly certificate?: string;
}

const apiVersion = "monitoring.coreos.com/v1";

/** Where Prometheus finds the metrics of a broker and of a database node. */
const paths = { broker: "/metrics", database: "/_node/_local/_prometheus" } as const;

/** Annotations of pods by which a Prometheus without the operator finds them, as its community's examples read them. */
export const scrapeAnnotations = (of: keyof typeof paths, port: number): Record<string, string> => ({
  "prometheus.io/scrape": "true",
  "prometheus.io/port": String(port),
  "prometheus.io/path": paths[of],
});

/**
 * The objects that Prometheus Operator and Grafana read about a datacenter: PodMonitors of its brokers and its database, a PrometheusRule with its
 * alerts, and a dashboard. The operator's CustomResourceDefinitions must be in the cluster.
 * @example
 * new Monitoring("monitoring", { namespace, zone: "us-east-nyc", labels: { release: "prometheus" } });
 */
export class Monitoring extends pulumi.ComponentResource {
  constructor(name: string, args: MonitoringArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:Monitoring", name, {}, opts);
    const { podMonitors = true, rules = true, labels = {}, databaseMetrics = false, certificate, dashboard } = args;
    const metadata = (objectName: string) => ({
      name: objectName,
      namespace: args.namespace,
      labels: { ...labels, "app.kubernetes.io/part-of": "kazoo" },
    });
    const podMonitor = (part: string, workload: string, podMetricsEndpoints: object[]) =>
      new k8s.apiextensions.CustomResource(
        `${name}-${part}`,
        {
          apiVersion,
          kind: "PodMonitor",
          metadata: metadata(workload),
          spec: { selector: { matchLabels: { [workloadLabel]: workload } }, podMetricsEndpoints },
        },
        { parent: this },
      );
    if (podMonitors) {
      podMonitor("brokers", workloads.rabbitmq, [
        { port: "metrics", path: paths.broker },
        // Per queue, only the metrics that the alerts read: a broker of Kazoo has thousands of queues.
        {
          port: "metrics",
          path: "/metrics/detailed",
          params: { family: ["queue_coarse_metrics", "queue_consumer_count"] },
          interval: "60s",
        },
      ]);
    }
    if (podMonitors && databaseMetrics)
      podMonitor("database", workloads.database, [{ port: "metrics", path: paths.database }]);
    if (rules) {
      new k8s.apiextensions.CustomResource(
        `${name}-rules`,
        {
          apiVersion,
          kind: "PrometheusRule",
          metadata: metadata(workloads.kazoo),
          spec: {
            groups: [
              {
                name: "kazoo",
                rules: pulumi.output(args.namespace).apply((namespace) =>
                  alertsOf({ namespace, databaseMetrics, ...(certificate === undefined ? {} : { certificate }) }).map(
                    ({ name: alert, expression, severity, summary, for: held }) => ({
                      alert,
                      expr: expression,
                      for: held,
                      // A selector that finds nothing has no labels to pass on.
                      labels: { severity, zone: args.zone, namespace },
                      annotations: { summary, runbook: `docs/monitoring.md#${alert.toLowerCase()}` },
                    }),
                  ),
                ),
              },
            ],
          },
        },
        { parent: this },
      );
    }
    if (dashboard !== undefined) {
      new k8s.core.v1.ConfigMap(
        `${name}-dashboard`,
        {
          metadata: {
            namespace: args.namespace,
            labels: { grafana_dashboard: "1", "app.kubernetes.io/part-of": "kazoo" },
          },
          // Grafana's sidecar writes all dashboards into one folder.
          data: {
            [`kazoo-${dashboard.stack}-${dashboard.ring}.json`]: JSON.stringify(
              dashboardOf(dashboard, databaseMetrics),
            ),
          },
        },
        { parent: this },
      );
    }
    this.registerOutputs({});
  }
}
