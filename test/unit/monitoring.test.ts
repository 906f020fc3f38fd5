import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parser } from "@prometheus-io/lezer-promql";
import { alertsOf } from "../../components/alerts";
import { Monitoring } from "../../components/monitoring";
import { platformOfFile } from "../../config/stackFile";
import { deployWithMocks, objects, platformFrom, withMocks } from "../support/mocks";

const project = join(__dirname, "../..");
const alerts = alertsOf("us-east-nyc");

describe("each alert", () => {
  for (const { name, expression } of alerts) {
    test(`${name} is PromQL about its own namespace`, () => {
      const errors: string[] = [];
      parser.parse(expression).iterate({
        enter: ({ type, from }) => {
          if (type.isError) errors.push(expression.slice(from));
        },
      });
      assert.deepEqual(errors, []);
      const selectors = [...expression.matchAll(/\{([^}]*)\}/g)].map(([, labels]) => labels);
      assert.ok(selectors.length > 0);
      for (const labels of selectors) assert.match(labels ?? "", /namespace="us-east-nyc"/);
    });
  }

  test("has a section in docs/monitoring.md that says what to do, and no section is of an alert that is gone", () => {
    const page = readFileSync(join(project, "docs/monitoring.md"), "utf8");
    const sections = [...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual(sections.sort(), alerts.map(({ name }) => name).sort());
  });
});

test("the component alone has a PodMonitor of the brokers' metrics and all alerts", async () => {
  const { resources } = await withMocks(() => new Monitoring("m", { namespace: "nyc", zone: "us-east-nyc" }));
  const monitor = objects(resources, "PodMonitor")["nyc/rabbitmq"] as { spec: { podMetricsEndpoints: object[] } };
  assert.deepEqual(monitor.spec.podMetricsEndpoints[0], { port: "metrics", path: "/metrics" });
  const rule = objects(resources, "PrometheusRule")["nyc/kazoo"] as {
    spec: { groups: { rules: { alert: string; labels: object }[] }[] };
  };
  const rules = rule.spec.groups[0]?.rules ?? [];
  assert.equal(rules.length, alerts.length);
  assert.deepEqual(rules[0]?.labels, { severity: "warning", zone: "us-east-nyc" });
});

test("a stack with monitoring adds its two objects, labelled, closes the metrics to others, and changes nothing else", async () => {
  const { resources } = await deployWithMocks(platformOfFile(join(project, "examples/monitoring.yaml")));
  const plain = (await deployWithMocks(platformOfFile(join(project, "examples/smallest.yaml")))).resources;
  const added = resources.filter(({ name }) => !plain.some((other) => other.name === name));
  assert.deepEqual(
    added.map(({ name, inputs }) => [name, (inputs.metadata as { labels: { release: string } }).labels.release]),
    [
      ["us-east-nyc-monitoring-brokers", "prometheus"],
      ["us-east-nyc-monitoring-rules", "prometheus"],
    ],
  );
  const policy = (from: typeof resources) =>
    (objects(from, "NetworkPolicy")["us-east-nyc/rabbitmq"] as { spec: { ingress: { from?: object[] }[] } }).spec
      .ingress;
  assert.equal(policy(plain).at(-1)?.from, undefined);
  assert.deepEqual(policy(resources).at(-1)?.from, [
    { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } },
  ]);
});

test("monitoring on plain Docker is refused", () => {
  assert.throws(
    () =>
      platformFrom({
        clusters: { local: { docker: {} } },
        regions: { local: { cluster: "local", datacenters: { dev: { monitoring: { rules: true } } } } },
      }),
    /kazoo:regions\.local\.datacenters\.dev\.monitoring: found \{"rules":true\}; expected nothing that only Kubernetes has/,
  );
});
