import assert from "node:assert/strict";
import { type TestContext, describe, test } from "node:test";
import { proofOfSameCluster } from "../../tools/cli/commands/useContext";
import { withContext } from "../../tools/cli/stackFile/stackEdit";
import { clusterWith } from "../support/clusterDouble";

/** A cluster whose namespaces have these ids; null: they may not be read. */
const cluster = (t: TestContext, namespaces: Readonly<Record<string, string | null>>) =>
  clusterWith(t, {
    "/version": {},
    ...Object.fromEntries(
      Object.entries(namespaces).map(([name, uid]) => [
        `/api/v1/namespaces/${name}`,
        uid === null ? null : { metadata: { name, uid } },
      ]),
    ),
  });
const known = [{ cluster: "east", name: "us-east-nyc", uid: "nyc" }];
const west = [{ cluster: "west", name: "us-west-sfo", uid: "sfo" }];

describe("whether another context leads to the same cluster", () => {
  test("is known from the id of kube-system, through both contexts", async (t) => {
    const [before, same] = [await cluster(t, { "kube-system": "a" }), await cluster(t, { "kube-system": "a" })];
    assert.match(
      await proofOfSameCluster(before, same, []),
      /^it is the same cluster as through context east: .*uid a$/,
    );
    // Even if a namespace of the stack was copied to it, with its id.
    const other = await cluster(t, { "kube-system": "b", "us-east-nyc": "nyc" });
    await assert.rejects(proofOfSameCluster(before, other, known), /different clusters: .* is a and b$/);
  });

  test("is known from the stack's namespaces if the earlier context no longer leads anywhere", async (t) => {
    const stopped = { ...(await cluster(t, {})), context: "gone" };
    const found = await cluster(t, { "kube-system": "a", "us-east-nyc": "nyc" });
    for (const before of [stopped, undefined])
      assert.match(
        await proofOfSameCluster(before, found, known),
        /^it is the cluster that the stack runs on: .*uid nyc/,
      );
    const other = await cluster(t, { "kube-system": "a", "us-east-nyc": "another" });
    await assert.rejects(proofOfSameCluster(stopped, other, known), /none of the stack's namespaces can be found: us-/);
  });

  test("is not assumed if nothing proves it", async (t) => {
    const silent = await cluster(t, { "kube-system": null, "us-east-nyc": null });
    await assert.rejects(proofOfSameCluster(silent, silent, known), /none of the stack's namespaces can be found/);
    await assert.rejects(proofOfSameCluster(silent, silent, west), /it cannot be known whether context east leads/);
    await assert.rejects(proofOfSameCluster(silent, { ...silent, context: "gone" }, known), /"gone", which is not in/);
  });
});

test("another context keeps a cluster's other keys and the comments of the stack's file", () => {
  const text = "config:\n  kazoo:clusters:\n    east: { context: a, clusterDomain: e.internal } # ours\n";
  assert.equal(withContext(text, "east", "b"), text.replace("context: a", "context: b"));
  assert.match(withContext(text, "east", "b", "kubeconfig"), /\{ context: b, .*, kubeconfig: kubeconfig \} # ours/);
});
