import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Clone, cloneProject } from "../support/clone";
import { clusterApi } from "../support/clusterApi";
import { define } from "../support/definitions";
import { goModule } from "../support/goModule";

/** examples/everything.yaml against a real API server, which validates every field. */
describe("a stack that sets every key", { concurrency: 1 }, () => {
  let clone: Clone;
  let api: Awaited<ReturnType<typeof clusterApi>>;
  const succeeds = async (...args: string[]) => {
    const { code, stdout, stderr } = await clone.run(args);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  before(async () => {
    clone = await cloneProject();
    copyFileSync(join(clone.directory, "examples/everything.yaml"), join(clone.directory, "Pulumi.dev.yaml"));
    await succeeds("sandbox", "up", "local");
    api = await clusterApi(clone.directory, "local");
    const gateway = await goModule("sigs.k8s.io/gateway-api@v1.2.1", "h1:fZZ/+RyRb+Y5tGkwxFKuYuSRQHu9dZtbjenblleOLHM=");
    await define(api, join(gateway, "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"));
    const operator = await goModule(
      "github.com/prometheus-operator/prometheus-operator@v0.79.2",
      "h1:H/HCiMS4dXQyiFHw28PFlWMh15YUraL3MFe8u7k7dGA=",
    );
    for (const kind of ["podmonitors", "prometheusrules"])
      await define(api, join(operator, `example/prometheus-operator-crd/monitoring.coreos.com_${kind}.yaml`));
  });
  after(() => clone?.dispose());

  test("comes up, and a second preview is empty", async () => {
    await succeeds("up");
    const preview = await succeeds("preview");
    assert.match(preview, /\d+ unchanged/);
    assert.doesNotMatch(preview, /to (create|update|replace|delete)/);
  });

  test("has in the cluster what the keys say", async () => {
    const inZone = (zone: string, path: string) => api.list(path.replace("ZONE", `namespaces/us-east-${zone}`));
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
    assert.deepEqual(kazoo.spec.imagePullSecrets, [{ name: "mirror-login" }]);
    const liveness = podOf("rabbitmq-alpha").spec.containers[0]?.livenessProbe as { periodSeconds: number };
    assert.equal(liveness.periodSeconds, 60);
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
    const configs = await inZone("bos", "/api/v1/ZONE/configmaps");
    const files = configs.map(({ data }) => Object.values(data ?? {}).join("\n")).join("\n");
    for (const line of ["channel_max = 1024", "rabbitmq_shovel", "max_document_size = 8000000"])
      assert.ok(files.includes(line), line);
  });

  test("is removed by destroy", async () => {
    await succeeds("destroy");
    assert.equal((await api.call("GET", "/api/v1/namespaces/us-east-nyc")).status, 404);
  });
});
