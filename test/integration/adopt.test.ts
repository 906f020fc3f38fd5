import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Clone, cloneProject } from "../support/clone";
import { clusterApi } from "../support/clusterApi";

describe("a namespace that somebody else has made, with a ConfigMap in it", { concurrency: 1 }, () => {
  let clone: Clone;
  let api: Awaited<ReturnType<typeof clusterApi>>;
  const namespace = "/api/v1/namespaces/legacy-app";
  const stackFile = (datacenter: object) =>
    writeFileSync(
      join(clone.directory, "Pulumi.dev.yaml"),
      JSON.stringify({
        config: {
          "kazoo:protect": false,
          "kazoo:clusters": { local: { sandbox: true } },
          "kazoo:regions": { local: { cluster: "local", datacenters: { dev: datacenter } } },
        },
      }),
    );

  before(async () => {
    clone = await cloneProject();
    assert.equal((await clone.run(["sandbox", "up", "local"])).code, 0);
    api = await clusterApi(clone.directory, "local");
    await api.call("POST", "/api/v1/namespaces", { metadata: { name: "legacy-app" } });
    const theirs = await api.call("POST", `${namespace}/configmaps`, { metadata: { name: "theirs" } });
    assert.equal(theirs.status, 201);
  });
  after(() => clone?.dispose());

  test("preview, report and up refuse to take it over, and touch nothing", async () => {
    stackFile({ namespace: "legacy-app" });
    for (const args of [["preview"], ["preview-report"], ["up"]]) {
      const { code, stderr } = await clone.run(args);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /error: objects that the stack would create exist already.*\n {2}Namespace legacy-app of/);
      assert.match(stderr, /next: .*adopt: true/);
    }
    const report = readFileSync(join(clone.directory, ".state/report/dev/report.md"), "utf8");
    assert.match(report, /Namespace legacy-app of cluster local: this stack did not make it/);
    const { body } = await api.call("GET", namespace);
    const { labels } = body.metadata as { labels: Record<string, string> };
    assert.deepEqual(Object.keys(labels), ["kubernetes.io/metadata.name"]);
  });

  test("with adopt: true the stack lives in it, and destroy leaves what it found", async () => {
    stackFile({ namespace: "legacy-app", adopt: true });
    const up = await clone.run(["up"]);
    assert.equal(up.code, 0, up.stdout + up.stderr);
    const again = await clone.run(["preview"]);
    assert.match(again.stdout, /\d+ unchanged/);
    assert.doesNotMatch(again.stdout, /to (create|update|replace|delete)/);

    const destroyed = await clone.run(["destroy"]);
    assert.equal(destroyed.code, 0, destroyed.stdout + destroyed.stderr);
    assert.equal((await api.call("GET", namespace)).status, 200);
    const names = async (path: string) =>
      (await api.list(`${namespace}/${path}`)).map(({ metadata }) => metadata?.name).sort();
    assert.deepEqual(await names("configmaps"), ["kube-root-ca.crt", "theirs"]);
    assert.deepEqual(await names("services"), []);
    assert.deepEqual(await names("secrets"), []);
    const policies = await api.list("/apis/networking.k8s.io/v1/namespaces/legacy-app/networkpolicies");
    assert.deepEqual(policies, []);
    // The data of brokers and databases.
    assert.equal((await names("persistentvolumeclaims")).length, 3);

    const back = await clone.run(["up"]);
    assert.equal(back.code, 0, "the stack takes its own label for its own: " + back.stderr);
  });
});
