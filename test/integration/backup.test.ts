import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type ExportedState, sealed } from "../../tools/cli/stack/backupFile";
import { type Clone, cloneProject } from "../support/clone";
import { plainPulumi } from "../support/plainPulumi";

const stack = "rehearsal";
let secrets = 0;
/** A live stack's state as `pulumi stack export --show-secrets` writes it, with made-up secrets in plain text. */
const fixture = JSON.parse(
  readFileSync(join(__dirname, `../fixtures/states/0.1.0/${stack}.json`), "utf8"),
  (_, value: { ciphertext?: string } | null) =>
    value?.ciphertext === undefined
      ? value
      : { ...value, ciphertext: undefined, plaintext: JSON.stringify(`NotASecret${secrets++}`) },
) as ExportedState;
const passphrase = "a passphrase of the tests";

/** Two machines from Pulumi's point of view: folders with their own states and passphrases. */
describe("backup and restore of a stack's state", { concurrency: 1 }, () => {
  let here: Clone;
  let there: Clone;
  const paths = { passphrase: "", first: "", second: "" };

  before(async () => {
    [here, there] = await Promise.all([cloneProject(), cloneProject()]);
    paths.passphrase = join(here.directory, "passphrase");
    paths.first = join(here.directory, "first.age");
    paths.second = join(here.directory, "second.age");
    writeFileSync(paths.passphrase, `${passphrase}\n`);
    const backup = { stack, time: "2026-01-02T03:04:05.000Z", state: fixture };
    writeFileSync(paths.first, await sealed(backup, { passphrase }));
  });
  after(() => Promise.all([here?.dispose(), there?.dispose()]));

  const restore = (clone: Clone, from: string, ...more: string[]) =>
    clone.run(["restore", "-s", stack, "--from", from, "--passphrase-file", paths.passphrase, ...more]);
  const exported = async (clone: Clone) => {
    const { code, stdout, stderr } = await plainPulumi(clone, ["stack", "export", "--show-secrets"], stack);
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as ExportedState).deployment.resources;
  };

  test("a wrong passphrase, another stack and a truncated file are refused before anything changes", async () => {
    const wrong = join(here.directory, "wrong");
    writeFileSync(wrong, "another passphrase");
    const other = await here.run(["restore", "-s", stack, "--from", paths.first, "--passphrase-file", wrong]);
    assert.equal(other.code, 1);
    assert.match(other.stderr, /^error: the backup cannot be decrypted/);

    const dev = await here.run(["restore", "-s", "dev", "--from", paths.first, "--passphrase-file", paths.passphrase]);
    assert.match(dev.stderr, /^error: this is a backup of stack rehearsal, not of dev\nnext: .*STACK=rehearsal/);

    const torn = join(here.directory, "torn.age");
    writeFileSync(torn, readFileSync(paths.first));
    truncateSync(torn, 20_000);
    assert.match((await restore(here, torn)).stderr, /^error: the backup cannot be decrypted/);
    assert.equal(existsSync(join(here.directory, ".state")), false);
  });

  test("a state is restored into one folder and from there into another, with all its secrets", async () => {
    const restored = await restore(here, paths.first);
    assert.equal(restored.code, 0, restored.stderr);
    assert.match(restored.stdout, /restored the state of 2026-01-02T03:04:05.000Z, \d+ resources/);
    const backup = ["backup", "-s", stack, "--out", paths.second, "--passphrase-file", paths.passphrase];
    const written = await here.run(backup);
    assert.equal(written.code, 0, written.stderr);
    assert.equal(statSync(paths.second).mode & 0o777, 0o600);
    const again = await here.run(backup);
    assert.match(again.stderr, /second.age exists/, "an existing file is kept");

    assert.equal((await restore(there, paths.second)).code, 0);
    const [first, second] = [await exported(here), await exported(there)];
    assert.ok((first?.length ?? 0) > 100);
    assert.deepEqual(second, first);
    assert.match(JSON.stringify(first), /NotASecret0/);
    const kept = readFileSync(join(there.directory, `.state/.pulumi/stacks/kazoo/${stack}.json`), "utf8");
    assert.doesNotMatch(kept + readFileSync(paths.second, "latin1"), /NotASecret/);
    const [one, two] = [here, there].map(({ directory }) => readFileSync(join(directory, ".state/passphrase"), "utf8"));
    assert.notEqual(one, two);
  });

  test("a state with resources is replaced only after confirmation, and a damaged one is kept aside", async () => {
    const unasked = await restore(there, paths.second);
    assert.equal(unasked.code, 1);
    assert.match(unasked.stderr, /replace the state of stack rehearsal, \d+ resources, with that of .*YES=1/s);

    const folder = join(there.directory, ".state/.pulumi/stacks/kazoo");
    truncateSync(join(folder, `${stack}.json`), 1_000);
    const restored = await restore(there, paths.second);
    assert.equal(restored.code, 0, restored.stderr);
    assert.ok(readdirSync(folder).includes(`${stack}.json.damaged`));
    assert.deepEqual(await exported(there), await exported(here));
  });
});
