import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { databaseConfig } from "../../components/bigcouch";
import { databaseKind, type DatabaseKind } from "../../config/compatibility";
import { parsePlatform } from "../../config/parse";
import { ConfigError, type Problem } from "../../config/problem";
import { defaultKazooVersion } from "../../config/schema/ring";
import { weaknesses } from "../../config/weaknesses";
import * as values from "../support/values";

type Config = Record<string, unknown>;

/** A real cluster needs a Kazoo image; the original project's cannot run there. */
const ownImage = { image: { prebuilt: "registry.example.com/kazoo:4.3" } };

/** A small valid config; the tables below change it. */
const good = (): Config => ({
  ...ownImage,
  clusters: { east: { context: "prod-east" } },
  regions: { "us-east": { cluster: "east", datacenters: { nyc: {} } } },
});

const datacenter = (settings: Config): Config => ({
  ...good(),
  regions: { "us-east": { cluster: "east", datacenters: { nyc: settings } } },
});
const environment = (settings: Config): Config => ({ ...good(), environment: settings });
const ringOf = (settings: Config): Config => ({ ...datacenter({ ring: "main" }), rings: { main: settings } });
const nyc = "kazoo:regions.us-east.datacenters.nyc";

function problemsOf(config: unknown, ...secretKeys: string[]): readonly Problem[] {
  try {
    parsePlatform(config, new Set(secretKeys));
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

interface Bad {
  readonly config: unknown;
  readonly secret?: string;
  readonly key: string;
  readonly found: string | RegExp;
  readonly expected: RegExp;
}

const twoClusters = (east: Config, west: Config): Config => ({
  ...ownImage,
  clusters: { east: { context: "e", ...east }, west: { context: "w", ...west } },
  rings: { main: {} },
  regions: {
    "us-east": { cluster: "east", datacenters: { nyc: { ring: "main" } } },
    "us-west": { cluster: "west", datacenters: { sfo: { ring: "main" } } },
  },
});

const onDocker = (changes: Config = {}): Config => ({
  clusters: { local: { docker: {} } },
  regions: { local: { cluster: "local", datacenters: { dev: {} } } },
  ...changes,
});
const dev = "kazoo:regions.local.datacenters.dev";
const twoZones = (nyc: Config, others: Config = {}): Config => ({
  ...ownImage,
  clusters: { east: { context: "prod-east" } },
  rings: { main: {} },
  regions: { "us-east": { cluster: "east", datacenters: { bos: { ring: "main" }, nyc: { ring: "main", ...nyc } } } },
  ...others,
});
const twoRings = (bos: Config, others: Config): Config =>
  twoZones({ ring: "other" }, { rings: { main: bos, other: {} }, ...others });
/** A ring of zones with these numbers of database nodes. */
const zonesOf = (
  nodes: Record<string, number>,
  settings: Config = {},
  environments: Record<string, Config> = {},
): Config => ({
  ...good(),
  rings: { main: settings },
  regions: {
    us: {
      cluster: "east",
      datacenters: Object.fromEntries(
        Object.entries(nodes).map(([name, replicas]) => [
          name,
          { ring: "main", workloads: { database: { replicas } }, environment: environments[name] ?? {} },
        ]),
      ),
    },
  },
});
const build = (settings: Config, others: Config = {}): Config => ({
  ...good(),
  image: { build: { registry: "registry.example.com", repository: "kazoo", ...settings } },
  ...others,
});

const table: Record<string, Bad> = {
  "an unknown top-level key": {
    config: { ...good(), bogus: 1 },
    key: "kazoo:bogus",
    found: "an unknown key",
    expected: /one of image, images/,
  },
  "an unknown key in a datacenter": {
    config: datacenter({ rng: "main" }),
    key: `${nyc}.rng`,
    found: "an unknown key",
    expected: /did you mean ring\?/,
  },
  "a misspelt variable": {
    config: environment({ KAZOO_LOG_LEVL: "info" }),
    key: "kazoo:environment.KAZOO_LOG_LEVL",
    found: "an unknown key",
    expected: /did you mean KAZOO_LOG_LEVEL\?/,
  },
  "a boolean as text": {
    config: environment({ KAZOO_LOG_COLOR: "true" }),
    key: "kazoo:environment.KAZOO_LOG_COLOR",
    found: '"true"',
    expected: /without quotes/,
  },
  "protect as text": {
    config: { ...good(), protect: "no" },
    key: "kazoo:protect",
    found: '"no"',
    expected: /true or false/,
  },
  "minus one replicas": {
    config: datacenter({ workloads: { kazoo: { replicas: -1 } } }),
    key: `${nyc}.workloads.kazoo.replicas`,
    found: "-1",
    expected: /whole number from 1 to 99/,
  },
  "no replicas": {
    config: datacenter({ workloads: { kazoo: { replicas: 0 } } }),
    key: `${nyc}.workloads.kazoo.replicas`,
    found: "0",
    expected: /from 1 to 99/,
  },
  "half a replica": {
    config: datacenter({ workloads: { database: { replicas: 1.5 } } }),
    key: `${nyc}.workloads.database.replicas`,
    found: "1.5",
    expected: /whole/,
  },
  "a host name of 70 characters": {
    config: datacenter({ namespace: "a-namespace-that-makes-a-name-much-too-long" }),
    key: `${nyc}.namespace`,
    found: /a-namespace/,
    expected: /has 8\d characters, and 64 is the most/,
  },
  "a zone of 37 characters": {
    config: datacenter({ namespace: "nyc", environment: { KAZOO_ZONE: "z".repeat(37) } }),
    key: `${nyc}.environment.KAZOO_ZONE`,
    found: /^"z{37}"$/,
    expected: /at most 36 characters, instead of 37: its name is part of a Job's/,
  },
  "a region and a datacenter that make a zone of 64 characters": {
    config: {
      ...good(),
      regions: { ["r".repeat(40)]: { cluster: "east", datacenters: { ["d".repeat(23)]: { namespace: "nyc" } } } },
    },
    key: `kazoo:regions.${"r".repeat(40)}.datacenters.${"d".repeat(23)}.environment.KAZOO_ZONE`,
    found: /^"r{40}-d{23}"$/,
    expected: /at most 36 characters, instead of 64/,
  },
  "two datacenters with one zone": {
    config: {
      ...good(),
      regions: {
        "us-east": { cluster: "east", environment: { KAZOO_ZONE: "east" }, datacenters: { nyc: {}, bos: {} } },
      },
    },
    key: `${nyc}.environment.KAZOO_ZONE`,
    found: '"east"',
    expected: /us-east\/bos already has this one/,
  },
  "two datacenters in one namespace": {
    config: {
      ...good(),
      regions: {
        "us-east": { cluster: "east", datacenters: { bos: { namespace: "kazoo" }, nyc: { namespace: "kazoo" } } },
      },
    },
    key: `${nyc}.namespace`,
    found: '"kazoo"',
    expected: /a unique namespace in cluster east/,
  },
  "the cluster's own namespace": {
    config: datacenter({ namespace: "kube-system" }),
    key: `${nyc}.namespace`,
    found: '"kube-system"',
    expected: /Pod Security restricted .* destroy deletes it; default and kube-… belong to the cluster/,
  },
  "the default namespace": {
    config: datacenter({ namespace: "default" }),
    key: `${nyc}.namespace`,
    found: '"default"',
    expected: /a namespace of the datacenter's own/,
  },
  "a zone that gives the cluster's own namespace": {
    config: datacenter({ environment: { KAZOO_ZONE: "kube-public" } }),
    key: `${nyc}.namespace`,
    found: '"kube-public"',
    expected: /a namespace of the datacenter's own/,
  },
  "a zone called local beside another": {
    config: twoZones({ environment: { KAZOO_ZONE: "local" } }),
    key: `${nyc}.environment.KAZOO_ZONE`,
    found: '"local"',
    expected: /ring main has several zones and a Kazoo node calls its own one local/,
  },
  "a registry that Docker takes for a user of Docker Hub": {
    config: build({ registry: "telephony" }),
    key: "kazoo:image.build.registry",
    found: '"telephony"',
    expected: /a host with a dot or a port, or localhost, since Docker looks for any other name at Docker Hub/,
  },
  "one broker for all zones of a ring": {
    config: twoZones({}, { environment: { KAZOO_AMQP_HOST: "MQ.example.com." } }),
    key: `${nyc}.environment.KAZOO_AMQP_HOST`,
    found: '"mq.example.com"',
    expected: /ring main names once: zone us-east-bos has it as KAZOO_AMQP_HOST, and to Kazoo a broker belongs to one/,
  },
  "a second broker that is another zone's first": {
    config: twoZones({ environment: { KAZOO_SECONDARY_AMQP_HOST: "rabbitmq-alpha.us-east-bos.svc.cluster.local" } }),
    key: `${nyc}.environment.KAZOO_SECONDARY_AMQP_HOST`,
    found: '"rabbitmq-alpha.us-east-bos.svc.cluster.local"',
    expected: /zone us-east-bos has it as KAZOO_AMQP_HOST/,
  },
  "a first zone that names another zone's own broker": {
    config: zonesOf({ a: 1, b: 1 }, {}, { a: { KAZOO_AMQP_HOST: "rabbitmq-beta.us-b.svc.cluster.local" } }),
    key: "kazoo:regions.us.datacenters.a.environment.KAZOO_AMQP_HOST",
    found: '"rabbitmq-beta.us-b.svc.cluster.local"',
    expected: /zone us-b has it as KAZOO_SECONDARY_AMQP_HOST/,
  },
  "one host for both brokers of a zone that others must know": {
    config: twoZones({ environment: { KAZOO_AMQP_HOST: "192.0.2.7", KAZOO_SECONDARY_AMQP_HOST: "192.0.2.7" } }),
    key: `${nyc}.environment.KAZOO_SECONDARY_AMQP_HOST`,
    found: '"192.0.2.7"',
    expected: /zone us-east-nyc has it as KAZOO_AMQP_HOST/,
  },
  "a missing context": {
    config: { ...good(), clusters: { east: {} } },
    key: "kazoo:clusters.east.context",
    found: "nothing",
    expected: /context in your kubeconfig/,
  },
  "sandbox and context": {
    config: { ...good(), clusters: { east: { sandbox: true, context: "x" } } },
    key: "kazoo:clusters.east.context",
    found: '"x"',
    expected: /not both/,
  },
  "sandbox and kubeconfig": {
    config: { ...good(), clusters: { east: { sandbox: true, kubeconfig: "x" } } },
    key: "kazoo:clusters.east.kubeconfig",
    found: '"x"',
    expected: /has its own/,
  },
  "a sandbox that is text": {
    config: { ...good(), clusters: { east: { context: "x", sandbox: "yes" } } },
    key: "kazoo:clusters.east.sandbox",
    found: '"yes"',
    expected: /true or false/,
  },
  "a cluster domain that is none": {
    config: { ...good(), clusters: { east: { context: "x", clusterDomain: "east_internal" } } },
    key: "kazoo:clusters.east.clusterDomain",
    found: '"east_internal"',
    expected: /DNS domain/,
  },
  "a pod network that is none": {
    config: { ...good(), clusters: { east: { context: "x", podNetwork: "10.0.0.0" } } },
    key: "kazoo:clusters.east.podNetwork",
    found: '"10.0.0.0"',
    expected: /CIDR/,
  },
  "a provider that asks a cluster nothing": {
    config: { ...good(), clusters: { east: { context: "x", apiClient: { qps: 0 } } } },
    key: "kazoo:clusters.east.apiClient.qps",
    found: "0",
    expected: /whole number from 1 to 10000/,
  },
  "limits of a provider for Kubernetes on Docker": {
    config: { ...good(), clusters: { east: { docker: {}, apiClient: {} } } },
    key: "kazoo:clusters.east.apiClient",
    found: "{}",
    expected: /no key of Kubernetes next to docker/,
  },
  "a cluster that nothing uses": {
    config: { ...good(), clusters: { east: { context: "x" }, west: { context: "y" } } },
    key: "kazoo:clusters.west",
    found: '"west"',
    expected: /a datacenter uses/,
  },
  "a region in a cluster that is not defined": {
    config: { ...good(), regions: { "us-east": { cluster: "eats", datacenters: { nyc: {} } } } },
    key: "kazoo:regions.us-east.cluster",
    found: '"eats"',
    expected: /defined in kazoo:clusters, east/,
  },
  "a region without a cluster": {
    config: { ...good(), regions: { "us-east": { datacenters: { nyc: {} } } } },
    key: "kazoo:regions.us-east.cluster",
    found: "nothing",
    expected: /a cluster/,
  },
  "no clusters": {
    config: { ...ownImage, regions: {} },
    key: "kazoo:clusters",
    found: "nothing",
    expected: /a mapping from names/,
  },
  "no regions": {
    config: { ...ownImage, clusters: { east: { context: "x" } } },
    key: "kazoo:regions",
    found: "nothing",
    expected: /a mapping from regions/,
  },
  "regions as a list": {
    config: { ...good(), regions: ["us-east"] },
    key: "kazoo:regions",
    found: '["us-east"]',
    expected: /a mapping from regions/,
  },
  "a region without datacenters": {
    config: { ...good(), regions: { "us-east": { cluster: "east", datacenters: {} } } },
    key: "kazoo:regions.us-east.datacenters",
    found: "{}",
    expected: /at least one/,
  },
  "a region with a name that is none": {
    config: { ...good(), regions: { US_East: { cluster: "east", datacenters: { nyc: {} } } } },
    key: "kazoo:regions.US_East",
    found: '"US_East"',
    expected: /lower-case letters/,
  },
  "a ring that is not defined": {
    config: { ...datacenter({ ring: "mian" }), rings: { main: {} } },
    key: `${nyc}.ring`,
    found: '"mian"',
    expected: /one of|main/,
  },
  "a ring that nothing uses": {
    config: { ...good(), rings: { main: {} } },
    key: "kazoo:rings.main",
    found: '"main"',
    expected: /a datacenter uses/,
  },
  "CouchDB 3 with Kazoo 4.2": {
    config: ringOf({ kazoo: 4.2, database: "couchdb-3.3.3" }),
    key: "kazoo:rings.main.database",
    found: '"couchdb-3.3.3"',
    expected: /port 5986, which Kazoo 4\.2 needs/,
  },
  "a RabbitMQ whose image logs its password": {
    config: ringOf({ rabbitmq: "3.8" }),
    key: "kazoo:rings.main.rabbitmq",
    found: '"3.8"',
    expected: /^one of 3\.9, .*to 3\.9 first, then rotate the password/,
  },
  "RabbitMQ 4.3 without the permit flag": {
    config: ringOf({ rabbitmq: 4.3 }),
    key: "kazoo:rings.main.rabbitmq",
    found: '"4.3"',
    expected: /permitTransientQueues: true/,
  },
  "the permit flag with a RabbitMQ that does not know it": {
    config: ringOf({ rabbitmq: "3.12", permitTransientQueues: true }),
    key: "kazoo:rings.main.permitTransientQueues",
    found: "true",
    expected: /RabbitMQ 3\.13 or newer: RabbitMQ 3\.12 does not start/,
  },
  "a Kazoo other than the one that is built": {
    config: {
      ...ringOf({ kazoo: "master", database: "couchdb-3.3.3" }),
      ...{ image: { build: { registry: "r.example.com", repository: "kazoo", args: { KAZOO_VERSION: "4.2" } } } },
    },
    key: "kazoo:rings.main.kazoo",
    found: '"master"',
    expected: /built of, 4\.2 \(KAZOO_VERSION 4\.2\), since all rings run one image/,
  },
  "a Kazoo of another series than the tag that is built": {
    config: build({ args: { KAZOO_VERSION: "4.3.12" } }, { rings: { "us-east-nyc": { kazoo: "4.2" } } }),
    key: "kazoo:rings.us-east-nyc.kazoo",
    found: '"4.2"',
    expected: /built of, 4\.3 \(KAZOO_VERSION 4\.3\.12\)/,
  },
  "a Kazoo other than that of the ring whose version is built": {
    config: twoRings({ kazoo: "4.2" }, { image: { build: { registry: "registry.example.com", repository: "kazoo" } } }),
    key: "kazoo:rings.other.kazoo",
    found: '"4.3"',
    expected: /built of, 4\.2 \(KAZOO_VERSION 4\.2\), since all rings run one image/,
  },
  "a Kazoo other than the one that is built for Docker": {
    config: onDocker({
      image: { build: { repository: "kazoo", args: { KAZOO_VERSION: "master" } } },
      rings: { "local-dev": { kazoo: "4.3" } },
    }),
    key: "kazoo:rings.local-dev.kazoo",
    found: '"4.3"',
    expected: /built of, master/,
  },
  "one image for brokers of two versions": {
    config: twoRings({ rabbitmq: "4.2" }, { images: { rabbitmq: "mirror.example.com/rabbitmq:4.2" } }),
    key: "kazoo:images.rabbitmq",
    found: '"mirror.example.com/rabbitmq:4.2"',
    expected: /main has 4\.2 and other 3\.13/,
  },
  "a mirror with a scheme": {
    config: { ...good(), imageMirror: "https://mirror.example.com" },
    key: "kazoo:imageMirror",
    found: '"https://mirror.example.com"',
    expected: /without https:\/\//,
  },
  "a mirror that would be a repository of Docker Hub": {
    config: { ...good(), imageMirror: "mirror/images" },
    key: "kazoo:imageMirror",
    found: '"mirror/images"',
    expected: /a registry's host/,
  },
  "a registry with a scheme": {
    config: { ...good(), registries: { "https://registry.example.com": { secretName: "pull" } } },
    key: "kazoo:registries.https://registry.example.com",
    found: '"https://registry.example.com"',
    expected: /a registry's host .* without https:\/\//,
  },
  "a registry with a path": {
    config: { ...good(), registries: { "registry.example.com/kazoo": { secretName: "pull" } } },
    key: "kazoo:registries.registry.example.com/kazoo",
    found: '"registry.example.com/kazoo"',
    expected: /without https:\/\/ and a path/,
  },
  "a registry that would be a repository of Docker Hub": {
    config: { ...good(), registries: { registry: { secretName: "pull" } } },
    key: "kazoo:registries.registry",
    found: '"registry"',
    expected: /a registry's host/,
  },
  "Docker Hub by another name": {
    config: {
      ...good(),
      registries: { "docker.io": { secretName: "pull" }, "index.docker.io": { secretName: "pull" } },
    },
    key: "kazoo:registries.index.docker.io",
    found: '"index.docker.io"',
    expected: /docker\.io/,
  },
  "a password of kazoo:registries in plain": {
    config: { ...good(), registries: { "registry.example.com": { username: "ci", password: "hunter2" } } },
    key: "kazoo:registries",
    found: "plain text",
    expected: /Pulumi secrets/,
  },
  "a registry without a login": {
    config: { ...good(), registries: { "registry.example.com": {} } },
    key: "kazoo:registries.registry.example.com.username",
    found: "nothing",
    expected: /or a secretName/,
  },
  "a login without its password": {
    config: { ...good(), registries: { "registry.example.com": { username: "ci" } } },
    key: "kazoo:registries.registry.example.com.password",
    found: "nothing",
    expected: /the password of ci/,
  },
  "a login next to a Secret": {
    config: {
      ...good(),
      registries: { "registry.example.com": { username: "ci", password: "hunter2", secretName: "pull" } },
    },
    secret: "registries",
    key: "kazoo:registries.registry.example.com.secretName",
    found: '"pull"',
    expected: /not both/,
  },
  "two logins for one registry": {
    config: build(
      { username: "ci" },
      { registryPassword: "hunter2", registries: { "registry.example.com": { username: "ci", password: "hunter2" } } },
    ),
    secret: "registries registryPassword",
    key: "kazoo:image.build.username",
    found: '"ci"',
    expected: /one login for registry\.example\.com/,
  },
  "a registry's Secret that the stack makes itself": {
    config: { ...good(), registries: { "registry.example.com": { secretName: "rabbitmq" } } },
    key: "kazoo:registries.registry.example.com.secretName",
    found: '"rabbitmq"',
    expected: /does not create itself/,
  },
  "a Secret for a Docker Engine": {
    config: onDocker({ registries: { "registry.example.com": { secretName: "pull" } } }),
    key: "kazoo:registries.registry.example.com.secretName",
    found: '"pull"',
    expected: /cluster local is a Docker Engine/,
  },
  "one image for two databases": {
    config: twoRings({ database: "bigcouch-0.4.2" }, { images: { database: "mirror.example.com/bigcouch:0.4.2" } }),
    key: "kazoo:images.database",
    found: '"mirror.example.com/bigcouch:0.4.2"',
    expected: /main has bigcouch-0\.4\.2 and other couchdb-2\.3\.1/,
  },
  "a Kazoo that does not exist": {
    config: ringOf({ kazoo: "5.0" }),
    key: "kazoo:rings.main.kazoo",
    found: '"5.0"',
    expected: /one of 4\.0, 4\.1/,
  },
  "RabbitMQ 3.10 read as 3.1": {
    config: ringOf({ rabbitmq: 3.1 }),
    key: "kazoo:rings.main.rabbitmq",
    found: "3.1",
    expected: /in quotes/,
  },
  "a database that is none": {
    config: ringOf({ database: "mysql-8" }),
    key: "kazoo:rings.main.database",
    found: '"mysql-8"',
    expected: /couchdb-2/,
  },
  "BigCouch without an image": {
    config: ringOf({ database: "bigcouch-0.4.2" }),
    key: "kazoo:images.database",
    found: "nothing",
    expected: /no official one/,
  },
  "more copies than nodes": {
    config: ringOf({ quorum: { n: 3 } }),
    key: "kazoo:rings.main.quorum.n",
    found: "3",
    expected: /number of database nodes, 1/,
  },
  "a quorum above the copies": {
    config: { ...ringOf({ database: "bigcouch-0.4.2", quorum: { r: 2 } }), images: { database: "bigcouch:0.4.2" } },
    key: "kazoo:rings.main.quorum.r",
    found: "2",
    expected: /number of copies, 1/,
  },
  "fewer configured copies than placed": {
    config: zonesOf({ a: 1, b: 1, c: 1 }, { quorum: { n: 2 } }),
    key: "kazoo:rings.main.quorum.n",
    found: "2",
    expected: /at least the sum of the placement, 3/,
  },
  "four zones with unequally many nodes without a placement": {
    config: zonesOf({ a: 1, b: 1, c: 3, d: 1 }),
    key: "kazoo:rings.main.placement",
    found: "nothing",
    expected: /all copies in one zone/,
  },
  "a quorum for CouchDB": {
    config: ringOf({ quorum: { w: 1 } }),
    key: "kazoo:rings.main.quorum.w",
    found: "1",
    expected: /couchdb-2\.3\.1 always requires a majority of the copies, 1 of 1; only BigCouch/,
  },
  "a placement in a zone of another ring": {
    config: ringOf({ placement: { "us-east-bos": 1 } }),
    key: "kazoo:rings.main.placement.us-east-bos",
    found: '"us-east-bos"',
    expected: /a zone of the ring, us-east-nyc/,
  },
  "more copies than the zone has nodes": {
    config: ringOf({ placement: { "us-east-nyc": 2 } }),
    key: "kazoo:rings.main.placement.us-east-nyc",
    found: "2",
    expected: /as the zone has database nodes, 1/,
  },
  "a ring over clusters with one domain": {
    config: twoClusters({ podNetwork: "10.1.0.0/16" }, { podNetwork: "10.2.0.0/16" }),
    key: "kazoo:clusters.west.clusterDomain",
    found: '"cluster.local"',
    expected: /other than that of cluster east/,
  },
  "a ring over clusters without pod networks": {
    config: twoClusters(
      { clusterDomain: "east.internal", podNetwork: "10.1.0.0/16" },
      { clusterDomain: "west.internal" },
    ),
    key: "kazoo:clusters.west.podNetwork",
    found: "nothing",
    expected: /must be let in/,
  },
  "storage without a unit": {
    config: datacenter({ workloads: { database: { storage: "20" } } }),
    key: `${nyc}.workloads.database.storage`,
    found: '"20"',
    expected: /binary unit/,
  },
  "storage in decimal units": {
    config: datacenter({ workloads: { rabbitmq: { storage: "4G" } } }),
    key: `${nyc}.workloads.rabbitmq.storage`,
    found: '"4G"',
    expected: /binary unit/,
  },
  "no processor": {
    config: datacenter({ workloads: { kazoo: { resources: { requests: { cpu: 0 } } } } }),
    key: `${nyc}.workloads.kazoo.resources.requests.cpu`,
    found: "0",
    expected: /cores/,
  },
  "a limit below the request": {
    config: datacenter({ workloads: { kazoo: { resources: { requests: { memory: "4Gi" } } } } }),
    key: `${nyc}.workloads.kazoo.resources.limits.memory`,
    found: '"2Gi"',
    expected: /at least what is requested, 4Gi/,
  },
  "a processor limit below the request": {
    config: datacenter({ workloads: { kazoo: { resources: { requests: { cpu: 2 }, limits: { cpu: "1500m" } } } } }),
    key: `${nyc}.workloads.kazoo.resources.limits.cpu`,
    found: '"1500m"',
    expected: /at least what is requested, 2/,
  },
  "a port out of range": {
    config: environment({ BIGCOUCH_DATA_PORT: 70000 }),
    key: "kazoo:environment.BIGCOUCH_DATA_PORT",
    found: "70000",
    expected: /1 to 65535/,
  },
  "a level that Kazoo does not know": {
    config: environment({ KAZOO_LOG_LEVEL: "verbose" }),
    key: "kazoo:environment.KAZOO_LOG_LEVEL",
    found: '"verbose"',
    expected: /debug, info, notice/,
  },
  "threads as text": {
    config: environment({ ERLANG_THREADS: "many" }),
    key: "kazoo:environment.ERLANG_THREADS",
    found: '"many"',
    expected: /whole number/,
  },
  "a node name that is none": {
    config: environment({ ERLANG_VM: "whistle_apps" }),
    key: "kazoo:environment.ERLANG_VM",
    found: '"whistle_apps"',
    expected: /kazoo_apps, ecallmgr/,
  },
  "a master account that no node could make": {
    config: twoRings(
      { masterAccount: { name: "example", realm: "sip.example.com", user: "admin" } },
      { environment: { ERLANG_VM: "ecallmgr" } },
    ),
    key: "kazoo:rings.main.masterAccount",
    found: '"example"',
    expected: /ERLANG_VM kazoo_apps in zone us-east-bos, the ring's first: sup asks Crossbar there/,
  },
  "a host that is none": {
    config: environment({ KAZOO_AMQP_HOST: "amqp://broker" }),
    key: "kazoo:environment.KAZOO_AMQP_HOST",
    found: '"amqp://broker"',
    expected: /host name/,
  },
  "REGION in the environment": {
    config: environment({ REGION: "us" }),
    key: "kazoo:environment.REGION",
    found: "an unknown key",
    expected: /one of/,
  },
  "REGION in the extra environment": {
    config: { ...good(), extraEnvironment: { REGION: "us" } },
    key: "kazoo:extraEnvironment.REGION",
    found: "a variable that the program sets",
    expected: /names of region and datacenter/,
  },
  "a listed variable in the extra environment": {
    config: { ...good(), extraEnvironment: { KAZOO_LOG_LEVEL: "info" } },
    key: "kazoo:extraEnvironment.KAZOO_LOG_LEVEL",
    found: "a variable of the list",
    expected: /under environment/,
  },
  "a secret in the extra environment": {
    config: { ...good(), extraEnvironment: { CARRIER_PASSWORD: "hunter2-hunter2" } },
    key: "kazoo:extraEnvironment.CARRIER_PASSWORD",
    found: /looks secret/,
    expected: /ConfigMap/,
  },
  "a second cookie in the extra environment": {
    config: { ...good(), extraEnvironment: { KAZOO_COOKIE: "abc" } },
    key: "kazoo:extraEnvironment.KAZOO_COOKIE",
    found: /the program sets/,
    expected: /kazoo:credentials/,
  },
  "a cookie in the Erlang VM's flags": {
    config: { ...good(), extraEnvironment: { ERL_AFLAGS: "+S 4 -setcookie abc" } },
    key: "kazoo:extraEnvironment.ERL_AFLAGS",
    found: "what is not shown",
    expected: /without -name, -sname and -setcookie/,
  },
  "an empty list of applications": {
    config: { ...good(), extraEnvironment: { KAZOO_APPS: "" } },
    key: "kazoo:extraEnvironment.KAZOO_APPS",
    found: "what is not shown",
    expected: /separated by commas/,
  },
  "a zone that Kazoo drops": {
    config: environment({ KAZOO_ZONE: "undefined" }),
    key: "kazoo:environment.KAZOO_ZONE",
    found: '"undefined"',
    expected: /not undefined, which Kazoo silently drops/,
  },
  "a namespace with the digits of the database's port": {
    config: datacenter({ namespace: "kazoo-5984" }),
    key: `${nyc}.namespace`,
    found: '"kazoo-5984"',
    expected: /without the digits 5984 in it/,
  },
  "a database's password with the digits of its port": {
    config: { ...good(), credentials: { "us-east-nyc": { database: "Zq3vT8m5984x" } } },
    secret: "credentials",
    key: "kazoo:credentials.us-east-nyc.database",
    found: "[secret]",
    expected: /without the digits 5984 in it/,
  },
  "a broker's password in the extra environment": {
    config: { ...good(), extraEnvironment: { RABBITMQ_PASS: "hunter2-hunter2" } },
    key: "kazoo:extraEnvironment.RABBITMQ_PASS",
    found: /the program sets/,
    expected: /kazoo:credentials/,
  },
  "a variable with a name that is none": {
    config: { ...good(), extraEnvironment: { "MY-VAR": "x" } },
    key: "kazoo:extraEnvironment.MY-VAR",
    found: '"MY-VAR"',
    expected: /letters, digits/,
  },
  "secrets given in plain": {
    config: { ...good(), credentials: { "us-east-nyc": { cookie: "plain-text-cookie-here" } } },
    key: "kazoo:credentials",
    found: "plain text",
    expected: /Pulumi secrets/,
  },
  "a secret where none belongs": {
    config: good(),
    secret: "regions",
    key: "kazoo:regions",
    found: "[secret]",
    expected: /kazoo:credentials/,
  },
  "a cookie with a space": {
    config: { ...good(), credentials: { "us-east-nyc": { cookie: "not a cookie at all" } } },
    secret: "credentials",
    key: "kazoo:credentials.us-east-nyc.cookie",
    found: "[secret]",
    expected: /1 to 255 printable ASCII characters without blanks/,
  },
  "credentials of a ring that is not there": {
    config: { ...good(), credentials: { main: { cookie: "a-cookie-of-enough-length" } } },
    secret: "credentials",
    key: "kazoo:credentials.main",
    found: "[secret]",
    expected: /the name of a ring, us-east-nyc/,
  },
  "credentials of a ring that KAZOO_ZONE has renamed": {
    config: {
      ...good(),
      regions: { "us-east": { cluster: "east", environment: { KAZOO_ZONE: "zz" }, datacenters: { nyc: {} } } },
      credentials: { "us-east-nyc": { cookie: "a-cookie-of-enough-length" } },
    },
    secret: "credentials",
    key: "kazoo:credentials.us-east-nyc",
    found: "[secret]",
    expected: /the name of a ring, zz/,
  },
  "an image that is none": {
    config: { ...good(), image: { prebuilt: "Kazoo:4 latest" } },
    key: "kazoo:image.prebuilt",
    found: '"Kazoo:4 latest"',
    expected: /image reference/,
  },
  "a real cluster without an image": {
    config: { ...good(), image: {} },
    key: "kazoo:image",
    found: "nothing",
    expected: /cluster east admits no image that runs as root, as callforamerica\/kazoo:4 does/,
  },
  "a real cluster with the seed's image": {
    config: { ...good(), image: { prebuilt: "docker.io/callforamerica/kazoo:4" } },
    key: "kazoo:image.prebuilt",
    found: '"docker.io/callforamerica/kazoo:4"',
    expected: /an image that the stack builds \(build: …\)/,
  },
  "a platform's ring that is not defined": {
    config: { ...good(), ring: "mian", rings: { main: {}, other: {} } },
    key: "kazoo:ring",
    found: '"mian"',
    expected: /did you mean main\?/,
  },
  "a region's ring that is not defined, even if no datacenter uses it": {
    config: {
      ...good(),
      rings: { main: {} },
      regions: { "us-east": { cluster: "east", ring: "mian", datacenters: { nyc: { ring: "main" } } } },
    },
    key: "kazoo:regions.us-east.ring",
    found: '"mian"',
    expected: /a ring defined in kazoo:rings, main/,
  },
  "an image both prebuilt and built": {
    config: { ...good(), image: { prebuilt: "kazoo:4", build: { registry: "r.example.com", repository: "kazoo" } } },
    key: "kazoo:image.prebuilt",
    found: '"kazoo:4"',
    expected: /not both/,
  },
  "a build without a repository": {
    config: { ...good(), image: { build: { registry: "registry.example.com" } } },
    key: "kazoo:image.build.repository",
    found: "nothing",
    expected: /a repository's name/,
  },
  "a registry with its scheme": {
    config: build({ registry: "http://registry.example.com" }),
    key: "kazoo:image.build.registry",
    found: '"http://registry.example.com"',
    expected: /without http/,
  },
  "no tags": { config: build({ tags: [] }), key: "kazoo:image.build.tags", found: "[]", expected: /at least one tag/ },
  "a build argument with a name that is none": {
    config: build({ args: { "KAZOO-VERSION": "4.3" } }),
    key: "kazoo:image.build.args.KAZOO-VERSION",
    found: '"KAZOO-VERSION"',
    expected: /letters, digits/,
  },
  "a user of the registry without a password": {
    config: build({ username: "ci" }),
    key: "kazoo:registryPassword",
    found: "nothing",
    expected: /the password of ci/,
  },
  "a registry's password without a user": {
    config: build({}, { registryPassword: "hunter2" }),
    secret: "registryPassword",
    key: "kazoo:registryPassword",
    found: "[secret]",
    expected: /image\.build\.username/,
  },
  "a registry's password in plain": {
    config: build({ username: "ci" }, { registryPassword: "hunter2" }),
    key: "kazoo:registryPassword",
    found: "plain text",
    expected: /Pulumi secrets/,
  },
  "an image that no registry brings to a cluster": {
    config: { ...good(), image: { build: { repository: "kazoo" } } },
    key: "kazoo:image.build.registry",
    found: "nothing",
    expected: /cluster east has no other way/,
  },
  "an image that another engine than the containers' builds": {
    config: onDocker({ image: { build: { repository: "kazoo", docker: "tcp://builder:2375" } } }),
    key: "kazoo:image.build.registry",
    found: "nothing",
    expected: /cluster local has no other way/,
  },
  "plain HTTP to no registry": {
    config: onDocker({ image: { build: { repository: "kazoo", plainHttp: true } } }),
    key: "kazoo:image.build.plainHttp",
    found: "true",
    expected: /a registry next to it/,
  },
  "docker and sandbox": {
    config: onDocker({ clusters: { local: { docker: {}, sandbox: true } } }),
    key: "kazoo:clusters.local.sandbox",
    found: "true",
    expected: /no key of Kubernetes/,
  },
  "docker with a cluster domain": {
    config: onDocker({ clusters: { local: { docker: {}, clusterDomain: "east.internal" } } }),
    key: "kazoo:clusters.local.clusterDomain",
    found: '"east.internal"',
    expected: /no key of Kubernetes/,
  },
  "a Docker host that is none": {
    config: onDocker({ clusters: { local: { docker: { host: "/var/run/docker.sock" } } } }),
    key: "kazoo:clusters.local.docker.host",
    found: '"/var/run/docker.sock"',
    expected: /unix:\/\//,
  },
  "an address to publish on that is none": {
    config: onDocker({ clusters: { local: { docker: { address: "localhost" } } } }),
    key: "kazoo:clusters.local.docker.address",
    found: '"localhost"',
    expected: /an IP address/,
  },
  "a Docker network with too long a name": {
    config: onDocker({ clusters: { local: { docker: { network: "n".repeat(60) } } } }),
    key: "kazoo:clusters.local.docker.network",
    found: /nnn/,
    expected: /64 is the most/,
  },
  "two datacenters on one Docker Engine": {
    config: onDocker({ regions: { local: { cluster: "local", datacenters: { dev: {}, lab: {} } } } }),
    key: "kazoo:regions.local.datacenters.lab.cluster",
    found: '"local"',
    expected: /local\/dev is on local already/,
  },
  "two Docker clusters on one engine": {
    config: {
      clusters: { a: { docker: {} }, b: { docker: { network: "other" } } },
      regions: { local: { datacenters: { dev: { cluster: "a" }, lab: { cluster: "b" } } } },
    },
    key: "kazoo:clusters.b.docker.host",
    found: '"unix:///var/run/docker.sock"',
    expected: /a separate engine/,
  },
  "a ring over Docker and Kubernetes": {
    config: {
      ...ownImage,
      clusters: { local: { docker: {} }, east: { context: "e" } },
      rings: { main: {} },
      regions: {
        local: { cluster: "local", datacenters: { dev: { ring: "main" } } },
        "us-east": { cluster: "east", datacenters: { nyc: { ring: "main" } } },
      },
    },
    key: `${dev}.ring`,
    found: '"main"',
    expected: /a ring of its own/,
  },
  "replicas on Docker": {
    config: onDocker({ workloads: { kazoo: { replicas: 2 } } }),
    key: "kazoo:workloads.kazoo.replicas",
    found: "2",
    expected: /local\/dev is on plain Docker/,
  },
  "a namespace on Docker": {
    config: onDocker({ regions: { local: { cluster: "local", datacenters: { dev: { namespace: "kazoo" } } } } }),
    key: `${dev}.namespace`,
    found: '"kazoo"',
    expected: /only Kubernetes has/,
  },
  "a rotation to the first user": {
    config: ringOf({ rotations: { rabbitmq: { number: 1 } } }),
    key: "kazoo:rings.main.rotations.rabbitmq.number",
    found: "1",
    expected: /from 2 to 9999/,
  },
  "an unknown step of a rotation": {
    config: ringOf({ rotations: { rabbitmq: { number: 2, step: "added" } } }),
    key: "kazoo:rings.main.rotations.rabbitmq.step",
    found: '"added"',
    expected: /one of add, move, remove/,
  },
  "a rotation on Docker": {
    config: onDocker({ rings: { "local-dev": { rotations: { rabbitmq: { number: 2 } } } } }),
    key: "kazoo:rings.local-dev.rotations.rabbitmq",
    found: '{"number":2}',
    expected: /nothing on Docker/,
  },
  "a rotation of somebody else's Secret": {
    config: {
      ...ringOf({ rotations: { rabbitmq: { number: 2, step: "add" } } }),
      credentials: { main: { rabbitmq: { secretName: "vault-broker" } } },
    },
    key: "kazoo:rings.main.rotations.rabbitmq",
    found: '{"number":2}',
    expected: /nothing with an existing Secret in kazoo:credentials\.main\.rabbitmq/,
  },
  "a rotation of BigCouch's administrator": {
    config: {
      ...ringOf({ database: "bigcouch-0.4.2", rotations: { database: { number: 2 } } }),
      images: { database: "mirror.example.com/bigcouch:0.4.2" },
    },
    key: "kazoo:rings.main.rotations.database",
    found: '{"number":2}',
    expected: /nothing with BigCouch/,
  },
  "a rotation of a password that the stack does not have": {
    config: ringOf({ rotations: { masterAccount: { number: 2 } } }),
    key: "kazoo:rings.main.rotations.masterAccount",
    found: '{"number":2}',
    expected: /nothing without kazoo:rings\.main\.masterAccount/,
  },
  "a second cookie beside the first": {
    config: ringOf({ rotations: { cookie: { number: 2, step: "add" } } }),
    key: "kazoo:rings.main.rotations.cookie.step",
    found: '"add"',
    expected: /one of move, remove$/,
  },
  "a password of a user that is gone": {
    config: {
      ...ringOf({ rotations: { rabbitmq: { number: 2 } } }),
      credentials: { main: { rabbitmq: "a-password" } },
    },
    secret: "credentials",
    key: "kazoo:credentials.main.rabbitmq",
    found: "[secret]",
    expected: /nothing: rabbitmq was rotated to number 2/,
  },
  "a drained datacenter on Docker": {
    config: onDocker({ regions: { local: { cluster: "local", datacenters: { dev: { drained: ["kazoo"] } } } } }),
    key: `${dev}.drained`,
    found: '["kazoo"]',
    expected: /only Kubernetes has/,
  },
  "brokers that are drained under a Kazoo that runs": {
    config: { ...good(), regions: { "us-east": { cluster: "east", datacenters: { nyc: { drained: ["rabbitmq"] } } } } },
    key: "kazoo:regions.us-east.datacenters.nyc.drained",
    found: '["rabbitmq"]',
    expected: /only together with those that use it/,
  },
  "a volume's size on Docker": {
    config: onDocker({ workloads: { database: { storage: "1Gi" } } }),
    key: "kazoo:workloads.database.storage",
    found: '"1Gi"',
    expected: /only Kubernetes has/,
  },
  "a media network that is none": {
    config: { ...good(), mediaNetworks: ["freeswitch"] },
    key: "kazoo:mediaNetworks",
    found: '["freeswitch"]',
    expected: /CIDR/,
  },
  "a Service of a type that is none": {
    config: datacenter({ workloads: { kazoo: { service: { type: "Loadbalancer" } } } }),
    key: `${nyc}.workloads.kazoo.service.type`,
    found: '"Loadbalancer"',
    expected: /LoadBalancer/,
  },
  ...Object.fromEntries(
    Object.entries({
      externalTrafficPolicy: "Local",
      loadBalancerSourceRanges: ["198.51.100.0/24"],
      loadBalancerClass: "example.com/internal",
      nodePorts: { crossbar: 30800 },
    }).map(([name, value]) => [
      `${name} of a Service that only the cluster reaches`,
      {
        config: datacenter({ workloads: { kazoo: { service: { [name]: value } } } }),
        key: `${nyc}.workloads.kazoo.service.${name}`,
        found: JSON.stringify(value),
        expected: /nothing in a Service of type ClusterIP: only (NodePort and )?LoadBalancer can have it/,
      },
    ]),
  ),
  "networks of a load balancer on a NodePort": {
    config: datacenter({
      workloads: { kazoo: { service: { type: "NodePort", loadBalancerSourceRanges: ["198.51.100.0/24"] } } },
    }),
    key: `${nyc}.workloads.kazoo.service.loadBalancerSourceRanges`,
    found: '["198.51.100.0/24"]',
    expected: /NodePort: only LoadBalancer/,
  },
  "a network of a load balancer that is none": {
    config: datacenter({
      workloads: { kazoo: { service: { type: "LoadBalancer", loadBalancerSourceRanges: ["198.51.100.0"] } } },
    }),
    key: `${nyc}.workloads.kazoo.service.loadBalancerSourceRanges`,
    found: '["198.51.100.0"]',
    expected: /CIDR/,
  },
  "one node port for both of Kazoo's ports": {
    config: datacenter({
      workloads: { kazoo: { service: { type: "NodePort", nodePorts: { crossbar: 30800, websockets: 30800 } } } },
    }),
    key: `${nyc}.workloads.kazoo.service.nodePorts.websockets`,
    found: "30800",
    expected: /other than Crossbar's/,
  },
  "one node port in two datacenters of a cluster": {
    config: twoZones({}, { workloads: { kazoo: { service: { type: "NodePort", nodePorts: { crossbar: 30800 } } } } }),
    key: `${nyc}.workloads.kazoo.service.nodePorts.crossbar`,
    found: "30800",
    expected: /us-east\/bos has this one/,
  },
  "an ingress without a host": {
    config: { ...good(), ingress: { class: "nginx" } },
    key: `${nyc}.ingress.host`,
    found: "nothing",
    expected: /host name/,
  },
  "one host in two datacenters of a cluster": {
    config: twoZones({}, { ingress: { host: "kazoo.example.com" } }),
    key: `${nyc}.ingress.host`,
    found: '"kazoo.example.com"',
    expected: /us-east\/bos has this one/,
  },
  "one host for the websockets of two datacenters of a cluster": {
    config: {
      ...twoZones({}),
      regions: {
        "us-east": {
          cluster: "east",
          ingress: { websockets: { host: "ws.example.com" } },
          datacenters: {
            bos: { ring: "main", ingress: { host: "bos.example.com" } },
            nyc: { ring: "main", ingress: { host: "nyc.example.com" } },
          },
        },
      },
    },
    key: `${nyc}.ingress.websockets.host`,
    found: '"ws.example.com"',
    expected: /us-east\/bos has this one/,
  },
  "websockets in Crossbar's place": {
    config: datacenter({ ingress: { host: "kazoo.example.com", websockets: { path: "/" } } }),
    key: `${nyc}.ingress.websockets.path`,
    found: '"/"',
    expected: /a path other than Crossbar's/,
  },
  "TLS without a Secret or an issuer": {
    config: datacenter({ ingress: { host: "kazoo.example.com", tls: {} } }),
    key: `${nyc}.ingress.tls`,
    found: "{}",
    expected: /secretName.*issuer/,
  },
  "two issuers": {
    config: datacenter({ ingress: { host: "kazoo.example.com", tls: { issuer: "a", clusterIssuer: "b" } } }),
    key: `${nyc}.ingress.tls.issuer`,
    found: '"a"',
    expected: /not both/,
  },
  "a namespace of the clients next to a load balancer": {
    config: datacenter({
      ingress: { host: "kazoo.example.com", controllerNamespace: "ingress-nginx" },
      workloads: { kazoo: { service: { type: "LoadBalancer" } } },
    }),
    key: `${nyc}.ingress.controllerNamespace`,
    found: '"ingress-nginx"',
    expected: /LoadBalancer: its clients/,
  },
  "an ingress and a gateway": {
    config: datacenter({ ingress: { host: "kazoo.example.com" }, gateway: { host: "kazoo.example.com", name: "a" } }),
    key: `${nyc}.gateway`,
    found: /kazoo.example.com/,
    expected: /not both/,
  },
  "a gateway without a name": {
    config: datacenter({ gateway: { host: "kazoo.example.com" } }),
    key: `${nyc}.gateway.name`,
    found: "nothing",
    expected: /name of a Gateway/,
  },
  "an ingress on Docker": {
    config: onDocker({ ingress: { host: "kazoo.example.com" } }),
    key: "kazoo:ingress",
    found: '{"host":"kazoo.example.com"}',
    expected: /only Kubernetes has/,
  },
  "Monster UI's apps without an address": {
    config: ringOf({ masterAccount: { name: "example", realm: "sip.example.com", user: "admin", monsterUi: {} } }),
    key: "kazoo:rings.main.masterAccount.monsterUi.url",
    found: "nothing",
    expected: /no datacenter of the ring has an ingress/,
  },
};

for (const [what, { config, secret, key, found, expected }] of Object.entries(table)) {
  test(`refuses ${what}`, () => {
    const problems = problemsOf(config, ...(secret?.split(" ") ?? []));
    const problem = problems.find((candidate) => candidate.key === key);
    assert.ok(
      problem,
      `no problem at ${key}, but at: ${problems.map((candidate) => candidate.key).join(", ") || "nothing"}`,
    );
    if (typeof found === "string") assert.equal(problem.found, found);
    else assert.match(problem.found, found);
    assert.match(problem.expected, expected);
    assert.notEqual(problem.example, "");
    assert.equal(
      problems.length,
      1,
      `one cause, but ${problems.length} problems: ${problems.map((candidate) => candidate.key).join(", ")}`,
    );
  });
}

test("reports all problems at once, of single keys and between keys", () => {
  const problems = problemsOf({
    ...ownImage,
    clusters: { east: { context: "e" } },
    rings: { main: { kazoo: "4.2", database: "couchdb-3.3.3" } },
    environment: { KAZOO_LOG_LEVEL: "loud" },
    regions: {
      "us-east": {
        cluster: "east",
        datacenters: { nyc: { ring: "main", workloads: { kazoo: { replicas: -1 } } }, bos: { ring: "other" } },
      },
    },
  });
  assert.deepEqual(
    problems.map(({ key }) => key),
    [
      `${nyc}.workloads.kazoo.replicas`,
      "kazoo:environment.KAZOO_LOG_LEVEL",
      "kazoo:regions.us-east.datacenters.bos.ring",
      "kazoo:rings.main.database",
    ],
  );
});

test("an error names the key, what was found, what is expected and an example, and no secret", () => {
  assert.throws(
    () =>
      parsePlatform(
        { ...good(), credentials: { "us-east-nyc": { cookie: "my cookie!" } }, protect: "no" },
        new Set(["credentials"]),
      ),
    (error: Error) => {
      assert.match(error.message, /^2 problems in the config of this stack:\n/);
      assert.match(
        error.message,
        /kazoo:protect: found "no"; expected true or false, without quotes, for example: false/,
      );
      assert.doesNotMatch(error.message, /my cookie/);
      return true;
    },
  );
});

test("the nearest environment wins, variable by variable, over the original project's defaults", () => {
  const { zones } = parsePlatform(
    {
      ...good(),
      environment: { KAZOO_LOG_LEVEL: "warning", ERLANG_THREADS: 50 },
      regions: {
        "us-east": {
          cluster: "east",
          environment: { KAZOO_LOG_LEVEL: "error", KAZOO_LOG_COLOR: false },
          datacenters: {
            bos: {},
            nyc: { environment: { KAZOO_LOG_LEVEL: "debug" }, extraEnvironment: { TZ: "America/New_York" } },
          },
        },
      },
    },
    new Set(),
  );
  const [bos, nycZone] = zones.map((zone) => zone.environment);
  assert.equal(bos?.KAZOO_LOG_LEVEL, "error");
  assert.equal(bos?.TZ, undefined);
  assert.deepEqual(nycZone, {
    ERLANG_VM: "kazoo_apps",
    ERLANG_THREADS: "50",
    KAZOO_LOG_LEVEL: "debug",
    KAZOO_LOG_COLOR: "false",
    KAZOO_SASL_ERRLOG_TYPE: "error",
    KAZOO_SASL_ERROR_LOGGER: "tty",
    BIGCOUCH_COMPACT_AUTOMATICALLY: "true",
    KUBERNETES_HOSTNAME_FIX: "false",
    TZ: "America/New_York",
    REGION: "us-east",
    DATACENTER: "nyc",
    KAZOO_ZONE: "us-east-nyc",
  });
});

test("sizes are merged key by key and quantities come out canonical", () => {
  const { zones } = parsePlatform(
    {
      ...good(),
      workloads: {
        kazoo: { replicas: 3, resources: { requests: { cpu: "1000m", memory: "1024Mi" } } },
        database: { storage: "2048Gi" },
      },
      regions: {
        "us-east": {
          cluster: "east",
          datacenters: { nyc: { workloads: { kazoo: { resources: { limits: { cpu: 1.5 } } } } } },
        },
      },
    },
    new Set(),
  );
  assert.deepEqual(zones[0]?.kazoo, {
    replicas: 3,
    resources: { requests: { cpu: "1", memory: "1Gi" }, limits: { cpu: "1500m", memory: "2Gi" } },
    service: { type: "ClusterIP", annotations: {} },
    topologySpread: "ScheduleAnyway",
  });
  assert.equal(zones[0]?.database.storage, "2Ti");
});

test("quorum and placement follow 2600Hz's figures", () => {
  const ring = (config: Config) => Object.values(parsePlatform(config, new Set()).rings)[0];
  const bigcouch = { database: "bigcouch-0.4.2" };
  const images = { database: "mirror.example.com/bigcouch:0.4.2" };
  const onBigcouch = (config: Config) => ring({ ...config, rings: { main: bigcouch }, images });
  const replicas = (count: number) => ({ database: { replicas: count } });
  assert.deepEqual(ring(good())?.quorum, { q: 1, n: 1 });
  assert.deepEqual(onBigcouch(ringOf({}))?.quorum, { q: 1, n: 1, r: 1, w: 1 });
  const five = { ...ringOf({}), workloads: replicas(5) };
  assert.deepEqual(ring(five)?.quorum, { q: 3, n: 3 });
  assert.deepEqual(onBigcouch(five)?.quorum, { q: 3, n: 3, r: 2, w: 2 });
  const two = twoZones({}, { workloads: replicas(3) });
  assert.deepEqual(ring(two)?.placement, { "us-east-bos": 2, "us-east-nyc": 2 });
  assert.deepEqual(ring(two)?.quorum, { q: 3, n: 4 });
  assert.deepEqual(onBigcouch(two)?.quorum, { q: 3, n: 4, r: 2, w: 2 });
});

test("a ring of many zones keeps three copies, too", () => {
  const ring = (nodes: Record<string, number>, settings: Config = {}) =>
    parsePlatform(zonesOf(nodes, settings), new Set()).rings["main"];
  const five = { a: 1, b: 1, c: 1, d: 1, e: 1 };
  assert.deepEqual(ring({ a: 1, b: 1, c: 1 })?.placement, { "us-a": 1, "us-b": 1, "us-c": 1 });
  assert.equal(ring(five)?.placement, undefined);
  assert.deepEqual(ring(five)?.quorum, { q: 3, n: 3 });
  const placement = { "us-a": 1, "us-b": 1, "us-d": 1, "us-e": 1 };
  assert.deepEqual(ring(five, { placement })?.quorum, { q: 3, n: 4 });
  assert.deepEqual(ring({ ...five, a: 3 }, { placement })?.quorum, { q: 3, n: 4 });
});

test("the example for four unequal zones is a valid placement", () => {
  const [problem] = problemsOf(zonesOf({ a: 1, b: 1, c: 3, d: 1 }));
  assert.equal(problem?.example, "{ us-c: 1, us-a: 1, us-b: 1 }");
  const placement = { "us-a": 1, "us-b": 1, "us-c": 1 };
  assert.deepEqual(problemsOf(zonesOf({ a: 1, b: 1, c: 3, d: 1 }, { placement })), []);
});

test("n may be larger than the placement's copies, for older databases that have more", () => {
  assert.deepEqual(problemsOf(zonesOf({ a: 1, b: 1, c: 1 }, { quorum: { n: 4 } })), []);
  assert.deepEqual(problemsOf(zonesOf({ a: 2 }, { quorum: { n: 3 }, placement: { "us-a": 2 } })), []);
});

test("adding a third zone to a ring does not lower n below what its databases have", () => {
  const copies = (nodes: Record<string, number>, database: string, more: Config = {}) => {
    const kazoo = database.startsWith("couchdb-3") ? "master" : "4.3";
    const images = database.startsWith("bigcouch") ? { images: { database: "mirror.example.com/bigcouch:0.4.2" } } : {};
    const config = { ...zonesOf(nodes, { kazoo, database, ...more }), ...images };
    return parsePlatform(config, new Set()).rings["main"]?.quorum.n;
  };
  for (const database of ["couchdb-2.3.1", "couchdb-3.1.2", "couchdb-3.0", "bigcouch-0.4.2"]) {
    assert.equal(copies({ a: 2, b: 2 }, database), 4, database);
    assert.equal(copies({ a: 2, b: 2, c: 2 }, database), 4, database);
    assert.equal(copies({ a: 1, b: 1 }, database), 4, database);
  }
  // From CouchDB 3.2 on, an upload waits for as many copies as the database has.
  assert.equal(copies({ a: 2, b: 2, c: 2 }, "couchdb-3.2.0"), 3);
  assert.equal(copies({ a: 2, b: 2, c: 2 }, "couchdb-2.3.1", { quorum: { n: 5 } }), 5);
});

test("a ring named by a region's KAZOO_ZONE may have credentials and a description", () => {
  const config = {
    ...good(),
    rings: { zz: { kazoo: "4.2" } },
    regions: { "us-east": { cluster: "east", environment: { KAZOO_ZONE: "zz" }, datacenters: { nyc: {} } } },
    credentials: { zz: { cookie: "a-cookie-of-enough-length" } },
  };
  assert.deepEqual(problemsOf(config, "credentials"), []);
});

test("a zone may have 36 characters, and 63 on plain Docker, where no Job joins its database", () => {
  assert.deepEqual(problemsOf(datacenter({ namespace: "nyc", environment: { KAZOO_ZONE: "z".repeat(36) } })), []);
  assert.deepEqual(problemsOf(onDocker({ environment: { KAZOO_ZONE: "z".repeat(63) } })), []);
});

test("a zone that is alone in its ring may be called local", () => {
  assert.deepEqual(problemsOf(environment({ KAZOO_ZONE: "local" })), []);
});

test("zones of different rings may share brokers, and a zone alone in its ring may have one broker", () => {
  const environment = { KAZOO_AMQP_HOST: "mq.example.com", KAZOO_SECONDARY_AMQP_HOST: "mq.example.com" };
  assert.deepEqual(problemsOf(twoRings({}, { environment })), []);
  const hosts = { KAZOO_AMQP_HOST: "a.example.com", KAZOO_SECONDARY_AMQP_HOST: "b.example.com" };
  assert.deepEqual(problemsOf(twoZones({ environment: hosts })), []);
});

test("a ring's Kazoo version must match the build, as far as the build shows it", () => {
  const kazooOf = (settings: Config, ring: Config = {}) =>
    parsePlatform(build(settings, { rings: { "us-east-nyc": ring } }), new Set()).rings["us-east-nyc"]?.kazoo;
  const args = (version: string) => ({ args: { KAZOO_VERSION: version } });
  assert.equal(kazooOf(args("4.2.7")), "4.2");
  assert.equal(kazooOf(args("master")), "master");
  assert.equal(kazooOf(args("4.3.12"), { kazoo: "4.3" }), "4.3");
  assert.equal(kazooOf(args("our-branch"), { kazoo: "4.1" }), "4.1");
  // An image from elsewhere can have any version, and another Dockerfile its own default.
  assert.equal(kazooOf({ ...args("4.3"), digest: `sha256:${"0".repeat(64)}` }, { kazoo: "4.2" }), "4.2");
  assert.equal(kazooOf({ context: "my-image" }, { kazoo: "4.2" }), "4.2");
  const dockerfile = readFileSync(join(__dirname, "../../image/Dockerfile"), "utf8");
  const defaults = [...dockerfile.matchAll(/^ARG KAZOO_VERSION=(.*)$/gm)].map(([, version]) => version);
  assert.deepEqual(new Set(defaults), new Set([defaultKazooVersion]));
});

test("a registry is pushed to under any name that Docker takes for a host, and an image of Docker Hub can be pinned", () => {
  for (const registry of ["localhost", "registry:5000", "docker.io", "Registry.example.com", "REGISTRY", "192.0.2.7"])
    assert.deepEqual(problemsOf(build({ registry })), [], registry);
  assert.deepEqual(problemsOf(build({ registry: "telephony", digest: `sha256:${"0".repeat(64)}` })), []);
});

test("one image serves two rings of one version", () => {
  const images = { rabbitmq: "mirror.example.com/rabbitmq:3.13", database: "mirror.example.com/couchdb:2.3.1" };
  assert.deepEqual(problemsOf(twoRings({ kazoo: "4.2" }, { images })), []);
});

test("an image is built with the rings' Kazoo version, unless the build sets another", () => {
  const argsOf = (settings: Config, ring: Config) => {
    const { image } = parsePlatform(build(settings, { rings: { "us-east-nyc": ring } }), new Set());
    return image.kind === "build" ? image.args : undefined;
  };
  assert.deepEqual(argsOf({}, { kazoo: "4.2" }), { KAZOO_VERSION: "4.2" });
  assert.deepEqual(argsOf({ args: { ERLANG_VERSION: "19.3" } }, { kazoo: "4.0" }), {
    ERLANG_VERSION: "19.3",
    KAZOO_VERSION: "4.0",
  });
  assert.deepEqual(argsOf({ args: { KAZOO_VERSION: "4.2.7" } }, { kazoo: "4.2" }), { KAZOO_VERSION: "4.2.7" });
  // Already the Dockerfile's default: an extra argument would rebuild the image of every live stack.
  assert.deepEqual(argsOf({}, {}), {});
  assert.deepEqual(argsOf({ context: "my-image" }, {}), {});
  assert.deepEqual(argsOf({ context: "my-image" }, { kazoo: "4.3" }), { KAZOO_VERSION: "4.3" });
});

test("the nearest ring setting wins, of platform, region and datacenter", () => {
  const { zones } = parsePlatform(
    {
      ...good(),
      ring: "main",
      rings: { main: {}, west: {}, lab: {} },
      regions: {
        "us-east": { cluster: "east", datacenters: { nyc: {}, bos: { ring: "lab" } } },
        "us-west": { cluster: "east", ring: "west", datacenters: { sfo: {}, lax: { ring: "main" } } },
      },
    },
    new Set(),
  );
  assert.deepEqual(Object.fromEntries(zones.map(({ name, ring }) => [name, ring])), {
    "us-east-bos": "lab",
    "us-east-nyc": "main",
    "us-west-lax": "main",
    "us-west-sfo": "west",
  });
});

test("a nearer level's default does not hide a farther level's value", () => {
  const { zones } = parsePlatform(
    {
      ...good(),
      mediaNetworks: ["192.0.2.0/24"],
      extraEnvironment: { TZ: "Etc/UTC" },
      workloads: { database: { resources: { limits: { memory: "4Gi" } } } },
      regions: {
        "us-east": {
          cluster: "east",
          workloads: { database: { replicas: 3 } },
          datacenters: { nyc: { workloads: { database: { resources: { limits: { cpu: 2 } } } } } },
        },
      },
    },
    new Set(),
  );
  assert.equal(zones[0]?.environment.TZ, "Etc/UTC");
  assert.deepEqual(zones[0]?.mediaNetworks, ["192.0.2.0/24"]);
  assert.deepEqual(zones[0]?.database, {
    replicas: 3,
    storage: "20Gi",
    resources: { requests: { cpu: "500m", memory: "1Gi" }, limits: { cpu: "2", memory: "4Gi" } },
    topologySpread: "ScheduleAnyway",
  });
});

test("the original project's image runs in the sandbox and on Docker", () => {
  for (const cluster of [{ sandbox: true }, { docker: {} }]) {
    const { image } = parsePlatform(onDocker({ clusters: { local: cluster } }), new Set());
    assert.deepEqual(image, { kind: "prebuilt", reference: "callforamerica/kazoo:4" });
  }
});

describe("the config accepts and refuses what the table shared with the image's entrypoint says", () => {
  const accepts = (key: string, value: string) =>
    problemsOf({ ...good(), credentials: { "us-east-nyc": { [key]: value } } }, "credentials").length === 0;

  for (const { value, becomes, why } of values.hosts) {
    test(`the host ${JSON.stringify(value.slice(0, 80))}: ${why}`, () => {
      const config = environment({ KAZOO_AMQP_HOST: value });
      if (becomes === undefined) assert.match(problemsOf(config)[0]?.expected ?? "accepted", /host name or an IPv4/);
      else assert.equal(parsePlatform(config, new Set()).zones[0]?.environment.KAZOO_AMQP_HOST, becomes);
    });
  }

  const credentials = { cookie: values.cookies, rabbitmq: values.brokerPasswords, database: values.databasePasswords };
  for (const [key, cases] of Object.entries(credentials)) {
    for (const { value, verdict, why } of cases) {
      test(`${key} ${JSON.stringify(value.slice(0, 40))}: ${why}`, () => {
        assert.equal(accepts(key, value), verdict !== "refused");
        if (verdict === "refused") return;
        const config = { ...good(), credentials: { "us-east-nyc": { [key]: value } } };
        const warnings = weaknesses(parsePlatform(config, new Set(["credentials"])));
        assert.equal(warnings.length, verdict === "weak" ? 1 : 0);
        if (value.includes("change_me"))
          assert.doesNotMatch(warnings.join(""), /change_me/, "a warning shows no secret");
      });
    }
  }

  test("guest is refused as a broker's password", () => assert.equal(accepts("rabbitmq", "guest"), false));

  // The config accepts fewer zones than the entrypoint, because they name Kubernetes objects.
  for (const { value, why } of values.zones.filter(({ verdict }) => verdict === "refused")) {
    test(`no zone ${JSON.stringify(value)}: ${why}`, () =>
      assert.equal(problemsOf(environment({ KAZOO_ZONE: value })).length, 1));
  }

  for (const { host, dataPort, adminPort, verdict } of values.databaseAddresses) {
    test(`a database at ${host} with ports ${dataPort} and ${adminPort}: ${verdict}`, () => {
      const ports = { BIGCOUCH_DATA_PORT: dataPort, BIGCOUCH_ADMIN_PORT: adminPort };
      const problems = problemsOf(environment({ BIGCOUCH_HOST: host, ...ports }));
      assert.equal(problems.length === 0, verdict === "accepted");
    });
  }

  test("the config's node names follow the table", () => {
    const accepted = values.erlangVms.filter(({ value }) => problemsOf(environment({ ERLANG_VM: value })).length === 0);
    assert.deepEqual(accepted, values.erlangVms.slice(0, 2));
  });
});

test("r and w are written only for BigCouch, the only one that reads them", () => {
  const ini = (version: string, quorum: { q: number; n: number; r?: number; w?: number }) =>
    databaseConfig({ kind: databaseKind(version) as DatabaseKind, quorum })
      .split("\n\n")
      .find((section) => section.startsWith("[cluster]"));
  assert.equal(ini("couchdb-2.3.1", { q: 3, n: 3 }), "[cluster]\nq = 3\nn = 3");
  assert.equal(ini("bigcouch-0.4.2", { q: 3, n: 3, r: 2, w: 2 }), "[cluster]\nq = 3\nn = 3\nr = 2\nw = 2");
});

test("a datacenter without a ring gets its own, which kazoo:rings may describe under the zone's name", () => {
  const { rings } = parsePlatform({ ...good(), rings: { "us-east-nyc": { kazoo: 4.0 } } }, new Set());
  assert.deepEqual(Object.keys(rings), ["us-east-nyc"]);
  assert.equal(rings["us-east-nyc"]?.kazoo, "4.0");
});

test("CouchDB 3 works with Kazoo master, RabbitMQ 4.3 with the permit flag", () => {
  assert.deepEqual(
    problemsOf(ringOf({ kazoo: "master", database: "couchdb-3.3.3", rabbitmq: "4.3", permitTransientQueues: true })),
    [],
  );
});

test("a Platform is immutable", () => {
  const platform = parsePlatform(good(), new Set());
  assert.throws(() => ((platform.zones as unknown[])[0] = undefined), TypeError);
});

test("an image is built by the engine of the stack's Docker cluster, if there is one", () => {
  const { image } = parsePlatform(
    onDocker({
      clusters: { local: { docker: { host: "tcp://127.0.0.1:2375" } } },
      image: { build: { repository: "kazoo", args: { KAZOO_VERSION: 4.3 } } },
    }),
    new Set(),
  );
  assert.deepEqual(image, {
    kind: "build",
    host: "tcp://127.0.0.1:2375",
    context: "image",
    repository: "kazoo",
    tags: ["latest"],
    args: { KAZOO_VERSION: "4.3" },
  });
});

test("the config knows nothing of the components and commands that use it", () => {
  const folder = join(__dirname, "../../config");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const imports = files.flatMap((file) =>
    [...readFileSync(join(folder, file), "utf8").matchAll(/ from "(\.[^"]*)"/g)].map(([, path]) =>
      join(dirname(file), path ?? ""),
    ),
  );
  assert.ok(imports.length > 100);
  assert.deepEqual(
    imports.filter((path) => path.startsWith("..")),
    [],
  );
});
