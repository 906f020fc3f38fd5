import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import Ajv, { type ValidateFunction } from "ajv";
import { parse } from "yaml";
import { schema } from "../../config/schema";
import { stackFileSchema, stackFileSchemaText } from "../../config/stackSchema";

const project = join(__dirname, "../..");
const stackFiles = [
  ...readdirSync(project).filter((file) => /^Pulumi\..+\.yaml$/.test(file)),
  ...readdirSync(join(project, "examples"))
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => join("examples", file)),
];
const textOf = (file: string) => readFileSync(join(project, file), "utf8");

test("the committed JSON Schema is up to date", () => {
  assert.equal(textOf("config/stack.schema.json"), stackFileSchemaText(), "run: npx kazoo schema");
});

describe("each stack file", () => {
  for (const file of stackFiles) {
    test(`${file} names the JSON Schema in its first line, and is valid by it`, () => {
      const [, path = ""] = /^# yaml-language-server: \$schema=(\S+)\n/.exec(textOf(file)) ?? [];
      const schemaPath = join(project, dirname(file), path);
      assert.equal(schemaPath, join(project, "config", "stack.schema.json"));
      assert.ok(existsSync(schemaPath));
      assert.deepEqual(errorsOf(textOf(file)), []);
    });
  }
});

let validate: ValidateFunction | undefined;

/** Paths at which an independent validator finds a file invalid, by the JSON Schema alone. */
function errorsOf(text: string): string[] {
  validate ??= new Ajv({ strict: false, validateFormats: false }).compile(stackFileSchema());
  return validate(parse(text))
    ? []
    : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

const stack = (lines: string) => `config:
  kazoo:clusters: { local: { sandbox: true } }
  kazoo:regions: { local: { cluster: local, datacenters: { dev: {} } } }
${lines.replaceAll(/^/gm, "  ")}`;

describe("an editor reports", () => {
  const wrong: [what: string, lines: string, path: RegExp][] = [
    ["an unknown key", "kazoo:bogus: 1", /^\/config must NOT have additional properties/],
    ["an unknown key of a region", "kazoo:rings: { main: { kazo: '4.3' } }", /rings\/main must NOT have additional/],
    [
      "a value that is not among those possible",
      "kazoo:environment: { KAZOO_LOG_LEVEL: loud }",
      /KAZOO_LOG_LEVEL must be/,
    ],
    ["a number out of range", "kazoo:workloads: { kazoo: { replicas: 100 } }", /replicas must be <= 99/],
    ["a boolean as text", 'kazoo:protect: "yes"', /protect must be boolean/],
    ["an amount without a unit", 'kazoo:workloads: { database: { storage: "20" } }', /storage must match pattern/],
    ["a secret in plain", "kazoo:registryPassword: plain", /registryPassword must be object/],
    ["a ring's secret in plain", "kazoo:credentials: { main: { cookie: plain } }", /cookie must be object/],
  ];
  for (const [what, lines, path] of wrong) {
    test(what, () =>
      assert.ok(
        errorsOf(stack(lines)).some((error) => path.test(error)),
        errorsOf(stack(lines)).join("\n"),
      ),
    );
  }

  test("nothing wrong with other programs' keys, secrets and versions without quotes", () => {
    const lines = [
      "other:key: 1",
      "kazoo:rings: { main: { kazoo: 4.3 } }",
      "kazoo:ring: main",
      "kazoo:credentials: { main: { cookie: { secure: v1 } } }",
      "kazoo:registryPassword: { secure: v1 }",
    ];
    assert.deepEqual(errorsOf(stack(lines.join("\n"))), []);
  });
});

type Json = Record<string, unknown>;

/** A JSON Schema, or what it refers to. */
function resolved(node: Json): Json {
  const [, name] = /^#\/definitions\/(.+)$/.exec(String(node.$ref)) ?? [];
  if (name === undefined) return node;
  return (stackFile.definitions as Record<string, Json>)[name] ?? assert.fail(`there is no definition ${name}`);
}

const stackFile = stackFileSchema();

/** The leaves of a JSON Schema, by path. */
function leavesOf(reference: Json, path: string): [string, Json][] {
  const node = resolved(reference);
  const below = [
    ...Object.entries((node.properties ?? {}) as Record<string, Json>).map(
      ([key, inner]) => [`${path}.${key}`, inner] as const,
    ),
    ...(typeof node.additionalProperties === "object"
      ? [[`${path}.NAME`, node.additionalProperties as Json] as const]
      : []),
  ];
  const isSecret = "secure" in ((node.properties ?? {}) as Json);
  return below.length === 0 || isSecret ? [[path, node]] : below.flatMap(([key, inner]) => leavesOf(inner, key));
}

test("each leaf of the JSON Schema has a type and a description, and each default of the config is in it", () => {
  const { config } = stackFile.properties as Record<string, Json>;
  const leaves = leavesOf(config as Json, "");
  assert.ok(leaves.length > 100, String(leaves.length));
  for (const [path, leaf] of leaves) {
    const types = (leaf.anyOf as Json[] | undefined)?.map(({ type }) => type) ?? [leaf.type].flat();
    assert.ok(types.length > 0 && types.every((type) => typeof type === "string"), `${path} has no type`);
    assert.match(String(leaf.description), /\S/, `${path} has no description`);
  }
  const minimal = {
    clusters: { local: { sandbox: true } },
    regions: { local: { datacenters: { dev: {} } } },
    rings: { main: {} },
  };
  const { rings, protect, regions } = schema.parse(minimal);
  const byPath = new Map(leaves);
  const dev = regions.local?.datacenters.dev;
  const at = ".kazoo:regions.NAME.datacenters.NAME";
  assert.equal(byPath.get(".kazoo:protect")?.default, protect);
  assert.equal(byPath.get(".kazoo:rings.NAME.kazoo")?.default, rings.main?.kazoo);
  assert.equal(byPath.get(`${at}.environment.ERLANG_THREADS`)?.default, dev?.environment.ERLANG_THREADS);
  assert.equal(
    byPath.get(`${at}.workloads.database.resources.requests.cpu`)?.default,
    dev?.workloads.database.resources.requests.cpu,
  );
});

test("what the levels have in common is written once, and each definition is used more than once", () => {
  const text = stackFileSchemaText();
  const uses = Object.keys(stackFile.definitions ?? {}).map((name) => [
    name,
    text.split(`"$ref": "#/definitions/${name}"`).length - 1,
  ]);
  assert.deepEqual(Object.fromEntries(uses.filter(([, count]) => Number(count) < 2)), {});
  assert.equal(text.split('"ERLANG_THREADS": {').length - 1, 1);
});
