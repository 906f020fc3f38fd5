import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { parse, stringify } from "yaml";
import { ConfigError } from "../../config/problem";
import { parsePlatform } from "../../config/parse";
import { platformOfBytes } from "../../config/stackFile";

/** How many configs and files are tried; `FUZZ=10` tries ten times as many. */
const runs = 3000 * Number(process.env["FUZZ"] ?? "1");

const folder = join(__dirname, "../../examples");
const texts = readdirSync(folder)
  .filter((file) => file.endsWith(".yaml"))
  .map((file) => readFileSync(join(folder, file), "utf8"));
const configs = texts.map((text) => {
  const { config } = parse(text) as { config: Record<string, unknown> };
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [key.replace("kazoo:", ""), value]));
});

/** The only allowed error: a ConfigError whose problems are complete. */
function acceptedOrRefused(run: () => unknown): void {
  const started = performance.now();
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ConfigError, error instanceof Error ? error.stack : String(error));
    assert.ok(error.problems.length > 0);
    for (const { key, found, expected, example } of error.problems) {
      assert.ok(key !== "" && found !== "" && expected !== "" && example !== "", error.message);
    }
  }
  // Milliseconds, or minutes on a busy machine: this only catches a run that does not end.
  assert.ok(performance.now() - started < 60_000);
}

const keys = fc.oneof(
  fc.constantFrom(
    "clusters",
    "regions",
    "rings",
    "ring",
    "image",
    "build",
    "docker",
    "workloads",
    "kazoo",
    "credentials",
  ),
  fc.constantFrom("__proto__", "constructor", "prototype", "toString", "secure", "<<", "", " ", "a.b", "é", "😀"),
  fc.string({ maxLength: 12, unit: "binary" }),
);
const leaves = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("main", "east", "4.3", "x".repeat(100_000), "\u0000", "{}", "[1]"),
  fc.double(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constant(null),
);
const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    leaves,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.array(fc.tuple(keys, tie("value")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries) as unknown),
  ),
})).value;

/** A value in which the place at a path of numbers is replaced. */
function replaced(value: unknown, [first, ...rest]: readonly number[], by: unknown): unknown {
  if (first === undefined || typeof value !== "object" || value === null) return by;
  const entries = Object.entries(value);
  if (entries.length === 0) return by;
  const index = first % entries.length;
  const changed = entries.map(([key, inner], at) => [key, at === index ? replaced(inner, rest, by) : inner] as const);
  return Array.isArray(value) ? changed.map(([, inner]) => inner) : Object.fromEntries(changed);
}

const mutated = fc
  .tuple(fc.constantFrom(...configs), fc.array(fc.nat(20), { maxLength: 8 }), values)
  .map(([config, path, value]) => replaced(config, path, value));

test(`${runs} random and mutated configs are accepted or refused as configs are`, () => {
  const secrets = fc.subarray(["credentials", "registryPassword", "regions"]);
  fc.assert(
    fc.property(fc.oneof(values, mutated), secrets, (config, secretKeys) =>
      acceptedOrRefused(() => parsePlatform(config, new Set(secretKeys))),
    ),
    { numRuns: runs },
  );
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
});

test("a config ten thousand levels deep is refused as configs are", () => {
  let deep: unknown = "x";
  for (let level = 0; level < 10_000; level += 1) deep = level % 2 === 0 ? [deep] : { a: deep };
  acceptedOrRefused(() => parsePlatform({ regions: deep }, new Set()));
  acceptedOrRefused(() => parsePlatform({ bogus: deep }, new Set()));
});

const pieces = fc.oneof(
  fc.constantFrom(
    "\t",
    "\r\n",
    "\r",
    "\ufeff",
    "&a ",
    "*a",
    "<<: *a",
    "<<: ",
    "- ",
    "? ",
    ": ",
    "!!str ",
    "|\n",
    "'",
    '"',
    "{",
    "}",
    "[",
    "]",
    "#",
    "---\n",
    "%YAML 1.1\n",
    "\u0085",
    "\u2028",
    "0777",
    "1_0",
    "2026-01-02",
    "~",
    "\\",
  ),
  fc.string({ maxLength: 5, unit: "binary" }),
);
const files = fc.oneof(
  fc
    .tuple(fc.constantFrom(...texts), fc.array(fc.tuple(fc.nat(), fc.nat(12), pieces), { minLength: 1, maxLength: 4 }))
    .map(([text, edits]) =>
      Buffer.from(
        edits.reduce((rest, [place, length, piece]) => {
          const at = place % (rest.length + 1);
          return rest.slice(0, at) + piece + rest.slice(at + length);
        }, text),
      ),
    ),
  mutated.map((config) => Buffer.from(`config: ${stringify(config, { collectionStyle: "flow" })}`)),
  fc.uint8Array({ maxLength: 200 }),
);

test(`${runs} random and mutated files are accepted or refused as configs are`, () => {
  fc.assert(
    fc.property(files, (file) => acceptedOrRefused(() => platformOfBytes(file, "Pulumi.shown.yaml"))),
    { numRuns: runs },
  );
});
