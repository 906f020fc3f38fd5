import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { structured } from "../../config/parse";
import { ConfigError } from "../../config/problem";
import { resolvePlain } from "../../config/scalar";
import { platformOfBytes } from "../../config/stackFile";
import { readYaml } from "../../config/yaml";

const file = "Pulumi.shown.yaml";
const bytes = (text: string) => Buffer.from(text);

/** The error's lines, without the heading; empty if the file is valid. */
function errorsOf(contents: string | Uint8Array): string[] {
  try {
    platformOfBytes(typeof contents === "string" ? bytes(contents) : contents, file);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

const stack = (lines = "") => `config:
  kazoo:clusters: { local: { sandbox: true } }
  kazoo:regions: { local: { cluster: local, datacenters: { dev: {} } } }
${lines}`;

describe("a plain scalar is read as the engine's YAML library reads it", () => {
  // Recorded from gopkg.in/yaml.v3 v3.0.1.
  const table: [text: string, value: unknown][] = [
    ["+15551234567", 15551234567],
    ["0042", 34],
    ["0089", 89],
    ["010", 8],
    ["0o17", 15],
    ["0x1F", 31],
    ["-0b11", -3],
    ["1_000", 1000],
    ["1.10", 1.1],
    ["1_0.5_0", 10.5],
    [".5", 0.5],
    ["._5", "._5"],
    [".12_58e3", 125.8],
    ["1e3", 1000],
    ["12345678901234567890", 12345678901234567000],
    ["0xFFFFFFFFFFFFFFFFF", "0xFFFFFFFFFFFFFFFFF"],
    ["True", true],
    ["yes", "yes"],
    ["on", "on"],
    ["NULL", null],
    ["", null],
    [".inf", Infinity],
    ["4.3.12", "4.3.12"],
    ["10.8.0.0", "10.8.0.0"],
    ["12:30:45", "12:30:45"],
    ["2026-13-45", "2026-13-45"],
    ["constructor", "constructor"],
  ];
  for (const [text, value] of table) test(JSON.stringify(text), () => assert.deepEqual(resolvePlain(text), value));

  test("dates must be quoted", () => {
    for (const text of ["2026-01-02", "2026-1-2T3:4:5Z", "2026-01-02 03:04:05.6"]) {
      assert.ok(resolvePlain(text) instanceof Date, text);
    }
  });
});

describe("a scalar whose text and value differ must be quoted, and the error has its line", () => {
  const table: [what: string, lines: string, error: RegExp][] = [
    [
      "a telephone number",
      "  kazoo:extraEnvironment: { NUMBER: +15551234567 }",
      /^kazoo:extraEnvironment\.NUMBER: found \+15551234567 \(line 4\), which YAML reads as the number 15551234567; expected the text in quotes, .* for example: "\+15551234567"$/,
    ],
    [
      "leading zeros",
      "  kazoo:extraEnvironment: { ID: 0042 }",
      /found 0042 \(line 4\), which YAML reads as the number 34/,
    ],
    ["a date", "  kazoo:extraEnvironment: { DAY: 2026-01-02 }", /found 2026-01-02 .* reads as a date/],
    [
      "a trailing zero",
      "  kazoo:rings: { local-dev: { rabbitmq: 3.10 } }",
      /rabbitmq: found 3\.10 .* the number 3\.1;/,
    ],
    ["many digits", "  kazoo:extraEnvironment: { ID: 12345678901234567 }", /the number 12345678901234568/],
    ["a capital", "  kazoo:extraEnvironment: { FLAG: True }", /found True .* reads as true/],
    [
      "an octal number",
      "\n  kazoo:workloads: { kazoo: { replicas: 010 } }",
      /replicas: found 010 \(line 5\), .* number 8/,
    ],
    [
      "an item of a list",
      "  kazoo:image: { build: { registry: r.example.com, repository: k, tags: [4.10] } }",
      /tags\.0: found 4\.10 .* 4\.1/,
    ],
    [
      "a key",
      "  kazoo:extraEnvironment: { 010: x }",
      /found the key 010 \(line 4\), which YAML reads as the number 8; expected the key/,
    ],
    ["a ring's name", "  kazoo:rings: { '7': {} }\n  kazoo:ring: 007", /^kazoo:ring: found 007 \(line 5\)/],
  ];
  for (const [what, lines, error] of table) {
    test(what, () => {
      const errors = errorsOf(stack(lines));
      assert.match(errors[0] ?? "no error", error);
      assert.equal(errors.length, 1, errors.join("\n"));
    });
  }

  test("it may stay unquoted if both mean the same for the key", () => {
    const fine = [
      "  kazoo:protect: False",
      "  kazoo:rings: { local-dev: { kazoo: 4.0 } }",
      "  kazoo:workloads: { kazoo: { resources: { requests: { cpu: 1.50 }, limits: { cpu: 02.0 } } } }",
      "  kazoo:environment: { ERLANG_THREADS: +25 }",
      "  other:number: +15551234567",
    ];
    assert.deepEqual(errorsOf(stack(fine.join("\n"))), []);
  });

  test("a plain-text secret is not shown", () => {
    const errors = errorsOf(stack("  kazoo:credentials: { local-dev: { cookie: 0123456789012345678 } }"));
    assert.ok(errors.length > 0);
    assert.doesNotMatch(errors.join("\n"), /012345/);
  });
});

describe("invalid YAML: file, line, column and what is wrong", () => {
  const table: [what: string, contents: string | Uint8Array, error: RegExp][] = [
    [
      "a key twice",
      `${stack()}  kazoo:clusters: {}\n`,
      /^Pulumi\.shown\.yaml:4:3: found the key kazoo:clusters a second time; expected each key once/,
    ],
    ["a tab", "config:\n\tkazoo:protect: true\n", /^Pulumi\.shown\.yaml:2:1: found a tab; expected spaces/],
    [
      "an alias without an anchor",
      "config: { kazoo:ring: *main }",
      /:1:23: found \*main, which no anchor before it defines/,
    ],
    [
      "an alias within itself",
      "a: &a [*a]\nconfig: { kazoo:ring: *a }",
      /:1:8: found \*a inside of what it stands for/,
    ],
    ["an open brace", "config: {\n", /:2:1: found what YAML cannot read: Flow map/],
    ["a colon too many", "config:\n  kazoo:ring: a: b\n", /:2:15: found what YAML cannot read: Nested mappings/],
    ["two documents", "config: {}\n---\nconfig: {}\n", /:2:1: found a second document/],
    ["a tag", "config: { kazoo:ring: !!str 8 }", /found the tag tag:yaml\.org,2002:str/],
    ["a list", "- 1", /^Pulumi\.shown\.yaml: found \[1\]; expected a mapping/],
    ["a line separator", 'config: { kazoo:ring: "a\u2028b" }', /:1:25: found the character U\+2028/],
    ["a carriage return alone", "config: {}\rx: 1", /:1:11: found the character U\+000D/],
    ["Latin-1", Uint8Array.from([0x63, 0x3a, 0x20, 0xe9]), /found bytes that are not UTF-8/],
    ["a mapping as a key", "config: { ? { a: 1 } : b }", /found a key that is not text/],
    ["a merge of text", "config: { <<: main }", /found a merge key, <<, of something that is not a mapping/],
    [
      "aliases of aliases",
      `a0: &a0 [x, x]\n${Array.from({ length: 30 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]`).join("\n")}\n`,
      /more levels or aliases than a stack needs/,
    ],
    ["a thousand levels", `config: ${"[".repeat(1000)}${"]".repeat(1000)}`, /more levels or aliases/],
    [
      "a key with its prefix and without",
      "config: { ring: main, kazoo:ring: main }",
      /the key ring with its prefix and without/,
    ],
  ];
  for (const [what, contents, error] of table) {
    test(what, () => assert.match(errorsOf(contents)[0] ?? "no error", error));
  }
});

describe("a file is read as the engine reads it", () => {
  const valueOf = (text: string) => readYaml(bytes(text), file).value;

  test("merge keys: the nearer value wins, and of a list the first", () => {
    const text = `
a: &a { x: 1, y: 1 }
b: &b { y: 2, z: 2 }
c: { <<: [*a, *b], x: 3 }
d: { <<: { <<: *a, y: 4 } }
`;
    const { c, d } = valueOf(text) as Record<string, unknown>;
    assert.deepEqual(c, { x: 3, y: 1, z: 2 });
    assert.deepEqual(d, { y: 4, x: 1 });
  });

  test("merge keys in a stack", () => {
    const text = `defaults: &defaults { cluster: local }
config:
  kazoo:clusters: { local: { sandbox: true } }
  kazoo:regions: { local: { <<: *defaults, datacenters: { dev: {} } } }
`;
    assert.deepEqual(errorsOf(text), []);
  });

  test("a byte order mark, CRLF, keys without the project's prefix, an encrypted value", () => {
    const text = stack(
      "  kazoo:registryPassword: { secure: v1 }\n  image: { build: { registry: r.example.com, repository: k, username: u } }\n",
    );
    assert.deepEqual(errorsOf(`\ufeff${text.replaceAll("\n", "\r\n")}`), []);
  });
});

test("a key that accepts only text keeps what looks like a number, also as the engine passes it", () => {
  const labelOf = (line: string) => platformOfBytes(bytes(stack(line)), file).stackLabel;
  assert.equal(labelOf('  kazoo:stackLabel: "2024"'), "2024");
  assert.equal(labelOf("  kazoo:stackLabel: 'true'"), "true");
  // Who put the text into JSON's quotes, so that it was read as text, may keep them.
  assert.equal(labelOf("  kazoo:stackLabel: '\"2024\"'"), "2024");
  assert.equal(structured("ring", "7"), "7");
  assert.equal(structured("registryPassword", '"007"'), '"007"');
  assert.equal(structured("protect", "false"), false);
  assert.deepEqual(structured("clusters", '{"local":{"sandbox":true}}'), { local: { sandbox: true } });
});

test("a config that is too large for Linux to pass to the program", () => {
  const big = `  kazoo:extraEnvironment:\n${Array.from({ length: 1500 }, (_, n) => `    VARIABLE_${n}: "${"x".repeat(80)}"`).join("\n")}\n`;
  const [error = ""] = errorsOf(stack(big));
  assert.match(error, /^Pulumi\.shown\.yaml: found a config of 1\d\d KiB; expected at most 128 KiB/);
});
