import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { foreignFields, isHandmade } from "../../tools/report/foreignFields";

/** An object as an API server shows it, with the fields that each manager owns. */
const owned = (object: object, managers: Readonly<Record<string, object>>, subresource = "") => ({
  ...object,
  metadata: {
    name: "kazoo",
    managedFields: Object.entries(managers).map(([manager, fieldsV1]) => ({ manager, fieldsV1, subresource })),
  },
});

describe("fields that someone added", () => {
  test("an added list element is found, and the others keep their positions", () => {
    const inputs = { spec: { ports: [{ name: "api", port: 8000 }] } };
    const port = (number: number) => `k:{"port":${number},"protocol":"TCP"}`;
    const extra = { name: "by-hand", port: 99, protocol: "TCP", targetPort: 99 };
    const live = owned(
      { kind: "Service", spec: { ports: [extra, { name: "api", port: 8000, protocol: "TCP", targetPort: 8000 }] } },
      {
        "pulumi-kubernetes-1": { "f:spec": { "f:ports": { [port(8000)]: { ".": {}, "f:name": {}, "f:port": {} } } } },
        kubectl: {
          "f:spec": { "f:ports": { [port(99)]: { ".": {}, "f:name": {}, "f:port": {}, "f:targetPort": {} } } },
        },
      },
    );
    const found = foreignFields(inputs, live);
    assert.deepEqual(found?.own, { ...inputs, metadata: undefined });
    assert.deepEqual((found?.all.spec as typeof inputs.spec).ports, [{ name: "api", port: 8000 }, extra]);
  });

  test("the stack's own fields are shown as they are in the cluster: changed, or removed", () => {
    const inputs = { spec: { replicas: 2, paused: true, minReadySeconds: 5 } };
    const live = owned(
      { kind: "StatefulSet", spec: { replicas: 1, minReadySeconds: 5, revisionHistoryLimit: 3 } },
      {
        "pulumi-kubernetes-1": { "f:spec": { "f:minReadySeconds": {} } },
        "kubectl-edit": { "f:spec": { "f:replicas": {}, "f:revisionHistoryLimit": {} } },
      },
    );
    const found = foreignFields(inputs, live);
    assert.deepEqual(found?.own.spec, { replicas: 1, minReadySeconds: 5 });
    assert.deepEqual(found.all.spec, { replicas: 1, minReadySeconds: 5, revisionHistoryLimit: 3 });
  });

  test("labels, status, values assigned by the API server, restarts, and controllers' fields are ignored", () => {
    const spec = { replicas: 2, type: "NodePort", ports: [{ port: 80 }] };
    const port = { 'k:{"port":80,"protocol":"TCP"}': { "f:nodePort": {} } };
    const restart = { "f:metadata": { "f:annotations": { "f:kubectl.kubernetes.io/restartedAt": {} } } };
    const template = { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": "2026" } } };
    const live = { kind: "Service", spec: { ...spec, sessionAffinity: "ClientIP", template }, status: { ready: 1 } };
    const fields = { "f:spec": { "f:sessionAffinity": {} } };
    for (const manager of ["kube-controller-manager", "kubelet", "cert-manager-cainjector", "istio-sidecar-injector"])
      assert.equal(foreignFields({ spec }, owned(live, { [manager]: fields })), undefined, manager);
    const kubectl = {
      "f:metadata": { "f:labels": { "f:mine": {} } },
      "f:spec": { "f:ports": port, "f:template": restart },
    };
    assert.equal(foreignFields({ spec }, owned(live, { kubectl })), undefined);
    assert.equal(
      foreignFields({ spec }, owned(live, { kubectl: { "f:status": { "f:ready": {} } } }, "status")),
      undefined,
    );
    assert.ok(foreignFields({ spec }, owned(live, { kubectl: fields })), "by a person, it is one");
  });

  test("a value added to a Secret is not shown", () => {
    const live = owned({ kind: "Secret", data: { extra: "UzNjcmV0" } }, { kubectl: { "f:data": { "f:extra": {} } } });
    assert.deepEqual(foreignFields({ data: {} }, live)?.all.data, { extra: "[secret]" });
  });

  test("an object counts as created by hand if a person's tool created it, not a controller or Pulumi", () => {
    assert.equal(isHandmade(owned({}, { kubectl: {} })), true);
    assert.equal(isHandmade(owned({}, { "kube-controller-manager": {} })), false);
    assert.equal(isHandmade(owned({}, { kubectl: {}, "pulumi-kubernetes-1": {} })), false);
    assert.equal(isHandmade({ metadata: { name: "default" } }), false, "the default ServiceAccount has no managers");
    const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: "kazoo", uid: "1" };
    const { metadata } = owned({}, { kubectl: {} });
    assert.equal(isHandmade({ metadata: { ...metadata, ownerReferences: [owner] } as object }), false);
  });
});
