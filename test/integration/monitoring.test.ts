import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Clone, cloneProject } from "../support/clone";
import { clusterApi } from "../support/clusterApi";
import { define } from "../support/definitions";
import { goModule } from "../support/goModule";

/** Prometheus Operator's definitions validate every field of what the stack deploys. */
describe("a live stack with monitoring, and a patch", { concurrency: 1 }, () => {
  let clone: Clone;
  let api: Awaited<ReturnType<typeof clusterApi>>;
  const stackFile = (more: object) =>
    writeFileSync(
      join(clone.directory, "Pulumi.dev.yaml"),
      JSON.stringify({
        config: {
          "kazoo:protect": false,
          "kazoo:clusters": { local: { sandbox: true } },
          "kazoo:regions": { local: { cluster: "local", datacenters: { dev: {} } } },
          ...more,
        },
      }),
    );
  const succeeds = async (...args: string[]) => {
    const { code, stdout, stderr } = await clone.run(args);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const pods = async () =>
    (await api.list("/api/v1/namespaces/local-dev/pods")).map(({ metadata }) => `${metadata?.name} ${metadata?.uid}`);
  const unchanged = async () => {
    const preview = await succeeds("preview");
    assert.match(preview, /\d+ unchanged/);
    assert.doesNotMatch(preview, /to (create|update|replace|delete)/);
  };
  const full = {
    "kazoo:monitoring": { podMonitors: true, rules: true, labels: { release: "prometheus" }, namespace: "monitoring" },
    "kazoo:patches": {
      retries: {
        target: { kind: "PrometheusRule" },
        operations: [{ op: "add", path: "/metadata/labels/team", value: "voice" }],
      },
    },
  };

  before(async () => {
    clone = await cloneProject();
    stackFile({});
    await succeeds("sandbox", "up", "local");
    api = await clusterApi(clone.directory, "local");
    const folder = await goModule(
      "github.com/prometheus-operator/prometheus-operator@v0.79.2",
      "h1:H/HCiMS4dXQyiFHw28PFlWMh15YUraL3MFe8u7k7dGA=",
    );
    const crds = join(folder, "example/prometheus-operator-crd");
    await define(api, join(crds, "monitoring.coreos.com_podmonitors.yaml"));
    await define(api, join(crds, "monitoring.coreos.com_prometheusrules.yaml"));
    await succeeds("up");
  });
  after(() => clone?.dispose());

  test("both objects come without restarting a pod, and a second preview is empty", async () => {
    const before = await pods();
    stackFile(full);
    await succeeds("up");
    assert.deepEqual((await pods()).sort(), before.sort());
    const monitoring = "/apis/monitoring.coreos.com/v1/namespaces/local-dev";
    const [monitor] = await api.list(`${monitoring}/podmonitors`);
    assert.deepEqual(monitor?.spec?.selector, { matchLabels: { "app.kubernetes.io/name": "rabbitmq" } });
    const [rule] = await api.list(`${monitoring}/prometheusrules`);
    const { labels, annotations } = rule?.metadata ?? {};
    assert.deepEqual([labels?.release, labels?.team], ["prometheus", "voice"]);
    assert.equal(annotations?.["kazoo/patches"], "retries");
    await unchanged();
  });

  test("without the keys both go, and pods stay", async () => {
    const before = await pods();
    stackFile({});
    await succeeds("up");
    assert.deepEqual(await api.list("/apis/monitoring.coreos.com/v1/podmonitors"), []);
    assert.deepEqual((await pods()).sort(), before.sort());
    await unchanged();
    await succeeds("destroy");
  });
});
