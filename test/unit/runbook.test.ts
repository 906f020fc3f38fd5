import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { databaseKind, type DatabaseKind } from "../../config/compatibility";
import { onlyThere, readShardMaps, shardMapsScript } from "../../tools/cli/runbook/shards/copies";
import { wantedSize } from "../../tools/cli/commands/grow";
import { ordinal, wantedNodes } from "../../tools/cli/commands/scale";
import { type Runbook, follow } from "../../tools/cli/runbook/runbook";
import { UserError } from "../../tools/shared/terminal";

/** A runbook of three steps; `ran` has those that ran, `failing` the one that fails. */
function threeSteps(done: readonly number[], failing?: number) {
  const ran: number[] = [];
  const runbook: Runbook = {
    name: "drain zone a",
    notes: ["new calls go to b"],
    steps: [1, 2, 3].map((step) => ({
      title: `step ${step}`,
      touches: [`StatefulSet ${step}`],
      isDone: async () => done.includes(step) || ran.includes(step),
      run: async () => {
        if (step === failing) throw new UserError("no room");
        ran.push(step);
      },
    })),
  };
  return { runbook, ran };
}

/** The standard output of a call. */
async function printed(t: TestContext, work: () => Promise<void>): Promise<string> {
  let text = "";
  const write = t.mock.method(process.stdout, "write", (chunk: string) => (text += chunk) !== "");
  await work();
  write.mock.restore();
  return text;
}

describe("a runbook", () => {
  test("shows each step with what it touches and whether it is done; a dry run changes nothing, and does not ask", async (t) => {
    const { runbook, ran } = threeSteps([1]);
    const shown = await printed(t, () => follow(runbook, { dryRun: true, unasked: false }, () => undefined));
    assert.equal(
      shown,
      [
        "drain zone a",
        "  new calls go to b",
        "  1. step 1 (done)",
        "     StatefulSet 1",
        "  2. step 2",
        "     StatefulSet 2",
        "  3. step 3",
        "     StatefulSet 3",
        "",
      ].join("\n"),
    );
    assert.deepEqual(ran, []);
  });

  test("does the remaining steps in order, and reports them", async (t) => {
    const { runbook, ran } = threeSteps([2]);
    const told: string[] = [];
    await printed(t, () => follow(runbook, { unasked: true }, (line) => told.push(line)));
    assert.deepEqual(ran, [1, 3]);
    assert.deepEqual(told, ["[1/3] step 1", "[2/3] step 2: already done", "[3/3] step 3", "drain zone a: done"]);
  });

  test("asks before it begins, unless nothing is left to do", async (t) => {
    const { runbook, ran } = threeSteps([]);
    await printed(t, () =>
      assert.rejects(
        follow(runbook, { unasked: false }, () => undefined),
        /no terminal to ask on/,
      ),
    );
    assert.deepEqual(ran, []);
    const told: string[] = [];
    await printed(t, () => follow(threeSteps([1, 2, 3]).runbook, { unasked: false }, (line) => told.push(line)));
    assert.deepEqual(told, ["nothing is left to do"]);
  });

  test("stops at a failing step, and continues there when run again", async (t) => {
    const { runbook, ran } = threeSteps([], 2);
    await printed(t, () =>
      assert.rejects(
        follow(runbook, { unasked: true }, () => undefined),
        (error: UserError) => {
          assert.equal(error.message, "step 2, step 2: no room");
          assert.match(error.next ?? "", /run the same command again to continue with this step/);
          return true;
        },
      ),
    );
    assert.deepEqual(ran, [1]);
  });
});

describe("a database's copies", () => {
  const doc = (_id: string, ...ranges: string[][]) => ({
    doc: { _id, by_range: Object.fromEntries(ranges.map((nodes, index) => [`0000000${index}-ffffffff`, nodes])) },
  });
  const printed = JSON.stringify({
    rows: [
      doc("accounts", ["a-0", "b-0"], ["a-1", "b-1"]),
      doc("old", ["a-0", "b-0"], ["a-0", "a-1"]),
      { doc: { _id: "_design/x" } },
    ],
  });

  test("show databases that have all copies of a shard on the nodes to be drained", () => {
    assert.deepEqual(onlyThere(readShardMaps(printed), ["a-0", "a-1"]), ["old"]);
    assert.deepEqual(onlyThere(readShardMaps(printed), ["b-0", "b-1"]), []);
    assert.deepEqual(onlyThere(readShardMaps(printed), ["a-0", "a-1", "b-0", "b-1"]), ["accounts", "old"]);
  });

  test("are queried through a Kazoo node, because CouchDB's image has no curl, without the password on a command line", () => {
    const at = {
      "bigcouch-0.4.2": "http://bigcouchbal:5986/dbs/",
      "couchdb-2.3.1": "http://bigcouchbal:5986/_dbs/",
      "couchdb-3.3.3": "http://bigcouchbal:5984/_node/_local/_dbs/",
    };
    for (const [version, url] of Object.entries(at)) {
      const script = shardMapsScript(databaseKind(version) as DatabaseKind, "http://bigcouchbal:5984");
      assert.ok(script.includes(`--config - --fail '${url}_all_docs?include_docs=true'`), script);
    }
  });
});

test("a volume's size must be a Kubernetes quantity, and not smaller than before", () => {
  assert.equal(wantedSize("2048Gi", "20Gi"), "2Ti");
  assert.equal(wantedSize("20Gi", "20Gi"), "20Gi");
  assert.throws(() => wantedSize("20480Mi", "21Gi"), /20Gi is less than the 21Gi/);
  assert.throws(() => wantedSize("200G", "20Gi"), /"200G" is not a size/);
});

test("a number of database nodes is a whole number, and a node's own number is that of its pod", () => {
  assert.equal(wantedNodes("12"), 12);
  for (const wrong of ["0", "-1", "100", "two", "1.5"]) assert.throws(() => wantedNodes(wrong), /is not a number/);
  assert.equal(ordinal("couchdb@bigcouch-2.bigcouch.us-east-1.svc.cluster.local"), 2);
});
