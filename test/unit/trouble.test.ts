import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type PodFacts, troubles } from "../../components/trouble";

describe("what keeps pods from becoming ready", () => {
  const pod = (status: PodFacts["status"]): PodFacts => ({ metadata: { name: "kazoo-1" }, status: status ?? {} });
  const waiting = (reason: string, message?: string, lastState?: object) =>
    pod({
      containerStatuses: [
        { name: "kazoo", state: { waiting: { reason, ...(message === undefined ? {} : { message }) } }, ...lastState },
      ],
    });

  test("nothing, while they merely start", () => {
    assert.deepEqual(troubles([waiting("ContainerCreating"), waiting("PodInitializing"), pod({})], []), []);
  });

  test("an image that cannot be pulled, with the registry's answer", () => {
    assert.deepEqual(troubles([waiting("ImagePullBackOff", "Back-off pulling image: not\nfound")], []), [
      "pod kazoo-1: container kazoo: ImagePullBackOff, Back-off pulling image: not found",
    ]);
  });

  test("a container that keeps crashing, with its exit code and its last lines", () => {
    const terminated = { exitCode: 64, message: "one\ntwo\nerror: BIGCOUCH_HOST is missing\nnext: set it\n" };
    assert.deepEqual(troubles([waiting("CrashLoopBackOff", "back-off 5m0s", { lastState: { terminated } })], []), [
      "pod kazoo-1: container kazoo: CrashLoopBackOff, exit code 64: two error: BIGCOUCH_HOST is missing next: set it",
    ]);
  });

  test("a pod that fits on no node, with the scheduler's reason", () => {
    const message = "0/3 nodes are available: 3 Insufficient memory.";
    const unschedulable = { type: "PodScheduled", status: "False", reason: "Unschedulable", message };
    assert.deepEqual(troubles([pod({ conditions: [unschedulable] })], []), [`pod kazoo-1: no node fits: ${message}`]);
  });

  test("pods that could not be created, by the newest event", () => {
    assert.deepEqual(troubles([], ["exceeded quota: a", "exceeded quota: b"]), ["exceeded quota: b"]);
  });
});
