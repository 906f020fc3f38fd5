import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { testPrograms } from "../programs";

test("actionlint finds nothing wrong with the workflows", async () => {
  const program = await testPrograms(["actionlint"], () => undefined);
  const { stdout } = await promisify(execFile)(program("actionlint"), ["-no-color"], {
    cwd: join(__dirname, "../.."),
  }).catch(({ stdout: found }: { stdout: string }) => ({ stdout: found || "actionlint failed" }));
  assert.equal(stdout, "");
});
