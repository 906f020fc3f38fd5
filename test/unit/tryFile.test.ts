import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { tryFile } from "../../tools/cli/stackFile/tryFile";

describe("a stack's file that is tried out", () => {
  const directory = mkdtempSync(join(tmpdir(), "kazoo-try-"));
  after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "Pulumi.x.yaml");
  const text = () => readFileSync(path, "utf8");

  test("stays if the work keeps it, also when it fails later", async () => {
    writeFileSync(path, "before");
    const fails = tryFile(path, "after", async (keep) => {
      keep();
      throw new Error("later");
    });
    await assert.rejects(fails, /later/);
    assert.equal(text(), "after");
  });

  test("is restored if the work ends without keeping it", async () => {
    writeFileSync(path, "before");
    await tryFile(path, "after", async () => assert.equal(text(), "after"));
    assert.equal(text(), "before");
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)
    test(`is restored if ${signal} ends the command`, async () => {
      writeFileSync(path, "before");
      const program = `
        const { tryFile } = require("./tools/cli/stackFile/tryFile");
        const work = () => new Promise((done) => { console.log("works"); setTimeout(done, 600_000); });
        void tryFile(process.argv[1], "after", work);`;
      const args = ["--require", "./tools/shared/typescript.js", "--eval", program, path];
      const child = spawn(process.execPath, args, {
        cwd: join(__dirname, "../.."),
        stdio: ["ignore", "pipe", "inherit"],
      });
      const ended = once(child, "exit");
      await once(child.stdout, "data");
      assert.equal(text(), "after");
      child.kill(signal);
      assert.deepEqual(await ended, [code, null]);
      assert.equal(text(), "before");
    });
});
