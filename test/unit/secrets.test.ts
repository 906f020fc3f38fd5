import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parsePlatform } from "../../config/parse";
import { ConfigError, show } from "../../config/problem";
import { hasSecret, isSecretName, maskSecrets } from "../../config/secrets";
import { maskDigest } from "../../tools/report/mask";
import { plainNames, plainTexts, secretNames, secretTexts } from "../support/secretValues";

const stack = (changes: object) => ({
  clusters: { local: { sandbox: true } },
  regions: { local: { cluster: "local", datacenters: { dev: {} } } },
  ...changes,
});

function errorOf(changes: object): string {
  try {
    parsePlatform(stack(changes), new Set());
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message;
  }
  return "";
}

/** A report's digest of a ConfigMap and a diagnostic that both contain the text. */
const digestOf = (text: string) =>
  JSON.stringify(
    maskDigest({
      steps: [
        {
          op: "create",
          urn: "urn:pulumi:test::kazoo::kubernetes:core/v1:ConfigMap::environment",
          newState: {
            type: "kubernetes:core/v1:ConfigMap",
            inputs: { data: { SETTING: text }, args: [text] },
          },
        },
      ],
      diagnostics: [{ severity: "error", message: text }],
    } as unknown as Parameters<typeof maskDigest>[0]),
  );

describe("a name that looks secret", () => {
  for (const name of secretNames) {
    test(`${name} is refused by the config, and its value is in no error`, () => {
      assert.ok(isSecretName(name));
      for (const changes of [
        { extraEnvironment: { [name]: "Tr0ub4dor" } },
        { image: { build: { registry: "r.example.com", repository: "kazoo", args: { [name]: "Tr0ub4dor" } } } },
      ]) {
        const error = errorOf(changes);
        assert.match(error, new RegExp(`\\.${name}: found \\[a value that looks secret\\]; expected no secret here`));
        assert.doesNotMatch(error, /Tr0ub4dor/);
      }
      assert.doesNotMatch(errorOf({ extraEnvironment: { [name]: ["Tr0ub4dor"] } }), /Tr0ub4dor/);
    });
  }

  for (const name of plainNames) {
    test(`${name} is not`, () => {
      assert.equal(isSecretName(name), false);
      assert.equal(errorOf({ extraEnvironment: { [name]: "x" } }), "");
    });
  }
});

describe("a value that looks secret", () => {
  for (const [what, text, ...secrets] of secretTexts) {
    test(`${what}: ${text}`, () => {
      const error = errorOf({ extraEnvironment: { SETTING: text } });
      assert.match(error, /SETTING: found \[a value that looks secret\]/);
      for (const shown of [maskSecrets(text), show(text, "kazoo:regions"), digestOf(text), error]) {
        for (const secret of secrets) assert.ok(!shown.includes(secret), shown);
      }
      assert.equal(maskSecrets(maskSecrets(text)), maskSecrets(text), "masking twice is masking once");
    });
  }

  for (const text of plainTexts) {
    test(`not: ${text}`, () => {
      assert.equal(maskSecrets(text), text);
      assert.equal(hasSecret(text), false);
    });
  }

  test("long texts are masked quickly", () => {
    const started = performance.now();
    for (const text of ["a.".repeat(50_000), "x".repeat(100_000), "http://".repeat(10_000), "a:".repeat(50_000)]) {
      maskSecrets(text);
    }
    assert.ok(performance.now() - started < 60_000);
  });
});
