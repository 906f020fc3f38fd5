import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { knownNamespaces, otherCluster } from "../../tools/cli/cluster/otherCluster";
import { clusterWith } from "../support/clusterDouble";

const resource = (kind: string, name: string, uid?: string, cluster = "east") => ({
  urn: `urn:pulumi:prod::kazoo::kubernetes:core/v1:${kind}::${name}`,
  type: `kubernetes:core/v1:${kind}`,
  provider: `urn:pulumi:prod::kazoo::pulumi:providers:kubernetes::cluster-${cluster}::0a1b2c`,
  outputs: { metadata: { name, ...(uid === undefined ? {} : { uid }) } },
});
const known = knownNamespaces([
  resource("Namespace", "us-east-nyc", "uid-nyc"),
  resource("Namespace", "us-east-bos", "uid-bos"),
  resource("Namespace", "us-west-sfo", "uid-sfo", "west"),
  resource("Namespace", "us-east-new"), // of an interrupted update
  resource("Secret", "erlang-cookie", "uid-cookie"),
]);

describe("a context that leads to another cluster", () => {
  const found = async (t: TestContext, uids: Readonly<Record<string, string | null>>) => {
    const answers = Object.entries(uids).map(([name, uid]) => [
      `/api/v1/namespaces/${name}`,
      uid === null ? null : { metadata: { name, uid } },
    ]);
    return otherCluster(await clusterWith(t, Object.fromEntries(answers) as Record<string, object | null>), known);
  };

  test("is recognised because it has none of the stack's namespaces, or different ones of the same name", async (t) => {
    for (const uids of [{}, { "us-east-nyc": "uid-of-another", "us-east-bos": "uid-of-another-one" }]) {
      const line = await found(t, uids);
      assert.match(line ?? "", /^cluster east: context east leads to http:.* which has none of the namespaces/);
      assert.match(line ?? "", /us-east-nyc \(uid uid-nyc\), us-east-bos \(uid uid-bos\)\./);
      assert.doesNotMatch(line ?? "", /sfo|new/);
    }
  });

  test("is the same cluster if it has one of them, whatever its context and address", async (t) => {
    assert.equal(await found(t, { "us-east-bos": "uid-bos" }), undefined);
  });

  test("is not suspected if namespaces may not be read, or nothing was deployed", async (t) => {
    assert.equal(await found(t, { "us-east-nyc": null }), undefined);
    assert.equal(await otherCluster(await clusterWith(t, {}), []), undefined);
  });
});
