import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { clusterRollouts } from "../../components/rollout";
import { until } from "../support/until";
import { watchedCluster } from "../support/watchedCluster";

const collection = "/apis/apps/v1/statefulsets";
const jobs = "/apis/batch/v1/jobs";
const inNamespace = (namespace: string) => `/apis/apps/v1/namespaces/${namespace}/statefulsets`;

/** A StatefulSet of two nodes, of which some have the newest revision. */
const set = (namespace: string, name: string, updated: number) => ({
  metadata: { namespace, name, generation: 2 },
  spec: { replicas: 2 },
  status: {
    observedGeneration: 2,
    updatedReplicas: updated,
    readyReplicas: updated,
    currentRevision: "a",
    updateRevision: "b",
  },
});

/** Only the watch ends these waits: they look by themselves once an hour. */
const patience = { grace: 120, look: 3600 };

describe("the watch of a cluster", () => {
  async function started(t: TestContext) {
    const cluster = await watchedCluster(t);
    const rollouts = clusterRollouts(cluster, patience);
    const told: string[] = [];
    const wait = (namespace: string, name: string) => {
      const waits = { ended: false, end: Promise.resolve() };
      const report = (line: string) => void told.push(line);
      waits.end = rollouts.wait({ namespace, name, minutes: 20, report }).then(() => void (waits.ended = true));
      return waits;
    };
    return { cluster, rollouts, wait, told };
  }

  test("is one for all who wait, ends with the last, and runs again for a later one", async (t) => {
    const { cluster, wait } = await started(t);
    const sets = ["nyc", "sfo"].flatMap((zone) => ["rabbitmq-alpha", "bigcouch", "kazoo"].map((name) => [zone, name]));
    for (const [zone = "", name = ""] of sets) cluster.put(collection, set(zone, name, 1));
    const waits = sets.map(([zone = "", name = ""]) => wait(zone, name));
    await until("the watch", () => cluster.watches.size > 0);
    const watches = () => cluster.requests.filter((path) => path.includes("watch=true"));
    await until("all to wait", () => cluster.reads().length >= 2 * sets.length);
    assert.deepEqual(watches(), [`${collection}?watch=true&labelSelector=app.kubernetes.io%2Fpart-of%3Dkazoo`]);
    for (const [zone = "", name = ""] of sets.slice(1)) cluster.put(collection, set(zone, name, 2));
    await Promise.all(waits.slice(1).map(({ end }) => end));
    assert.deepEqual([waits[0]?.ended, cluster.watches.size], [false, 1]);
    cluster.put(collection, set("nyc", "rabbitmq-alpha", 2));
    await waits[0]?.end;
    await until("the watch to end", () => cluster.watches.size === 0);
    assert.ok(cluster.reads().length <= 3 * sets.length, "each StatefulSet is only read when it changes");

    cluster.put(collection, set("nyc", "kazoo", 1));
    const later = wait("nyc", "kazoo");
    await until("another watch", () => cluster.watches.size === 1);
    cluster.put(collection, set("nyc", "kazoo", 2));
    await later.end;
    assert.equal(watches().length, 2);
  });

  test("does not start for what is rolled out already", async (t) => {
    const { cluster, wait } = await started(t);
    cluster.put(collection, set("nyc", "kazoo", 2));
    await wait("nyc", "kazoo").end;
    assert.deepEqual(cluster.requests, [`${inNamespace("nyc")}/kazoo`]);
  });

  for (const [how, breakOff] of [
    ["its connection breaks", (cluster: Awaited<ReturnType<typeof watchedCluster>>) => cluster.cut()],
    [
      "it is too old for the API server (410)",
      (cluster: Awaited<ReturnType<typeof watchedCluster>>) => {
        cluster.send(collection, "ERROR", { kind: "Status", code: 410, reason: "Expired" });
        for (const { response } of cluster.watches) response.end();
      },
    ],
  ] as const)
    test(`misses nothing when ${how} during a roll`, async (t) => {
      const { cluster, wait } = await started(t);
      cluster.put(collection, set("nyc", "kazoo", 0));
      const { end } = wait("nyc", "kazoo");
      await until("the watch", () => cluster.watches.size === 1 && cluster.reads().length === 2);
      breakOff(cluster);
      await until("its end", () => cluster.watches.size === 0);
      cluster.put(collection, set("nyc", "kazoo", 2));
      await end;
    });

  test("is one per namespace for users whose rights end there", async (t) => {
    const { cluster, wait } = await started(t);
    cluster.refused.add(collection);
    for (const zone of ["nyc", "sfo"]) cluster.put(collection, set(zone, "kazoo", 1));
    const waits = ["nyc", "sfo"].map((zone) => wait(zone, "kazoo"));
    await until("both watches", () => cluster.watches.size === 2);
    assert.deepEqual(cluster.watched().sort(), [inNamespace("nyc"), inNamespace("sfo")]);
    cluster.put(collection, set("nyc", "kazoo", 2));
    await waits[0]?.end;
    await until("the first to end", () => cluster.watched().join() === inNamespace("sfo"));
    cluster.put(collection, set("sfo", "kazoo", 2));
    await waits[1]?.end;
  });

  test("is not believed: an event from before the change does not end the wait", async (t) => {
    const { cluster, wait, told } = await started(t);
    cluster.put(collection, set("nyc", "kazoo", 0));
    const waits = wait("nyc", "kazoo");
    await until("the watch", () => cluster.watches.size === 1 && cluster.reads().length === 2);
    const before = { ...set("nyc", "kazoo", 2), metadata: { namespace: "nyc", name: "kazoo", generation: 1 } };
    cluster.send(collection, "MODIFIED", before);
    await until("another look", () => cluster.reads().length === 3);
    cluster.put(collection, set("nyc", "kazoo", 1));
    await until("the next step", () => told.length === 2);
    assert.deepEqual(told, [
      "waiting for StatefulSet nyc/kazoo: 0 of 2 nodes updated, 0 ready",
      "waiting for StatefulSet nyc/kazoo: 1 of 2 nodes updated, 1 ready",
    ]);
    assert.equal(waits.ended, false);
    cluster.put(collection, set("nyc", "kazoo", 2));
    await waits.end;
  });

  test("tells of a change that happens while the StatefulSet is being read", async (t) => {
    const { cluster, wait } = await started(t);
    cluster.put(collection, set("nyc", "kazoo", 0));
    const { end } = wait("nyc", "kazoo");
    await until("the watch", () => cluster.watches.size === 1 && cluster.reads().length === 2);
    cluster.beforeAnswer = () => {
      cluster.beforeAnswer = () => undefined;
      cluster.put(collection, set("nyc", "kazoo", 2));
    };
    cluster.put(collection, set("nyc", "kazoo", 1));
    await end;
  });

  test("also tells what other stacks create", async (t) => {
    const { cluster, rollouts } = await started(t);
    const arrival = { namespace: "nyc", minutes: 20, report: () => undefined, next: "deploy it" };
    const both = Promise.all([
      rollouts.arrives({ ...arrival, kind: "StatefulSet", name: "bigcouch" }),
      rollouts.arrives({ ...arrival, kind: "Job", name: "bigcouch-join" }),
    ]);
    await until("both watches", () => cluster.watches.size === 2);
    assert.deepEqual(cluster.watched().sort(), [collection, jobs]);
    cluster.put(collection, set("nyc", "bigcouch", 0));
    const labels = { "app.kubernetes.io/name": "bigcouch-join" };
    const metadata = { namespace: "nyc", name: "bigcouch-join-1a2b", labels };
    cluster.put(jobs, { metadata });
    cluster.put(jobs, { metadata, status: { succeeded: 1 } } as { metadata: typeof metadata });
    await both;
  });

  test("does not keep the program running, nor hold it up, even if it is never answered", async (t) => {
    const cluster = await watchedCluster(t);
    cluster.silent = true;
    cluster.put(collection, set("nyc", "kazoo", 1));
    const access = JSON.stringify({ context: cluster.context, kubeconfig: cluster.kubeconfig });
    const program = `
      const { clusterRollouts } = require("./components/rollout");
      const report = () => undefined;
      void clusterRollouts(${access}, { grace: 120, look: 0.1 })
        .wait({ namespace: "nyc", name: "kazoo", minutes: 20, report }).then(() => console.log("rolled out"));`;
    const root = resolve(__dirname, "../..");
    const child = promisify(execFile)(process.execPath, ["--import", "tsx", "-e", program], { cwd: root });
    await until("the watch", () => cluster.watches.size === 1);
    cluster.put(collection, set("nyc", "kazoo", 2));
    assert.equal((await child).stdout, "rolled out\n");
  });
});
