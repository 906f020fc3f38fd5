import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseDigest } from "../../tools/report/digest";
import { mostCharacters } from "../../tools/report/fit";
import { exitCodeOf, reportOf } from "../../tools/report/model";
import { htmlOf, markdownOf, terminalText } from "../../tools/report/render";
import { UserError, colours } from "../../tools/shared/terminal";
import { platformFrom } from "../support/mocks";

/** `FUZZ=10` generates ten times as many previews. */
const times = Number(process.env["FUZZ"] ?? "1");

const platform = platformFrom({
  clusters: { local: { sandbox: true } },
  regions: { local: { cluster: "local", datacenters: { dev: {}, two: {} } } },
});

/** A value used as the secret wherever the engine or Kubernetes keeps one. */
const sentinel = "SentinelOfFuzzing";

const tricky = fc.constantFrom(
  "",
  "__proto__",
  "constructor",
  "toString",
  "a.b",
  "a[0]",
  '["',
  "[",
  "]",
  "`|<b>\n",
  "\u202e",
  "null",
);
const word = fc.oneof(tricky, fc.string({ maxLength: 12 }), fc.string({ maxLength: 6, unit: "grapheme" }));
const key = fc.oneof(
  word,
  fc.constantFrom("metadata", "name", "namespace", "spec", "replicas", "data", "template", "keepers", "labels"),
);
const leaf = fc.oneof(
  word,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constant("[secret]"),
  fc.constant("04da6b54-80e4-46f7-96ec-b56ff0331ba9"),
);
const { object } = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 4 }),
    tie("object"),
  ),
  object: fc.dictionary(key, tie("value"), { maxKeys: 5 }),
}));

const type = fc.oneof(
  fc.constantFrom(
    "kubernetes:apps/v1:StatefulSet",
    "kubernetes:core/v1:ConfigMap",
    "kubernetes:core/v1:Service",
    "kubernetes:core/v1:Namespace",
    "kubernetes:batch/v1:Job",
    "random:index/randomId:RandomId",
    "pulumi:providers:kubernetes",
    "pulumi:pulumi:Stack",
    "kazoo:index:Datacenter",
  ),
  word,
);
const name = fc
  .tuple(
    fc.constantFrom("local-dev", "local-two", "local", "ring-local-dev", ""),
    fc.constantFrom("-kazoo-nodes", "-bigcouch-nodes", "-namespace", "-kazoo-environment", ""),
  )
  .map((parts) => parts.join(""));
const urn = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .tuple(type, fc.oneof(name, word))
      .map(([of, called]) => `urn:pulumi:dev::kazoo::kazoo:index:Datacenter$${of}::${called}`),
  },
  { weight: 1, arbitrary: word },
);
const op = fc.oneof(
  fc.constantFrom(
    "same",
    "create",
    "update",
    "delete",
    "replace",
    "create-replacement",
    "delete-replaced",
    "import",
    "read",
    "refresh",
    "discard",
  ),
  word,
);
const state = fc.record(
  {
    type,
    custom: fc.boolean(),
    protect: fc.boolean(),
    inputs: object,
    outputs: object,
    dependencies: fc.array(urn, { maxLength: 3 }),
  },
  { requiredKeys: ["type"] },
);
const kind = fc.constantFrom("add", "delete", "update", "update-replace", "delete-replace", "");
const step = fc.record(
  {
    op,
    urn,
    oldState: state,
    newState: state,
    replaceReasons: fc.oneof(fc.array(word, { maxLength: 3 }), fc.constant(null)),
    detailedDiff: fc.oneof(fc.dictionary(word, fc.record({ kind }), { maxKeys: 4 }), fc.constant(null)),
  },
  { requiredKeys: ["op", "urn"] },
);
/** Resources that are secret by type, containing the sentinel. */
const secretStep = fc.constantFrom("update", "create", "replace", "delete").map((each) => {
  const inputs = {
    metadata: { name: "rabbitmq" },
    data: { password: sentinel },
    stringData: { password: sentinel },
  };
  const secret = { type: "kubernetes:core/v1:Secret", inputs, outputs: {} };
  return {
    op: each,
    urn: "urn:pulumi:dev::kazoo::kazoo:index:Datacenter$kubernetes:core/v1:Secret::local-dev-rabbitmq",
    ...(each === "create" ? {} : { oldState: { ...secret, inputs: { ...inputs, data: {} } } }),
    ...(each === "delete" ? {} : { newState: secret }),
  };
});
const message = fc.oneof(
  word,
  fc.constantFrom(
    `the password ${sentinel} was refused`,
    'resource "x" cannot be deleted\nbecause it is protected.',
    "preview failed",
  ),
);
const diagnostic = fc.record(
  { urn, message, severity: fc.constantFrom("error", "warning", "info", "") },
  { requiredKeys: ["message", "severity"] },
);
const preview = fc.record({
  steps: fc.tuple(secretStep, fc.array(step, { maxLength: 8 })).map(([first, others]) => [first, ...others]),
  diagnostics: fc.array(diagnostic, { maxLength: 3 }),
});

/** Everything that is written about a preview, or the message that refuses it. */
function written(given: unknown, purpose: "preview" | "drift", failed: boolean): string[] {
  try {
    const digest = parseDigest(JSON.stringify(given), "preview.json");
    const report = reportOf({
      stack: "dev",
      platform,
      preview: digest,
      failed,
      ...(purpose === "drift" ? { refresh: digest } : {}),
    });
    assert.ok([0, 1, 2, 3].includes(exitCodeOf(report)));
    const markdown = markdownOf(report);
    assert.ok(markdown.length <= mostCharacters, `${markdown.length} characters`);
    return [markdown, htmlOf(report), terminalText(report, colours)];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [error.message, error.next ?? ""];
  }
}

test("any preview becomes a report without its secrets", (t) => {
  let count = 0;
  fc.assert(
    fc.property(
      preview,
      fc.constantFrom("preview" as const, "drift" as const),
      fc.boolean(),
      (given, purpose, failed) => {
        count++;
        for (const text of written(given, purpose, failed)) assert.ok(!text.includes(sentinel), "a secret is written");
      },
    ),
    { numRuns: 4_000 * times },
  );
  t.diagnostic(`${count} previews`);
});

test("any file becomes a report or is refused in one line", (t) => {
  let count = 0;
  const form = fc.oneof(
    fc.jsonValue(),
    fc.record({ steps: fc.array(fc.oneof(step, fc.jsonValue())), diagnostics: fc.jsonValue() }, { requiredKeys: [] }),
  );
  fc.assert(
    fc.property(form, (given) => {
      count++;
      assert.ok(written(given, "preview", false).length > 0);
    }),
    { numRuns: 2_000 * times },
  );
  t.diagnostic(`${count} previews`);
});
