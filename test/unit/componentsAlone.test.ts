import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as pulumi from "@pulumi/pulumi";
import {
  BigCouch,
  BootstrapJob,
  DockerDatacenter,
  ErlangCookie,
  JoinJob,
  Kazoo,
  KazooImage,
  KubernetesDatacenter,
  NetworkPolicies,
  RabbitMQ,
  Ring,
  RingOrder,
} from "../../components";
import { ownedBy } from "../../examples/components/owner";
import { noCluster, platformFrom, type Registered, withMocks } from "../support/mocks";

const kinds = (resources: readonly Registered[]) =>
  resources.map(({ type, inputs, name }) => {
    const { metadata } = inputs as { metadata?: { name?: string } };
    return `${type.split(":").at(-1)} ${metadata?.name ?? name}`;
  });
const text = (value: unknown) => JSON.stringify(value);

const namespace = "nyc";
const brokers = { zone: "nyc", alpha: "alpha.example.com", beta: "beta.example.com" };
const stores = { cookieSecret: "erlang-cookie", brokerSecret: "rabbitmq", databaseSecret: "bigcouch" };

/** Each component as a small program uses it: alone, with only the arguments that it needs. */
describe("built alone", () => {
  test("ErlangCookie creates 64 random characters, or uses the given cookie", async () => {
    const made = await withMocks(() => new ErlangCookie("cookie").value);
    assert.deepEqual(kinds(made.resources), ["RandomPassword cookie-value"]);
    assert.equal(made.resources[0]?.inputs.length, 64);
    const given = await withMocks(() => new ErlangCookie("cookie", { value: "a-cookie-of-a-live-system" }).value);
    assert.deepEqual([given.outputs, given.resources], ["a-cookie-of-a-live-system", []]);
  });

  test("a program can transform what a component creates, as the example does", async () => {
    const options = { transformations: [ownedBy("voice")] };
    const { resources } = await withMocks(
      () => new RabbitMQ("alpha", { namespace, role: "alpha", credentials: "rabbitmq" }, options).host,
    );
    const owned = resources.filter((resource) => text(resource).includes('"example.com/owner":"voice"'));
    assert.deepEqual(kinds(owned), ["StatefulSet rabbitmq-alpha"]);
  });

  test("Ring creates a cookie and passwords that differ, and a password for the master account only if there is one", async () => {
    const { outputs } = await withMocks(() => new Ring("ring").credentials);
    assert.equal(new Set(Object.values(outputs)).size, Object.values(outputs).length);
    assert.equal(outputs.masterAccount, undefined);
    const ring = await withMocks(() => new Ring("ring", { masterAccount: true }).credentials);
    assert.equal(ring.outputs.masterAccount, "random-of-ring-master-account-password");
  });

  test("RabbitMQ is one broker with its own host", async () => {
    const { resources, outputs } = await withMocks(() => {
      const { host, endpoint } = new RabbitMQ("alpha", { namespace, role: "alpha", credentials: "rabbitmq" });
      return { host, endpoint };
    });
    assert.deepEqual(outputs, {
      host: "rabbitmq-alpha.nyc.svc.cluster.local",
      endpoint: "rabbitmq-alpha.nyc.svc.cluster.local:5672",
    });
    const set = resources.find(({ type }) => type.endsWith(":StatefulSet"));
    assert.match(text(set?.inputs), /"rabbitmq:3\.13-management"/);
    assert.match(text(set?.inputs), /"storage":"4Gi"/);
  });

  test("BigCouch names its nodes, also with another cluster domain", async () => {
    const { outputs } = await withMocks(() => {
      const args = { namespace, credentials: "bigcouch", replicas: 2, clusterDomain: "east.internal" };
      const { host, nodes, adminPort } = new BigCouch("database", args);
      return { host, nodes, adminPort };
    });
    const node = (index: number) => `bigcouch-${index}.bigcouch.nyc.svc.east.internal`;
    assert.deepEqual(outputs, {
      host: "bigcouchbal.nyc.svc.east.internal",
      nodes: [0, 1].map((index) => ({ host: node(index), name: `couchdb@${node(index)}` })),
      adminPort: 5986,
    });
  });

  test("BigCouch refuses an unknown version, and names a known one", async () => {
    await assert.rejects(
      withMocks(() => void new BigCouch("database", { namespace, credentials: "bigcouch", version: "postgres-17" })),
      /^Error: database postgres-17: expected .*, for example couchdb-2\.3\.1$/,
    );
    await pulumi.runtime.disconnect();
  });

  test("JoinJob lists every node of the ring, its own first", async () => {
    const zones = ["bos", "nyc"].map((zone) => ({ zone, nodes: [{ host: `db.${zone}`, name: `couchdb@db.${zone}` }] }));
    const { resources } = await withMocks(
      () => void new JoinJob("join", { namespace, credentials: "bigcouch", zone: "nyc", zones }),
    );
    assert.match(text(resources), /join http:\/\/db\.nyc:5986\/_nodes couchdb@db\.nyc nyc.*couchdb@db\.bos bos/);
  });

  test("Kazoo gets the hosts of its stores, which its run environment can override", async () => {
    const { resources, outputs } = await withMocks(() => {
      const database = { host: "db.example.com", adminPort: 5986 };
      const environment = { KAZOO_LOG_LEVEL: "debug", KAZOO_AMQP_HOST: "other.example.com" };
      const args = { namespace, image: "registry.example.com/kazoo:4.3", brokers, database, environment, ...stores };
      const { host, nodes, pullSecrets } = new Kazoo("kazoo", args);
      return { host, nodes, pullSecrets };
    });
    assert.deepEqual(outputs, {
      host: "kazoo.nyc.svc.cluster.local",
      nodes: ["kazoo_apps@kazoo-0.kazoo-nodes.nyc.svc.cluster.local"],
      pullSecrets: [],
    });
    assert.deepEqual(resources.find(({ type }) => type.endsWith(":ConfigMap"))?.inputs.data, {
      BIGCOUCH_HOST: "db.example.com",
      BIGCOUCH_DATA_PORT: "5984",
      BIGCOUCH_ADMIN_PORT: "5986",
      KAZOO_AMQP_HOST: "other.example.com",
      KAZOO_SECONDARY_AMQP_HOST: "beta.example.com",
      KAZOO_LOG_LEVEL: "debug",
    });
  });

  test("BootstrapJob needs no Kazoo image if it creates no account", async () => {
    const args = { namespace, databaseHost: "db.example.com", databaseSecret: "bigcouch" };
    const { resources } = await withMocks(() => void new BootstrapJob("boot", args));
    const job = resources.find(({ type }) => type.endsWith(":Job"));
    assert.match(text(job?.inputs), /"http:\/\/db\.example\.com:5984".*"_users _replicator _global_changes"/);
    assert.doesNotMatch(text(job?.inputs), /ACCOUNT_NAME"/);
  });

  test("NetworkPolicies deny by default", async () => {
    const { resources } = await withMocks(
      () => void new NetworkPolicies("network", { namespace, stack: "live", ring: "main" }),
    );
    assert.ok(kinds(resources).includes("NetworkPolicy default-deny"));
  });

  test("KazooImage is pushed under each tag and used by its digest", async (t) => {
    const context = mkdtempSync(join(tmpdir(), "kazoo-context-"));
    t.after(() => rmSync(context, { recursive: true }));
    writeFileSync(join(context, "Dockerfile"), "FROM scratch\n");
    const args = { context, registry: "registry.example.com", repository: "kazoo", tags: ["4", "4.3"] };
    const { resources, outputs } = await withMocks(() => new KazooImage("image", args).reference);
    assert.match(outputs, /^registry\.example\.com\/kazoo@sha256:digest-of-image-push-/);
    assert.equal(resources.filter(({ type }) => type.endsWith(":RegistryImage")).length, 2);
  });

  const platform = platformFrom({
    image: { prebuilt: "registry.example.com/kazoo:4.3" },
    clusters: { local: { sandbox: true } },
    regions: { local: { cluster: "local", datacenters: { dev: {} } } },
  });
  const [zone] = platform.zones;
  const ring = platform.rings["local-dev"];
  assert.ok(zone !== undefined && ring !== undefined);
  const args = () => ({
    stack: "dev",
    zone,
    ring,
    credentials: new Ring("ring").credentials,
    order: new RingOrder([zone.name], async () => false),
    protect: false,
  });

  test("KubernetesDatacenter creates two brokers and a database, and Kazoo on request", async () => {
    const nothing = async () => undefined;
    const rollouts = {
      namespace: noCluster,
      exists: async () => false,
      begins: () => undefined,
      wait: nothing,
      arrives: nothing,
    };
    const sets = (resources: readonly Registered[]) =>
      kinds(resources).filter((kind) => kind.startsWith("StatefulSet "));
    const more = { clusterDomain: "cluster.local", otherClusters: [], outsideStores: [], rollouts };
    const bare = await withMocks(() => new KubernetesDatacenter("dev", { ...args(), ...more }).namespace);
    assert.equal(bare.outputs, "local-dev");
    assert.deepEqual(sets(bare.resources).sort(), [
      "StatefulSet bigcouch",
      "StatefulSet rabbitmq-alpha",
      "StatefulSet rabbitmq-beta",
    ]);
    const whole = await withMocks(() => {
      const datacenter = new KubernetesDatacenter("dev", { ...args(), ...more });
      datacenter.joinRing([datacenter]);
      return datacenter.runKazoo({ reference: "kazoo:4.3", built: false }, [datacenter]).endpoints.crossbar;
    });
    assert.equal(whole.outputs, "http://kazoo.local-dev.svc.cluster.local:8000");
    assert.equal(sets(whole.resources).length, 4);
  });

  test("DockerDatacenter creates the same as containers", async () => {
    const published = { address: "127.0.0.1", crossbar: 18000, websockets: 15555 };
    const { resources, outputs } = await withMocks(() => {
      const datacenter = new DockerDatacenter("dev", { ...args(), network: "local", published });
      return datacenter.runKazoo({ reference: "kazoo:4.3", built: true });
    });
    assert.equal(resources.filter(({ type }) => type.endsWith(":Container")).length, 4);
    assert.deepEqual(outputs.nodes, ["kazoo_apps@kazoo.local"]);
    assert.equal(outputs.endpoints.crossbar, "http://127.0.0.1:18000");
  });
});
