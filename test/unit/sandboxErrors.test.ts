import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { UserError } from "../../tools/shared/terminal";
import { sandboxDown, sandboxStatus, sandboxUp } from "../../tools/sandbox";
import type { Toolchain } from "../../tools/toolchain";

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "kazoo-sandbox-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A toolchain in which every program is this script, including kwokctl. */
function toolchainOf(script: string): Toolchain {
  const program = join(directory, "program");
  writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { mode: "build", binary: () => program, kwokStages: join(directory, "stages"), env: {} };
}

const up = (clusters: string[], toolchain: Toolchain) =>
  sandboxUp({ directory, clusters, toolchain, report: () => undefined });

describe("the sandbox's errors", () => {
  test("the error has the reason why kwokctl failed", async () => {
    const said = `{"level":"ERROR","msg":"Failed to setup config","err":"write \\"x\\": no space left on device"}`;
    await assert.rejects(up(["east"], toolchainOf(`echo '${said}' >&2; exit 1`)), (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.equal(
        error.message,
        'kwokctl could not start the sandbox cluster east: write "x": no space left on device',
      );
      return true;
    });
    assert.equal(existsSync(join(directory, ".sandbox", "lock")), false, "the next command need not wait");
    const [status] = await sandboxStatus({ directory });
    assert.deepEqual([status?.running, status?.ready], [{}, false]);
  });

  test("the error names a missing program", async () => {
    const toolchain: Toolchain = { ...toolchainOf(""), binary: () => join(directory, "missing") };
    await assert.rejects(up(["east"], toolchain), /could not start .*missing/);
  });

  test("a folder whose path has blanks is refused before anything is written", async () => {
    const withBlanks = join(directory, "my clone");
    const options = { directory: withBlanks, clusters: ["east"], toolchain: toolchainOf(""), report: () => undefined };
    await assert.rejects(sandboxUp(options), (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.message, `the sandbox needs a folder whose path has no spaces (found: ${withBlanks})`);
      return true;
    });
    assert.equal(existsSync(withBlanks), false);
  });

  for (const name of ["", "East", "a.b", "../x", "-a", "a-", "a".repeat(41), "kubeconfig", "lock"]) {
    test(`a cluster cannot be called ${JSON.stringify(name)}`, async () => {
      await assert.rejects(up([name], toolchainOf("")), /cannot be the name of a sandbox cluster/);
      assert.equal(existsSync(join(directory, ".sandbox")), false);
    });
  }

  test("stopping an unknown cluster lists the existing ones", async () => {
    mkdirSync(join(directory, ".sandbox", "east"), { recursive: true });
    const down = sandboxDown({ directory, clusters: ["west"], purge: false, report: () => undefined });
    await assert.rejects(down, (error: unknown) => error instanceof UserError && error.next === "there are: east");
  });

  test("without a sandbox, there is nothing to stop or to show", async () => {
    assert.deepEqual(await sandboxDown({ directory, purge: true, report: () => undefined }), []);
    assert.deepEqual(await sandboxStatus({ directory }), []);
  });
});
