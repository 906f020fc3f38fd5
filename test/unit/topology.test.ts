import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { networkPolicies } from "../../components/networkPolicies";
import { podState } from "../../tools/cli/cluster/health";
import type { Platform } from "../../config/platform";
import { platformOfBytes, readStackFile } from "../../config/stackFile";
import { type Item, type Topology, type ZoneBox, topologyOf } from "../../tools/topology/graph";
import { layOut } from "../../tools/topology/layout";
import type { Box } from "../../tools/topology/sizes";
import { withStates } from "../../tools/topology/live";
import type { State } from "../../tools/topology/states";
import { pageOf } from "../../tools/topology/page";
import { svgOf } from "../../tools/topology/svg";
import { type Colours, dark, light } from "../../tools/topology/theme";
import { largeStack } from "../support/largeStack";
import { markupProblem } from "../support/markup";

const project = resolve(__dirname, "../..");
const committed = (name: string): Topology => topologyOf(name, readStackFile(project, name));
const platformOf = (yaml: string): Platform => platformOfBytes(Buffer.from(yaml), "Pulumi.test.yaml");
const drawn = async (topology: Topology): Promise<string> => svgOf(topology, await layOut(topology));

const zonesOf = ({ regions }: Topology): ZoneBox[] =>
  regions.flatMap(({ clusters }) => clusters.flatMap(({ zones }) => zones));
const zone = (topology: Topology, name: string): ZoneBox => {
  const found = zonesOf(topology).find(({ title }) => title === name);
  assert.ok(found, name);
  return found;
};
const fact = ({ facts }: Pick<Item, "facts">, label: string): string | undefined =>
  facts.find(([name]) => name === label)?.[1];
const workload = (box: ZoneBox, part: string) => {
  const found = box.workloads.find(({ id }) => id === `${box.id} ${part}`);
  assert.ok(found, part);
  return found;
};

/** A stack with two zones in one ring, one of which uses external stores, and a zone alone in its ring. */
const mixed = `
config:
  kazoo:clusters: { local: { sandbox: true } }
  kazoo:rings: { main: { placement: { east-one: 2, east-two: 1 } } }
  kazoo:workloads: { database: { replicas: 2 } }
  kazoo:regions:
    east:
      cluster: local
      datacenters:
        one: { ring: main }
        two: { ring: main, environment: { KAZOO_AMQP_HOST: amqp.example.com, BIGCOUCH_HOST: db.example.com } }
    west:
      cluster: local
      datacenters: { alone: { mediaNetworks: [192.0.2.0/24] } }
`;

describe("a stack's graph", () => {
  test("has the regions, clusters, zones and the ring of the file", () => {
    const { regions, rings } = committed("rehearsal");
    assert.deepEqual(
      regions.map((region) => [
        region.title,
        region.clusters.map((part) => [part.title, part.zones.map(({ title }) => title)]),
      ]),
      [
        ["us-east", [["east", ["us-east-bos", "us-east-nyc"]]]],
        ["us-west", [["west", ["us-west-lax", "us-west-sfo"]]]],
      ],
    );
    assert.deepEqual(
      rings.map(({ title }) => title),
      ["ring main"],
    );
  });

  test("shows which zone is first, and the numbers of nodes", () => {
    const topology = committed("rehearsal");
    assert.deepEqual(
      zonesOf(topology).map(({ title, first }) => [title, first]),
      [
        ["us-east-bos", true],
        ["us-east-nyc", false],
        ["us-west-lax", false],
        ["us-west-sfo", false],
      ],
    );
    const nodes = zone(topology, "us-east-nyc").workloads.flatMap((box) => box.nodes);
    assert.deepEqual(nodes, ["kazoo-0", "kazoo-1", "rabbitmq-alpha-0", "rabbitmq-beta-0", "bigcouch-0"]);
  });

  test("shows where copies are placed", () => {
    const topology = topologyOf("mixed", platformOf(mixed));
    assert.equal(fact(zone(topology, "east-one"), "copies"), "2 of 3 copies of each document");
    assert.equal(fact(zone(topology, "east-two"), "copies"), "1 of 3 copies of each document");
    assert.equal(fact(zone(topology, "west-alone"), "copies"), "all 2 copies of each document");
    assert.equal(fact(zone(committed("dev"), "local-dev"), "copies"), "the only copy of each document");
    assert.match(
      fact(zone(committed("rehearsal"), "us-east-nyc"), "copies") ?? "",
      /^3 copies of each document, over all nodes/,
    );
  });

  test("connects to the stores that the run environment names", () => {
    const box = zone(topologyOf("mixed", platformOf(mixed)), "east-two");
    const uses = (to: string) => box.links.filter((link) => link.to === `${box.id} ${to}`).length;
    assert.equal(workload(box, "alpha elsewhere").title, "amqp.example.com");
    assert.equal(workload(box, "database elsewhere").title, "db.example.com");
    assert.deepEqual([uses("alpha"), uses("alpha elsewhere"), uses("beta")], [0, 1, 1]);
    assert.deepEqual([uses("database"), uses("database elsewhere")], [0, 1]);
  });

  test("draws no ring for a single zone, and media servers only if their networks are configured", () => {
    const { rings, links } = topologyOf("mixed", platformOf(mixed));
    assert.deepEqual(
      rings.map(({ title }) => title),
      ["ring main"],
    );
    const ends = (id: string) =>
      links.filter(({ from, to }) => from === id || to === id).map(({ from, to }) => (from === id ? to : from));
    assert.deepEqual(ends("ring main"), ["region east"]);
    assert.deepEqual(ends("outside media"), ["region west"]);
    assert.deepEqual(ends("outside clients"), ["region east", "region west"]);
  });

  test("names the ports that the NetworkPolicies open, and no others", () => {
    for (const database of ["couchdb-2.3.1", "couchdb-3.3.3"]) {
      const kazoo = database.startsWith("couchdb-3") ? "master" : "4.3";
      const platform = platformOf(largeStack(2, 2, { kazoo, database }));
      const box = zonesOf(topologyOf("test", platform))[0] as ZoneBox;
      const media = { mediaNetworks: ["192.0.2.0/24"], otherClusters: [] };
      const policies = networkPolicies({ stack: "test", ring: "main", databaseVersion: database, ...media });
      const open = (name: string): number[] =>
        (policies[name]?.ingress as { ports: { port: number; endPort?: number }[] }[])
          .flatMap(({ ports }) =>
            ports.flatMap(({ port, endPort }) => (endPort === undefined ? port : [port, endPort])),
          )
          .sort((a, b) => a - b);
      const named = (part: string, ...labels: string[]): number[] =>
        labels
          .flatMap((label) => fact(workload(box, part), label)?.match(/\b\d{4,5}\b/g) ?? [])
          .map(Number)
          .sort((a, b) => a - b);
      const distinct = (ports: number[]) => [...new Set(ports)];
      assert.deepEqual(named("alpha", "AMQP", "management", "metrics"), open("rabbitmq"));
      assert.deepEqual(distinct(named("database", "HTTP", "Erlang")), distinct(open("bigcouch")));
      assert.deepEqual(named("kazoo", "Crossbar", "Blackhole", "Erlang", "fax, media proxy"), distinct(open("kazoo")));
    }
  });

  test("shows who reads metrics, and where CouchDB 3 has them", () => {
    const metrics = (monitoring: string, ring: string) => {
      const keys = `  kazoo:monitoring: ${monitoring}\n  kazoo:ring: main\n  kazoo:rings: { main: ${ring} }\n`;
      const stack = `config:\n  kazoo:image: { prebuilt: kazoo }\n  kazoo:clusters: { local: { sandbox: true } }\n${keys}  kazoo:regions: { east: { cluster: local, datacenters: { one: {} } } }\n`;
      const box = zone(topologyOf("test", platformOf(stack)), "east-one");
      return ["alpha", "database"].map((part) => fact(workload(box, part), "metrics"));
    };
    const newest = "{ kazoo: master, database: couchdb-3.3.3 }";
    assert.deepEqual(metrics("{}", newest), ["15692, from anywhere", undefined]);
    assert.deepEqual(metrics("{ podMonitors: true, namespace: monitoring }", newest), [
      "15692, from the namespace monitoring",
      "17986, from the namespace monitoring",
    ]);
    assert.deepEqual(metrics("{ podMonitors: true }", "{}"), ["15692, from anywhere", undefined]);
  });

  test("of a stack on Docker has containers, and the address at which Kazoo is published", () => {
    const box = zone(committed("docker"), "local-dev");
    assert.deepEqual(
      box.workloads.flatMap(({ nodes }) => nodes),
      ["kazoo", "rabbitmq-alpha", "rabbitmq-beta", "bigcouch"],
    );
    assert.equal(fact(box, "Kazoo from outside"), "127.0.0.1, Crossbar 8000, Blackhole 5555");
  });

  test("holds no secret", () => {
    const secret = "encrypted-secret"; // the placeholder that the reader of stack files uses for a secret
    const yaml = `${mixed}  kazoo:credentials: { main: { cookie: { secure: v1:abc }, rabbitmq: { secure: v1:def } } }\n`;
    const platform = platformOf(yaml);
    assert.ok(JSON.stringify(platform).includes(secret));
    assert.ok(!JSON.stringify(topologyOf("mixed", platform)).includes(secret));
  });
});

describe("the state of a stack's nodes", () => {
  const node = (state: State, waitsFor?: string) => ({
    state,
    restarts: 2,
    image: "registry.example.com/kazoo:4.3",
    ...(waitsFor === undefined ? {} : { waitsFor }),
  });
  const seen = withStates(
    committed("rehearsal"),
    {
      "us-east-bos": {
        nodes: {
          "kazoo-0": node("ready"),
          "kazoo-1": node("rolling", "its turn to be replaced"),
          "rabbitmq-alpha-0": node("ready"),
          "rabbitmq-beta-0": node("starting", "container rabbitmq: ImagePullBackOff"),
        },
      },
      "us-east-nyc": { problem: "cluster east does not answer" },
    },
    "today",
  );

  test("is shown at each node, in words, with image and restarts", () => {
    const bos = zone(seen, "us-east-bos");
    assert.equal(fact(workload(bos, "kazoo"), "kazoo-0"), "ready; 2 restarts; registry.example.com/kazoo:4.3");
    assert.match(fact(workload(bos, "kazoo"), "kazoo-1") ?? "", /^rolling: its turn to be replaced; 2 restarts/);
    assert.match(
      fact(workload(bos, "beta"), "rabbitmq-beta-0") ?? "",
      /^starting: container rabbitmq: ImagePullBackOff/,
    );
    assert.equal(fact(workload(bos, "database"), "bigcouch-0"), "away");
    assert.equal(fact(bos, "state"), "2 of 5 nodes ready");
    assert.equal(fact({ facts: seen.facts }, "seen"), "today");
  });

  test("is unknown if a cluster does not answer or nothing is deployed", () => {
    const nyc = zone(seen, "us-east-nyc");
    assert.equal(fact(nyc, "state"), "cluster east does not answer");
    assert.equal(fact(workload(nyc, "alpha"), "rabbitmq-alpha-0"), "unknown: cluster east does not answer");
    assert.equal(fact(zone(seen, "us-west-lax"), "state"), "the zone is not deployed yet");
  });

  test("has its own symbol in the picture, with its name, also for a folded region's zones", async () => {
    const drawing = await layOut(seen);
    const svg = svgOf(seen, drawing);
    assert.equal(markupProblem(svg), undefined);
    const count = (text: string, state: State) => text.split(`<title>${state}</title>`).length - 1;
    const counts = (["ready", "rolling", "starting", "away", "unknown"] as const).map((state) => count(svg, state));
    assert.deepEqual(counts, [2, 1, 1, 1, 15]);
    const folded = svgOf(seen, { ...drawing, initial: "" });
    assert.deepEqual([count(folded, "away"), count(folded, "unknown")], [1, 3]);
    assert.match(pageOf(seen, drawing), /<th>State<\/th>[^]*<td>2 of 5 nodes ready<\/td>/);
  });

  test("is read from a pod and its StatefulSet", () => {
    const pod = (revision: string, ready: boolean, rest: object = {}) => ({
      metadata: { labels: { "controller-revision-hash": revision } },
      spec: { containers: [{ name: "kazoo", image: "kazoo:4.3" }] },
      status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }], ...rest },
    });
    const set = { status: { replicas: 1, updateRevision: "new" } };
    const status = (restartCount: number, state: object = {}) => ({
      containerStatuses: [{ name: "kazoo", image: "", imageID: "", ready: false, restartCount, state }],
    });
    assert.deepEqual(podState(undefined, set), { state: "away" });
    assert.deepEqual(podState(pod("new", true, status(3)), set), { state: "ready", restarts: 3, image: "kazoo:4.3" });
    assert.equal(podState(pod("old", true), set).state, "rolling");
    const ending = { ...pod("new", true), metadata: { deletionTimestamp: new Date(0) } };
    assert.equal(podState(ending, set).state, "rolling");
    assert.deepEqual(podState(pod("new", false), set).waitsFor, "its readiness check");
    const waiting = { waiting: { reason: "ImagePullBackOff", message: "no such image" } };
    const pulled = podState(pod("new", false, status(0, waiting)), set);
    assert.deepEqual([pulled.state, pulled.waitsFor], ["starting", "container kazoo: ImagePullBackOff, no such image"]);
    const nowhere = { conditions: [{ type: "PodScheduled", status: "False", message: "0/3 nodes are available" }] };
    assert.equal(podState(pod("new", false, nowhere), set).waitsFor, "a node of the cluster: 0/3 nodes are available");
  });
});

const sizes: [name: string, make: () => Topology][] = [
  ["1 datacenter", () => committed("dev")],
  ["4 datacenters", () => committed("rehearsal")],
  ["32 datacenters", () => topologyOf("large", platformOf(largeStack(4, 8)))],
  ["8 regions", () => topologyOf("wide", platformOf(largeStack(8, 1)))],
  ["stores elsewhere", () => topologyOf("mixed", platformOf(mixed))],
];

describe("a stack's picture", () => {
  for (const [name, make] of sizes) {
    test(`of ${name} is well-formed, the same each time, and has every zone`, async () => {
      const topology = make();
      const svg = await drawn(topology);
      assert.equal(markupProblem(svg), undefined);
      assert.equal(await drawn(topology), svg);
      for (const { title } of zonesOf(topology)) assert.ok(svg.includes(`>${title}</text>`), title);
    });

    test(`of ${name} has no overlapping or protruding boxes`, async () => {
      const topology = make();
      const { open, arrangements, folded, loose } = await layOut(topology);
      const apart = (boxes: readonly (Box | undefined)[], outer: { width: number; height: number }, what: string) => {
        const all = boxes.map((box) => box ?? assert.fail(`${what}: a box is missing`));
        all.forEach((box, index) => {
          assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= outer.width + 1, `${what}: sticks out`);
          assert.ok(box.y + box.height <= outer.height + 1, `${what}: sticks out below`);
          for (const other of all.slice(index + 1)) {
            const beside = box.x + box.width <= other.x || other.x + other.width <= box.x;
            assert.ok(beside || box.y + box.height <= other.y || other.y + other.height <= box.y, `${what}: overlap`);
          }
        });
      };
      const from = (outer: Box, box: Box | undefined) => box && { ...box, x: box.x - outer.x, y: box.y - outer.y };
      for (const region of topology.regions) {
        const plan = open[region.id] ?? assert.fail();
        const within = (outer: Item, inner: readonly Item[]) => {
          const box = plan.boxes[outer.id] ?? assert.fail();
          apart(
            inner.map(({ id }) => from(box, plan.boxes[id])),
            box,
            outer.id,
          );
        };
        apart(
          region.clusters.map(({ id }) => plan.boxes[id]),
          plan,
          region.id,
        );
        for (const cluster of region.clusters) {
          within(cluster, cluster.zones);
          for (const box of cluster.zones) within(box, box.workloads);
        }
      }
      for (const [key, arrangement] of Object.entries(arrangements)) {
        const chosen = key === "" ? [] : key.split(" ").map(Number);
        const regions = topology.regions.map(({ id }, index) => {
          const size = (chosen.includes(index) ? open[id] : folded[id]) ?? assert.fail();
          return { ...size, ...(arrangement.places[id] ?? assert.fail()) };
        });
        const others = Object.entries(loose).map(([id, size]) => ({
          ...size,
          ...(arrangement.places[id] ?? assert.fail()),
        }));
        apart([...regions, ...others], arrangement, `arrangement "${key}"`);
        assert.deepEqual(Object.keys(arrangement.lines).length, topology.links.length);
      }
    });
  }

  test("escapes names", async () => {
    const name = `a<b>&"c'</text>`;
    const platform = readStackFile(project, "dev");
    const zones = platform.zones.map((one) => ({ ...one, name, region: name, datacenter: name, ring: name }));
    const rings = { [name]: { ...Object.values(platform.rings)[0], name, zones: [name] } } as Platform["rings"];
    const svg = await drawn(topologyOf(name, { ...platform, zones, rings }));
    assert.equal(markupProblem(svg), undefined);
    assert.ok(svg.includes("a&lt;b&gt;&amp;&quot;c&#39;&lt;/text&gt;"));
    assert.ok(!svg.includes("<b>"));
  });

  test("on a page escapes names, too, and its data cannot close its element", async () => {
    const name = "</script><b>&";
    const platform = readStackFile(project, "dev");
    const zones = platform.zones.map((one) => ({ ...one, namespace: name, mediaNetworks: [name] }));
    const topology = topologyOf("dev", { ...platform, zones });
    const page = pageOf(topology, await layOut(topology));
    assert.equal(page.match(/<\/script>/g)?.length, 2);
    assert.ok(!page.includes("<b>"));
  });

  test("starts with folded regions for a large stack, with open ones for a small one", async () => {
    assert.equal((await layOut(committed("rehearsal"))).initial, "0 1");
    assert.equal((await layOut(topologyOf("large", platformOf(largeStack(4, 8))))).initial, "");
  });

  test("in the documentation is up to date", async () => {
    const path = join(project, "docs", "topology.svg");
    const svg = await drawn(committed("rehearsal"));
    if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, svg);
    assert.ok(
      readFileSync(path, "utf8") === svg,
      "run: UPDATE_GOLDEN=1 node --import tsx --test test/unit/topology.test.ts",
    );
  });
});

describe("the theme's colours", () => {
  const luminance = (colour: string): number => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5]
      .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string): number => {
    const [darker = 0, lighter = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (lighter + 0.05) / (darker + 0.05);
  };
  for (const [name, colours] of Object.entries<Colours>({ light, dark })) {
    const { ink, soft, paper, field, line, focus, good, busy, bad, ...kinds } = colours;
    const pairs = Object.values(kinds);
    test(`${name}: text is readable (WCAG AA, 4.5 to 1), lines are visible (3 to 1)`, () => {
      for (const ground of [paper, field, ...pairs.map(({ fill }) => fill)]) {
        for (const text of [ink, soft]) assert.ok(contrast(text, ground) >= 4.5, `${text} on ${ground}`);
      }
      for (const ground of [paper, field]) {
        for (const drawnLine of [line, focus, good, busy, bad, ...pairs.map(({ stroke }) => stroke)])
          assert.ok(contrast(drawnLine, ground) >= 3, `${drawnLine} on ${ground}`);
      }
    });
  }
});

describe("kazoo topology", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(project, "tools/cli/kazoo.js"), "topology", ...args], { encoding: "utf8" });

  test("writes page and picture, and says where", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "kazoo-topology-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const out = join(folder, "a", "b");
    const { status, stdout, stderr } = run("--stack", "dev", "--out", out);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /topology\.html, .* topology\.svg/);
    assert.deepEqual(readdirSync(out).sort(), ["topology.html", "topology.svg"]);
    assert.equal(markupProblem(readFileSync(join(out, "topology.svg"), "utf8")), undefined);
  });

  test("lists the existing stacks", () => {
    const { status, stderr } = run("--stack", "nowhere");
    assert.equal(status, 1);
    assert.match(stderr, /choose one of .*rehearsal/);
  });
});
