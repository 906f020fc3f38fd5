import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { workloadLabel, workloads } from "../../components/names";
import { requireDatabaseKind } from "../../config/compatibility";
import { requireHealthy } from "../../tools/cli/cluster/health";
import type { SelectedZone } from "../../tools/cli/cluster/nodes";
import { refuse, refuseStopped } from "../../tools/cli/commands/remove";
import { type LiveRing, maintenanceIn, shardStep } from "../../tools/cli/runbook/liveRing";
import { moveShards, unfinished } from "../../tools/cli/runbook/shards/moveShards";
import { type RingNode, type WantedCopies, planMoves } from "../../tools/cli/runbook/shards/plan";
import { type Ask, type Request, RingDatabase, askBy, urlOf } from "../../tools/cli/runbook/shards/ringDatabase";
import { type Move, type ShardDocument, begun, ended } from "../../tools/cli/runbook/shards/shardMap";
import { readAnswers, scriptOf } from "../../tools/cli/cluster/questions";
import { UserError } from "../../tools/shared/terminal";
import { clusterWith } from "../support/clusterDouble";
import { platformFrom } from "../support/mocks";
import { runAgainst } from "../support/script";
import { ShardedRing } from "../support/shardedRing";

const ranges = ["00000000-7fffffff", "80000000-ffffffff"] as const;

/** Nodes `a0`, `a1`, `b0`, …: the letter is the zone. */
const place = (name: string, leaving: readonly string[] = []): RingNode => ({
  name,
  zone: name.slice(0, 1),
  leaving: leaving.includes(name),
});
const placesOf = (names: string, leaving = "") => names.split(" ").map((name) => place(name, leaving.split(" ")));

/** A database whose ranges are on these nodes: `a0 b0` for all, or one text for each. */
function mapOf(database: string, ...nodes: string[]): ShardDocument {
  const by_range = Object.fromEntries(
    ranges.map((range, index) => [range, (nodes[index] ?? nodes[0] ?? "").split(" ")]),
  );
  const names = [...new Set(Object.values(by_range).flat())];
  return {
    _id: database,
    by_range,
    by_node: Object.fromEntries(names.map((name) => [name, ranges.filter((range) => by_range[range]?.includes(name))])),
    changelog: ranges.flatMap((range) => (by_range[range] ?? []).map((node) => ["add", range, node])),
    shard_suffix: [46, 49],
  };
}

/** Shard maps when all moves are done. */
const after = (maps: readonly ShardDocument[], moves: readonly Move[]): ShardDocument[] =>
  maps.map((map) =>
    ended(
      begun(
        map,
        moves.filter(({ database }) => database === map._id),
      ),
    ),
  );

/** The nodes of the first range of each database, in the order of their names. */
const lying = (maps: readonly ShardDocument[], range = 0) =>
  maps.map(({ by_range: found }) => [...(found[ranges[range] ?? ""] ?? [])].sort().join(" "));

const spread: WantedCopies = { copies: 1, even: false };

describe("a plan of moves", () => {
  test("moves the copies of a node that leaves, each to a node of its zone that has none, and no others", () => {
    const maps = [mapOf("db", "a0 b0", "a1 b1"), mapOf("other", "a1 b0")];
    const { moves } = planMoves(maps, placesOf("a0 a1 b0 b1", "a0"), { ...spread, copies: 2 });
    assert.deepEqual(moves, [{ database: "db", range: ranges[0], to: "a1", from: "a0" }]);
  });

  test("moves a zone's copies to the zones that stay, and says where nodes are too few for them", () => {
    const maps = [mapOf("db", "a0 a1 b0 b1"), mapOf("small", "a0 b0")];
    const four = planMoves(maps, placesOf("a0 a1 b0 b1 c0 c1", "a0 a1"), { ...spread, placement: { b: 2, c: 2 } });
    assert.deepEqual(lying(after(maps, four.moves)), ["b0 b1 c0 c1", "b0 b1 c0 c1"]);
    const two = planMoves(maps, placesOf("a0 a1 b0 b1", "a0 a1"), { ...spread, placement: { b: 2 } });
    assert.deepEqual(two.shortages, [{ database: "db", copies: 4, nodes: 2 }]);
    assert.deepEqual(planMoves(maps, placesOf("b0 b1"), { ...spread, copies: 2, fewer: true }).shortages, []);
  });

  test("adds copies where a placement wants them, and keeps as many as there were", () => {
    const maps = [mapOf("db", "a0 a1 b0 b1"), mapOf("new", "a0 b0")];
    const { moves } = planMoves(maps, placesOf("a0 a1 b0 b1 c0"), { ...spread, placement: { a: 1, b: 1, c: 1 } });
    assert.deepEqual(lying(after(maps, moves)), ["a0 a1 b1 c0", "a0 b0 c0"]);
  });

  test("evens out the nodes of a zone when it gets more, and leaves the others", () => {
    const maps = ["p", "q", "r", "s"].map((name) => mapOf(name, "a0 b0"));
    const { moves } = planMoves(maps, placesOf("a0 a1 b0"), { copies: 2, even: true });
    assert.equal(moves.length, 4);
    assert.ok(moves.every(({ to, from }) => to === "a1" && from === "a0"));
    assert.deepEqual(planMoves(maps, placesOf("a0 a1 b0"), { copies: 2, even: false }).moves, []);
  });

  test("leaves copies on nodes that it does not know, and does not count them", () => {
    const maps = [mapOf("db", "a0 x9")];
    assert.deepEqual(planMoves(maps, placesOf("a0 b0"), { copies: 2, even: true }).moves, [
      { database: "db", range: ranges[0], to: "b0" },
      { database: "db", range: ranges[1], to: "b0" },
    ]);
  });

  test("any ring: copies are never fewer than they were, wherever it is interrupted, and it ends where it would have", () => {
    const nodes = ["a0", "a1", "a2", "b0", "b1", "c0", "c1", "c2"];
    const holders = fc.subarray(nodes, { minLength: 1, maxLength: 4 }).map((some) => some.join(" "));
    const ring = fc.record({
      databases: fc.array(fc.tuple(holders, holders), { minLength: 1, maxLength: 5 }),
      leaving: fc.subarray(nodes, { maxLength: 4 }),
      placement: fc.option(fc.constant({ b: 1, c: 1 }), { nil: undefined }),
      copies: fc.integer({ min: 1, max: 3 }),
      even: fc.boolean(),
      until: fc.nat(40),
    });
    fc.assert(
      fc.property(ring, ({ databases, leaving, placement, copies, even, until }) => {
        const maps = databases.map((both, index) => mapOf(`db${index}`, ...both));
        const places = nodes.map((name) => place(name, leaving));
        const wanted = { copies, even, ...(placement === undefined ? {} : { placement }) };
        const { moves } = planMoves(maps, places, wanted);
        const whole = after(maps, moves);
        // Any moves that were begun, and some databases that were finished.
        const part = maps.map((map) =>
          begun(
            map,
            moves.slice(0, until).filter(({ database }) => database === map._id),
          ),
        );
        const halfway = part.map((map, index) => (index % 2 === until % 2 ? ended(map) : map));
        const resumed = after(halfway, planMoves(halfway, places, wanted).moves);
        for (const [index, map] of maps.entries()) {
          for (const range of ranges) {
            const had = map.by_range[range]?.length ?? 0;
            for (const state of [part, halfway, whole, resumed]) {
              const now = state[index]?.by_range[range] ?? [];
              assert.ok(now.length >= had, `${now.join()} instead of ${map.by_range[range]?.join()}`);
              assert.equal(new Set(now).size, now.length);
            }
            const last = resumed[index]?.by_range[range] ?? [];
            assert.deepEqual(
              last.filter((name) => leaving.includes(name)),
              [],
            );
            if (!even) assert.equal(last.length, whole[index]?.by_range[range]?.length);
            for (const [zone, least] of Object.entries(placement ?? {})) {
              const possible = places.filter((one) => one.zone === zone && !one.leaving).length;
              assert.ok(last.filter((name) => name.startsWith(zone)).length >= Math.min(least, possible));
            }
          }
        }
        assert.deepEqual(planMoves(whole, places, wanted).moves, [], "nothing is left to do");
      }),
      { numRuns: 300 },
    );
  });
});

const kind = requireDatabaseKind("couchdb-2.3.1");
const silent = () => undefined;

/** A ring of two zones of two nodes with two databases, of which a node of `a` leaves. */
function leavingRing() {
  const ring = new ShardedRing({ a0: "a", a1: "a", b0: "b", b1: "b" });
  ring.create("accounts", { [ranges[0]]: ["a0", "b0"], [ranges[1]]: ["a0", "b1"] });
  ring.create("account/ab/cd", { [ranges[0]]: ["a0", "b1"], [ranges[1]]: ["a1", "b1"] });
  const places = placesOf("a0 a1 b0 b1", "a0");
  const run = async (ask: Ask = ring.ask) => {
    const database = new RingDatabase(kind, "b0", ask);
    const { moves } = planMoves(await database.maps(), places, { copies: 2, even: false });
    let round = 0;
    const pause = async (): Promise<void> => {
      ring.work();
      // Kazoo goes on writing for a while.
      if ((round += 1) < 3) ring.write("accounts");
    };
    await moveShards(database, ["a1", "b0", "b1"], moves, { pause, report: silent });
  };
  /** Fails where copies are fewer than they were, or where one that is not complete would be read. */
  const check = (): void => {
    for (const { _id: database, by_range: found } of ring.maps()) {
      for (const [range, nodes] of Object.entries(found)) {
        const good = ring.completeCopies(database, range);
        assert.ok(good.length >= 2, `${database} ${range} has ${good.length} complete copies`);
        const bad = nodes.filter((node) => !good.includes(node) && !ring.inMaintenance().includes(node));
        assert.deepEqual(bad, [], `${database} ${range} would be read from copies that are not complete`);
      }
    }
  };
  return { ring, run, check };
}

/** A ring of the zones `us-a` and `us-b`, in which these workloads are drained. */
function ringOfTwo(drained: { readonly a?: readonly string[]; readonly b?: readonly string[] } = {}) {
  const datacenter = (workloads: readonly string[] = []) => ({ ring: "main", drained: workloads });
  const platform = platformFrom({
    image: { prebuilt: "registry.example.com/kazoo:4.3.12" },
    clusters: { east: { context: "east" } },
    rings: { main: { database: kind.version } },
    regions: { us: { cluster: "east", datacenters: { a: datacenter(drained.a), b: datacenter(drained.b) } } },
  });
  const zone = platform.zones.find(({ name }) => name === "us-a") ?? assert.fail();
  return { stack: { name: "production", platform }, ring: platform.rings["main"] ?? assert.fail(), zone };
}

/** A ring as commands see it. */
const liveRingOf = (ring: ShardedRing, places: readonly RingNode[]): LiveRing => ({
  ring: ringOfTwo().ring,
  places,
  database: new RingDatabase(kind, "b0", ring.ask),
});

/** Asserts an error with this message and next step. */
const refusal = (message: RegExp, next: RegExp) => (error: UserError) => {
  assert.match(error.message, message);
  assert.match(error.next ?? "", next);
  return true;
};

describe("a zone", () => {
  test("is not removed while something is drained in another zone of its ring, which looks healthy without nodes", () => {
    for (const drained of [["kazoo"], ["kazoo", "rabbitmq"], ["kazoo", "rabbitmq", "database"]]) {
      const { stack, ring, zone } = ringOfTwo({ b: drained });
      const expected = refusal(/zone us-b is drained, so it cannot take over from us-a/, /make return .*ZONE=us-b/);
      assert.throws(() => refuse(stack, ring, zone), expected);
    }
    const { stack, ring, zone } = ringOfTwo({ a: ["kazoo", "rabbitmq"] });
    refuse(stack, ring, zone);
  });

  test("whose database nodes are drained is removed only if they have no copies, as after an interrupted removal", async () => {
    const { ring, run } = leavingRing();
    const live = liveRingOf(ring, placesOf("a0 a1 b0 b1", "a0"));
    const { stack, zone } = ringOfTwo({ a: ["kazoo", "rabbitmq", "database"] });
    const expected = refusal(/database nodes of zone us-a are drained, but still have copies of acc/, /ZONE=us-a$/);
    await assert.rejects(refuseStopped(stack, zone, live), expected);
    await refuseStopped(stack, ringOfTwo({ a: ["kazoo", "rabbitmq"] }).zone, live);
    await run();
    await refuseStopped(stack, zone, live);
  });
});

const where = (ring: ShardedRing) => ring.maps().flatMap(({ by_range: found }) => Object.values(found));

describe("shards", () => {
  test("move as the guide says: kept from requests, added, complete, back in service, and then taken away", async () => {
    const { ring, run, check } = leavingRing();
    await run(async (requests) => {
      const replies = await ring.ask(requests);
      check();
      return replies;
    });
    assert.deepEqual(
      where(ring).map((nodes) => nodes.join(" ")),
      ["b1 a1", "a1 b1", "b0 a1", "b1 a1"],
    );
    const writes = ring.requests.filter((request) => request.startsWith("PUT"));
    assert.deepEqual(writes, [
      "PUT a1 /_node/_local/_config/couchdb/maintenance_mode",
      "PUT b0 /_dbs/account%2Fab%2Fcd",
      "PUT b0 /_dbs/accounts",
      "PUT a1 /_node/_local/_config/couchdb/maintenance_mode",
      "PUT b0 /_dbs/account%2Fab%2Fcd",
      "PUT b0 /_dbs/accounts",
    ]);
    const last = ring.map("accounts");
    assert.deepEqual(last.changelog.slice(-4), [
      ["add", ranges[0], "a1"],
      ["add", ranges[1], "a1"],
      ["remove", ranges[0], "a0"],
      ["remove", ranges[1], "a0"],
    ]);
    assert.equal(last.moving, undefined);
    assert.deepEqual(ring.inMaintenance(), []);
  });

  test("move to the same places after an interruption at any request, and no copy is lost meanwhile", async () => {
    const straight = leavingRing();
    await straight.run();
    const total = straight.ring.requests.length;
    assert.ok(total > 30, `${total} requests`);
    for (let at = 0; at < total; at += 1) {
      const { ring, run, check } = leavingRing();
      const begin = ring.requests.length;
      const interrupted: Ask = async (requests) => {
        const replies = [];
        for (const request of requests) {
          if (ring.requests.length - begin === at) throw new Error("interrupted");
          replies.push(...(await ring.ask([request])));
          check();
        }
        return replies;
      };
      await assert.rejects(run(interrupted), /^Error: interrupted$/);
      await run(async (requests) => {
        const replies = await ring.ask(requests);
        check();
        return replies;
      });
      assert.deepEqual(where(ring), where(straight.ring), `interrupted before request ${at}`);
      assert.deepEqual(ring.inMaintenance(), []);
      const left = await unfinished(new RingDatabase(kind, "b0", ring.ask), ["a1", "b0", "b1"], ring.maps());
      assert.deepEqual(left, { inMaintenance: [], databases: [] });
    }
  });

  test("stay where copies do not become complete: nothing is taken away, and the target is kept from requests", async () => {
    const { ring, check } = leavingRing();
    const database = new RingDatabase(kind, "b0", ring.ask);
    const move = { database: "accounts", range: ranges[0], to: "a1", from: "a0" };
    const stuck = moveShards(database, ["a1"], [move], { pause: async () => undefined, report: silent });
    await assert.rejects(stuck, /1 shards have made no progress for 10 minutes: accounts 00000000-7fffffff/);
    assert.deepEqual(ring.map("accounts").by_range[ranges[0]], ["a0", "b0", "a1"]);
    assert.deepEqual(ring.inMaintenance(), ["a1"]);
    check();
  });

  test("that were interrupted are no reason to refuse the command that continues them; anything else that is not ready is", async (t) => {
    const { ring } = leavingRing();
    const live = liveRingOf(ring, placesOf("a0 a1 b0 b1", "a0"));
    /** Asserts whether a zone with two database nodes is refused, of which some are ready. */
    const refuses = async (refused: boolean, database: number, kazoo = 1, asked = maintenanceIn(live)) => {
      const set = (workload: string, replicas: number, readyReplicas: number) => {
        const labels = { [workloadLabel]: workload };
        return { metadata: { name: workload, labels }, spec: { replicas }, status: { readyReplicas } };
      };
      const sets = [set(workloads.database, 2, database), set(workloads.kazoo, 1, kazoo)];
      const cluster = await clusterWith(t, {
        "/apis/apps/v1/namespaces/a/statefulsets": { kind: "StatefulSetList", apiVersion: "apps/v1", items: sets },
        "/apis/batch/v1/namespaces/a/jobs": { kind: "JobList", apiVersion: "batch/v1", items: [] },
        "/api/v1/namespaces/a/pods": { kind: "PodList", apiVersion: "v1", items: [] },
      });
      const nodes = { kazoo: ["kazoo_apps@kazoo-0.kazoo-nodes"], database: ["a0", "a1"] };
      const zone = { namespace: "a", nodes, endpoints: { brokers: [] } } as unknown as SelectedZone["zone"];
      const answer = requireHealthy({ name: "production" }, [{ name: "a", zone, cluster }], asked);
      await (refused ? assert.rejects(answer, /not everything in a is ready/) : answer);
    };
    await refuses(true, 1);
    const move = { database: "accounts", range: ranges[0], to: "a1", from: "a0" };
    const stop = () => Promise.reject(new Error("interrupted"));
    await assert.rejects(moveShards(live.database, ["a1"], [move], { pause: stop, report: silent }), /interrupted/);
    await refuses(false, 1);
    await refuses(true, 0);
    const mute = new RingDatabase(kind, "b0", () => Promise.reject(new UserError("it does not answer")));
    await refuses(true, 1, 1, maintenanceIn({ ...live, database: mute }));
    await refuses(true, 1, 0);
    const unasked = () => assert.fail("a ring was asked that may not be able to answer");
    await refuses(true, 1, 0, unasked);
    await refuses(false, 2, 1, unasked);
  });

  test("of new databases are not for a node that leaves; then it is in nobody's list, with none of its revisions", async () => {
    const { ring } = leavingRing();
    const database = new RingDatabase(kind, "b0", ring.ask);
    await database.setRetired(["a0", "gone"], true);
    const { body: document } =
      (await ring.ask([{ method: "GET", node: "a1", local: true, path: "/_nodes/a0" }]))[0] ?? {};
    const { decom, zone } = document as { readonly decom?: boolean; readonly zone?: string };
    assert.deepEqual({ decom, zone }, { decom: true, zone: "a" });
    await database.forget(["a0", "gone"]);
    assert.deepEqual(ring.members("b1"), ["a1", "b0", "b1"]);
    assert.deepEqual(await database.members(), ["a1", "b0", "b1"]);
    await database.forget(["a0"]);
  });

  test("of new databases are again for a node that stays, after a command was given up with which it would have left", async () => {
    const { ring } = leavingRing();
    const live = liveRingOf(ring, placesOf("a0 a1 b0 b1"));
    const { database } = live;
    const step = shardStep(live, { copies: 2, even: false }, "Shards move", undefined);
    assert.equal(await step.isDone(), true, "nothing is to be moved");
    await database.setRetired(["a0"], true);
    assert.equal(await step.isDone(), false);
    await step.run();
    assert.deepEqual(await database.retired(["a0", "a1", "b0", "b1", "gone"]), []);
    assert.equal(await step.isDone(), true);
  });

  for (const version of ["couchdb-2.3.1", "couchdb-3.3.3"]) {
    test(`are asked by curl in a pod, whose command shows no password: ${version}`, async () => {
      const [kind, login] = [requireDatabaseKind(version), { COUCHDB_USER: "kazoo", COUCHDB_PASS: `a b\\c'd` }];
      const ring = new ShardedRing({ "couchdb@a0.db": "a", "couchdb@b0.db": "b", "couchdb@b1.db": "b" });
      ring.create("it's/a+b", { [ranges[0]]: ["couchdb@a0.db", "couchdb@b0.db"] });
      const server = await ring.serve(kind, { user: login.COUCHDB_USER, password: login.COUCHDB_PASS });
      try {
        let said = "";
        const ask = askBy(kind, async (questions, seconds) => {
          const { stdout, stderr, curl } = await runAgainst(server.port, scriptOf(questions, seconds), login);
          said += stderr + curl;
          return readAnswers(stdout);
        });
        const database = new RingDatabase(kind, "couchdb@b0.db", ask);
        const places = Object.entries(ring.zones).map(([name, zone]) => ({ name, zone, leaving: zone === "a" }));
        const { moves } = planMoves(await database.maps(), places, { copies: 2, even: false });
        const pause = async () => ring.work();
        await moveShards(database, ["couchdb@b0.db", "couchdb@b1.db"], moves, { pause, report: silent });
        assert.deepEqual(where(ring), [["couchdb@b0.db", "couchdb@b1.db"]]);
        assert.equal(ring.completeCopies("it's/a+b", ranges[0]).length, 2);
        assert.ok(!said.includes(login.COUCHDB_PASS), said);
      } finally {
        await server.stop();
      }
    });
  }

  test("are asked for where each version has them", () => {
    const request: Request = { method: "GET", node: "couchdb@db.example", path: "/_dbs/a", local: true };
    assert.equal(urlOf(kind, request), "http://db.example:5986/_dbs/a");
    assert.equal(urlOf(kind, { ...request, local: false }), "http://db.example:5984/_dbs/a");
    const three = requireDatabaseKind("couchdb-3.3.3");
    assert.equal(urlOf(three, request), "http://db.example:5984/_node/_local/_dbs/a");
  });
});
