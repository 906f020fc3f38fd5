import assert from "node:assert/strict";
import { test } from "node:test";
import { conflictLine, conflictsIn, valueAt } from "../../tools/cli/cluster/conflicts";
import { eventsIn } from "../../tools/cli/pulumi/eventLog";

const urn = "urn:pulumi:prod::kazoo::kazoo:index:Datacenter$kubernetes:apps/v1:StatefulSet::us-east-nyc-kazoo-nodes";
const provider = "urn:pulumi:prod::kazoo::pulumi:providers:kubernetes::cluster-east::0a1b2c";
const inputs = {
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: "kazoo", namespace: "us-east-nyc" },
  spec: {
    replicas: 2,
    template: {
      spec: { containers: [{ name: "kazoo", image: "k:2", env: [{ name: "DB_PASSWORD", value: "not to be shown" }] }] },
    },
  },
};
const log = (message: string, severity = "error", of: object = inputs, op = "update") =>
  [
    { sequence: 1, resourcePreEvent: { metadata: { op, urn, provider, new: { inputs: of } } } },
    { sequence: 2, diagnosticEvent: { urn, message, severity } },
  ]
    .map((event) => `${JSON.stringify(event)}\n`)
    .join("") + '{"sequence": 3, "diagn';

// Messages of a Kubernetes 1.34 API server, as the provider wraps them.
const one =
  'error: 1 error occurred:\n\t* Server-Side Apply field conflict detected. See https://www.pulumi.com/registry for troubleshooting help.\nThe resource managed by field manager "pulumi-kubernetes-1a521e64" had an apply conflict: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas\n';
const several =
  'Apply failed with 3 conflicts: conflicts with "kubectl-set" using apps/v1:\n- .spec.template.spec.containers[name="kazoo"].image\n- .spec.template.spec.containers[name="kazoo"].env[name="DB_PASSWORD"].value\nconflicts with "helm" using apps/v1:\n- .spec.replicas';

test("a conflict is reported with object, field, manager and both values", () => {
  const [conflict, ...others] = conflictsIn(eventsIn(log(one)));
  assert.ok(conflict !== undefined && others.length === 0);
  assert.equal(
    conflictLine(conflict, 3),
    "StatefulSet kazoo in namespace us-east-nyc: .spec.replicas is 3, set by kubectl; the program's value is 2",
  );
  assert.deepEqual(conflict.place, {
    cluster: "east",
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    name: "kazoo",
    namespace: "us-east-nyc",
  });
});

test("several conflicts are grouped by manager, and no secret value is shown", () => {
  const lines = conflictsIn(eventsIn(log(several))).map((conflict) =>
    conflictLine(conflict, valueAt({ spec: { replicas: 9 } }, conflict.field)),
  );
  assert.deepEqual(lines, [
    `StatefulSet kazoo in namespace us-east-nyc: .spec.template.spec.containers[name="kazoo"].image is (not known), set by kubectl-set; the program's value is "k:2"`,
    `StatefulSet kazoo in namespace us-east-nyc: .spec.template.spec.containers[name="kazoo"].env[name="DB_PASSWORD"].value is (not known), set by kubectl-set; the program's value is [secret]`,
    "StatefulSet kazoo in namespace us-east-nyc: .spec.replicas is 9, set by helm; the program's value is 2",
  ]);
  const secret = { ...inputs, kind: "Secret", data: { cookie: "also not to be shown" } };
  const [hidden] = conflictsIn(eventsIn(log('conflict with "kubectl-edit" using v1: .data.cookie', "error", secret)));
  assert.ok(hidden !== undefined);
  assert.doesNotMatch(conflictLine(hidden, "this neither"), /to be shown|neither/);
});

test("other errors and warnings are not conflicts", () => {
  assert.deepEqual(conflictsIn(eventsIn(log("error: quota exceeded"))), []);
  assert.deepEqual(conflictsIn(eventsIn(log(one, "warning"))), []);
  assert.deepEqual(conflictsIn(eventsIn("")), []);
});
