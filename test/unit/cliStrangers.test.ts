import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { stringify } from "yaml";
import type { KubernetesCluster } from "../../config/platform";
import { strangersError, strangersIn } from "../../tools/cli/strangers";
import { platformFrom } from "../support/mocks";

const platform = (datacenter: object = {}) =>
  platformFrom({
    image: { prebuilt: "registry.example.com/kazoo:4.3" },
    clusters: { east: { context: "east" } },
    regions: { "us-east": { cluster: "east", datacenters: { nyc: { namespace: "legacy-app", ...datacenter } } } },
  });

const items = (...names: string[]) => ({ items: names.map((name) => ({ metadata: { name } })) });

/** An API server that answers these paths, 404 for any other, and 403 for those that are null. */
async function clusterWith(t: TestContext, answers: Readonly<Record<string, object | null>>) {
  const server = createServer((request, answer) => {
    const found = answers[(request.url ?? "").split("?")[0] ?? ""];
    const code = found === undefined ? 404 : found === null ? 403 : 200;
    answer.writeHead(code, { "content-type": "application/json" });
    answer.end(JSON.stringify(found ?? { kind: "Status", code }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const directory = mkdtempSync(join(tmpdir(), "kazoo-strangers-"));
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  const kubeconfig = join(directory, "config");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    kubeconfig,
    stringify({
      clusters: [{ name: "east", cluster: { server: url, "insecure-skip-tls-verify": true } }],
      users: [{ name: "east", user: {} }],
      contexts: [{ name: "east", context: { cluster: "east", user: "east" } }],
    }),
  );
  const cluster = { name: "east", kind: "kubernetes", context: "east", clusterDomain: "cluster.local", kubeconfig };
  return cluster as KubernetesCluster;
}

const namespace = "/api/v1/namespaces/legacy-app";
const inside = {
  [`${namespace}/secrets`]: items("erlang-cookie", "something-else"),
  [`${namespace}/services`]: items("kazoo", "web"),
  [`/apis/apps/v1/namespaces/legacy-app/statefulsets`]: items("database"),
};

describe("a namespace that exists already", () => {
  const found = async (t: TestContext, labels: object | null, datacenter: object = {}) => {
    const answer = labels === null ? null : { metadata: { name: "legacy-app", labels } };
    const cluster = await clusterWith(t, { [namespace]: answer, ...inside });
    return strangersIn(cluster, platform(datacenter).zones, "prod");
  };

  test("is refused, naming it and the ways out, if this stack did not make it", async (t) => {
    const { message, next } = strangersError(await found(t, {}));
    assert.match(message, /\n {2}Namespace legacy-app of cluster east: this stack did not make it$/);
    assert.match(next ?? "", /another `namespace`; adopt: true/);
  });

  test("is refused without a word of adoption, if another stack made it", async (t) => {
    for (const datacenter of [{}, { adopt: true }]) {
      const { message, next } = strangersError(await found(t, { "kazoo/stack": "test" }, datacenter));
      assert.match(message, /Namespace legacy-app of cluster east: stack test made it/);
      assert.doesNotMatch(next ?? "", /adopt/);
    }
  });

  test("is the stack's own if it has its label, as after an interrupted first update, or may not be read", async (t) => {
    assert.deepEqual(await found(t, { "kazoo/stack": "prod" }), []);
    assert.deepEqual(await found(t, null), []);
    assert.deepEqual(await strangersIn(await clusterWith(t, {}), platform().zones, "prod"), []);
  });

  test("can be adopted, unless objects in it have names that the stack needs", async (t) => {
    const { message, next } = strangersError(await found(t, {}, { adopt: true }));
    assert.match(message, /Secret erlang-cookie in namespace legacy-app of cluster east/);
    assert.match(message, /Service kazoo in namespace legacy-app/);
    assert.doesNotMatch(message, /something-else|web|database/);
    assert.match(next ?? "", /kazoo:credentials/);
  });
});
