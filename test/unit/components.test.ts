import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { networkPolicies } from "../../components/networkPolicies";
import { databaseKind, type DatabaseKind } from "../../config/compatibility";
import type { ZoneView } from "../../tools/cli/stack/zones";
import { deployWithMocks, objects, platformFrom, type Registered } from "../support/mocks";

type Tree = Record<string, unknown>;

const stack = (ring: Tree, more: Tree = {}): Tree => ({
  image: { prebuilt: "registry.example.com/kazoo:4.3" },
  clusters: { east: { context: "prod-east" } },
  rings: { main: ring },
  regions: { "us-east": { cluster: "east", datacenters: { nyc: { ring: "main" }, bos: { ring: "main" } } } },
  ...more,
});

const deploy = async (config: Tree, ...secrets: string[]) =>
  (await deployWithMocks(platformFrom(config, ...secrets))).resources;

/** The value at a path in an object's inputs. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((node, key) => (node as Record<string | number, unknown> | undefined)?.[key], value);
}

const named = (resources: readonly Registered[], name: string): Tree => {
  const found = resources.find((resource) => resource.name === name);
  assert.ok(found, `there is ${name}`);
  return found.inputs;
};

const container = (resources: readonly Registered[], name: string) =>
  at(named(resources, name), "spec", "template", "spec", "containers", 0) as Tree;
const variable = (of: Tree, name: string) =>
  at(
    (of.env as { name: string; value?: string }[]).find((entry) => entry.name === name),
    "value",
  );

describe("a ring of two datacenters", () => {
  let resources: Registered[];
  before(async () => {
    resources = await deploy(
      stack({ kazoo: "4.0" }, { environment: { KAZOO_LOG_LEVEL: "notice" }, extraEnvironment: { TZ: "UTC" } }),
    );
  });

  test("Kazoo gets the complete run environment, hosts fully qualified, and the other zone's brokers", () => {
    assert.deepEqual(named(resources, "us-east-nyc-kazoo-environment").data, {
      BIGCOUCH_ADMIN_PORT: "5986",
      BIGCOUCH_COMPACT_AUTOMATICALLY: "true",
      BIGCOUCH_DATA_PORT: "5984",
      BIGCOUCH_HOST: "bigcouchbal.us-east-nyc.svc.cluster.local",
      DATACENTER: "nyc",
      ERLANG_THREADS: "25",
      ERLANG_VM: "kazoo_apps",
      KAZOO_AMQP_HOST: "rabbitmq-alpha.us-east-nyc.svc.cluster.local",
      KAZOO_LOG_COLOR: "true",
      KAZOO_LOG_LEVEL: "notice",
      KAZOO_OTHER_ZONES:
        "us-east-bos=rabbitmq-alpha.us-east-bos.svc.cluster.local,rabbitmq-beta.us-east-bos.svc.cluster.local",
      KAZOO_SASL_ERRLOG_TYPE: "error",
      KAZOO_SASL_ERROR_LOGGER: "tty",
      KAZOO_SECONDARY_AMQP_HOST: "rabbitmq-beta.us-east-nyc.svc.cluster.local",
      KAZOO_ZONE: "us-east-nyc",
      KUBERNETES_HOSTNAME_FIX: "false",
      REGION: "us-east",
      TZ: "UTC",
    });
  });

  test("credentials reach the pods from Secrets alone", () => {
    const secrets = objects(resources, "Secret");
    assert.deepEqual(Object.keys(secrets).sort(), [
      ...["bigcouch", "bigcouch-ring", "erlang-cookie", "rabbitmq"].map((name) => `us-east-bos/${name}`),
      ...["bigcouch", "bigcouch-ring", "erlang-cookie", "rabbitmq"].map((name) => `us-east-nyc/${name}`),
    ]);
    const others = JSON.stringify(resources.filter(({ type }) => !type.endsWith(":Secret")));
    assert.equal(others.includes("random-of-"), false, "no generated value is in any other object");
  });

  test("all zones of the ring share one cookie", () => {
    const cookies = Object.entries(objects(resources, "Secret")).filter(([name]) => name.endsWith("/erlang-cookie"));
    assert.deepEqual(new Set(cookies.map(([, secret]) => JSON.stringify(secret.stringData))).size, 1);
    assert.equal(resources.filter(({ name }) => name.includes("erlang-cookie-value")).length, 1);
  });

  test("the database nodes know their zones and where copies go", () => {
    const config = at(named(resources, "us-east-nyc-bigcouch-config"), "data", "kazoo.ini");
    assert.match(String(config), /^placement = us-east-bos:1,us-east-nyc:1$/m);
    const script = String(at(container(resources, "us-east-nyc-bigcouch-join-job"), "command", 2));
    const at5986 = "http://bigcouch-0.bigcouch.us-east-nyc.svc.cluster.local:5986/_nodes";
    assert.deepEqual(
      script.split("\n").filter((line) => line.startsWith("join ")),
      ["nyc", "bos"].map(
        (name) => `join ${at5986} couchdb@bigcouch-0.bigcouch.us-east-${name}.svc.cluster.local us-east-${name}`,
      ),
    );
    assert.match(script, /^wait_for http:\/\/bigcouch-0\.bigcouch\.us-east-nyc/m);
    assert.doesNotMatch(script, /^wait_for .*us-east-bos/m, "a zone that is away holds no other up");
  });

  test("Kazoo 4.0 does not need consistent hash exchanges", () => {
    const plugins = at(named(resources, "us-east-nyc-rabbitmq-alpha-config"), "data", "enabled_plugins");
    assert.equal(plugins, "[rabbitmq_management,rabbitmq_prometheus].\n");
  });

  test("every pod satisfies the Pod Security level restricted", () => {
    const specs = [
      ...Object.values(objects(resources, "StatefulSet")),
      ...Object.values(objects(resources, "Job")),
    ].map((set) => at(set, "spec", "template", "spec") as Tree);
    assert.ok(specs.length >= 10);
    for (const spec of specs) {
      assert.equal(at(spec, "securityContext", "runAsNonRoot"), true);
      assert.equal(at(spec, "securityContext", "seccompProfile", "type"), "RuntimeDefault");
      assert.equal(spec.automountServiceAccountToken, false);
      for (const one of [...(spec.containers as Tree[]), ...((spec.initContainers ?? []) as Tree[])]) {
        assert.equal(at(one, "securityContext", "allowPrivilegeEscalation"), false);
        assert.equal(at(one, "securityContext", "readOnlyRootFilesystem"), true);
        assert.deepEqual(at(one, "securityContext", "capabilities"), { drop: ["ALL"] });
        assert.ok(
          at(one, "resources", "requests", "memory") !== undefined &&
            at(one, "resources", "limits", "memory") !== undefined,
        );
      }
    }
    for (const namespace of Object.values(objects(resources, "Namespace"))) {
      assert.equal(at(namespace, "metadata", "labels", "pod-security.kubernetes.io/enforce"), "restricted");
    }
  });

  test("volumes stay when a StatefulSet is deleted", () => {
    const withVolumes = Object.values(objects(resources, "StatefulSet")).filter(
      (set) => at(set, "spec", "volumeClaimTemplates") !== undefined,
    );
    assert.equal(withVolumes.length, 6);
    for (const set of withVolumes)
      assert.deepEqual(at(set, "spec", "persistentVolumeClaimRetentionPolicy"), {
        whenDeleted: "Retain",
        whenScaled: "Retain",
      });
  });
});

test("an ecallmgr node is probed through epmd, because nothing listens on Crossbar's port", async () => {
  const resources = await deploy(stack({}, { environment: { ERLANG_VM: "ecallmgr" } }));
  const node = container(resources, "us-east-nyc-kazoo-nodes");
  for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
    assert.deepEqual(at(node, probe, "tcpSocket"), { port: "epmd" });
    assert.equal(at(node, probe, "httpGet"), undefined);
  }
  const set = named(resources, "us-east-nyc-kazoo-nodes");
  assert.equal(at(set, "spec", "template", "spec", "initContainers"), undefined);
});

test("CouchDB 3 has one HTTP port, and Kazoo master uses only that one", async () => {
  const resources = await deploy(stack({ kazoo: "master", database: "couchdb-3.3.3" }));
  assert.equal(at(named(resources, "us-east-nyc-kazoo-environment"), "data", "BIGCOUCH_ADMIN_PORT"), "5984");
  assert.deepEqual(
    (at(named(resources, "us-east-nyc-bigcouch-headless"), "spec", "ports") as { port: number }[]).map(
      ({ port }) => port,
    ),
    [5984],
  );
  assert.match(
    String(at(container(resources, "us-east-nyc-bigcouch-join-job"), "command", 2)),
    /^join http:\/\/\S+:5984\/_node\/_local\/_nodes couchdb@/m,
  );
});

test("BigCouch has other names, ports and no /_up", async () => {
  const resources = await deploy(
    stack({ database: "bigcouch-0.4.2" }, { images: { database: "mirror.example.com/bigcouch:0.4.2" } }),
  );
  const node = container(resources, "us-east-nyc-bigcouch-nodes");
  assert.equal(node.image, "mirror.example.com/bigcouch:0.4.2");
  assert.equal(at(node, "readinessProbe", "httpGet", "path"), "/");
  assert.match(
    String(variable(node, "ERL_FLAGS")),
    /^-name bigcouch@\$\(POD_NAME\)\..* -setcookie \$\(DATABASE_COOKIE\) .*inet_dist_listen_min 11500 inet_dist_listen_max 11999$/,
    "its vm.args has a cookie, which only another flag overrides",
  );
  assert.equal(at(node, "securityContext", "readOnlyRootFilesystem"), false);
});

for (const version of ["couchdb-2.3.1", "couchdb-3.3.3"]) {
  test(`${version}'s cookie is in a file that its init container writes, not in its flags or environment`, async () => {
    const resources = await deploy(stack({ kazoo: "master", database: version }));
    const { containers, initContainers, volumes } = at(
      named(resources, "us-east-nyc-bigcouch-nodes"),
      "spec",
      "template",
      "spec",
    ) as Record<string, Tree[]>;
    const [node, init] = [containers![0]!, initContainers![0]!];
    assert.doesNotMatch(JSON.stringify(node), /cookie/i);
    assert.equal(init.image, node.image);
    assert.match(String(at(init, "command", 2)), new RegExp(`>${String(variable(node, "HOME"))}/\\.erlang\\.cookie`));
    const home = (node.volumeMounts as Tree[]).find(({ mountPath }) => mountPath === variable(node, "HOME"));
    assert.deepEqual(volumes!.find(({ name }) => name === home?.name)?.emptyDir, {
      medium: "Memory",
      sizeLimit: "16Mi",
    });
  });
}

test("the broker's Erlang cookie is outside the data volume, whose group can change", async () => {
  const resources = await deploy(stack({}));
  const node = container(resources, "us-east-nyc-rabbitmq-alpha-nodes");
  const home = String(variable(node, "HOME"));
  const mounts = node.volumeMounts as { name: string; mountPath: string }[];
  const volume = mounts.find(({ mountPath }) => mountPath === home)?.name;
  const { volumes } = at(named(resources, "us-east-nyc-rabbitmq-alpha-nodes"), "spec", "template", "spec") as {
    volumes: { name: string; emptyDir?: Tree }[];
  };
  assert.ok(volumes.find(({ name }) => name === volume)?.emptyDir, "Erlang keeps the cookie in $HOME/.erlang.cookie");
  assert.ok(
    mounts.some(({ name, mountPath }) => name === "data" && mountPath === "/var/lib/rabbitmq"),
    "the data of a live broker stays where it is",
  );
});

test("RabbitMQ 4.3 permits Kazoo's queues if configured", async () => {
  const resources = await deploy(stack({ rabbitmq: "4.3", permitTransientQueues: true }));
  const config = String(at(named(resources, "us-east-nyc-rabbitmq-beta-config"), "data", "kazoo.conf"));
  assert.match(config, /^deprecated_features\.permit\.transient_nonexcl_queues = true$/m);
  assert.match(config, /^vm_memory_high_watermark\.absolute = 644245094$/m, "60 % of 1Gi");
  assert.match(
    String(at(named(resources, "us-east-nyc-rabbitmq-beta-config"), "data", "enabled_plugins")),
    /rabbitmq_consistent_hash_exchange/,
  );
});

test("configured credentials replace random ones", async () => {
  const given = { cookie: "a-cookie-of-a-live-system", rabbitmq: "broker-password", database: "database-password" };
  const resources = await deploy(stack({}, { credentials: { main: given } }), "credentials");
  assert.deepEqual(
    resources.filter(({ type }) => type.includes("RandomPassword")).map(({ name }) => name),
    ["ring-main-database-auth-secret", "ring-main-database-cookie"],
  );
});

test("changing a configured credential needs a new protected guard", async () => {
  const guard = async (cookie: string) => {
    const config = stack({}, { credentials: { main: { cookie } } });
    const { resources } = await deployWithMocks(platformFrom(config, "credentials"));
    return JSON.stringify(named(resources, "ring-main-given-cookie").keepers);
  };
  const [one, other] = [await guard("a-cookie-of-a-live-system"), await guard("another-cookie-of-it")];
  assert.notEqual(one, other);
  assert.match(one, /4dabf18193072939515e22adb298388d/, "a secret");
});

test("neither the brokers of a zone nor the databases of a ring change at the same time; the ring's first Kazoo changes first", async () => {
  const { waited } = await deployWithMocks(platformFrom(stack({})));
  const stores = (zone: string) => ["rabbitmq-alpha", "rabbitmq-beta", "bigcouch"].map((name) => `${zone}/${name}`);
  const all = [...stores("us-east-bos"), ...stores("us-east-nyc")].sort();
  assert.ok(waited["us-east-nyc/rabbitmq-beta"]?.includes("us-east-nyc/rabbitmq-alpha"));
  assert.ok(waited["us-east-nyc/bigcouch"]?.includes("us-east-bos/bigcouch"));
  assert.deepEqual([...(waited["us-east-bos/kazoo"] ?? [])].sort(), all);
  assert.deepEqual([...(waited["us-east-nyc/kazoo"] ?? [])].sort(), [...all, "us-east-bos/kazoo"].sort());
});

test("draining a zone stops Kazoo, then its brokers, then its database, and delays no other zone; nothing else changes", async () => {
  const regions = (bos: Tree) => ({
    regions: {
      "us-east": { cluster: "east", datacenters: { nyc: { ring: "main" }, bos: { ring: "main", ...bos } } },
    },
  });
  const { resources: before } = await deployWithMocks(platformFrom(stack({}, regions({}))));
  const drained = { drained: ["kazoo", "rabbitmq", "database"] };
  const { resources, waited } = await deployWithMocks(platformFrom(stack({}, regions(drained))));
  const brokers = ["us-east-bos/rabbitmq-alpha", "us-east-bos/rabbitmq-beta"];
  assert.deepEqual(waited["us-east-bos/kazoo"], []);
  for (const broker of brokers) assert.ok(waited[broker]?.includes("us-east-bos/kazoo"), broker);
  for (const broker of brokers) assert.ok(waited["us-east-bos/bigcouch"]?.includes(broker), broker);
  assert.ok(waited["us-east-nyc/kazoo"] !== undefined);

  const changed = resources.filter(({ name, inputs }) => {
    return JSON.stringify(inputs) !== JSON.stringify(named(before, name));
  });
  assert.deepEqual(
    changed.map(({ name, inputs }) => [name, at(inputs, "spec", "replicas")]),
    ["bigcouch", "kazoo", "rabbitmq-alpha", "rabbitmq-beta"].map((set) => [`us-east-bos-${set}-nodes`, 0]),
  );
});

test("the outputs of a stack have what the commands read", async () => {
  const { outputs } = await deployWithMocks(platformFrom(stack({})));
  const zones: Readonly<Record<string, ZoneView>> = outputs.zones;
  assert.deepEqual(zones["us-east-nyc"], {
    region: "us-east",
    datacenter: "nyc",
    ring: "main",
    cluster: "east",
    context: "prod-east",
    namespace: "us-east-nyc",
    image: "registry.example.com/kazoo:4.3",
    nodes: {
      kazoo: ["kazoo_apps@kazoo-0.kazoo-nodes.us-east-nyc.svc.cluster.local"],
      database: ["couchdb@bigcouch-0.bigcouch.us-east-nyc.svc.cluster.local"],
    },
    endpoints: {
      crossbar: "http://kazoo.us-east-nyc.svc.cluster.local:8000",
      websockets: "ws://kazoo.us-east-nyc.svc.cluster.local:5555",
      database: "http://bigcouchbal.us-east-nyc.svc.cluster.local:5984",
      brokers: ["alpha", "beta"].map((role) => `rabbitmq-${role}.us-east-nyc.svc.cluster.local:5672`),
    },
  });
});

test("a first up creates brokers and databases of all zones at once; Kazoo still waits for them, and the first zone's starts first", async () => {
  const { waited } = await deployWithMocks(platformFrom(stack({})), () => false);
  const stores = ["us-east-bos", "us-east-nyc"].flatMap((zone) =>
    ["rabbitmq-alpha", "rabbitmq-beta", "bigcouch"].map((name) => `${zone}/${name}`),
  );
  for (const store of stores) assert.deepEqual(waited[store], [], store);
  assert.deepEqual([...(waited["us-east-bos/kazoo"] ?? [])].sort(), stores.sort());
  assert.ok(waited["us-east-nyc/kazoo"]?.includes("us-east-bos/kazoo"));
});

test("other zones get the hosts of a zone's run environment, and may connect to them", async () => {
  const own = { KAZOO_AMQP_HOST: "mq.example.com", BIGCOUCH_HOST: "db.example.com", BIGCOUCH_DATA_PORT: 15984 };
  const resources = await deploy({
    ...stack({}),
    regions: {
      "us-east": { cluster: "east", datacenters: { nyc: { ring: "main", environment: own }, bos: { ring: "main" } } },
    },
  });
  assert.equal(
    at(named(resources, "us-east-bos-kazoo-environment"), "data", "KAZOO_OTHER_ZONES"),
    "us-east-nyc=mq.example.com,rabbitmq-beta.us-east-nyc.svc.cluster.local",
  );
  const open = (zone: string) => JSON.stringify(at(named(resources, `${zone}-network-kazoo`), "spec", "egress"));
  const ports = [5672, 15984, 5986].map((port) => ({ port, protocol: "TCP" }));
  assert.ok(open("us-east-nyc").includes(JSON.stringify({ ports })), open("us-east-nyc"));
  assert.ok(open("us-east-bos").includes(JSON.stringify({ ports: ports.slice(0, 1) })), open("us-east-bos"));
});

test("each cluster has its own provider, identified by the cluster's name in the config", async () => {
  const resources = await deploy(stack({}));
  const provider = named(resources, "cluster-east");
  assert.deepEqual([provider.context, provider.clusterIdentifier], ["prod-east", "east"]);
});

test("the names that the provider generates for Jobs fit into a label, also in the longest zone", async () => {
  const zone = { ring: "main", namespace: "nyc", environment: { KAZOO_ZONE: "z".repeat(36) } };
  const resources = await deploy(
    stack({}, { regions: { "us-east": { cluster: "east", datacenters: { nyc: zone } } } }),
  );
  const jobs = resources.filter(
    ({ type, inputs }) => /:Job$/.test(type) && at(inputs, "metadata", "name") === undefined,
  );
  assert.deepEqual(
    jobs.map(({ name }) => `${name}-XXXXXXXX`.length),
    [63],
  );
});

test("changing a datacenter's ring needs a new membership guard", async () => {
  const resources = await deploy(stack({}));
  assert.deepEqual(named(resources, "us-east-nyc-ring-membership").keepers, { ring: "main" });
});

test("a protected stack guards what it must not lose: database nodes, copies, formats", async () => {
  const resources = await deploy(
    stack({ database: "couchdb-2.3.1", rabbitmq: "3.13" }, { workloads: { database: { replicas: 3 } } }),
  );
  const guards = resources.filter(
    ({ type, name }) => type.endsWith(":RandomId") && /-(node|copies|format|series)-/.test(name),
  );
  assert.deepEqual(guards.map(({ name }) => name).sort(), [
    ...[2, 3, 4].map((copies) => `ring-main-database-copies-${copies}`),
    "ring-main-database-format-couchdb-2",
    "ring-main-rabbitmq-series-3.13",
    ...["bos", "nyc"].flatMap((zone) => [1, 2].map((node) => `us-east-${zone}-database-node-${node}`)),
  ]);
});

test("changing namespace or domain needs a new identity guard of the database's nodes", async () => {
  const keepers = async (config: Tree) =>
    at(named(await deploy(config), "us-east-nyc-database-names"), "keepers", "suffix");
  assert.equal(await keepers(stack({})), "bigcouch.us-east-nyc.svc.cluster.local");
  assert.equal(
    await keepers(stack({}, { clusters: { east: { context: "x", clusterDomain: "east.internal" } } })),
    "bigcouch.us-east-nyc.svc.east.internal",
  );
});

describe("NetworkPolicies", () => {
  const couchdb = databaseKind("couchdb-2.3.1") as DatabaseKind;
  const base = {
    stack: "live",
    ring: "main",
    otherClusters: [],
    mediaNetworks: [],
    outsideStores: [],
    database: couchdb,
  };

  test("deny everything that no other policy allows", () => {
    assert.deepEqual(networkPolicies(base)["default-deny"], { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  });

  test("let in the ring's pods of other clusters by their network, and nobody else", () => {
    const { rabbitmq } = networkPolicies({ ...base, otherClusters: ["10.2.0.0/16"] });
    assert.deepEqual(at(rabbitmq, "ingress", 0, "from"), [
      {
        namespaceSelector: { matchLabels: { "kazoo/stack": "live", "kazoo/ring": "main" } },
        podSelector: { matchLabels: { "app.kubernetes.io/name": "kazoo" } },
      },
      { ipBlock: { cidr: "10.2.0.0/16" } },
    ]);
  });

  test("open Kazoo to media servers only where their networks are named", () => {
    const ports = (policy: unknown) => JSON.stringify(policy);
    assert.doesNotMatch(ports(networkPolicies(base).kazoo), /192\.0\.2/);
    const { kazoo, rabbitmq } = networkPolicies({ ...base, mediaNetworks: ["192.0.2.0/24"] });
    const to = [{ ipBlock: { cidr: "192.0.2.0/24" } }];
    assert.ok(ports(at(kazoo, "egress")).includes(ports({ to, ports: [{ protocol: "TCP" }] })), "every port of theirs");
    assert.match(ports(at(kazoo, "ingress")), /"port":24517/);
    assert.match(ports(at(rabbitmq, "ingress", 0)), /192\.0\.2\.0\/24/);
  });

  test("keep URLs that customers configure away from a cloud's metadata addresses", () => {
    const { kazoo } = networkPolicies(base);
    const rule = (at(kazoo, "egress") as Tree[]).find((one) => JSON.stringify(one.ports).includes('"port":443'));
    assert.deepEqual(at(rule, "to", 0), { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } });
  });

  test("let the compactor reach every database node of the ring on both ports", () => {
    const data = [5984, 5986];
    const { bigcouch } = networkPolicies(base);
    assert.deepEqual(
      (at(bigcouch, "ingress", 0, "ports") as { port: number }[]).map(({ port }) => port),
      data,
    );
  });
});
