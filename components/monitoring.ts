import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { alertsOf } from "./alerts";
import { workloadLabel, workloads } from "./names";

export interface MonitoringArgs {
  readonly namespace: pulumi.Input<string>;
  /** Name of the zone, a label of each alert. */
  readonly zone: string;
  /** Whether Prometheus Operator learns to scrape the brokers. @default true */
  readonly podMonitors?: boolean;
  /** Whether there are alerts. @default true */
  readonly rules?: boolean;
  /** Labels by which a Prometheus selects these objects. @default none */
  readonly labels?: Readonly<Record<string, string>>;
}

const apiVersion = "monitoring.coreos.com/v1";

/**
 * What Prometheus Operator reads about a datacenter: a PodMonitor of its brokers, and a PrometheusRule with its alerts. The operator's
 * CustomResourceDefinitions must be in the cluster.
 * @example
 * new Monitoring("monitoring", { namespace, zone: "us-east-nyc", labels: { release: "prometheus" } });
 */
export class Monitoring extends pulumi.ComponentResource {
  constructor(name: string, args: MonitoringArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:Monitoring", name, {}, opts);
    const { podMonitors = true, rules = true, labels = {} } = args;
    const metadata = (objectName: string) => ({
      name: objectName,
      namespace: args.namespace,
      labels: { ...labels, "app.kubernetes.io/part-of": "kazoo" },
    });
    if (podMonitors) {
      new k8s.apiextensions.CustomResource(
        `${name}-brokers`,
        {
          apiVersion,
          kind: "PodMonitor",
          metadata: metadata(workloads.rabbitmq),
          spec: {
            selector: { matchLabels: { [workloadLabel]: workloads.rabbitmq } },
            podMetricsEndpoints: [
              { port: "metrics", path: "/metrics" },
              // Of each queue only what the alerts read: a broker of Kazoo has thousands of queues.
              {
                port: "metrics",
                path: "/metrics/detailed",
                params: { family: ["queue_coarse_metrics", "queue_consumer_count"] },
                interval: "60s",
              },
            ],
          },
        },
        { parent: this },
      );
    }
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
                  alertsOf(namespace).map(({ name: alert, expression, severity, summary, for: held }) => ({
                    alert,
                    expr: expression,
                    for: held,
                    labels: { severity, zone: args.zone },
                    annotations: { summary, runbook: `docs/monitoring.md#${alert.toLowerCase()}` },
                  })),
                ),
              },
            ],
          },
        },
        { parent: this },
      );
    }
    this.registerOutputs({});
  }
}
