import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { parse } from "yaml";
import { temporaryEngine } from "./engine";

/**
 * Writes the state of a live stack as a fixture, with made-up secrets (test/fixtures/states/README.md):
 *
 *     pulumi stack export --show-secrets | node --import tsx test/support/writeStateFixture.ts FILE STACK
 */
async function main(file: string, stack: string): Promise<void> {
  const exported = await text(process.stdin);
  const directory = mkdtempSync(join(tmpdir(), "kazoo-fixture-"));
  const engine = await temporaryEngine();
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await engine.run(directory, [...args, "--stack", stack]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  try {
    writeFileSync(join(directory, "Pulumi.yaml"), "name: kazoo\nruntime: nodejs\n");
    await run("stack", "init", "--secrets-provider", "passphrase");
    const config = parse(readFileSync(join(directory, `Pulumi.${stack}.yaml`), "utf8")) as { encryptionsalt: string };
    writeFileSync(join(directory, "state.json"), disguise(exported, config.encryptionsalt), { mode: 0o600 });
    await run("stack", "import", "--file", "state.json");
    const encrypted = JSON.parse(await run("stack", "export")) as unknown;
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(encrypted)}\n`);
  } finally {
    engine.dispose();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Exported {
  readonly deployment: {
    secrets_providers?: unknown;
    readonly resources: readonly { readonly urn: string; readonly type: string; readonly outputs?: Outputs }[];
  };
}

interface Outputs {
  readonly result?: { readonly plaintext: string };
  readonly bcryptHash?: { readonly plaintext: string };
  /** `managedFields` are half of an object's state, and a preview does not need them. */
  readonly metadata?: { managedFields?: unknown };
}

/** The state with all secrets replaced by others of the same length and alphabet, and another salt. */
function disguise(exported: string, salt: string): string {
  const state = JSON.parse(exported) as Exported;
  state.deployment.secrets_providers = { type: "passphrase", state: { salt } };
  for (const { outputs } of state.deployment.resources) delete outputs?.metadata?.managedFields;
  let disguised = JSON.stringify(state);
  for (const { urn, type, outputs } of state.deployment.resources) {
    if (type !== "random:index/randomPassword:RandomPassword") continue;
    const name = urn.split("::").at(-1) ?? "";
    const secret = valueOf(outputs?.result);
    const hash = valueOf(outputs?.bcryptHash);
    const madeUp = `NotASecret${camelCase(name)}`.padEnd(secret.length, "0").slice(0, secret.length);
    for (const encode of [plain, base64]) disguised = disguised.replaceAll(encode(secret), encode(madeUp));
    disguised = disguised.replaceAll(hash, `${hash.slice(0, 7)}${madeUp}`.padEnd(hash.length, "0"));
  }
  return disguised;
}

function valueOf(secret: Outputs["result"]): string {
  assert.ok(secret, "exported with --show-secrets");
  return JSON.parse(secret.plaintext) as string;
}

const plain = (value: string): string => value;
const base64 = (value: string): string => Buffer.from(value).toString("base64");
const camelCase = (name: string): string => name.replace(/(?:^|-)(.)/g, (_, first: string) => first.toUpperCase());

const [file, stack] = process.argv.slice(2);
assert.ok(file !== undefined && stack !== undefined, "usage: writeStateFixture.ts FILE STACK < exported state");
void main(file, stack);
