import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import Ajv from "ajv";
import { ringConfig } from "../../components/bigcouch";
import { databaseKind, type DatabaseKind } from "../../config/compatibility";
import { parsePlatform } from "../../config/parse";
import { ConfigError } from "../../config/problem";
import { platformOfBytes } from "../../config/stackFile";
import { stackFileSchema } from "../../config/stackSchema";
import { deployWithMocks, platformFrom, type Registered } from "../support/mocks";
import { codeBlocks } from "../support/markdown";

type Credentials = Record<string, unknown>;

const stack = (credentials: Credentials) => ({
  image: { prebuilt: "registry.example.com/kazoo:4.3" },
  clusters: { east: { context: "prod-east" } },
  rings: { main: { masterAccount: { name: "example", realm: "sip.example.com", user: "admin" } } },
  ring: "main",
  regions: { "us-east": { cluster: "east", datacenters: { nyc: {}, bos: {} } } },
  credentials: { main: credentials },
});

const existing = {
  cookie: { secretName: "vault-cookie" },
  rabbitmq: { secretName: "vault-broker" },
  database: { secretName: "vault-database" },
};

function problemsOf(config: unknown, ...secretKeys: string[]) {
  try {
    parsePlatform(config, new Set(secretKeys));
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ key, found, expected, example }) => `${key}: ${found}; ${expected}; ${example}`);
  }
  return [];
}

const secretsMade = (resources: readonly Registered[]) =>
  resources.filter(({ type }) => type === "kubernetes:core/v1:Secret").map(({ name }) => name);

/** The Secrets that pods refer to, by name, with the keys that they read. */
function read(resources: readonly Registered[]): Record<string, string[]> {
  const found: Record<string, Set<string>> = {};
  const note = (name: unknown, key: string) => (found[String(name)] ??= new Set()).add(key);
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { secretKeyRef, secret } = value as {
      secretKeyRef?: { name: string; key: string };
      secret?: { secretName: string; items?: { key: string; path: string }[] };
    };
    if (secretKeyRef !== undefined) note(secretKeyRef.name, secretKeyRef.key);
    if (secret?.secretName !== undefined) note(secret.secretName, "a file");
    for (const { key, path } of secret?.items ?? []) note(secret?.secretName, `${path} from ${key}`);
    Object.values(value).forEach(walk);
  };
  for (const { type, inputs } of resources) if (/:(StatefulSet|Job)$/.test(type)) walk(inputs);
  return Object.fromEntries(Object.entries(found).map(([name, keys]) => [name, [...keys].sort()]));
}

test("pods read existing Secrets, and the stack creates neither them nor their content", async () => {
  // Naming them needs no Pulumi secret.
  const { resources } = await deployWithMocks(platformFrom(stack(existing)));
  assert.deepEqual(secretsMade(resources), ["ring-main-bootstrap-account"], "the master account's is the stack's own");
  assert.deepEqual(
    resources.filter(({ type }) => /RandomPassword|RandomBytes/.test(type)).map(({ name }) => name),
    ["ring-main-master-account-password"],
  );
  assert.deepEqual(read(resources), {
    "kazoo-master-account": ["password"],
    "vault-cookie": ["a file"],
    "vault-broker": ["password", "username"],
    "vault-database": ["a file", "cookie", "password", "username"],
  });
});

test("keys of existing Secrets may have other names", async () => {
  const keys = {
    cookie: { cookie: "erlang" },
    rabbitmq: { username: "user", password: "pass" },
    database: { username: "admin", password: "secret", cookie: "nodes", "ring.ini": "couch.ini" },
  };
  const credentials = Object.fromEntries(
    Object.entries(existing).map(([part, secret]) => [part, { ...secret, keys: keys[part as keyof typeof keys] }]),
  );
  const { resources } = await deployWithMocks(platformFrom(stack(credentials)));
  assert.deepEqual(read(resources), {
    "kazoo-master-account": ["password"],
    "vault-cookie": ["a file", "cookie from erlang"],
    "vault-broker": ["pass", "user"],
    "vault-database": ["a file", "admin", "nodes", "secret"],
  });
  const pods = JSON.stringify(resources.find(({ name }) => name === "us-east-nyc-bigcouch-nodes"));
  assert.match(pods, /"name":"ring","readOnly":true,"subPath":"couch\.ini"/);
});

test("the stack still creates what no existing Secret provides", async () => {
  const { resources } = await deployWithMocks(
    platformFrom(stack({ rabbitmq: existing.rabbitmq, cookie: "a-cookie-of-a-live-system" }), "credentials"),
  );
  assert.deepEqual(
    secretsMade(resources).filter((name) => name.startsWith("us-east-nyc")),
    ["us-east-nyc-bigcouch", "us-east-nyc-bigcouch-ring", "us-east-nyc-erlang-cookie"],
  );
  const passwords = resources.filter(({ type }) => type.includes("RandomPassword")).map(({ name }) => name);
  assert.ok(passwords.includes("ring-main-database-password"));
  assert.ok(!passwords.includes("ring-main-rabbitmq-password"));
});

test("a stack's file may name Secrets in plain text, also next to an encrypted value, but not hold a plain value", () => {
  const file = (credentials: string) =>
    Buffer.from(`config:
  kazoo:image: { prebuilt: "registry.example.com/kazoo:4.3" }
  kazoo:clusters: { east: { context: prod-east } }
  kazoo:ring: main
  kazoo:rings: { main: {} }
  kazoo:regions: { us-east: { cluster: east, datacenters: { nyc: {} } } }
  kazoo:credentials: { main: ${credentials} }
`);
  const platform = (credentials: string) => platformOfBytes(file(credentials), "Pulumi.prod.yaml");
  const name = "rabbitmq: { secretName: vault-broker, keys: { password: pass } }";
  assert.deepEqual(platform(`{ ${name} }`).rings.main?.secrets, { rabbitmq: "vault-broker" });
  assert.deepEqual(platform(`{ ${name}, cookie: { secure: v1:abc } }`).rings.main?.secrets, {
    rabbitmq: "vault-broker",
  });
  assert.throws(() => platform(`{ ${name}, cookie: a-cookie-in-plain }`), /found plain text/);
});

test("the JSON Schema accepts both forms", () => {
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(stackFileSchema());
  const isValid = (cookie: unknown) =>
    validate({
      config: {
        "kazoo:clusters": { east: { context: "prod-east" } },
        "kazoo:regions": { "us-east": { cluster: "east", datacenters: { nyc: {} } } },
        "kazoo:credentials": { main: { cookie } },
      },
    });
  assert.ok(isValid({ secure: "v1:abc" }));
  assert.ok(isValid({ secretName: "vault-cookie" }));
  assert.ok(!isValid("a-cookie-in-plain"));
  assert.ok(isValid({ secretName: "vault-cookie", keys: { cookie: "erlang" } }));
  assert.ok(!isValid({ secretName: "vault-cookie", key: "cookie" }));
  assert.ok(!isValid({ secretName: "vault-cookie", keys: { password: "erlang" } }));
});

test("combinations that cannot work are refused", () => {
  assert.match(problemsOf(stack({ cookie: "in-plain" })).join(), /^kazoo:credentials: plain text; /);
  assert.match(
    problemsOf(stack({ rabbitmq: { secretName: "rabbitmq" } })).join(),
    /^kazoo:credentials\.main\.rabbitmq: the Secret rabbitmq; another name, since the stack itself creates.*kazoo-rabbitmq/,
  );
  assert.match(
    problemsOf(stack({ database: { secretName: "Vault Database" } })).join(),
    /^kazoo:credentials\.main\.database: \[secret\]; .*or \{ secretName: NAME \} of an existing Secret with `username`, `password`, `cookie`, `ring\.ini`/,
  );
  assert.match(
    problemsOf(stack({ rabbitmq: { ...existing.rabbitmq, keys: { user: "name" } } })).join(),
    /^kazoo:credentials\.main\.rabbitmq: \[secret\]; .*or with the keys that `keys: \{ username: KEY \}` names/,
  );
  const docker = {
    image: { prebuilt: "kazoo:4.3" },
    clusters: { local: { docker: {} } },
    regions: { local: { cluster: "local", datacenters: { dev: {} } } },
    credentials: { "local-dev": { cookie: existing.cookie } },
  };
  assert.match(problemsOf(docker).join(), /^kazoo:credentials\.local-dev\.cookie: .*plain Docker has no Secrets/);
});

const hasOpenssl = spawnSync("openssl", ["kdf", "-help"]).status === 0;

test("the documented ring.ini equals the one that the program creates", { skip: !hasOpenssl && "no OpenSSL 3" }, () => {
  const page = readFileSync(join(__dirname, "../../docs/security.md"), "utf8");
  const recipe = codeBlocks(page).find(({ code }) => code.includes("openssl kdf"))?.code ?? assert.fail("no recipe");
  const script = `cd "$(mktemp -d)"; kubectl() { cat ring.ini; printf '%s\\n' "$@" >&2; }; ${recipe}; rm -r "$PWD"`;
  const { stdout, stderr } = spawnSync("bash", ["-euc", script], { encoding: "utf8" });
  const literals = Object.fromEntries(
    [...stderr.matchAll(/^--from-literal=(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]),
  );
  assert.deepEqual(Object.keys(literals).sort(), ["cookie", "password", "username"]);
  const setting = (name: string) => new RegExp(`^${name} = (.*)$`, "m").exec(stdout)?.[1] ?? "";
  const made = ringConfig({
    kind: databaseKind("couchdb-2.3.1") as DatabaseKind,
    users: [{ name: literals.username ?? "", password: literals.password ?? "" }],
    uuid: setting("uuid"),
    authSecret: setting("secret"),
  });
  assert.equal(stdout, made);
  assert.match(setting("uuid"), /^[0-9a-f]{32}$/);
  assert.match(setting("secret"), /^[0-9a-f]{32}$/);
});
