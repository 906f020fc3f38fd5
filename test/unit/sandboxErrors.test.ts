import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { UserError } from "../../tools/shared/terminal";
import { sandboxDown, sandboxStatus, sandboxUp } from "../../tools/sandbox";
import type { Toolchain } from "../../tools/toolchain";
import { eventually } from "../support/clusterApi";

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "kazoo-sandbox-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A toolchain whose every program is this script. */
function toolchainOf(script: string): Toolchain {
  const program = join(directory, "program");
  writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  for (const stage of ["node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast"]) {
    mkdirSync(join(directory, "stages", stage), { recursive: true });
  }
  return { mode: "build", binary: () => program, kwokStages: join(directory, "stages"), env: {} };
}

const up = (clusters: string[], toolchain: Toolchain) =>
  sandboxUp({ directory, clusters, toolchain, report: () => undefined });

describe("the sandbox's errors", () => {
  test("a program that ends at its start is named, with the end of its log and where that lies", async () => {
    const toolchain = toolchainOf('echo "line of before"; echo "fatal: the disk is full" >&2; exit 3');
    await assert.rejects(up(["east"], toolchain), (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, /etcd of the sandbox cluster east ended/);
      assert.match(error.message, /fatal: the disk is full/);
      assert.match(error.next ?? "", /\.sandbox\/east\/etcd\.log/);
      return true;
    });
    // The API server's program, started with etcd's, ends by itself as well: now or in a moment.
    const [status] = await eventually(
      "both programs to have ended",
      30,
      () => sandboxStatus({ directory }),
      ([found]) => Object.keys(found?.running ?? {}).length === 0,
    );
    assert.equal(status?.ready, false);
    assert.equal(existsSync(join(directory, ".sandbox", "lock")), false, "the next command need not wait");
  });

  test("a program that is not there is said to be", async () => {
    const toolchain: Toolchain = { ...toolchainOf(""), binary: () => join(directory, "missing") };
    await assert.rejects(up(["east"], toolchain), /could not start .*missing/);
  });

  for (const name of ["", "East", "a.b", "../x", "-a", "a-", "a".repeat(41), "kubeconfig", "lock"]) {
    test(`a cluster cannot be called ${JSON.stringify(name)}`, async () => {
      await assert.rejects(up([name], toolchainOf("")), /cannot be the name of a sandbox cluster/);
      assert.equal(existsSync(join(directory, ".sandbox")), false);
    });
  }

  test("ending an unknown cluster says which there are", async () => {
    mkdirSync(join(directory, ".sandbox", "east"), { recursive: true });
    const down = sandboxDown({ directory, clusters: ["west"], purge: false, report: () => undefined });
    await assert.rejects(down, (error: unknown) => error instanceof UserError && error.next === "there are: east");
  });

  test("where there is no sandbox, there is nothing to end or to see", async () => {
    assert.deepEqual(await sandboxDown({ directory, purge: true, report: () => undefined }), []);
    assert.deepEqual(await sandboxStatus({ directory }), []);
  });
});
