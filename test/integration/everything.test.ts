import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { defineGatewayApi, definePrometheusOperator } from "../support/definitions";
import { type SandboxStack, sandboxStack } from "../support/sandboxStack";

/** examples/everything.yaml against a real API server, which validates every field. */
describe("a stack that sets every key", { concurrency: 1 }, () => {
  let stack: SandboxStack;
  before(async () => {
    stack = await sandboxStack();
    const { directory } = stack.clone;
    copyFileSync(join(directory, "examples/everything.yaml"), join(directory, "Pulumi.dev.yaml"));
    await defineGatewayApi(stack.api);
    await definePrometheusOperator(stack.api);
    await stack.api.call("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {
      metadata: { name: "voice" },
      value: 1000,
    });
  });
  after(() => stack?.clone.dispose());

  test("is deployed, and a second preview is empty", async () => {
    await stack.succeeds("up");
    await stack.isUnchanged();
  });

  test("has in the cluster what the keys configure", async () => {
    const inZone = (zone: string, path: string) => stack.api.list(path.replace("ZONE", `namespaces/us-east-${zone}`));
    const sets = await inZone("nyc", "/apis/apps/v1/ZONE/statefulsets");
    const podOf = (name: string) => {
      const template = sets.find(({ metadata }) => metadata?.name === name)?.spec?.template as {
        metadata: { labels: Record<string, string>; annotations: Record<string, string> };
        spec: Record<string, unknown> & { containers: Record<string, unknown>[] };
      };
      return template;
    };
    const kazoo = podOf("kazoo");
    assert.equal(kazoo.metadata.labels["example.com/team"], "voice");
    assert.equal(kazoo.metadata.annotations["example.com/owner"], "voice");
    assert.deepEqual(kazoo.spec.nodeSelector, { "kubernetes.io/os": "linux" });
    assert.deepEqual(kazoo.spec.hostAliases, [{ ip: "192.0.2.7", hostnames: ["sbc"] }]);
    assert.equal(kazoo.spec.terminationGracePeriodSeconds, 300);
    assert.equal(kazoo.spec.priorityClassName, "voice");
    assert.equal(kazoo.spec.schedulerName, "default-scheduler");
    assert.match(JSON.stringify(kazoo.spec.affinity), /"example\.com\/pool"/);
    assert.match(JSON.stringify(kazoo.spec.topologySpreadConstraints), /"DoNotSchedule"/);
    assert.match(JSON.stringify(kazoo.spec.tolerations), /"example\.com\/voice"/);
    assert.deepEqual(
      ["requests", "limits"].map((kind) => {
        const { resources } = kazoo.spec.containers[0] as { resources: Record<string, Record<string, string>> };
        return resources[kind]?.["ephemeral-storage"];
      }),
      ["64Mi", "1Gi"],
    );
    const service = async (zone: string) =>
      (await inZone(zone, "/api/v1/ZONE/services")).find(({ metadata }) => metadata?.name === "kazoo")?.spec ?? {};
    const { type, loadBalancerSourceRanges, loadBalancerClass } = await service("mia");
    assert.deepEqual(
      [type, loadBalancerSourceRanges, loadBalancerClass],
      ["LoadBalancer", ["198.51.100.0/24"], "example.com/internal"],
    );
    const { externalTrafficPolicy, ports } = await service("bos");
    assert.equal(externalTrafficPolicy, "Local");
    assert.deepEqual((ports as { nodePort: number }[]).map(({ nodePort }) => nodePort).sort(), [30555, 30800]);
    assert.deepEqual(kazoo.spec.imagePullSecrets, [{ name: "mirror-login" }]);
    assert.equal(podOf("rabbitmq-beta").metadata.annotations["prometheus.io/port"], "15692");
    const liveness = podOf("rabbitmq-alpha").spec.containers[0]?.livenessProbe as { periodSeconds: number };
    assert.equal(liveness.periodSeconds, 60);
    const broker = podOf("rabbitmq-alpha").spec.containers[0]?.env as { valueFrom?: { secretKeyRef: object } }[];
    assert.deepEqual(
      broker.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []),
      ["user", "pass"].map((key) => ({ name: "vault-rabbitmq", key })),
    );
    const startup = podOf("bigcouch").spec.containers[0]?.startupProbe as { failureThreshold: number };
    assert.equal(startup.failureThreshold, 360);
    assert.match(String(podOf("bigcouch").spec.containers[0]?.image), /^mirror\.example\.com\/hub\/library\/couchdb:/);

    const secrets = (await inZone("nyc", "/api/v1/ZONE/secrets")).map(({ metadata }) => metadata?.name);
    assert.deepEqual(
      secrets.filter((name) => ["erlang-cookie", "rabbitmq", "bigcouch", "bigcouch-ring"].includes(name ?? "")),
      [],
      "those of the vault take their places",
    );
    const names = async (zone: string, path: string) =>
      (await inZone(zone, path)).map(({ metadata }) => metadata?.name).sort();
    assert.deepEqual(await names("nyc", "/apis/networking.k8s.io/v1/ZONE/ingresses"), ["kazoo", "kazoo-websockets"]);
    assert.deepEqual(await names("bos", "/apis/gateway.networking.k8s.io/v1/ZONE/httproutes"), [
      "kazoo",
      "kazoo-websockets",
    ]);
    assert.deepEqual(await names("bos", "/apis/monitoring.coreos.com/v1/ZONE/podmonitors"), ["rabbitmq"]);
    assert.deepEqual(await names("bos", "/apis/monitoring.coreos.com/v1/ZONE/prometheusrules"), ["kazoo"]);
    const dashboards = await Promise.all(
      ["bos", "mia", "nyc"].map((zone) => inZone(zone, "/api/v1/ZONE/configmaps?labelSelector=grafana_dashboard%3D1")),
    );
    assert.deepEqual(
      dashboards.map(({ length }) => length),
      [1, 0, 0],
      "one of the ring",
    );
    const configs = await inZone("bos", "/api/v1/ZONE/configmaps");
    const files = configs.map(({ data }) => Object.values(data ?? {}).join("\n")).join("\n");
    for (const line of ["channel_max = 1024", "rabbitmq_shovel", "max_document_size = 8000000"])
      assert.ok(files.includes(line), line);
  });

  test("is removed by destroy", async () => {
    await stack.succeeds("destroy");
    assert.equal((await stack.api.call("GET", "/api/v1/namespaces/us-east-nyc")).status, 404);
  });
});
