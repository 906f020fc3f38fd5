import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Step, stepsBefore } from "../../components/order";

describe("the order of a ring's zones", () => {
  const zones = ["bos", "nyc", "sfo"];
  const all = () => true;
  const none = () => false;
  const before = (step: Step, exists: (step: Step) => boolean) =>
    stepsBefore(step, zones, exists).map(({ zone, workload }) => `${zone}/${workload}`);

  test("beta waits for alpha if it exists already, and for nothing if it is created", () => {
    assert.deepEqual(before({ zone: "nyc", workload: "beta" }, all), ["nyc/alpha"]);
    assert.deepEqual(before({ zone: "nyc", workload: "beta" }, none), []);
    assert.deepEqual(before({ zone: "nyc", workload: "alpha" }, all), []);
  });

  test("existing databases change one after the other; a new one waits for none and delays none", () => {
    assert.deepEqual(before({ zone: "sfo", workload: "database" }, all), ["nyc/database"]);
    assert.deepEqual(before({ zone: "sfo", workload: "database" }, none), []);
    const withoutNyc = ({ zone }: Step) => zone !== "nyc";
    assert.deepEqual(before({ zone: "nyc", workload: "database" }, withoutNyc), []);
    assert.deepEqual(before({ zone: "sfo", workload: "database" }, withoutNyc), ["bos/database"]);
  });

  test("a drained workload stops after its users have stopped, and waits for no other zone", () => {
    const drained = ({ zone }: Step) => zone === "nyc";
    const stopping = (workload: Step["workload"], zone = "nyc") =>
      stepsBefore({ zone, workload }, zones, all, drained).map((step) => `${step.zone}/${step.workload}`);
    assert.deepEqual(stopping("kazoo"), []);
    assert.deepEqual([stopping("alpha"), stopping("beta")], [["nyc/kazoo"], ["nyc/kazoo"]]);
    assert.deepEqual(stopping("database"), ["nyc/alpha", "nyc/beta"]);
    assert.deepEqual(stopping("database", "sfo"), ["nyc/database"]);
  });

  test("Kazoo waits for the joined databases and brokers of all zones and for the first zone's Kazoo, also on a first up", () => {
    const stores = zones.flatMap((zone) => ["alpha", "beta", "database", "join"].map((store) => `${zone}/${store}`));
    assert.deepEqual(before({ zone: "bos", workload: "kazoo" }, none), stores);
    assert.deepEqual(before({ zone: "sfo", workload: "kazoo" }, none), [...stores, "bos/kazoo"]);
  });
});
