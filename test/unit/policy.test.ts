import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import type { ResourceValidationArgs, ResourceValidationPolicy, StackValidationPolicy } from "@pulumi/policy";
import * as pulumi from "@pulumi/pulumi";
import { platformOfFile, readStackFile } from "../../config/stackFile";
import { policyOf } from "../../policy/policies";
import { plain, type Resource, type Tree } from "../../policy/resource";
import type { Rule } from "../../policy/rule";
import { rules } from "../../policy/rules";
import { isThrowAway } from "../../policy/throwAway";
import { page } from "../support/markdown";
import { platformFrom } from "../support/mocks";
import { resourcesOf } from "../support/policyResources";

const project = join(__dirname, "../..");

const ruleOf = (name: string): Rule => {
  const rule = rules.find((each) => each.name === name);
  assert.ok(rule, `no rule ${name}`);
  return rule;
};

/** A rule's violations, as `RESOURCE: MESSAGE`. */
function found(rule: Rule, resources: readonly Resource[], throwAway = false): string[] {
  const context = { throwAway };
  const names = new Map(resources.map(({ urn, name }) => [urn, name]));
  return "resource" in rule
    ? resources.flatMap((resource) => rule.resource(resource, context).map((message) => `${resource.name}: ${message}`))
    : rule.stack(resources, context).map(({ urn, message }) => `${names.get(urn)}: ${message}`);
}

describe("what the program deploys", { concurrency: 1 }, () => {
  const examples = readdirSync(join(project, "examples")).filter((file) => file.endsWith(".yaml"));
  const platforms = [
    ...["dev", "docker", "rehearsal"].map((stack) => [stack, () => readStackFile(project, stack)] as const),
    ...examples.map((file) => [file, () => platformOfFile(join(project, "examples", file))] as const),
  ];
  for (const [name, platform] of platforms) {
    test(`${name} breaks no mandatory rule, protected`, async () => {
      const resources = await resourcesOf({ ...platform(), protect: true });
      for (const rule of rules.filter(({ level }) => level === "mandatory"))
        assert.deepEqual(found(rule, resources), [], rule.name);
    });
  }
});

type Path = readonly (string | number)[];

/** A copy of a tree with another value at a path; undefined removes it. */
function replaced(node: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value;
  const copy = (Array.isArray(node) ? [...(node as unknown[])] : { ...(node as Tree) }) as Record<
    string | number,
    unknown
  >;
  const inner = replaced(copy[key], rest, value);
  if (inner === undefined) delete copy[key];
  else copy[key] = inner;
  return copy;
}

type Change = (resources: readonly Resource[]) => Resource[];

const change =
  (name: string, make: (resource: Resource) => Resource): Change =>
  (resources) => {
    assert.ok(
      resources.some((resource) => resource.name === name),
      `no resource ${name}`,
    );
    return resources.map((resource) => (resource.name === name ? make(resource) : resource));
  };
const set = (name: string, path: Path, value: unknown): Change =>
  change(name, (resource) => ({ ...resource, props: replaced(resource.props, path, value) as Tree }));
const unprotected = (name: string) => change(name, (resource) => ({ ...resource, protect: false }));
const without =
  (name: string): Change =>
  (resources) => {
    const left = resources.filter((resource) => resource.name !== name);
    assert.equal(left.length, resources.length - 1, name);
    return left;
  };
const object = (type: string, props: Tree): Resource => ({
  type: `kubernetes:${type}`,
  name: "another",
  urn: "urn:another",
  protect: false,
  props,
});
const added =
  (type: string, props: Tree): Change =>
  (resources) => [...resources, object(type, props)];

const template: Path = ["spec", "template", "spec"];
const container: Path = [...template, "containers", 0];
const [kazoo, database, alpha] = [
  "us-east-nyc-kazoo-nodes",
  "us-east-nyc-bigcouch-nodes",
  "us-east-nyc-rabbitmq-alpha-nodes",
];
const image: Path = [...container, "image"];
const digest = `@sha256:${"0".repeat(64)}`;

/** Changes of a protected stack by rule, with the expected violation, if any. */
const cases: Record<string, Record<string, readonly [Change, RegExp | undefined]>> = {
  "image-digest": {
    "a tag": [
      set(kazoo, image, "example.com/kazoo:4.3"),
      /^us-east-nyc-kazoo-nodes: container kazoo: image example\.com\/kazoo:4\.3; expected a digest, for example example\.com\/kazoo@sha256:…$/,
    ],
    "a registry's port is no tag": [
      set(kazoo, image, "example.com:5000/kazoo"),
      /for example example\.com:5000\/kazoo@sha256/,
    ],
    "an init container": [
      set(kazoo, [...template, "initContainers", 0, "image"], "curl:8"),
      /container first-node: image curl:8/,
    ],
    "a digest cut short": [set(kazoo, image, "example.com/kazoo@sha256:0000"), /expected a digest/],
    "a digest": [set(kazoo, image, `example.com/kazoo:4.3${digest}`), undefined],
  },
  "no-plain-credentials": {
    "a variable": [
      set(kazoo, [...container, "env", 0], { name: "RABBITMQ_PASS", value: "Zq3vT8mK1xW5" }),
      /^us-east-nyc-kazoo-nodes: container kazoo: a credential in RABBITMQ_PASS; expected a reference to a Secret$/,
    ],
    "a URL with a password": [
      set(kazoo, [...container, "env", 0], { name: "BROKER", value: "amqp://kazoo:Zq3vT8mK@host:5672" }),
      /a credential in BROKER/,
    ],
    "a URL with a reference": [
      set(kazoo, [...container, "env", 0], { name: "BROKER", value: "amqp://kazoo:$(PASS)@host:5672" }),
      undefined,
    ],
    "a reference": [set(kazoo, [...container, "env", 0], { name: "RABBITMQ_PASS", value: "$(OTHER)" }), undefined],
    "a key of a ConfigMap": [
      added("core/v1:ConfigMap", { data: { "erlang.cookie": "Zq3vT8mK" } }),
      /^another: a credential in erlang\.cookie; expected it in a Secret$/,
    ],
    "a line of a file": [
      added("core/v1:ConfigMap", { data: { "kazoo.ini": '[bigcouch]\nip = "10.0.0.1"\npassword = "Zq3vT8mK"\n' } }),
      /^another: a credential in kazoo\.ini, at password; expected it in a Secret$/,
    ],
    "a broker's setting by its last word": [
      added("core/v1:ConfigMap", { data: { "kazoo.conf": "auth_ldap.dn_lookup_bind.password = Zq3vT8mK\n" } }),
      /at auth_ldap\.dn_lookup_bind\.password; expected it in a Secret$/,
    ],
    "a URL in a file": [
      added("core/v1:ConfigMap", { data: { "kazoo.ini": 'uri = "amqp://kazoo:Zq3vT8mK@host:5672"\n' } }),
      /at uri/,
    ],
    "a cookie in Erlang's flags": [
      added("core/v1:ConfigMap", { data: { "vm.args": "-name kazoo_apps\n-setcookie Zq3vT8mK\n" } }),
      /^another: a credential in vm\.args; expected it in a Secret$/,
    ],
    "a setting that is none": [
      added("core/v1:ConfigMap", { data: { "a.ini": "require_valid_user = true\npassword =\nbypass = yes\n" } }),
      undefined,
    ],
  },
  "no-default-credentials": {
    "a Secret": [
      set("us-east-nyc-erlang-cookie", ["stringData", "cookie"], "change_me"),
      /^us-east-nyc-erlang-cookie: cookie: a well-known default; expected a random value$/,
    ],
    "a Secret's data": [
      added("core/v1:Secret", { data: { password: Buffer.from("guest").toString("base64") } }),
      /^another: password: a well-known default/,
    ],
    "a variable": [
      set(kazoo, [...container, "env", 0], { name: "RABBITMQ_PASS", value: "guest" }),
      /container kazoo: RABBITMQ_PASS: a well-known default/,
    ],
    "a file": [
      added("core/v1:ConfigMap", { data: { "vm.args": "cookie: monster" } }),
      /vm\.args, at cookie: a well-known default/,
    ],
    "a user of that name": [set("us-east-nyc-rabbitmq", ["stringData", "username"], "guest"), undefined],
  },
  probes: {
    "no readiness": [
      set(kazoo, [...container, "readinessProbe"], undefined),
      /^us-east-nyc-kazoo-nodes: container kazoo: no readinessProbe; expected one$/,
    ],
    "no liveness": [set(database, [...container, "livenessProbe"], undefined), /no livenessProbe/],
    "a Job": [added("batch/v1:Job", { spec: { template: { spec: { containers: [{ name: "x" }] } } } }), undefined],
  },
  "memory-limit": {
    none: [
      set(alpha, [...container, "resources", "limits"], undefined),
      /^us-east-nyc-rabbitmq-alpha-nodes: container rabbitmq: no resources\.limits\.memory; expected an amount, for example 1Gi$/,
    ],
    "processors alone": [
      set(alpha, [...container, "resources", "limits"], { cpu: "1" }),
      /no resources\.limits\.memory/,
    ],
    "a CronJob": [
      added("batch/v1:CronJob", {
        spec: { jobTemplate: { spec: { template: { spec: { containers: [{ name: "x" }] } } } } },
      }),
      /^another: container x: no resources/,
    ],
  },
  "disruption-budget": {
    none: [
      without("us-east-nyc-kazoo-disruption"),
      /^us-east-nyc-kazoo-nodes: no PodDisruptionBudget selects its pods; expected one in its namespace$/,
    ],
    "one of another namespace": [
      set("us-east-nyc-kazoo-disruption", ["metadata", "namespace"], "other"),
      /no PodDisruptionBudget/,
    ],
    "one that never lets go": [
      set("us-east-nyc-kazoo-disruption", ["spec"], { minAvailable: 2, selector: {} }),
      /^us-east-nyc-\S+: us-east-nyc-kazoo-disruption never allows an eviction of a pod of us-east-nyc-\S+, so/,
    ],
    "a Deployment of one": [added("apps/v1:Deployment", { spec: { replicas: 1 } }), undefined],
    "a Deployment of two": [added("apps/v1:Deployment", { spec: { replicas: 2 } }), /^another: no PodDisruptionBudget/],
  },
  "topology-spread": {
    none: [
      set(kazoo, [...template, "topologySpreadConstraints"], []),
      /^us-east-nyc-kazoo-nodes: 2 replicas and no topologySpreadConstraints; expected some/,
    ],
    "anti-affinity": [
      (resources) =>
        set(kazoo, [...template, "affinity"], { podAntiAffinity: {} })(
          set(kazoo, [...template, "topologySpreadConstraints"], undefined)(resources),
        ),
      undefined,
    ],
    "a single one": [set(alpha, [...template, "topologySpreadConstraints"], undefined), undefined],
  },
  "protected-data": {
    "the cookie": [
      unprotected("ring-main-erlang-cookie-value"),
      /^ring-main-erlang-cookie-value: a random credential is not protected; expected the option protect: true$/,
    ],
    "its Secret": [unprotected("us-east-nyc-erlang-cookie"), /a credential is not protected/],
    "a database": [unprotected(database), /a store is not protected/],
    "a namespace": [unprotected("us-east-nyc-namespace"), /a datacenter's namespace is not protected/],
    "volumes that go": [
      set(database, ["spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"], "Delete"),
      /volumes are deleted with the pods \(whenDeleted: Delete\); expected Retain/,
    ],
    "Kazoo holds nothing": [unprotected(kazoo), undefined],
  },
  "no-downgrade": {
    "no guard": [
      without("ring-main-rabbitmq-series-3.13"),
      /^ring-main: no guard ring-main-rabbitmq-series-\*; expected a protected random id of that name$/,
    ],
    "an unprotected one": [
      unprotected("ring-main-database-format-couchdb-2"),
      /^ring-main-database-format-couchdb-2: guard ring-main-database-format-couchdb-2 is not protected, so it refuses nothing/,
    ],
    "a broker behind the guard's back": [
      set(alpha, image, "mirror.example.com/rabbitmq:3.12-management"),
      /^us-east-nyc-rabbitmq-alpha-nodes: its image is 3\.12, but guard ring-main-rabbitmq-series-3\.13 has 3\.13; expected the same$/,
    ],
    "a database behind it": [
      set(database, image, "couchdb:3.5.0"),
      /its image is couchdb-3\.5, but guard ring-main-database-format-couchdb-2 has couchdb-2/,
    ],
    "another release of the format": [set(database, image, "couchdb:2.1.0"), undefined],
    "a digest": [set(database, image, `couchdb${digest}`), undefined],
  },
  "live-names": {
    "no guard": [
      without("us-east-nyc-database-names"),
      /^us-east-nyc: no guard us-east-nyc-database-names; expected a protected random id/,
    ],
    "an unprotected one": [
      unprotected("us-east-nyc-ring-membership"),
      /guard us-east-nyc-ring-membership is not protected/,
    ],
    "nodes of another domain": [
      set("us-east-nyc-database-names", ["keepers", "suffix"], "bigcouch.us-east-nyc.svc.other"),
      /^us-east-nyc-bigcouch-nodes: its nodes are not named …bigcouch\.us-east-nyc\.svc\.other, as guard us-east-nyc-database-names has it$/,
    ],
  },
  "brokers-apart": {
    replicas: [
      set(alpha, ["spec", "replicas"], 3),
      /^us-east-nyc-rabbitmq-alpha-nodes: 3 replicas; expected 1, and for a second broker a workload of its own$/,
    ],
    "an operator's cluster": [
      added("rabbitmq.com/v1beta1:RabbitmqCluster", { spec: { replicas: 3 } }),
      /^another: 3 replicas/,
    ],
    discovery: [
      added("core/v1:ConfigMap", { data: { "a.conf": "cluster_formation.peer_discovery_backend = k8s" } }),
      /a\.conf has cluster_formation; expected none/,
    ],
  },
  "compatible-versions": {
    "CouchDB 3": [
      (resources) => set(database, image, "couchdb:3.3.3")(set(kazoo, image, "kazoo:4.3")(resources)),
      /^us-east-nyc-bigcouch-nodes: couchdb-3\.3\.3; expected a database with a node-local port 5986, which Kazoo 4\.3 needs/,
    ],
    "CouchDB 3 with master": [
      (resources) => set(database, image, "couchdb:3.3.3")(set(kazoo, image, "kazoo:master")(resources)),
      undefined,
    ],
    "RabbitMQ 4.3": [
      set(alpha, image, "rabbitmq:4.3-management"),
      /^us-east-nyc-rabbitmq-alpha-nodes: RabbitMQ 4\.3; expected RabbitMQ 4\.2 or below, or permitTransientQueues/,
    ],
    "RabbitMQ 3.8": [set(alpha, image, "rabbitmq:3.8"), /RabbitMQ 3\.8; expected one of 3\.9, /],
    "CouchDB 1": [set(database, image, "couchdb:1.7.2"), /couchdb-1\.7\.2; expected bigcouch-0\.4\.x/],
  },
};

test("docs/policy.md lists exactly the pack's rules", () => {
  const rows = [...page("docs/policy.md").text.matchAll(/^\| `([a-z-]+)` +\| (advisory|mandatory) +\| (.+?) +\|$/gm)];
  assert.deepEqual(
    rows.map(([, name, level, description]) => ({ name, level, description })),
    rules.map(({ name, level, description }) => ({ name, level, description })),
  );
});

describe("rules", { concurrency: 1 }, () => {
  let resources: Resource[];
  before(async () => {
    const prebuilt = `registry.example.com/kazoo${digest}`;
    const ring = { kazoo: "4.3", database: "couchdb-2.3.1", rabbitmq: "3.13" };
    const config = {
      image: { prebuilt },
      images: { rabbitmq: `rabbitmq:3.13${digest}`, database: `couchdb:2.3.1${digest}`, curl: `curl${digest}` },
      clusters: { east: { context: "prod-east" } },
      rings: { main: ring },
      ring: "main",
      regions: { "us-east": { cluster: "east", datacenters: { nyc: { workloads: { kazoo: { replicas: 2 } } } } } },
    };
    resources = await resourcesOf(platformFrom(config));
  });

  test("each has cases, and none is violated by a stack whose images are pinned", () => {
    assert.deepEqual(Object.keys(cases).sort(), rules.map(({ name }) => name).sort());
    for (const rule of rules) assert.deepEqual(found(rule, resources), [], rule.name);
  });

  for (const [name, changes] of Object.entries(cases)) {
    for (const [what, [make, expected]] of Object.entries(changes)) {
      test(`${name}: ${what}${expected === undefined ? " is fine" : ""}`, () => {
        const messages = found(ruleOf(name), make(resources));
        if (expected === undefined) return assert.deepEqual(messages, []);
        assert.ok(messages.length > 0, "nothing was found");
        for (const message of messages) assert.match(message, expected);
        assert.ok(!messages.join("").includes("Zq3v"), "a message shows a credential's value");
      });
    }
  }

  test("Docker's containers need a healthcheck and a memory limit", () => {
    const bare = { ...object("x", { name: "kazoo", image: "kazoo:4" }), type: "docker:index/container:Container" };
    assert.deepEqual(found(ruleOf("probes"), [bare]), ["another: container kazoo: no healthcheck; expected one"]);
    assert.deepEqual(found(ruleOf("memory-limit"), [bare]), [
      "another: container kazoo: no memory; expected an amount, for example 1Gi",
    ]);
  });

  test("a throw-away stack need not be protected", () => {
    const open = resources.map((resource) => ({ ...resource, protect: false }));
    for (const name of ["protected-data", "no-downgrade", "live-names"]) {
      assert.ok(found(ruleOf(name), open).length > 0, name);
      assert.deepEqual(found(ruleOf(name), open, true), [], name);
    }
  });

  test("a stack is throw-away if it is unprotected and uses no real cluster", () => {
    const says = (protect: string, clusters: unknown) => {
      pulumi.runtime.setAllConfig({ "kazoo:protect": protect, "kazoo:clusters": JSON.stringify(clusters) });
      return isThrowAway();
    };
    assert.equal(says("false", { a: { sandbox: true }, b: { docker: {} } }), true);
    assert.equal(says("true", { a: { sandbox: true } }), false);
    assert.equal(says("false", { a: { sandbox: true }, b: { context: "prod" } }), false);
    pulumi.runtime.setAllConfig({});
    assert.equal(isThrowAway(), false);
  });
});

describe("the pack in the engine", () => {
  /** Like the policy SDK's values that are unknown in a preview: accessing them throws. */
  const withUnknown = (known: Tree, key: string): Tree =>
    new Proxy(known, {
      get: (target, property) => {
        if (property === key) throw new Error("not known during preview");
        return target[property as string];
      },
      ownKeys: (target) => [...Reflect.ownKeys(target), key],
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
    });

  const args = (resource: Resource, config: Tree) =>
    ({
      ...resource,
      opts: { protect: resource.protect },
      getConfig: () => config,
    }) as unknown as ResourceValidationArgs;

  const reported = async (rule: string, resource: Resource, config: Tree = {}) => {
    const messages: string[] = [];
    const { validateResource } = policyOf(ruleOf(rule)) as ResourceValidationPolicy;
    assert.ok(typeof validateResource === "function");
    await validateResource(args(resource, config), (message) => messages.push(message));
    return messages.length;
  };
  const pod = (settings: Tree) => object("core/v1:Pod", { spec: { containers: [{ name: "a", ...settings }] } });

  test("values that a preview does not know violate nothing", async () => {
    const unknownImage = object("core/v1:Pod", { spec: { containers: [withUnknown({ name: "a" }, "image")] } });
    assert.equal(await reported("image-digest", unknownImage), 0);
    assert.equal(await reported("memory-limit", object("core/v1:Pod", { spec: withUnknown({}, "containers") })), 0);
    const cookie = object("core/v1:Secret", { stringData: withUnknown({}, "cookie") });
    assert.equal(await reported("no-default-credentials", cookie), 0);
    assert.deepEqual(plain({ a: [withUnknown({ b: 1 }, "c")] }), { a: [{ b: 1, c: "(known after the update)" }] });
  });

  test("a rule skips excepted resources, and demands protection if the config says so", async () => {
    assert.equal(await reported("memory-limit", pod({})), 1);
    assert.equal(await reported("memory-limit", pod({}), { except: ["ano*"] }), 0);
    assert.equal(await reported("memory-limit", pod({}), { except: ["ano", "an.ther"] }), 1);
    const volume = object("core/v1:PersistentVolumeClaim", {});
    assert.equal(await reported("protected-data", volume), 1);
    assert.equal(await reported("protected-data", volume, { throwAway: true }), 0);
  });

  test("a rule about the stack names the resource, unless it is excepted", async () => {
    const set = object("apps/v1:StatefulSet", {});
    const told = async (config: Tree) => {
      const urns: (string | undefined)[] = [];
      const { validateStack } = policyOf(ruleOf("disruption-budget")) as StackValidationPolicy;
      const stack = { resources: [args(set, config)], getConfig: () => config };
      await validateStack(stack as unknown as Parameters<typeof validateStack>[0], (_, urn) => urns.push(urn));
      return urns;
    };
    assert.deepEqual(await told({}), [set.urn]);
    assert.deepEqual(await told({ except: ["another"] }), []);
  });
});
