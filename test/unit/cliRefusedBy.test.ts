import assert from "node:assert/strict";
import { test } from "node:test";
import { adviceOn } from "../../tools/cli/cluster/refusedBy";

const said = (...messages: string[]) =>
  adviceOn(messages.map((message) => ({ diagnosticEvent: { message, severity: "error" } })));

// Messages of a Kubernetes 1.34 API server.
const cases: Record<string, [message: string, advice: RegExp]> = {
  "a quota": [
    'configmaps "kazoo-environment-1" is forbidden: exceeded quota: small, requested: count/configmaps=1, used: count/configmaps=5, limited: count/configmaps=5',
    /^ResourceQuota small is exhausted: raise it/,
  ],
  "a webhook that is gone": [
    'Internal error occurred: failed calling webhook "guard.example.com": failed to call webhook: Post "https://127.0.0.1:1/?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused',
    /^webhook guard\.example\.com does not answer: restore it/,
  ],
  "a webhook that refuses": [
    'admission webhook "guard.example.com" denied the request: not on Fridays',
    /^webhook guard\.example\.com refuses/,
  ],
  "a full etcd": [
    "etcdserver: mvcc: database space exceeded",
    /^the cluster's etcd is out of space .* etcdctl alarm disarm/,
  ],
  "a namespace that goes": [
    'configmaps "x" is forbidden: unable to create new content in namespace local-dev because it is being terminated',
    /^namespace local-dev is being deleted/,
  ],
  "a wrong clock": [
    'Get "https://127.0.0.1:1/version": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-01-01T11:00:00Z is before 2026-01-01T12:00:00Z',
    /^check this machine's clock/,
  ],
  "a cut connection": [
    'Patch "https://127.0.0.1:1/api/v1/namespaces/a/configmaps/b?fieldManager=c": EOF',
    /^lost the connection to an API server/,
  ],
};

for (const [what, [message, advice]] of Object.entries(cases)) {
  test(`${what}: says what to do, once`, () => {
    const all = said(message, message, "update failed");
    assert.equal(all.length, 1, all.join("\n"));
    assert.match(all[0] ?? "", advice);
  });
}

test("other errors and warnings get no advice", () => {
  assert.deepEqual(said("update failed"), []);
  const message = "etcdserver: mvcc: database space exceeded";
  assert.deepEqual(adviceOn([{ diagnosticEvent: { message, severity: "warning" } }, {}]), []);
});
