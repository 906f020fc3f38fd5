import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { cloneProject, type Clone } from "../support/clone";
import { clusterApi } from "../support/clusterApi";

interface StatefulSet {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly status: { readonly readyReplicas?: number };
}

/** examples/components on the sandbox: the components in a separate program, with the plain Pulumi CLI. */
describe("a program that uses only the components", () => {
  let clone: Clone;
  let environment: string;
  before(async () => {
    clone = await cloneProject();
    const started = await clone.run(["sandbox", "up", "--stack", "dev"]);
    assert.equal(started.code, 0, started.stderr);
    environment = (await clone.run(["env"])).stdout;
  });
  after(() => clone?.dispose());

  const pulumi = async (...args: string[]) => {
    const command = `${environment}\nexec pulumi --non-interactive "$@"`;
    const cwd = join(clone.directory, "examples/components");
    return (await promisify(execFile)("bash", ["-c", command, "bash", ...args], { cwd })).stdout;
  };

  test("is deployed, shows no change in a second preview, and is destroyed", async () => {
    await pulumi("stack", "init", "example", "--secrets-provider", "passphrase");
    await pulumi("config", "set", "context", "sandbox-local");
    await pulumi("up", "--yes", "--skip-preview");
    const api = await clusterApi(clone.directory, "local");
    for (const zone of ["us-east-nyc", "us-east-bos"]) {
      const { body } = await api.call("GET", `/apis/apps/v1/namespaces/${zone}/statefulsets`);
      const sets = (body as { items: StatefulSet[] }).items;
      assert.deepEqual(
        sets.map(({ metadata, status }) => [metadata.name, status.readyReplicas]),
        ["bigcouch", "kazoo", "rabbitmq-alpha", "rabbitmq-beta"].map((name) => [name, 1]),
      );
      for (const { metadata } of sets)
        assert.equal(metadata.annotations?.["example.com/owner"], "voice", "transformed");
    }
    await pulumi("preview", "--expect-no-changes");
    await pulumi("destroy", "--yes", "--skip-preview");
  });
});
