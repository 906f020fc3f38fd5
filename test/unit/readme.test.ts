import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { format } from "prettier";
import { withReference } from "../../config/reference";

test("the config reference of the README is current", async () => {
  const readme = readFileSync(join(__dirname, "../../README.md"), "utf8");
  const current = await format(withReference(readme), { parser: "markdown", printWidth: 120 });
  assert.equal(current, readme, "run: npm run reference");
});
