import { z } from "zod";
import { dnsLabel, field, mapping, named } from "./fields";
import { labelValue, nameOf } from "./labelNames";

/** What Prometheus and Grafana read about a datacenter. */
export type Monitoring = z.output<typeof monitoring>;

/** The port of a database's metrics, if it has one and monitoring reads it; it is open only then. */
export const databaseMetricsPort = (
  { podMonitors, annotations }: Pick<Monitoring, "podMonitors" | "annotations">,
  { metricsPort }: { readonly metricsPort?: number },
): number | undefined => (podMonitors || annotations ? metricsPort : undefined);

/** The schema of `kazoo:monitoring`. */
export const monitoring = mapping(
  {
    podMonitors: field(z.boolean(), {
      description:
        "Whether brokers, and CouchDB from 3.2 on, get a PodMonitor, so that Prometheus Operator scrapes them.",
      expected: "true or false",
      example: "true",
    }).default(false),
    annotations: field(z.boolean(), {
      description:
        "Whether their pods get the annotations `prometheus.io/scrape`, `/port` and `/path` instead, for a Prometheus without the operator. A change rolls the pods.",
      expected: "true or false",
      example: "true",
    }).default(false),
    rules: field(z.boolean(), {
      description:
        "Whether the datacenter gets a PrometheusRule with alerts (docs/monitoring.md). They read the brokers' metrics and those of kube-state-metrics.",
      expected: "true or false",
      example: "true",
    }).default(false),
    dashboards: field(z.boolean(), {
      description:
        'Whether the ring gets a dashboard of Grafana, in a ConfigMap with the label `grafana_dashboard: "1"` in the namespace of its first datacenter in each cluster.',
      expected: "true or false",
      example: "true",
    }).default(false),
    labels: named(nameOf("a label", "release"), labelValue, {
      description: "Labels of PodMonitors and PrometheusRules, for Prometheus to select them by.",
      expected: "a mapping from labels to text",
      example: "{ release: prometheus }",
    }).default({}),
    namespace: field(dnsLabel, {
      description: "Namespace of Prometheus. If given, only this namespace can scrape the metrics.",
      expected: "the name of a namespace",
      example: "monitoring",
      default: "none, every pod in the cluster may read them",
    }).optional(),
  },
  "Monitoring with Prometheus and Grafana. `podMonitors` and `rules` need Prometheus Operator in the cluster.",
  "{ podMonitors: true, rules: true }",
).prefault({});
