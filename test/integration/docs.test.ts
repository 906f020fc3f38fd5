import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { type Clone, cloneProject } from "../support/clone";
import { codeBlocks, pages } from "../support/markdown";

/** Runs the code blocks marked with `sandbox` in a fresh clone, word for word, page by page. */
describe("the commands of the documentation run on the sandbox", () => {
  let clone: Clone;
  before(async () => {
    clone = await cloneProject();
  });
  after(() => clone.dispose());

  for (const { path, text } of pages()) {
    for (const { words, code, line } of codeBlocks(text)) {
      if (!words.includes("sandbox")) continue;
      test(`${path}:${line}`, { timeout: 20 * 60_000 }, async () => {
        const { code: exitCode, output } = await bash(clone.directory, code);
        assert.equal(exitCode, 0, output);
      });
    }
  }
});

/** Runs a script that stops at the first failing command; the returned output has each command before its own output. */
function bash(directory: string, script: string): Promise<{ readonly code: number | null; readonly output: string }> {
  // Otherwise a test run by the script would report as part of this one.
  const environment = { ...process.env, NODE_TEST_CONTEXT: undefined };
  return new Promise((done, fail) => {
    const child = spawn("bash", ["-xeuo", "pipefail", "-c", script], {
      cwd: directory,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", fail);
    child.on("close", (code) => done({ code, output }));
  });
}
