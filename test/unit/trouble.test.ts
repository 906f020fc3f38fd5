import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ClaimFacts, type UnreadyPod, troubles } from "../../components/trouble";

describe("what keeps pods from becoming ready", () => {
  const pod = (status: UnreadyPod["status"]): UnreadyPod => ({ metadata: { name: "kazoo-1" }, status: status ?? {} });
  const waiting = (reason: string, message?: string, lastState?: object) =>
    pod({
      containerStatuses: [
        { name: "kazoo", state: { waiting: { reason, ...(message === undefined ? {} : { message }) } }, ...lastState },
      ],
    });

  test("nothing, while they merely start", () => {
    assert.deepEqual(troubles({ pods: [waiting("ContainerCreating"), waiting("PodInitializing"), pod({})] }), []);
  });

  test("an image that cannot be pulled, with the registry's answer", () => {
    assert.deepEqual(troubles({ pods: [waiting("ImagePullBackOff", "Back-off pulling image: not\nfound")] }), [
      "pod kazoo-1: container kazoo: ImagePullBackOff, Back-off pulling image: not found; next: check the image's name and tag, and the registry's login in kazoo:registries",
    ]);
  });

  test("a container that keeps crashing, with its exit code and its last lines", () => {
    const terminated = { exitCode: 64, message: "one\ntwo\nerror: BIGCOUCH_HOST is missing\nnext: set it\n" };
    assert.deepEqual(
      troubles({ pods: [waiting("CrashLoopBackOff", "back-off 5m0s", { lastState: { terminated } })] }),
      [
        "pod kazoo-1: container kazoo: CrashLoopBackOff, exit code 64: two error: BIGCOUCH_HOST is missing next: set it; next: kubectl logs --previous shows more of its output; correct the cause and run up again",
      ],
    );
  });

  test("a pod that fits on no node, with the scheduler's reason", () => {
    const message = "0/3 nodes are available: 3 Insufficient memory.";
    const unschedulable = { type: "PodScheduled", status: "False", reason: "Unschedulable", message };
    assert.deepEqual(troubles({ pods: [pod({ conditions: [unschedulable] })] }), [
      `pod kazoo-1: no node fits: ${message}; next: add or free a node, or change resources, nodeSelector or tolerations in the stack's file`,
    ]);
  });

  test("a claim without a volume and a lack of big enough nodes are reported as different problems", () => {
    const message = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    const unschedulable = { type: "PodScheduled", status: "False", reason: "Unschedulable", message };
    assert.match(troubles({ pods: [pod({ conditions: [unschedulable] })] }).join(), /next: check storageClass/);
  });

  test("a pod that cannot be created, with what to do about a quota, and about a policy", () => {
    assert.deepEqual(troubles({ pods: [], refused: "create Pod kazoo-1 failed: exceeded quota: small" }), [
      "create Pod kazoo-1 failed: exceeded quota: small; next: raise the ResourceQuota, or reduce what the stack requests",
    ]);
    assert.deepEqual(troubles({ pods: [], refused: 'admission webhook "guard" denied the request: not on Fridays' }), [
      'admission webhook "guard" denied the request: not on Fridays; next: change what the cluster\'s policy refuses, or the policy',
    ]);
  });

  test("a claim that gets no volume, but not one that waits for its pod's node or a busy provisioner", () => {
    const claim = (event: NonNullable<ClaimFacts["event"]>) =>
      troubles({ pods: [], claims: [{ name: "data-bigcouch-0", event }] });
    const message = 'storageclass.storage.k8s.io "fast" not found';
    const next = "check storageClass in the stack's file, and the cluster's provisioner and volumes";
    assert.deepEqual(claim({ type: "Warning", reason: "ProvisioningFailed", message }), [
      `claim data-bigcouch-0 is not bound: ${message}; next: ${next}`,
    ]);
    assert.equal(claim({ type: "Normal", reason: "FailedBinding", message: "no storage class is set" }).length, 1);
    const provisioning = { type: "Normal", reason: "ExternalProvisioning", message: "waiting for a volume" };
    assert.equal(claim({ ...provisioning, count: 5 }).length, 1);
    assert.deepEqual(claim({ ...provisioning, count: 1 }), []);
    assert.deepEqual(claim({ type: "Normal", reason: "WaitForFirstConsumer", message: "waiting for a pod" }), []);
  });
});
