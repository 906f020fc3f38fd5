import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { definePrometheusOperator } from "../support/definitions";
import { type SandboxStack, sandboxStack } from "../support/sandboxStack";

/** Prometheus Operator's definitions validate every field of what the stack deploys. */
describe("a live stack with monitoring, and a patch", { concurrency: 1 }, () => {
  let stack: SandboxStack;
  const pods = async () =>
    (await stack.api.list("/api/v1/namespaces/local-dev/pods")).map(
      ({ metadata }) => `${metadata?.name} ${metadata?.uid}`,
    );
  const dashboards = () => stack.api.list("/api/v1/configmaps?labelSelector=grafana_dashboard%3D1");
  const full = {
    "kazoo:monitoring": {
      podMonitors: true,
      rules: true,
      dashboards: true,
      labels: { release: "prometheus" },
      namespace: "monitoring",
    },
    "kazoo:patches": {
      retries: {
        target: { kind: "PrometheusRule" },
        operations: [{ op: "add", path: "/metadata/labels/team", value: "voice" }],
      },
    },
  };

  before(async () => {
    stack = await sandboxStack();
    await definePrometheusOperator(stack.api);
    stack.configure({});
    await stack.succeeds("up");
  });
  after(() => stack?.clone.dispose());

  test("all objects are added without restarting a pod, and a second preview is empty", async () => {
    const before = await pods();
    stack.configure(full);
    await stack.succeeds("up");
    assert.deepEqual((await pods()).sort(), before.sort());
    const monitoring = "/apis/monitoring.coreos.com/v1/namespaces/local-dev";
    const [monitor] = await stack.api.list(`${monitoring}/podmonitors`);
    assert.deepEqual(monitor?.spec?.selector, { matchLabels: { "app.kubernetes.io/name": "rabbitmq" } });
    const [rule] = await stack.api.list(`${monitoring}/prometheusrules`);
    const { labels, annotations } = rule?.metadata ?? {};
    assert.deepEqual([labels?.release, labels?.team], ["prometheus", "voice"]);
    assert.equal(annotations?.["kazoo/patches"], "retries");
    const [dashboard, ...more] = await dashboards();
    assert.deepEqual(Object.keys(dashboard?.data ?? {}), ["kazoo-dev-local-dev.json"]);
    assert.deepEqual(more, []);
    await stack.isUnchanged();
  });

  test("without the keys all are removed, and pods stay", async () => {
    const before = await pods();
    stack.configure({});
    await stack.succeeds("up");
    assert.deepEqual(await stack.api.list("/apis/monitoring.coreos.com/v1/podmonitors"), []);
    assert.deepEqual(await dashboards(), []);
    assert.deepEqual((await pods()).sort(), before.sort());
    await stack.isUnchanged();
  });

  test("annotations restart the brokers, and nothing else", async () => {
    const before = await pods();
    stack.configure({ "kazoo:monitoring": { annotations: true } });
    await stack.succeeds("up");
    const now = await pods();
    const gone = before.filter((pod) => !now.includes(pod)).map((pod) => pod.split(" ")[0]);
    assert.deepEqual(gone.sort(), ["rabbitmq-alpha-0", "rabbitmq-beta-0"]);
    const found = await stack.api.list(
      "/api/v1/namespaces/local-dev/pods?labelSelector=app.kubernetes.io/name%3Drabbitmq",
    );
    for (const { metadata } of found) assert.equal(metadata?.annotations?.["prometheus.io/port"], "15692");
    await stack.isUnchanged();
    await stack.succeeds("destroy");
  });
});
