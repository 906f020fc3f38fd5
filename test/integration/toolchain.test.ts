import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ensureToolchain } from "../../tools/toolchain";

test("KWOK's stages are the same, whether downloaded or from the module", async () => {
  const { kwokStages } = await ensureToolchain(["kwok"], () => undefined);
  const list = readFileSync(join(__dirname, "../../tools/toolchain/kwok/stages.sha256"), "utf8").trim().split("\n");
  assert.ok(list.length > 10);
  for (const line of list) {
    const [sum, path = ""] = line.split("  ");
    const content = readFileSync(join(kwokStages, path));
    assert.equal(createHash("sha256").update(content).digest("hex"), sum, path);
  }
});
