import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parse } from "yaml";
import { choose, confirmed } from "../../tools/shared/choose";
import { kazoo } from "../../tools/cli/commandLine";
import { editText, editedEnvironment, editorOf } from "../../tools/cli/commands/edit";
import { ago, healthTable, imageTable, shortImage } from "../../tools/cli/commands/status";
import { type ZoneHealth, imageOf, isHealthy, stateOf } from "../../tools/cli/cluster/health";
import { type Update, differences, earlier, imageMessage, rollouts, zoneMessage } from "../../tools/cli/stack/history";
import { asking } from "../../tools/cli/cluster/kubernetes";
import {
  environmentFor,
  ownEnvironment,
  withImage,
  withOwnEnvironment,
  withPlacement,
  withSetting,
  withDatacenter,
  withoutDatacenter,
} from "../../tools/cli/stackFile/stackEdit";
import { rolloutProgress } from "../../components/names";
import { parsePlatform } from "../../config/parse";
import { platformOfBytes } from "../../config/stackFile";
import type { Platform, Zone } from "../../config/platform";

const rejects = (work: Promise<unknown>, message: RegExp, next: RegExp) =>
  assert.rejects(work, (error: Error & { next?: string }) => {
    assert.match(error.message, message);
    assert.match(error.next ?? "", next);
    return true;
  });

describe("the choice of a node or zone", () => {
  test("is the only one, or the named one", async () => {
    assert.equal(await choose("zone", "ZONE", ["a"], undefined), "a");
    assert.equal(await choose("zone", "ZONE", ["a", "b"], "b"), "b");
  });

  test("is refused with the list if none or an unknown one is named", async () => {
    await rejects(choose("zone", "ZONE", ["a", "b"], undefined), /^there is more than one zone: a, b$/, /ZONE=a/);
    await rejects(choose("zone", "ZONE", ["a", "b"], "c"), /^there is no zone c$/, /one of a, b$/);
    await rejects(choose("zone", "ZONE", ["a"], "c"), /^there is no zone c$/, /a$/);
  });

  test("is not confirmed without a terminal", async () => {
    assert.equal(await confirmed("delete it?", true), true);
    await rejects(confirmed("delete it?", false), /^delete it\? there is no terminal to ask on$/, /YES=1/);
  });
});

const file = `# of production
config:
  kazoo:clusters:
    east: { sandbox: true } # by name
  kazoo:environment: { KAZOO_LOG_LEVEL: info }
  kazoo:regions:
    us-east:
      cluster: east
      datacenters:
        nyc: { environment: { ERLANG_THREADS: 30 } }
        bos: {}
        # the last
        phl:
          environment:
            KAZOO_LOG_COLOR: false
          extraEnvironment: { TZ: Etc/UTC }
`;

const zonesOf = (text: string): readonly Zone[] => {
  const { config } = parse(text) as { config: Record<string, unknown> };
  const entries = Object.entries(config).map(([key, value]) => [key.replace("kazoo:", ""), value]);
  return parsePlatform(Object.fromEntries(entries), new Set()).zones;
};
const zone = (text: string, name: string): Zone =>
  zonesOf(text).find((found) => found.name === name) ?? assert.fail(name);

describe("a stack's file, edited", () => {
  test("sets a datacenter's variables, and keeps every other value and comment", () => {
    const nyc = zone(file, "us-east-nyc");
    const text = withOwnEnvironment(file, nyc, {
      environment: { KAZOO_LOG_LEVEL: "debug" },
      extraEnvironment: { A: "b" },
    });
    assert.deepEqual(ownEnvironment(text, nyc), {
      environment: { KAZOO_LOG_LEVEL: "debug" },
      extraEnvironment: { A: "b" },
    });
    for (const comment of ["# of production", "# by name", "# the last"]) assert.ok(text.includes(comment), comment);
    const others = (whole: string) => zonesOf(whole).filter(({ name }) => name !== nyc.name);
    assert.deepEqual(others(text), others(file));
  });

  test("adding variables to a datacenter without any, and removing them, gives an equivalent file", () => {
    const bos = zone(file, "us-east-bos");
    const own = { environment: { KAZOO_LOG_COLOR: false }, extraEnvironment: {} };
    const text = withOwnEnvironment(file, bos, own);
    assert.equal(zone(text, bos.name).environment["KAZOO_LOG_COLOR"], "false");
    const back = withOwnEnvironment(text, bos, { environment: {}, extraEnvironment: {} });
    assert.deepEqual(zonesOf(back), zonesOf(file));
  });

  test("is refused if anchors or merge keys would carry the change to another datacenter, or hide what they share", () => {
    const shared = (datacenters: string) => `config:
  kazoo:clusters: { east: { context: prod-east } }
  kazoo:rings: { main: &ring {} }
  kazoo:regions: { us-east: { cluster: east, datacenters: ${datacenters} } }
`;
    const zoneOf = (name: string) => zone(file, name);
    const drained = (datacenters: string, name: string) =>
      withSetting(shared(datacenters), zoneOf(name), ["drained"], ["kazoo"]);
    const alias = "{ nyc: &dc { ring: main }, bos: *dc }";
    for (const name of ["us-east-nyc", "us-east-bos"])
      assert.throws(() => drained(alias, name), /shared through YAML anchors or merge keys/);
    const merge = "{ nyc: &dc { workloads: { kazoo: { replicas: 3 } } }, bos: { <<: *dc } }";
    assert.throws(
      () => withSetting(shared(merge), zoneOf("us-east-bos"), ["workloads", "database"], { replicas: 5 }),
      /shared through YAML anchors or merge keys/,
    );
    const inner = "{ nyc: { workloads: &w { kazoo: { replicas: 3 } } }, bos: { workloads: *w } }";
    assert.throws(
      () => withSetting(shared(inner), zoneOf("us-east-bos"), ["workloads", "database", "replicas"], 5),
      /shared through YAML anchors or merge keys/,
    );
    assert.throws(
      () => withoutDatacenter(shared(alias), zoneOf("us-east-nyc"), { zones: zonesOf(file) } as never),
      /shared through YAML anchors or merge keys/,
    );
    assert.match(drained(merge, "us-east-bos"), /bos: \{ <<: \*dc, drained: \[ kazoo \] \}/);
  });

  test("sets an earlier image: by name, or by digest if the stack builds its image", () => {
    const digest = `sha256:${"a".repeat(64)}`;
    const prebuilt = { image: { kind: "prebuilt", reference: "kazoo:5" } } as never;
    assert.match(withImage(file, prebuilt, "kazoo:4"), /kazoo:image:\s+prebuilt: kazoo:4/);
    const built = file.replace("config:\n", "config:\n  kazoo:image: { build: { repository: kazoo } }\n");
    const image = { kind: "build", registry: { address: "registry.example.com" }, repository: "kazoo" };
    const text = withImage(built, { image } as never, `registry.example.com/kazoo@${digest}`);
    assert.match(text, new RegExp(`build: \\{ repository: kazoo, digest: ${digest} \\}`));
    // An image from elsewhere is not in this repository; the build's settings are kept.
    const other = withImage(built, { image } as never, `mirror.example.com/kazoo@${digest}`);
    assert.deepEqual((parse(other) as { config: Record<string, unknown> }).config["kazoo:image"], {
      prebuilt: `mirror.example.com/kazoo@${digest}`,
    });
    assert.match(other, /kazoo:image:\n +# build:\n +# {3}repository: kazoo\n/);
  });
});

describe("a datacenter that is taken out of a stack's file", () => {
  const file = `config:
  kazoo:clusters: { east: { context: e }, west: { context: w } }
  kazoo:rings: { main: {} }
  kazoo:ring: main
  kazoo:regions:
    us-east: { cluster: east, datacenters: { nyc: {}, bos: {} } } # the first
    us-west: { cluster: west, datacenters: { sfo: {} } }
`;
  const zone = (region: string, datacenter: string, cluster: string) =>
    ({ name: `${region}-${datacenter}`, region, datacenter, cluster }) as Zone;
  const zones = [
    zone("us-east", "nyc", "east"),
    zone("us-east", "bos", "east"),
    zone("us-west", "sfo", "west"),
  ] as const;
  const without = (gone: Zone) => withoutDatacenter(file, gone, { zones } as unknown as Platform);

  test("leaves its region and its cluster to the others", () => {
    assert.equal(without(zones[0]), file.replace("nyc: {}, ", ""));
  });

  test("takes both along where it was the last one there, and comments stay", () => {
    const text = without(zones[2]);
    assert.ok(!text.includes("west"), text);
    assert.ok(text.includes("# the first"), text);
  });

  test("is named in no placement before", () => {
    assert.match(withPlacement(file, "main", { "us-east-bos": 2 }), /main: \{ placement: \{ us-east-bos: 2 \} \}/);
  });
});

describe("a datacenter that is put into a stack's file", () => {
  const file = `config:
  kazoo:clusters: { east: { context: e } }
  kazoo:image: { prebuilt: registry.example.com/kazoo:4.3 }
  kazoo:regions:
    us-east: { cluster: east, datacenters: { nyc: {} } } # the first
`;
  test("joins a ring that was alone, which gets a name; comments stay", () => {
    const text = withDatacenter(file, { region: "us-east", datacenter: "bos", ring: "us-east-nyc", cluster: "east" });
    assert.match(text, /datacenters: \{ nyc: \{ *\}, bos: \{ cluster: east, ring: us-east-nyc \} \} \} # the first\n/);
    const { zones, rings } = platformOfBytes(Buffer.from(text), "Pulumi.prod.yaml");
    assert.deepEqual(
      zones.map(({ name, ring }) => `${name} ${ring}`),
      ["us-east-bos us-east-nyc", "us-east-nyc us-east-nyc"],
    );
    assert.deepEqual(rings["us-east-nyc"]?.placement, { "us-east-bos": 1, "us-east-nyc": 1 });
  });

  test("can be in a region and a cluster of its own", () => {
    const text = withDatacenter(file, {
      ...{ region: "us-west", datacenter: "sfo", ring: "us-east-nyc" },
      ...{ cluster: "west", context: "w" },
    });
    assert.match(text, /west: \{ context: w \}/);
    assert.match(text, /us-west:\n +datacenters:\n +sfo: \{ cluster: west, ring: us-east-nyc \}/);
  });
});

describe("an earlier environment", () => {
  test("is restored through the datacenter's own variables, with the config's types", () => {
    const level = fc.record(
      {
        ERLANG_THREADS: fc.integer({ min: 1, max: 9 }),
        KAZOO_LOG_LEVEL: fc.constantFrom("info", "debug"),
        KAZOO_LOG_COLOR: fc.boolean(),
        KAZOO_SASL_ERROR_LOGGER: fc.constantFrom("tty", "false"),
        // Has no default: it may be absent before or after.
        KAZOO_AMQP_HOST: fc.constantFrom("a.example.com", "b.example.com"),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(level, level, level, (before, now, shared) => {
        const withShared = file.replace("{ KAZOO_LOG_LEVEL: info }", JSON.stringify(shared));
        const nyc = zone(withShared, "us-east-nyc");
        const old = zone(withOwnEnvironment(withShared, nyc, { environment: before, extraEnvironment: {} }), nyc.name);
        const current = withOwnEnvironment(withShared, nyc, { environment: now, extraEnvironment: {} });
        const { wanted, stuck } = environmentFor(
          old.environment,
          zone(current, nyc.name),
          ownEnvironment(current, nyc),
        );
        assert.deepEqual(stuck, []);
        assert.deepEqual(zone(withOwnEnvironment(current, nyc, wanted), nyc.name).environment, old.environment);
      }),
      { numRuns: 50 },
    );
  });

  test("needs an edit at a farther level if a variable was unset before and is now set there", () => {
    const text = file.replace("  kazoo:regions", "  kazoo:extraEnvironment: { TZ: Etc/UTC }\n  kazoo:regions");
    const bos = zone(text, "us-east-bos");
    const before = zone(file, "us-east-bos").environment;
    assert.deepEqual(environmentFor(before, bos, ownEnvironment(text, bos)).stuck, ["TZ"]);
  });
});

describe("the editor", () => {
  test("shows the zone's own and inherited variables, and reads them back unchanged", () => {
    const nyc = zone(file, "us-east-nyc");
    const own = ownEnvironment(file, nyc);
    const text = editText(nyc, own, "production");
    assert.match(text, /^environment:\n {2}ERLANG_THREADS: 30\nextraEnvironment: \{\}$/m);
    assert.match(text, /^# KAZOO_LOG_LEVEL: info$/m);
    assert.doesNotMatch(text, /^# ERLANG_THREADS/m);
    assert.deepEqual(editedEnvironment(text), own);
  });

  test("accepts an empty mapping, but no other value", () => {
    assert.deepEqual(editedEnvironment("# all gone\n"), { environment: {}, extraEnvironment: {} });
    for (const wrong of ["- a", "text", "KAZOO_LOG_LEVEL: debug", "environment: [a]", "a: {"]) {
      assert.throws(() => editedEnvironment(wrong), /the saved text /, wrong);
    }
  });

  test("is vi by default, which needs a terminal", () => {
    assert.equal(editorOf({}, true), "vi");
    assert.equal(editorOf({ EDITOR: "ed", VISUAL: "emacs" }, false), "emacs");
    assert.throws(() => editorOf({}, false), /^UserError: there is no terminal for the editor vi$/);
  });
});

/** An update, as Pulumi reports it. */
const update = (number: number, level: string, more: Partial<Update> & { image?: unknown } = {}): Update => {
  const { image = { prebuilt: "kazoo:4" }, ...others } = more;
  const values = {
    clusters: { east: { context: "east" } },
    environment: { KAZOO_LOG_LEVEL: level },
    image,
    regions: { "us-east": { cluster: "east", datacenters: { nyc: {} } } },
  };
  const config = Object.fromEntries(
    Object.entries(values).map(([key, objectValue]) => [
      `kazoo:${key}`,
      { value: JSON.stringify(objectValue), objectValue, secret: false },
    ]),
  );
  return { number, time: "", result: "succeeded", message: "", config, ...others };
};

describe("the history", () => {
  const build = { build: { registry: "registry.example.com", repository: "kazoo" } };
  const digest = (letter: string) => `registry.example.com/kazoo@sha256:${letter.repeat(64)}`;

  test("goes back to the last update that differs, skipping failed ones", () => {
    const updates = [
      update(4, "debug"),
      update(3, "debug"),
      update(2, "error", { result: "failed" }),
      update(1, "info"),
    ];
    const all = rollouts(updates, "us-east-nyc", "kazoo:4");
    assert.deepEqual(
      all.map((rollout) => rollout.update.number),
      [4, 3, 1],
    );
    assert.equal(earlier(all)?.update.number, 1);
    assert.deepEqual(differences(all[0]!, all[2]!), ["KAZOO_LOG_LEVEL debug -> info"]);
    assert.equal(earlier(rollouts(updates.slice(0, 2), "us-east-nyc", "kazoo:4")), undefined);
  });

  test("reads a built image's digest from the next update's message", () => {
    const updates = [
      update(3, "info", { image: build, message: imageMessage("up", digest("b")) }),
      update(2, "info", { image: build, message: imageMessage("up", digest("a")) }),
      update(1, "info", { image: build }),
    ];
    const all = rollouts(updates, "us-east-nyc", digest("c"));
    assert.deepEqual(
      all.map(({ image }) => image),
      [digest("c"), digest("b"), digest("a")],
    );
    assert.equal(earlier(all)?.image, digest("b"));
  });

  test("skips updates of another zone, or of a Service only", () => {
    const updates = [
      update(5, "error", { message: "kube-apply-service ZONE=us-east-nyc" }),
      update(4, "error", { message: imageMessage(zoneMessage("kube-deploy", "us-east-bos"), digest("a")) }),
      update(3, "debug", { message: zoneMessage("kube-deploy-rollback to 1", "us-east-nyc") }),
      update(2, "warning", { message: zoneMessage("kube-deploy-edit", "us-east-bos") }),
      update(1, "info", { message: "up" }),
    ];
    const all = rollouts(updates, "us-east-nyc", "kazoo:4");
    assert.deepEqual(
      all.map((rollout) => rollout.update.number),
      [3, 1],
    );
    assert.equal(earlier(all)?.update.number, 1);
  });

  test("says that an unrecorded image is unknown, and does not assume another one", () => {
    const updates = [update(2, "debug", { image: build }), update(1, "info", { image: build })];
    assert.deepEqual(
      rollouts(updates, "us-east-nyc", digest("b")).map(({ image }) => image),
      [digest("b"), undefined],
    );
  });

  test("reads a pinned image from the config", () => {
    const pinned = { build: { ...build.build, digest: `sha256:${"a".repeat(64)}` } };
    assert.equal(rollouts([update(1, "info", { image: pinned })], "us-east-nyc", undefined)[0]?.image, digest("a"));
  });

  test("skips updates without the zone, and those with an unreadable config", () => {
    const strange = update(1, "info");
    const updates = [{ ...strange, config: { "kazoo:regions": { value: "{", secret: false } } }, strange];
    assert.equal(rollouts(updates, "us-east-nyc", undefined).length, 1);
    assert.equal(rollouts(updates, "us-east-bos", undefined).length, 0);
  });

  test("records nothing for an image by name", () => {
    assert.equal(imageMessage("up", "kazoo:4"), "up");
    assert.equal(imageMessage("up", undefined), "up");
  });
});

describe("a roll", () => {
  const set = (status: object) => rolloutProgress({ metadata: { generation: 2 }, spec: { replicas: 2 }, status });
  const cases: [string, object, boolean, RegExp][] = [
    ["not yet seen", { observedGeneration: 1, readyReplicas: 2 }, false, /has not seen the change yet/],
    [
      "half done",
      { observedGeneration: 2, currentRevision: "a", updateRevision: "b", updatedReplicas: 1, readyReplicas: 2 },
      false,
      /^1 of 2 nodes updated, 2 ready$/,
    ],
    [
      "done, but not ready",
      { observedGeneration: 2, currentRevision: "a", updateRevision: "b", updatedReplicas: 2, readyReplicas: 1 },
      false,
      /^2 of 2 nodes updated, 1 ready$/,
    ],
    [
      "taken back, but not by all",
      { observedGeneration: 2, currentRevision: "b", updateRevision: "b", updatedReplicas: 1, readyReplicas: 2 },
      false,
      /^1 of 2 nodes updated, 2 ready$/,
    ],
    [
      "with a pod that is to go",
      { observedGeneration: 2, replicas: 3, readyReplicas: 3 },
      false,
      /^1 of 3 nodes still/,
    ],
    ["done", { observedGeneration: 2, currentRevision: "b", updateRevision: "b", readyReplicas: 2 }, true, /2 ready$/],
  ];
  for (const [what, status, done, progress] of cases) {
    test(what, () => {
      assert.equal(set(status).done, done);
      assert.match(set(status).text, progress);
    });
  }
});

test("a sandbox that does not answer: how to start it", async () => {
  const cluster = { name: "local", kind: "sandbox", context: "sandbox-local", clusterDomain: "cluster.local" } as const;
  await rejects(
    asking(cluster, () => Promise.reject(new Error("connect ECONNREFUSED 127.0.0.1:6443"))),
    /^context sandbox-local does not answer: connect ECONNREFUSED/,
    /^make sandbox-up STACK=.*kazoo sandbox up local\)/,
  );
});

describe("the table of images", () => {
  const [older, newer] = ["a", "b"].map((digit) => `sha256:${digit.repeat(64)}`);
  const zone = (name: string, images: Readonly<Record<string, string | undefined>>): ZoneHealth => ({
    zone: name,
    ring: "main",
    cluster: "east",
    kazoo: { ready: 1, wanted: 1 },
    brokers: { ready: 2, wanted: 2 },
    database: { ready: 1, wanted: 1 },
    nodes: Object.fromEntries(
      Object.entries(images).map(([node, image]) => [
        node,
        image === undefined ? { state: "away" } : { state: "ready", image },
      ]),
    ),
  });
  const rabbitmq = `mirror.example.com/rabbitmq:3.13-management@${older}`;
  const stores = { "rabbitmq-alpha-0": rabbitmq, "rabbitmq-beta-0": rabbitmq, "bigcouch-0": "couchdb:2.3.1" };

  test("has one line for each image of a workload, with its digest and zones", () => {
    const zones = ["us-east-nyc", "us-east-bos", "us-west-sfo"].map((name) =>
      zone(name, { "kazoo-0": `r.example.com/kazoo@${name === "us-west-sfo" ? newer : older}`, ...stores }),
    );
    assert.deepEqual(imageTable(zones).split("\n"), [
      "WORKLOAD  IMAGE                                        DIGEST               ZONES",
      "kazoo     r.example.com/kazoo                          sha256:aaaaaaaaaaaa  us-east-nyc, us-east-bos",
      "kazoo     r.example.com/kazoo                          sha256:bbbbbbbbbbbb  us-west-sfo",
      "rabbitmq  mirror.example.com/rabbitmq:3.13-management  sha256:aaaaaaaaaaaa  all",
      "bigcouch  couchdb:2.3.1                                -                    all",
      "",
    ]);
  });

  test("shows both images of a workload in the middle of a rollout", () => {
    const nodes = { "kazoo-0": `r.example.com/kazoo:4.2@${older}`, "kazoo-1": `r.example.com/kazoo:4.3@${newer}` };
    assert.match(
      imageTable([zone("us-east-nyc", nodes)]),
      /^kazoo +\S+:4\.2 +sha256:a{12} +us-east-nyc\nkazoo +\S+:4\.3 +sha256:b{12} +us-east-nyc$/m,
    );
  });

  test("is empty if no node runs", () => {
    assert.equal(imageTable([zone("us-east-nyc", { "kazoo-0": undefined })]), "");
  });
});

describe("the table of zones", () => {
  const healthy: ZoneHealth = {
    zone: "us-east-nyc",
    ring: "main",
    cluster: "east",
    kazoo: { ready: 2, wanted: 2 },
    brokers: { ready: 2, wanted: 2 },
    database: { ready: 3, wanted: 3 },
    join: "done",
    firstBoot: "running",
    image: `registry.example.com/telephony/kazoo@sha256:0123456789abcdef${"0".repeat(48)}`,
    rolled: "2026-01-01T00:00:00Z",
  };

  test("has a line for each zone, with its problems below", () => {
    const broken: ZoneHealth = {
      ...healthy,
      zone: "us-west-sfo",
      kazoo: { ready: 0, wanted: 2 },
      problem: "no answer",
      next: "start it",
    };
    const text = healthTable([healthy, broken, broken], new Date("2026-01-01T00:10:00Z"));
    const [heading, first, second, , problem, , ...rest] = text.split("\n");
    assert.match(
      heading ?? "",
      /^ZONE +CLUSTER +RING +KAZOO +BROKERS +DATABASE +JOIN +FIRST BOOT +IMAGE +LAST RESTART$/,
    );
    assert.match(
      first ?? "",
      /^us-east-nyc +east +main +2\/2 +2\/2 +3\/3 +done +running +kazoo@0123456789ab +10 min ago$/,
    );
    assert.match(second ?? "", /0\/2/);
    assert.equal(problem, "us-west-sfo: no answer");
    assert.deepEqual(rest, ["next: start it", ""], "once, though two zones have it");
  });

  test("shows a zone as healthy once everything is ready and both Jobs are done", () => {
    assert.equal(isHealthy({ ...healthy, firstBoot: "done" }), true);
    assert.equal(isHealthy(healthy), false);
    assert.equal(isHealthy({ ...healthy, firstBoot: "done", join: "failed" }), false);
    const docker: { -readonly [K in keyof ZoneHealth]: ZoneHealth[K] } = { ...healthy };
    delete docker.join;
    delete docker.firstBoot;
    assert.equal(isHealthy(docker), true);
  });

  test("shows a Job by its conditions, and the digest that a node has pulled", () => {
    const job = (type: string) => stateOf({ status: { conditions: [{ type, status: "True" }] } });
    assert.deepEqual([job("Complete"), job("Failed"), job("Suspended")], ["done", "failed", "running"]);
    const digest = `sha256:${"d".repeat(64)}`;
    const pod = (image: string, imageID: string) =>
      imageOf({
        spec: { containers: [{ name: "kazoo", image }] },
        status: { containerStatuses: [{ name: "kazoo", image, imageID, ready: true, restartCount: 0 }] },
      });
    assert.equal(pod("kazoo:4", `docker.io/library/kazoo@${digest}`), `kazoo:4@${digest}`);
    assert.equal(pod("kazoo:4", ""), "kazoo:4");
    assert.equal(pod(`kazoo@${digest}`, `other@${digest}`), `kazoo@${digest}`);
    assert.equal(shortImage(`kazoo:4@${digest}`), "kazoo:4@dddddddddddd");
  });

  test("shortens images and durations", () => {
    assert.equal(shortImage("callforamerica/kazoo:4"), "kazoo:4");
    assert.equal(shortImage(`sha256:${"c".repeat(64)}`), "cccccccccccc");
    assert.equal(shortImage(undefined), "-");
    assert.deepEqual([5_000, 600_000, 7_200_000, 200_000_000].map(ago), ["5 s", "10 min", "2 h", "2 d"]);
  });
});

describe("make", () => {
  const changing = ["kube-deploy-service", "kube-apply-service", "kube-delete-service", "kube-deploy"].concat([
    "kube-deploy-edit",
    "kube-deploy-rollback",
    "kube-delete-deployment",
  ]);
  changing.push("drain", "return", "remove", "scale");
  const looking = ["kube-rollout-status", "kube-rollout-history", "kube-logsf", "kube-logsft", "kube-shell"];
  const alike = ["init-account", "init-apps", "get-master-account", "logs", "logsf", "shell", "kazoo-maint-nodes"];
  const fromEnvironment = Object.fromEntries(
    // npm exports a NODE; others may export any of these names for other purposes.
    ["NODE", "ZONE", "NAME", "YES", "OUT", "JSON", "WATCH", "PURGE", "TO", "URL", "APPS", "ARGS"].map((name) => [
      name,
      "x",
    ]),
  );
  const make = (...args: string[]) =>
    spawnSync("make", ["-C", resolve(__dirname, "../.."), "-n", ...args], {
      encoding: "utf8",
      env: { ...process.env, ...fromEnvironment },
    }).stdout.replace(/ +/g, " ");
  const known = Object.fromEntries(kazoo().commands.map((command) => [command.name(), command]));

  for (const target of [...changing, ...looking, ...alike]) {
    test(`${target} is one command that gets its arguments`, () => {
      assert.match(make(target, "STACK=x", "ZONE=z"), new RegExp(`kazoo\\.js ${target} --stack 'x' --zone 'z' *\n`));
      const options = known[target]?.options.map(({ long }) => long) ?? assert.fail(`there is no command ${target}`);
      const handed = ["--stack", "--zone", ...(changing.includes(target) ? ["--yes"] : [])];
      assert.deepEqual(
        handed.filter((option) => !options.includes(option)),
        [],
      );
      if (changing.includes(target)) assert.match(make(target, "YES=1"), /--stack 'dev' --yes/);
    });
  }

  test("passes a node, an update, a URL and a name only to the targets that use them", () => {
    assert.match(make("logs", "NODE=kazoo-1"), /logs --stack 'docker' --node 'kazoo-1'/);
    assert.match(make("kube-deploy-rollback", "TO=3"), /rollback --stack 'dev' --to '3'/);
    assert.match(make("init-apps", "URL=https://a/v2", "APPS=/apps"), /--url 'https:\/\/a\/v2' --path '\/apps'/);
    assert.match(make("get-master-account", "NAME=a"), /--name 'a'/);
    assert.match(make("tag", "NAME=a/b:1"), /docker tag --stack 'docker' 'a\/b:1'/);
    assert.match(make("build", "ARGS=--pull --no-cache"), /docker build --stack 'docker' -- --pull --no-cache\n/);
    assert.match(make("status", "JSON=1", "WATCH=1"), /status --stack 'dev' --json --watch/);
    assert.match(make("preview-report", "OUT=a b"), /preview-report --stack 'dev' --out 'a b'/);
    assert.match(make("sandbox-down", "PURGE=1"), /sandbox down --purge/);
    assert.match(make("up", "YES=1"), /up --stack 'dev' --yes/);
    assert.match(
      make("rebalance", "RING=main", "WITHOUT=a", "COPIES=2"),
      /rebalance --stack 'dev' --ring 'main' --without 'a' --copies '2'/,
    );
    assert.match(
      make("rotate", "WHAT=rabbitmq", "RING=main", "KEEP=1", "YES=1"),
      /rotate 'rabbitmq' --stack 'dev' --ring 'main' --keep --yes/,
    );
    assert.match(
      make("upgrade", "WHAT=kazoo", "TO=4.3", "IMAGE=a/b:4.3", "DRY_RUN=1"),
      /upgrade 'kazoo' --stack 'dev' --to '4.3' --image 'a\/b:4.3' --dry-run/,
    );
    assert.match(make("split", "DRY_RUN=1"), /split --stack 'dev' --dry-run/);
    assert.match(
      make("add", "REGION=us-west", "DATACENTER=sfo", "RING=main", "CLUSTER=west", "CONTEXT=prod-west"),
      /add --stack 'dev' --region 'us-west' --datacenter 'sfo' --ring 'main' --cluster 'west' --context 'prod-west'/,
    );
    assert.match(make("rename", "TO=prod"), /rename --stack 'dev' --to 'prod'/);
  });

  const docker = ["build", "rebuild", "tag", "push", "rmi", "run", "launch", "launch-net", "create-network"].concat([
    "launch-deps",
    "kill-deps",
    "start",
    "stop",
    "kill",
    "rm",
  ]);
  const others = [
    "up",
    "preview",
    "preview-report",
    "drift",
    "destroy",
    "status",
    "env",
    "render",
    "sandbox-up",
    "sandbox-down",
  ];

  test("ignores these variables in the environment, where they may mean something else, except for the stack", () => {
    for (const target of [...changing, ...looking, ...alike, ...docker, ...others]) {
      const said = make(target, "STACK=mine");
      assert.match(
        said,
        new RegExp(`kazoo\\.js (docker )?${target.replace("sandbox-", "sandbox ")}( --stack 'mine')? *\n`),
      );
    }
    process.env.STACK = "ours";
    try {
      for (const target of ["up", "logs", "build"]) assert.match(make(target), /--stack 'ours'/);
    } finally {
      delete process.env.STACK;
    }
  });

  test("passes each value as one word, whatever its characters", () => {
    // No other line: if packages are out of date, make installs them first.
    const words = (lines: string) =>
      spawnSync("sh", ["-c", `node() { printf '<%s>' "$@"; }\n${/^node .*kazoo\.js .*/m.exec(lines)?.[0]}`], {
        encoding: "utf8",
      }).stdout;
    const name = `Acme's "Inc"; \`x\` & co`;
    assert.equal(
      words(make("get-master-account", `NAME=${name}`)),
      `<tools/cli/kazoo.js><get-master-account><--stack><docker><--name><${name}>`,
    );
    assert.equal(
      words(make("tag", `NAME=${name}`, "STACK=a b")),
      `<tools/cli/kazoo.js><docker><tag><--stack><a b><${name}>`,
    );
  });

  test("keeps npm's messages out of a target's output", () => {
    assert.match(make("-B", "env"), /npm ci >&2 /);
  });
});

describe("docs/from-docker-kazoo.md", () => {
  // From the original project's README and the issue about its Makefile.
  const seed = [
    "build",
    "rebuild",
    "tag",
    "push",
    "rmi",
    "run",
    "launch",
    "launch-net",
    "launch-deps",
    "create-network",
  ].concat(
    ["start", "stop", "kill", "rm", "kill-deps", "logs", "logsf", "shell", "status"],
    ["init-account", "init-apps", "get-master-account", "kazoo-maint-nodes"],
    ["kube-deploy-service", "kube-apply-service", "kube-delete-service", "kube-deploy", "kube-deploy-edit"],
    ["kube-deploy-rollback", "kube-rollout-status", "kube-rollout-history", "kube-delete-deployment"],
    ["kube-logsf", "kube-logsft", "kube-shell"],
  );

  test("has a row for each target of the original Makefile, and the Makefile has the target", () => {
    const project = resolve(__dirname, "../..");
    const table =
      /^\| target .*\n((?:\|.*\n)+)/m.exec(readFileSync(join(project, "docs/from-docker-kazoo.md"), "utf8"))?.[1] ?? "";
    const rows = table.split("\n").flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([a-z-]+)`/g)]);
    const makefile = readFileSync(join(project, "Makefile"), "utf8");
    assert.deepEqual(rows.map(([, target]) => target).sort(), [...seed].sort());
    for (const target of seed) assert.match(makefile, new RegExp(`^${target}: `, "m"));
  });
});
