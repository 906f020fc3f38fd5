import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubernetesObject, V1ManagedFieldsEntry } from "@kubernetes/client-node";
import { isFromRun, released } from "../../tools/cli/cluster/leftBehind";

const label = { "f:metadata": { "f:labels": { "f:app.kubernetes.io/part-of": {} } } };
const whole = { ...label, "f:spec": { "f:replicas": {} } };
const entry = (manager: string, fieldsV1: object, operation = "Apply"): V1ManagedFieldsEntry => ({
  manager,
  operation,
  fieldsV1,
});
const left = entry("pulumi-kubernetes-48396833", whole);
const current = entry("pulumi-kubernetes-18c83a8f", whole);
// A program of someone else that owns one field, and a controller.
const other = entry("pulumi-kubernetes-0a1b2c3d", { "f:spec": { "f:replicas": {} } });
const controller = entry("kube-controller-manager", whole, "Update");
const object = (...managedFields: V1ManagedFieldsEntry[]): KubernetesObject => ({ metadata: { managedFields } });

test("only the field manager of a run of this program counts as one that left an object behind", () => {
  const found = object(left, other, controller, entry("kubectl", whole));
  assert.equal(isFromRun(found, "pulumi-kubernetes-48396833"), true);
  assert.equal(isFromRun(found), true);
  for (const manager of [
    "pulumi-kubernetes-0a1b2c3d",
    "kube-controller-manager",
    "kubectl",
    "pulumi-kubernetes-unknown",
  ])
    assert.equal(isFromRun(found, manager), false, manager);
  assert.equal(isFromRun(object(other, controller)), false);
  assert.equal(isFromRun({}), false);
});

test("a released run keeps the label alone, and nobody else loses a field", () => {
  const after = released(object(left, current, other, controller), "pulumi-kubernetes-48396833");
  assert.deepEqual(after, [{ ...left, fieldsV1: label }, current, other, controller]);
  assert.equal(isFromRun(object(...after), "pulumi-kubernetes-48396833"), false, "it is not released again");
  assert.deepEqual(released(object(left, other)), [{ ...left, fieldsV1: label }, other]);
});
