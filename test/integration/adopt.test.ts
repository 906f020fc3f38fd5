import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { plainPulumi } from "../support/plainPulumi";
import { type SandboxStack, sandboxStack } from "../support/sandboxStack";
import { until } from "../support/until";

describe("a namespace that someone else created, with a ConfigMap in it", { concurrency: 1 }, () => {
  let stack: SandboxStack;
  const namespace = "/api/v1/namespaces/legacy-app";
  const configure = (datacenter: object) =>
    stack.configure({ "kazoo:regions": { local: { cluster: "local", datacenters: { dev: datacenter } } } });

  before(async () => {
    stack = await sandboxStack();
    await stack.api.call("POST", "/api/v1/namespaces", { metadata: { name: "legacy-app" } });
    const theirs = await stack.api.call("POST", `${namespace}/configmaps`, { metadata: { name: "theirs" } });
    assert.equal(theirs.status, 201);
  });
  after(() => stack?.clone.dispose());

  test("preview, report and up refuse to take it over, and change nothing", async () => {
    configure({ namespace: "legacy-app" });
    for (const args of [["preview"], ["preview-report"], ["up"]]) {
      const { code, stderr } = await stack.clone.run(args);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /error: objects that the stack would create exist already.*\n {2}Namespace legacy-app of/);
      assert.match(stderr, /next: .*adopt: true/);
    }
    const report = readFileSync(join(stack.clone.directory, ".state/report/dev/report.md"), "utf8");
    assert.match(report, /Namespace legacy-app of cluster local: this stack did not create it/);
    const { body } = await stack.api.call("GET", namespace);
    const { labels } = body.metadata as { labels: Record<string, string> };
    assert.deepEqual(Object.keys(labels), ["kubernetes.io/metadata.name"]);
  });

  test("plain pulumi up refuses it too, before it changes anything", async () => {
    const { code, stdout, stderr } = await plainPulumi(stack.clone, ["up", "--yes"]);
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /namespace legacy-app exists already, and this stack did not create it/);
    assert.doesNotMatch(stdout + stderr, /at .*\.ts:\d+/);
    const { body } = await stack.api.call("GET", namespace);
    const { labels } = body.metadata as { labels: Record<string, string> };
    assert.deepEqual(Object.keys(labels), ["kubernetes.io/metadata.name"]);
  });

  test("with adopt: true the stack uses it, and destroy keeps what was there before", async () => {
    configure({ namespace: "legacy-app", adopt: true });
    await stack.succeeds("up");
    await stack.isUnchanged();

    await stack.succeeds("destroy");
    assert.equal((await stack.api.call("GET", namespace)).status, 200);
    const names = async (path: string) =>
      (await stack.api.list(`${namespace}/${path}`)).map(({ metadata }) => metadata?.name).sort();
    assert.deepEqual(await names("configmaps"), ["kube-root-ca.crt", "theirs"]);
    assert.deepEqual(await names("services"), []);
    assert.deepEqual(await names("secrets"), []);
    const policies = await stack.api.list("/apis/networking.k8s.io/v1/namespaces/legacy-app/networkpolicies");
    assert.deepEqual(policies, []);
    // The volumes of brokers and databases.
    assert.equal((await names("persistentvolumeclaims")).length, 3);

    const back = await stack.clone.run(["up"]);
    assert.equal(back.code, 0, "the stack takes its own label for its own: " + back.stderr);
  });

  test("plain pulumi up refuses a cluster that lacks the stack's namespace, and up restores it", async () => {
    configure({});
    await stack.succeeds("up");
    const own = "/api/v1/namespaces/local-dev";
    await stack.api.call("DELETE", own);
    await until("the namespace to be gone", async () => (await stack.api.call("GET", own)).status === 404);
    const { code, stdout, stderr } = await plainPulumi(stack.clone, ["up", "--yes"]);
    assert.notEqual(code, 0);
    assert.match(
      stdout + stderr,
      /deployed to namespace local-dev \(uid [-0-9a-f]{36}\), which the cluster does not have/,
    );
    await stack.succeeds("up");
    await stack.isUnchanged();
  });
});
