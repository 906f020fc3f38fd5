import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Found } from "../support/clusterApi";
import { type FaultStack, done, faultStack } from "../support/faults";
import { until } from "../support/until";

describe("an interrupted run", { concurrency: 1 }, () => {
  let stack: FaultStack;
  before(async () => {
    stack = await faultStack();
    stack.configure({});
  });
  after(() => stack?.clone.dispose());
  const level = (KAZOO_LOG_LEVEL: string) => stack.configure({ "kazoo:environment": { KAZOO_LOG_LEVEL } });

  test("Ctrl-C twice in a first up: Pulumi stops at once, and the next up finds what it created, also after a preview", async () => {
    const interrupt = ({ pid }: { pid: number }) => process.kill(pid, "SIGINT");
    const up = await stack.at(["up"], { line: done, times: 30 }, interrupt, interrupt);
    assert.notEqual(up.code, 0);
    assert.match(up.stderr, /next: make up STACK=dev continues from here/);
    assert.doesNotMatch(up.stderr, /\n\s+at \S+ \(/, "no stack trace");
    await stack.leavesNothing();
    // It reads into the state what was interrupted, so that the last run in the history is no longer the interrupted one.
    const { stderr } = await stack.run(["preview"]);
    assert.doesNotMatch(stderr, /is new/, "the cluster is the one that the interrupted up had started with");
    const kept = await stack.kept();
    const again = await stack.at(["up"], { line: /refresh/g, times: 1 }, interrupt);
    assert.equal(again.code, 130, again.stdout + again.stderr);
    assert.doesNotMatch(again.stdout, done, "an up that is stopped while it compares changes nothing");
    const next = await stack.converges(kept);
    assert.match(next.stderr, /the last run on stack dev failed: comparing its state with the cluster first/);
  });

  test("an object that another run created, and still owns: a preview has the next step, and the next up changes it", async () => {
    const kept = await stack.kept();
    const path = "/apis/apps/v1/namespaces/local-dev/statefulsets/kazoo";
    const { apiVersion, kind, metadata, spec } = (await stack.api.call("GET", path)).body as unknown as Found;
    const { name, namespace, labels, annotations } = metadata ?? {};
    const object = { apiVersion, kind, metadata: { name, namespace, labels, annotations }, spec };
    const applied = await stack.api.call(
      "PATCH",
      `${path}?fieldManager=pulumi-kubernetes-0a1b2c3d&force=true`,
      object,
      "application/apply-patch+yaml",
    );
    assert.equal(applied.status, 200, JSON.stringify(applied.body));
    level("notice");
    const preview = await stack.run(["preview"]);
    assert.notEqual(preview.code, 0, preview.stdout);
    assert.match(preview.stderr, /an interrupted run left StatefulSet kazoo in namespace local-dev behind\n/);
    assert.match(preview.stderr, /next: make up STACK=dev adopts these objects/);
    const up = await stack.converges(kept);
    assert.match(up.stderr, /an interrupted run left StatefulSet kazoo in namespace local-dev behind; adopting/);
    level("info");
    assert.doesNotMatch((await stack.converges(kept)).stderr, /left/);
  });

  test("only the command is killed: its pulumi keeps running, and another up says so", async () => {
    level("debug");
    const kept = await stack.kept();
    let pulumi = 0;
    const killed = stack.at(["up"], { line: done, times: 1 }, (kazoo) => {
      pulumi = stack.started().find(({ name }) => name === "pulumi")?.pid ?? assert.fail("no pulumi runs");
      process.kill(pulumi, "SIGSTOP");
      process.kill(kazoo.pid, "SIGKILL");
    });
    await until("the command to be killed", () => pulumi !== 0);
    const other = await stack.run(["up"]);
    assert.equal(other.code, 1);
    assert.match(other.stderr, new RegExp(`another pulumi \\(process ${pulumi}\\) is working on stack dev`));
    assert.match(other.stderr, /next: wait for it to finish/);
    process.kill(pulumi, "SIGCONT");
    await killed;
    await until("pulumi to be done", () => stack.started().every(({ name }) => name !== "pulumi"));
    await stack.converges(kept);
  });

  test("the API server is killed and restarted", async () => {
    level("warning");
    const kept = await stack.kept();
    const [cluster] = JSON.parse(await stack.succeeds("sandbox", "status", "--json")) as {
      running: Record<string, number>;
    }[];
    const server = cluster?.running["kube-apiserver"] ?? assert.fail("no API server");
    let restart: Promise<unknown> = Promise.resolve();
    await stack.at(["up"], { line: done, times: 1 }, () => {
      process.kill(server, "SIGKILL");
      restart = stack.succeeds("sandbox", "up", "local");
    });
    await restart;
    await stack.converges(kept);
  });

  const state = () => join(stack.clone.directory, ".state/.pulumi/stacks/kazoo/dev.json");

  test("the state file is truncated or empty: the error has the command that restores its copy", async () => {
    const kept = await stack.kept();
    for (const size of [1000, 0]) {
      truncateSync(state(), size);
      for (const command of ["up", "preview", "destroy"]) {
        const run = await stack.run([command]);
        assert.equal(run.code, 1);
        assert.match(
          run.stderr,
          /^error: the state of stack dev cannot be read: .*dev\.json is truncated or damaged\n/,
        );
        const copy = /next: restore the copy of .*: (cp '.*'), then make up STACK=dev/.exec(run.stderr)?.[1];
        assert.ok(copy !== undefined, run.stderr);
        if (command === "destroy") execFileSync("sh", ["-c", copy]);
      }
    }
    await stack.converges(kept);
  });

  test("an attributes file beside the state, as earlier versions kept it, is empty: the next up works", async () => {
    const kept = await stack.kept();
    writeFileSync(`${state()}.attrs`, "");
    await stack.converges(kept);
  });

  test("another passphrase: the error names the file that holds it", async () => {
    const kept = await stack.kept();
    const passphrase = join(stack.clone.directory, ".state/passphrase");
    const before = readFileSync(state(), "utf8");
    renameSync(passphrase, `${passphrase}.right`);
    writeFileSync(passphrase, "another one", { mode: 0o600 });
    for (const command of ["up", "preview", "destroy"]) {
      const run = await stack.run([command]);
      assert.notEqual(run.code, 0);
      assert.match(
        run.stderr,
        /error: the state of stack dev was encrypted with another passphrase .*\.state\/passphrase/,
      );
      assert.match(run.stderr, /next: restore that file, or restore the state from a backup/);
    }
    assert.equal(readFileSync(state(), "utf8"), before, "the state is as it was");
    renameSync(`${passphrase}.right`, passphrase);
    await stack.converges(kept);
  });
});
