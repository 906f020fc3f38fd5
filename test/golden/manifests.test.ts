import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { stringify } from "yaml";
import { platformOfFile } from "../../config/stackFile";
import { deployWithMocks, type Registered } from "../support/mocks";

const project = join(__dirname, "../..");

const stacks = {
  dev: "Pulumi.dev.yaml",
  docker: "Pulumi.docker.yaml",
  rehearsal: "Pulumi.rehearsal.yaml",
  mirror: "examples/mirror.yaml",
  scheduling: "examples/scheduling.yaml",
  ingress: "examples/ingress.yaml",
};

/** Compares the manifests that each stack deploys, with masked secrets, with the reviewed ones. `UPDATE_GOLDEN=1` accepts a change. */
for (const [stack, file] of Object.entries(stacks)) {
  test(`the manifests of ${stack} equal the reviewed ones`, async () => {
    const { resources } = await deployWithMocks(platformOfFile(join(project, file)));
    assertReviewed(stack, resources);
  });
}

test("the stores' files of the example settings equal the reviewed ones", async () => {
  const { resources } = await deployWithMocks(platformOfFile(join(project, "examples/settings.yaml")));
  const files = resources.filter(({ name }) => /-(rabbitmq-alpha|bigcouch)-config$/.test(name));
  assertReviewed("settings", files);
});

function assertReviewed(stack: string, resources: readonly Registered[]): void {
  const actual = resources.map(manifest).join("---\n");
  const path = join(__dirname, "manifests", `${stack}.yaml`);
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, actual);
  const difference = firstDifference(actual, readFileSync(path, "utf8"));
  assert.equal(
    difference,
    undefined,
    `${stack} deploys something else; if that is meant: UPDATE_GOLDEN=1 make test-unit, and have the difference reviewed`,
  );
}

function manifest({ type, name, inputs }: Registered): string {
  return stringify({ "#": `${name} (${type})`, ...(masked(inputs) as object) }, { lineWidth: 0 });
}

/** Masks values with the engine's marker of secrets, and everything in a Secret. */
function masked(value: unknown, insideSecret = false): unknown {
  if (Array.isArray(value)) return value.map((item) => masked(item, insideSecret));
  if (typeof value === "string" && /^sha256:[0-9a-f]{64}$/.test(value)) return "[hash of the image's sources]";
  if (typeof value !== "object" || value === null) return insideSecret ? "[secret]" : value;
  if ("4dabf18193072939515e22adb298388d" in value && "value" in value) return masked(value.value, true);
  const isSecret = (value as { kind?: string }).kind === "Secret";
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      masked(inner, insideSecret || (isSecret && /^(data|stringData)$/.test(key))),
    ]),
  );
}

/** The first line that differs, as reviewed and as it is now; undefined if none does. */
function firstDifference(actual: string, reviewed: string): string | undefined {
  const now = actual.split("\n");
  const then = reviewed.split("\n");
  const index = now.findIndex((line, at) => line !== then[at]);
  if (index < 0 && now.length === then.length) return undefined;
  return `line ${index + 1}: reviewed ${JSON.stringify(then[index])}, now ${JSON.stringify(now[index])}`;
}
