import { z } from "zod";
import { dnsLabel, field, mapping, named } from "./fields";
import { labelValue, nameOf } from "./labelNames";

/** What Prometheus Operator reads about a datacenter. */
export type Monitoring = z.output<typeof monitoring>;

/** The schema of `kazoo:monitoring`. */
export const monitoring = mapping(
  {
    podMonitors: field(z.boolean(), {
      description: "Whether the brokers get a PodMonitor, from which Prometheus Operator learns to scrape them.",
      expected: "true or false",
      example: "true",
    }).default(false),
    rules: field(z.boolean(), {
      description:
        "Whether the datacenter gets a PrometheusRule with alerts (docs/monitoring.md). They read the brokers' metrics and those of kube-state-metrics.",
      expected: "true or false",
      example: "true",
    }).default(false),
    labels: named(nameOf("a label", "release"), labelValue, {
      description: "Labels of the PodMonitor and the PrometheusRule, by which a Prometheus selects them.",
      expected: "a mapping from labels to text",
      example: "{ release: prometheus }",
    }).default({}),
    namespace: field(dnsLabel, {
      description: "Namespace of Prometheus: no other one then reaches the brokers' metrics.",
      expected: "the name of a namespace",
      example: "monitoring",
      default: "none, every pod in the cluster may read them",
    }).optional(),
  },
  "Monitoring with Prometheus Operator, which must be installed in the cluster.",
  "{ podMonitors: true, rules: true }",
).prefault({});
