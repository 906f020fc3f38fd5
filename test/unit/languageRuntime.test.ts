import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const expected: Readonly<Record<string, readonly string[]>> = {
  // Success is reported once every resource is registered, also those that wait for something.
  good: ["first", "last", "success", "done"],
  // An error is reported once, and no success: the engine would delete what is not registered.
  "an error that is thrown": ["error: no quorum", "failed"],
  "an error of a dependency": ["error: no quorum", "failed"],
  "an error of an output that nothing uses": ["error: no quorum", "failed"],
  "an error in a timer": ["error: no quorum", "failed"],
  "an unexpected error": ["error: the program failed unexpectedly: TypeError: no such property", "failed"],
};

test("of programs that run at the same time, each reports its own success or error", async () => {
  // In a process of its own, because the test runner itself handles uncaught errors.
  const script = resolve(__dirname, "../support/runPrograms.ts");
  const loader = resolve(__dirname, "../../tools/shared/typescript.js");
  const args = ["--require", loader, script, ...Object.keys(expected)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const heard = JSON.parse(stdout) as string[][];
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name, index) => [name, heard[index]])), expected);
});
