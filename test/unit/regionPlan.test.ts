import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type RegionPlan, atOnce, inOrder, limitOf, planUp } from "../../tools/cli/stack/regionPlan";
import { jobsOf, outcomeLines } from "../../tools/cli/run/fleet";
import { platformFrom } from "../support/mocks";

const network = (second: number) => `10.${second}.0.0/16`;
const regions = ["ap", "eu", "us"];
const platform = platformFrom({
  stacks: "region",
  image: { prebuilt: "kazoo:4.3" },
  clusters: Object.fromEntries(
    regions.map((name, index) => [
      name,
      { context: name, clusterDomain: `${name}.internal`, podNetwork: network(index) },
    ]),
  ),
  rings: { main: {}, own: {} },
  regions: {
    ap: { cluster: "ap", datacenters: { tyo: { ring: "main" } } },
    eu: { cluster: "eu", datacenters: { fra: { ring: "main" } } },
    us: { cluster: "us", datacenters: { nyc: { ring: "own" } } },
  },
});
const yes = () => true;
const none = () => false;

describe("the order of an up of all regions", () => {
  const order = (plans: readonly RegionPlan[]) =>
    Object.fromEntries(plans.map(({ region, after, together }) => [region, { after, together }]));

  test("live regions of a ring change one after the other, independently of other rings", () => {
    assert.deepEqual(order(planUp(platform, yes, yes)), {
      ap: { after: [], together: [] },
      eu: { after: ["ap"], together: [] },
      us: { after: [], together: [] },
    });
  });

  test("the regions of a new ring are created together, also after an interrupted run created half of them", () => {
    const created = {
      ap: { after: [], together: ["eu"] },
      eu: { after: [], together: ["ap"] },
      us: { after: [], together: [] },
    };
    assert.deepEqual(order(planUp(platform, none, none)), created);
    assert.deepEqual(order(planUp(platform, yes, none)), created);
  });

  test("a new region of a live ring waits for no other", () => {
    const deployed = (region: string) => region !== "eu";
    assert.deepEqual(order(planUp(platform, deployed, yes)).eu, { after: [], together: [] });
  });

  test("on machines of their own, regions run one at a time if one waits for another, and at once if they must", () => {
    assert.equal(limitOf(planUp(platform, yes, yes)), 1);
    assert.equal(limitOf(planUp(platform, none, none)), 3);
    assert.equal(limitOf(planUp(platform, (region) => region !== "eu", yes)), 3);
    const both: RegionPlan[] = [plan("a"), plan("b", ["a"]), plan("c", [], ["d"]), plan("d", [], ["c"])];
    assert.equal(limitOf(both), 4, "what must run together would wait forever");
    assert.equal(limitOf([]), 1);
  });
});

describe("a run of regions", () => {
  const signal = new AbortController().signal;

  /** Runs plans; the test decides when a region ends. */
  function started(plans: readonly RegionPlan[], jobs: number, stop = signal) {
    const running = new Map<string, (problem?: string) => void>();
    const stopped: string[] = [];
    const outcomes = inOrder(
      plans,
      jobs,
      (region, own) =>
        new Promise((end) => {
          running.set(region, end);
          own.addEventListener("abort", () => {
            stopped.push(region);
            end("stopped");
          });
        }),
      stop,
    );
    const settled = () => new Promise((done) => setImmediate(done));
    return { running, stopped, outcomes, settled };
  }

  test("runs at most the allowed number of regions at a time, except that regions that wait for each other run together", async () => {
    const limited = started(atOnce(["a", "b", "c"]), 2);
    await limited.settled();
    assert.deepEqual([...limited.running.keys()], ["a", "b"]);
    limited.running.get("a")?.();
    await limited.settled();
    assert.deepEqual([...limited.running.keys()], ["a", "b", "c"]);
    const both = started([plan("a", [], ["b"]), plan("b", [], ["a"])], 1);
    await both.settled();
    assert.deepEqual([...both.running.keys()], ["a", "b"]);
  });

  test("a region that fails stops those that wait for it, and no other", async () => {
    const run = started([plan("a"), plan("b", ["a"]), plan("c"), plan("d", [], ["e"]), plan("e", [], ["d"])], 4);
    await run.settled();
    run.running.get("a")?.("no room");
    run.running.get("d")?.("no answer");
    await run.settled();
    run.running.get("c")?.();
    assert.deepEqual(await run.outcomes, [
      { region: "a", kind: "failed", problem: "no room" },
      { region: "b", kind: "not run", for: ["a"] },
      { region: "c", kind: "done" },
      { region: "d", kind: "failed", problem: "no answer" },
      { region: "e", kind: "failed", problem: "stopped" },
    ]);
    assert.deepEqual(run.stopped, ["e"]);
  });

  test("an interrupt stops running regions and starts no others", async () => {
    const stop = new AbortController();
    const run = started([plan("a"), plan("b", ["a"]), plan("c")], 1, stop.signal);
    await run.settled();
    stop.abort();
    const kinds = (await run.outcomes).map(({ kind }) => kind);
    assert.deepEqual(kinds, ["failed", "not run", "not run"]);
    assert.deepEqual(run.stopped, ["a"]);
  });

  test("the summary names each region, with its error or what it waits for", () => {
    const lines = outcomeLines([
      { region: "a", kind: "failed", problem: "no room\nnext: make some" },
      { region: "b", kind: "not run", for: ["a"] },
      { region: "c", kind: "done" },
    ]);
    assert.match(lines, /failed +a: no room\n +next: make some\n/);
    assert.match(lines, /not run +b: it waits for a\n/);
    assert.match(lines, /done +c\n/);
  });

  test("a limit that is not a number is refused", () => {
    assert.equal(jobsOf("3"), 3);
    assert.throws(() => jobsOf("many"), /"many" is not a number of regions/);
    assert.throws(() => jobsOf("0"), /"0" is not a number/);
  });
});

const plan = (region: string, after: string[] = [], together: string[] = []): RegionPlan => ({
  region,
  after,
  together,
});
