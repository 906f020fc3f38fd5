import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test, type TestContext } from "node:test";
import type { KubernetesObject } from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";
import { fixedNames } from "../../components/names";
import { strangersError, strangersIn } from "../../tools/cli/cluster/strangers";
import { clusterWith } from "../support/clusterDouble";
import { platformFrom } from "../support/mocks";

const platform = (datacenter: object = {}) =>
  platformFrom({
    image: { prebuilt: "registry.example.com/kazoo:4.3" },
    clusters: { east: { context: "east" } },
    regions: { "us-east": { cluster: "east", datacenters: { nyc: { namespace: "legacy-app", ...datacenter } } } },
  });

const items = (...names: string[]) => ({ items: names.map((name) => ({ metadata: { name } })) });

const namespace = "/api/v1/namespaces/legacy-app";
const api = (groupVersion: string, ...kinds: string[]) => ({
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion,
  resources: kinds.map((kind) => ({
    name: kind.endsWith("y") ? `${kind.slice(0, -1).toLowerCase()}ies` : `${kind.toLowerCase()}s`,
    singularName: kind.toLowerCase(),
    kind,
    namespaced: true,
    verbs: ["list"],
  })),
});

const inside = {
  "/api/v1": api("v1", "Secret", "Service", "ServiceAccount"),
  "/apis/apps/v1": api("apps/v1", "StatefulSet"),
  "/apis/batch/v1": api("batch/v1", "Job"),
  "/apis/policy/v1": api("policy/v1", "PodDisruptionBudget"),
  "/apis/networking.k8s.io/v1": api("networking.k8s.io/v1", "NetworkPolicy"),
  [`${namespace}/secrets`]: items("erlang-cookie", "something-else"),
  [`${namespace}/services`]: items("kazoo", "web"),
  "/apis/apps/v1/namespaces/legacy-app/statefulsets": items("database"),
  "/apis/policy/v1/namespaces/legacy-app/poddisruptionbudgets": items("kazoo"),
  "/apis/networking.k8s.io/v1/namespaces/legacy-app/networkpolicies": items("default-deny", "mine"),
};

test("every object that a stack deploys under a fixed name is checked", () => {
  const folder = resolve(__dirname, "../golden/manifests");
  const deployed = readdirSync(folder)
    .flatMap((file) => parseAllDocuments(readFileSync(join(folder, file), "utf8")))
    .flatMap((document) => {
      const { apiVersion = "", kind, metadata } = (document.toJS() ?? {}) as KubernetesObject;
      return metadata?.name === undefined || kind === "Namespace" ? [] : [`${apiVersion} ${kind} ${metadata.name}`];
    });
  const known = fixedNames.flatMap(({ apiVersion, kind, names }) =>
    names.map((name) => `${apiVersion} ${kind} ${name}`),
  );
  assert.deepEqual(
    [...new Set(deployed)].filter((one) => !known.includes(one)),
    [],
  );
});

describe("a namespace that exists already", () => {
  const found = async (t: TestContext, labels: object | null, datacenter: object = {}) => {
    const answer = labels === null ? null : { metadata: { name: "legacy-app", labels } };
    const cluster = await clusterWith(t, { [namespace]: answer, ...inside });
    return strangersIn(cluster, platform(datacenter).zones, "prod");
  };

  test("is refused, with its name and the possible next steps, if this stack did not create it", async (t) => {
    const { message, next } = strangersError(await found(t, {}));
    assert.match(message, /\n {2}Namespace legacy-app of cluster east: this stack did not create it$/);
    assert.match(next ?? "", /another `namespace`; adopt: true/);
  });

  test("is refused without offering adoption, if another stack created it", async (t) => {
    for (const datacenter of [{}, { adopt: true }]) {
      const { message, next } = strangersError(await found(t, { "kazoo/stack": "test" }, datacenter));
      assert.match(message, /Namespace legacy-app of cluster east: stack test created it/);
      assert.doesNotMatch(next ?? "", /adopt/);
    }
  });

  test("is refused while it is being deleted, with what blocks the deletion, also if it is the stack's own", async (t) => {
    const remaining =
      "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances";
    const cluster = await clusterWith(t, {
      [namespace]: {
        metadata: {
          name: "legacy-app",
          labels: { "kazoo/stack": "prod" },
          deletionTimestamp: "2026-01-02T03:04:05Z",
        },
        status: {
          conditions: [
            { type: "NamespaceFinalizersRemaining", status: "True", message: remaining },
            { type: "NamespaceDeletionDiscoveryFailure", status: "False", message: "not this" },
          ],
        },
      },
    });
    const { message, next } = strangersError(await strangersIn(cluster, platform().zones, "prod"));
    assert.equal(
      message,
      `namespace legacy-app of cluster east is being deleted, and accepts no objects until it is gone: ${remaining}`,
    );
    assert.match(next ?? "", /run the same command again/);
  });

  test("counts as the stack's own if it has the stack's label, as after an interrupted first update, or may not be read", async (t) => {
    assert.deepEqual(await found(t, { "kazoo/stack": "prod" }), []);
    assert.deepEqual(await found(t, null), []);
    assert.deepEqual(await strangersIn(await clusterWith(t, {}), platform().zones, "prod"), []);
  });

  test("is refused if it holds an object that someone else created under a name that the stack needs; Pulumi's own may be left by an interruption", async (t) => {
    const made = (name: string, manager: string) => ({ metadata: { name, managedFields: [{ manager }] } });
    const cluster = await clusterWith(t, {
      [namespace]: { metadata: { name: "legacy-app", labels: { "kazoo/stack": "prod" } } },
      ...inside,
      [`${namespace}/secrets`]: { items: [made("erlang-cookie", "kubectl"), made("rabbitmq", "pulumi-kubernetes-1")] },
    });
    const { message, next } = strangersError(await strangersIn(cluster, platform().zones, "prod"));
    assert.match(
      message,
      /:\n {2}Secret erlang-cookie in namespace legacy-app of cluster east: this stack did not create it$/,
    );
    assert.match(next ?? "", /kazoo:credentials/);
  });

  test("can be adopted, unless objects in it have names that the stack needs", async (t) => {
    const { message, next } = strangersError(await found(t, {}, { adopt: true }));
    assert.match(message, /Secret erlang-cookie in namespace legacy-app of cluster east/);
    for (const own of ["Service kazoo", "PodDisruptionBudget kazoo", "NetworkPolicy default-deny"])
      assert.ok(message.includes(`${own} in namespace legacy-app`), message);
    assert.doesNotMatch(message, /something-else|web|database|mine/);
    assert.match(next ?? "", /kazoo:credentials/);
  });
});
