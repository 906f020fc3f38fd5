import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { format } from "prettier";
import { parse, stringify } from "yaml";
import { withReference } from "../../config/reference";
import { readStackFile } from "../../config/stackFile";

const readme = readFileSync(join(__dirname, "../../README.md"), "utf8");

test("the config reference of the README is current", async () => {
  const current = await format(withReference(readme), { parser: "markdown", printWidth: 120 });
  assert.equal(current, readme, "run: npm run reference");
});

test("each config that the README shows is right", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "kazoo-readme-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const blocks = [...readme.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, block = ""]) => block);
  assert.ok(blocks.length >= 3);
  const rest = {
    "kazoo:clusters": { local: { sandbox: true } },
    "kazoo:regions": { local: { cluster: "local", datacenters: { dev: {} } } },
    "kazoo:registryPassword": { secure: "…" },
  };
  for (const block of blocks) {
    const shown = parse(block) as Record<string, unknown>;
    // A whole stack, or keys of one.
    writeFileSync(
      join(directory, "Pulumi.shown.yaml"),
      "config" in shown ? block : stringify({ config: { ...rest, ...shown } }),
    );
    readStackFile(directory, "shown");
  }
});
