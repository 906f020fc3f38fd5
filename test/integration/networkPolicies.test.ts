import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Platform } from "../../config/platform";
import { platformOfFile } from "../../config/stackFile";
import { deployWithMocks, objects, platformFrom } from "../support/mocks";
import { type Attempt, type End, evaluatePolicies } from "../support/policyEvaluator";

/**
 * What the rendered NetworkPolicies allow, according to an independent evaluator. For each pair, all of these ports are tried: those not
 * named must be closed.
 */
const ports = [
  ...[22, 25, 53, 80, 443, 465, 587, 4369, 5555, 5671, 5672, 5984, 5985, 5986, 5987, 6443, 6984, 8000, 8080, 8443],
  ...[9100, 9101, 11499, 11500, 11700, 11999, 12000, 15671, 15672, 15692, 19025, 24517, 25672],
];
const [data, erlang] = [
  [5984, 5986],
  [4369, 11500, 11700, 11999],
];
const databaseNodes = [4369, ...data, 9100];
const outside = [25, 53, 80, 443, 465, 587];
const [metrics, publicApi] = [[15692], [5555, 8000, 8443]];

type Row = readonly [from: string, to: string, open: readonly number[]];
type Table = readonly Row[];

const inRing: Table = [
  ["nyc/kazoo", "nyc/rabbitmq", [5672, 15672]],
  ["nyc/kazoo", "bos/rabbitmq", [5672]],
  ["nyc/kazoo", "sfo/rabbitmq", [5672]],
  ["sfo/kazoo", "nyc/rabbitmq", [5672]],
  ["nyc/kazoo", "nyc/bigcouch", data],
  ["nyc/kazoo", "bos/bigcouch", data],
  // Policies identify another cluster's pods only by network, so epmd's port is open for all of it, although Kazoo needs only its own nodes'.
  ["nyc/kazoo", "sfo/bigcouch", [4369, ...data]],
  ["nyc/kazoo", "nyc/kazoo", [...erlang, 8000]],
  ["nyc/kazoo", "bos/kazoo", erlang],
  ["nyc/kazoo", "sfo/kazoo", erlang],
  ["nyc/bigcouch", "nyc/bigcouch", databaseNodes],
  ["nyc/bigcouch", "bos/bigcouch", databaseNodes],
  ["nyc/bigcouch", "sfo/bigcouch", databaseNodes],
  ["nyc/bigcouch-join", "nyc/bigcouch", data],
  ["nyc/bigcouch-join", "bos/bigcouch", []],
  ["bos/kazoo-bootstrap", "bos/bigcouch", [5984]],
  ["bos/kazoo-bootstrap", "bos/kazoo", erlang],
  ["bos/kazoo-bootstrap", "nyc/bigcouch", []],
  ["bos/kazoo-bootstrap", "nyc/kazoo", []],
  ["nyc/bigcouch-join", "nyc/kazoo", []],
  ["bos/kazoo-bootstrap", "bos/rabbitmq", []],
  ["nyc/rabbitmq", "nyc/rabbitmq", []],
  ["nyc/rabbitmq", "bos/rabbitmq", []],
  ["nyc/rabbitmq", "nyc/kazoo", []],
  ["nyc/rabbitmq", "nyc/bigcouch", []],
  ["nyc/bigcouch", "nyc/kazoo", []],
  ["nyc/bigcouch", "nyc/rabbitmq", []],
];

const outwards: Table = [
  ["nyc/kazoo", "internet", outside],
  ["nyc/kazoo", "internet6", outside],
  ["nyc/kazoo", "credentials", [53]],
  ["nyc/kazoo", "media", ports],
  ...["rabbitmq", "bigcouch", "bigcouch-join"].flatMap((workload): Table =>
    ["internet", "internet6", "credentials", "media"].map((to) => [`nyc/${workload}`, to, [53]]),
  ),
  ["bos/kazoo-bootstrap", "internet", [53]],
  ["nyc/stranger", "internet", [53]],
];

const inwards: Table = [
  ["media", "nyc/kazoo", [...erlang, ...publicApi, 19025, 24517]],
  ["media", "nyc/rabbitmq", [5672, ...metrics]],
  ["media", "nyc/bigcouch", []],
  // Pods with this program's labels, in a namespace without its labels, in another stack's namespace, and in a zone's own namespace.
  ...["elsewhere/kazoo", "elsewhere/bigcouch", "elsewhere/bigcouch-join", "another/kazoo", "another/bigcouch"].flatMap(
    (stranger): Table => [
      [stranger, "nyc/kazoo", publicApi],
      [stranger, "nyc/rabbitmq", metrics],
      [stranger, "nyc/bigcouch", []],
    ],
  ),
  ...["rabbitmq", "bigcouch", "kazoo"].map((to) => ["nyc/stranger", `nyc/${to}`, []] as const),
  ["internet", "nyc/kazoo", publicApi],
  ["internet", "nyc/rabbitmq", metrics],
  ["internet", "nyc/bigcouch", []],
  // Pods of the same stack and cluster, in another ring.
  ...["kazoo", "bigcouch", "rabbitmq", "bigcouch-join"].flatMap((workload): Table =>
    ["kazoo", "rabbitmq", "bigcouch"].map((to) => [`own/${workload}`, `nyc/${to}`, []]),
  ),
];

const addresses: Record<string, string> = {
  internet: "203.0.113.7",
  internet6: "2001:db8::7",
  credentials: "169.254.169.254",
  media: "192.0.2.10",
};
const east = { context: "east", clusterDomain: "east.internal", podNetwork: "10.0.0.0/16" };
const west = { context: "west", clusterDomain: "west.internal", podNetwork: "10.2.0.0/16" };
const twoRings = platformFrom({
  image: { prebuilt: "registry.example.com/kazoo:4.3" },
  mediaNetworks: ["192.0.2.0/24"],
  clusters: { east, west },
  rings: { main: { masterAccount: { name: "example", realm: "sip.example.com", user: "admin" } } },
  regions: {
    "us-east": { cluster: "east", datacenters: { bos: { ring: "main" }, nyc: { ring: "main" }, own: {} } },
    "us-west": { cluster: "west", datacenters: { sfo: { ring: "main" } } },
  },
});
const rehearsal = platformOfFile(join(__dirname, "../../Pulumi.rehearsal.yaml"));

describe("NetworkPolicies allow these connections and no others", () => {
  for (const [name, platform, table] of [
    ["in a ring of two clusters", twoRings, inRing],
    ["from the ring to elsewhere", twoRings, outwards],
    ["from elsewhere, other rings and other stacks", twoRings, inwards],
    ["in the ring of the rehearsal", rehearsal, inRing],
  ] as const) {
    test(name, async () => {
      const { policies, end } = await world(platform);
      const tries = table.flatMap(([from, to]) => ports.map((port) => attemptsOf(end(from), end(to), port)));
      const answers = (await evaluatePolicies(policies, tries.flat())).values();
      const allowed = tries.map((attempts) => attempts.map(() => answers.next().value === true).every(Boolean));
      const line = ([from, to]: Row, isOpen: (port: number, index: number) => boolean) =>
        `${from} -> ${to}: ${ports.filter(isOpen).join(" ")}`;
      assert.deepEqual(
        table.map((row, number) => line(row, (_, index) => allowed[number * ports.length + index] === true)),
        table.map((row) => line(row, (port) => row[2].includes(port))),
      );
    });
  }

  test("and DNS over UDP from every pod, but nothing else over UDP", async () => {
    const { policies, end } = await world(twoRings);
    const workloads = ["kazoo", "rabbitmq", "bigcouch", "bigcouch-join", "stranger"];
    const attempts = workloads.flatMap((workload) =>
      [53, 443, 5672].map((port) => ({
        from: end(`nyc/${workload}`),
        to: end("internet"),
        port,
        protocol: "UDP" as const,
      })),
    );
    const answers = await evaluatePolicies(policies, attempts);
    assert.deepEqual(
      answers,
      workloads.flatMap(() => [true, false, false]),
    );
  });
});

/** The policies that a stack deploys, and the endpoints by name: `zone/workload`, or one of `addresses`. */
async function world(platform: Platform): Promise<{ policies: object[]; end: (name: string) => End }> {
  const { resources } = await deployWithMocks(platform);
  type Labelled = { metadata: { name: string; labels: Record<string, string> } };
  const found = <T>(kind: string) => Object.values(objects(resources, kind)) as unknown as (Labelled & T)[];
  const namespaces = found("Namespace").map(({ metadata }) => metadata);
  const templates = ["StatefulSet", "Job"].flatMap((kind) => found<{ spec: { template: Labelled } }>(kind));
  const labelsOf = (workload: string) =>
    templates
      .map(({ spec }) => spec.template.metadata.labels)
      .find((labels) => labels["app.kubernetes.io/name"] === workload) ?? assert.fail(`no pods of ${workload}`);
  const namespaceOf = (zone: string) =>
    namespaces.find(({ name }) => name.endsWith(`-${zone}`)) ?? assert.fail(`no namespace of ${zone}`);

  const end = (name: string): End => {
    const address = addresses[name];
    if (address !== undefined) return { address };
    const [zone = "", workload = ""] = name.split("/");
    const labels = workload === "stranger" ? { app: "stranger" } : labelsOf(workload);
    const { name: namespace, labels: namespaceLabels } =
      zone === "elsewhere"
        ? { name: zone, labels: {} }
        : zone === "another"
          ? { name: zone, labels: { ...namespaceOf("nyc").labels, "kazoo/stack": zone } }
          : namespaceOf(zone);
    return { address: zone === "sfo" ? "10.2.1.1" : "10.0.1.1", pod: { labels, namespace, namespaceLabels } };
  };
  return { policies: found("NetworkPolicy"), end };
}

/** A connection between two clusters is evaluated in each, where the other end is only an address. */
function attemptsOf(from: End, to: End, port: number): Attempt[] {
  const network = ({ address }: End) => address.split(".").slice(0, 2).join(".");
  if (from.pod === undefined || to.pod === undefined || network(from) === network(to)) return [{ from, to, port }];
  return [
    { from, to: { address: to.address }, port },
    { from: { address: from.address }, to, port },
  ];
}
