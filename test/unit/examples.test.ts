import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { platformOfFile } from "../../config/stackFile";
import { deployWithMocks, objects, type Registered } from "../support/mocks";

const folder = join(__dirname, "../../examples");
const pathOf = (example: string) => join(folder, `${example}.yaml`);

type Tree = Record<string, unknown>;

/** What the program must register for each example. */
const examples: Record<string, (resources: readonly Registered[]) => void> = {
  smallest: (resources) => {
    assert.deepEqual(Object.keys(objects(resources, "StatefulSet")).sort(), [
      "us-east-nyc/bigcouch",
      "us-east-nyc/kazoo",
      "us-east-nyc/rabbitmq-alpha",
      "us-east-nyc/rabbitmq-beta",
    ]);
    assert.equal(provider(resources, "cluster-east").context, "prod-east");
  },
  twoRegions: (resources) => {
    const databases = Object.entries(objects(resources, "StatefulSet")).filter(([name]) => name.endsWith("/bigcouch"));
    assert.deepEqual(Object.fromEntries(databases.map(([name, set]) => [name, (set.spec as Tree).replicas])), {
      "us-east-bos/bigcouch": 3,
      "us-east-nyc/bigcouch": 3,
      "us-west-sfo/bigcouch": 3,
    });
    assert.equal(cookies(resources).length, 1, "one ring has one cookie");
    assert.deepEqual(
      ["east", "west"].map((name) => provider(resources, `cluster-${name}`).context),
      ["prod-east", "prod-west"],
    );
  },
  mirror: (resources) => {
    const strange = imagesOf(resources.filter(({ type }) => type.startsWith("kubernetes:"))).filter(
      (image) => !/^(mirror|registry)\.example\.com/.test(image),
    );
    assert.deepEqual(strange, [], "every image comes from the mirror or the registry");
    const pullSecrets = Object.values(objects(resources, "Secret")).filter(
      ({ type }) => type === "kubernetes.io/dockerconfigjson",
    );
    assert.equal(pullSecrets.length, 1, "the login goes along to the cluster");
  },
  everything: (resources) => {
    assert.deepEqual(Object.keys(objects(resources, "Ingress")), ["us-east-nyc/kazoo", "us-east-nyc/kazoo-websockets"]);
    assert.equal(cookies(resources).length, 0, "the cookie is in a vault");
  },
  gateway: (resources) => {
    assert.deepEqual(Object.keys(objects(resources, "HTTPRoute")), [
      "us-east-nyc/kazoo",
      "us-east-nyc/kazoo-websockets",
    ]);
  },
  ingress: (resources) => {
    const hosts = Object.entries(objects(resources, "Ingress")).map(([name, { spec }]) => [
      name,
      ...(spec as { rules: { host: string }[] }).rules.map(({ host }) => host),
    ]);
    assert.deepEqual(Object.fromEntries(hosts), {
      "us-east-bos/kazoo": "bos.example.com",
      "us-east-bos/kazoo-websockets": "ws-bos.example.com",
      "us-east-nyc/kazoo": "nyc.example.com",
      "us-east-nyc/kazoo-websockets": "nyc.example.com",
    });
    const job = JSON.stringify(Object.values(objects(resources, "Job")));
    assert.match(job, /"APPS_URL","value":"https:\/\/bos\.example\.com\/v2"/);
  },
  docker: (resources) => {
    const { host } = provider(resources, "cluster-lab");
    assert.equal(host, "tcp://docker.example.com:2376");
    const ports = resources
      .filter(({ type }) => type.endsWith(":Container"))
      .flatMap(({ inputs }) => (inputs.ports ?? []) as Tree[])
      .map(({ ip, external }) => `${String(ip)}:${String(external)}`);
    assert.deepEqual(ports.sort(), ["0.0.0.0:15555", "0.0.0.0:18000"]);
  },
  scheduling: (resources) => {
    const pods = Object.fromEntries(
      Object.entries(objects(resources, "StatefulSet")).map(([name, { spec }]) => [
        name,
        (spec as Tree).template as Tree,
      ]),
    );
    const kazoo = pods["us-east-nyc/kazoo"] as { metadata: Tree; spec: Tree };
    assert.deepEqual(kazoo.spec.nodeSelector, { "example.com/pool": "voice", "example.com/rack": "nyc-1" });
    assert.deepEqual(kazoo.metadata.annotations, { "example.com/scrape": "true" });
    const unspread = Object.values(pods).filter(({ spec }) => (spec as Tree).topologySpreadConstraints === undefined);
    assert.deepEqual(unspread, [], "all pods are still spread");
  },
  monitoring: (resources) => {
    assert.deepEqual(Object.keys(objects(resources, "PodMonitor")), ["us-east-nyc/rabbitmq"]);
    assert.deepEqual(Object.keys(objects(resources, "PrometheusRule")), ["us-east-nyc/kazoo"]);
    const dashboard = resources.find(({ name }) => name === "us-east-nyc-monitoring-dashboard");
    assert.match(JSON.stringify(dashboard?.inputs.data), /Kazoo nodes ready/);
  },
  settings: (resources) => {
    assert.match(file(resources, "rabbitmq-beta", "kazoo.conf"), /^channel_max = 1024$/m);
    assert.match(file(resources, "rabbitmq-beta", "enabled_plugins"), /rabbitmq_shovel,rabbitmq_shovel_management\]/);
    assert.match(file(resources, "bigcouch", "kazoo.ini"), /^max_document_size = 8000000$/m);
  },
  takeOver: (resources) => {
    assert.deepEqual(cookies(resources), [], "the cookie is the given one");
    const environments = Object.values(objects(resources, "ConfigMap")).map(({ data }) => data as Tree);
    assert.ok(environments.some(({ KAZOO_ZONE }) => KAZOO_ZONE === "nyc1"));
  },
};

const provider = (resources: readonly Registered[], name: string): Tree =>
  resources.find((resource) => resource.type.startsWith("pulumi:providers:") && resource.name === name)?.inputs ??
  assert.fail(`no provider ${name}`);

/** A file in the ConfigMap of a store in New York. */
const file = (resources: readonly Registered[], store: string, name: string): string => {
  const config = resources.find((resource) => resource.name === `us-east-nyc-${store}-config`);
  return (config?.inputs.data as Record<string, string> | undefined)?.[name] ?? assert.fail(`no file ${name}`);
};

/** The random Erlang cookies of Kazoo's nodes. */
const cookies = (resources: readonly Registered[]): Registered[] =>
  resources.filter(
    ({ type, name }) => type.includes("RandomPassword") && name.includes("cookie") && !name.includes("database"),
  );

const imagesOf = (value: unknown): string[] =>
  typeof value !== "object" || value === null
    ? []
    : Object.entries(value).flatMap(([key, inner]) =>
        key === "image" && typeof inner === "string" ? [inner] : imagesOf(inner),
      );

describe("each example", () => {
  test("has a test here", () => {
    const files = readdirSync(folder).flatMap((file) => /^(.+)\.yaml$/.exec(file)?.[1] ?? []);
    assert.deepEqual(files.sort(), Object.keys(examples).sort());
  });

  for (const [example, check] of Object.entries(examples)) {
    test(`${example} can be previewed`, async () => {
      const { resources } = await deployWithMocks(platformOfFile(pathOf(example)));
      check(resources);
    });
  }
});

test("the smallest stack has at most ten lines", () => {
  assert.ok(readFileSync(pathOf("smallest"), "utf8").trimEnd().split("\n").length <= 10);
});
