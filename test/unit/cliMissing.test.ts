import assert from "node:assert/strict";
import { test } from "node:test";
import { type ZoneHealth, isHealthy } from "../../tools/cli/cluster/health";
import { healthTable } from "../../tools/cli/commands/status";
import { knownObjects, objectList } from "../../tools/cli/stack/deployed";
import { missingIn } from "../../tools/cli/cluster/missing";
import { clusterWith } from "../support/clusterDouble";

const provider = "urn:pulumi:prod::kazoo::pulumi:providers:kubernetes::cluster-east::0a1b2c";
const resource = (apiVersion: string, kind: string, name: string, namespace?: string) => ({
  urn: `urn:pulumi:prod::kazoo::kubernetes:${apiVersion}:${kind}::${name}`,
  type: `kubernetes:${apiVersion === "v1" ? "core/v1" : apiVersion}:${kind}`,
  provider,
  inputs: { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } },
  outputs: {},
});
const resources = [
  { urn: "urn:pulumi:prod::kazoo::pulumi:pulumi:Stack::kazoo-prod", type: "pulumi:pulumi:Stack" },
  {
    urn: "urn:pulumi:prod::kazoo::random:index/randomPassword:RandomPassword::p",
    type: "random:index/randomPassword:RandomPassword",
    provider,
  },
  resource("v1", "Namespace", "us-east-nyc"),
  resource("v1", "Secret", "rabbitmq", "us-east-nyc"),
  resource("v1", "Secret", "erlang-cookie", "us-east-nyc"),
  resource("apps/v1", "StatefulSet", "kazoo", "us-east-nyc"),
  resource("policy/v1", "PodDisruptionBudget", "kazoo", "us-east-nyc"),
  resource("batch/v1", "Job", "bigcouch-join", "us-east-nyc"),
  { ...resource("v1", "Service", "old", "us-east-nyc"), delete: true },
];

test("objects in the state that a cluster lacks are missing; kinds that may not be listed count as present", async (t) => {
  const list = (kind: string, apiVersion: string, ...names: string[]) => ({
    kind: `${kind}List`,
    apiVersion,
    items: names.map((name) => ({ metadata: { name } })),
  });
  const api = (apiVersion: string, kind: string, plural: string, namespaced = true) => ({
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: apiVersion,
    resources: [{ name: plural, singularName: kind.toLowerCase(), kind, namespaced, verbs: ["list"] }],
  });
  const core = api("v1", "Secret", "secrets");
  core.resources.push(...api("v1", "Namespace", "namespaces", false).resources);
  const cluster = await clusterWith(t, {
    "/api/v1": core,
    "/apis/apps/v1": api("apps/v1", "StatefulSet", "statefulsets"),
    "/apis/policy/v1": api("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    "/api/v1/namespaces": list("Namespace", "v1", "us-east-nyc", "default"),
    "/api/v1/namespaces/us-east-nyc/secrets": list("Secret", "v1", "erlang-cookie"),
    "/apis/apps/v1/namespaces/us-east-nyc/statefulsets": list("StatefulSet", "apps/v1"),
    "/apis/policy/v1/namespaces/us-east-nyc/poddisruptionbudgets": null,
  });
  const known = knownObjects(resources);
  assert.equal(
    objectList(known),
    "Namespace us-east-nyc, PodDisruptionBudget kazoo, Secret erlang-cookie, Secret rabbitmq, StatefulSet kazoo",
  );
  assert.equal(objectList(await missingIn(cluster, known)), "Secret rabbitmq, StatefulSet kazoo");
  assert.deepEqual(await missingIn({ ...cluster, name: "west" }, known), []);
});

test("a zone that lacks an object is not healthy, and the table names it", () => {
  const ready = { ready: 1, wanted: 1 };
  const zone: ZoneHealth = {
    zone: "us-east-nyc",
    ring: "main",
    cluster: "east",
    kazoo: ready,
    brokers: ready,
    database: ready,
  };
  assert.equal(isHealthy(zone), true);
  const lacking: ZoneHealth = { ...zone, missing: ["Secret rabbitmq"], next: "make up restores what is missing" };
  assert.equal(isHealthy(lacking), false);
  assert.match(
    healthTable([lacking], new Date()),
    /\nus-east-nyc: missing in the cluster: Secret rabbitmq\nnext: make up restores/,
  );
});
