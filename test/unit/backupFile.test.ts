import assert from "node:assert/strict";
import { test } from "node:test";
import { type Backup, type Keys, opened, sealed } from "../../tools/cli/stack/backupFile";
import type { UserError } from "../../tools/shared/terminal";

const backup: Backup = {
  stack: "prod",
  time: "2026-01-02T03:04:05.000Z",
  state: { version: 3, deployment: { resources: [{ secret: "NotASecret" }] } },
};

/** An age key pair. */
async function keyPair() {
  const { generateIdentity, identityToRecipient } = await import("age-encryption");
  const identity = await generateIdentity();
  return { identity, recipient: await identityToRecipient(identity) };
}

test("a backup for several age keys can be read with each of them, from a file in age-keygen's format", async () => {
  const [one, two] = [await keyPair(), await keyPair()];
  const file = await sealed(backup, { recipients: [one.recipient, two.recipient] });
  assert.doesNotMatch(Buffer.from(file).toString("latin1"), /NotASecret|prod/);
  for (const { identity, recipient } of [one, two]) {
    const identities = `# created: 2026-01-02\n# public key: ${recipient}\n${identity}\n`;
    assert.deepEqual(await opened(file, { identities }, "prod"), backup);
  }
});

test("an unreadable backup is refused without showing a key or the content", async () => {
  const { identity, recipient } = await keyPair();
  const file = await sealed(backup, { recipients: [recipient] });
  const spoilt = identity.replace(/.{4}$/, "QQQQ");
  const refusals: [Uint8Array, Keys, RegExp][] = [
    [file, { identities: spoilt }, /no complete secret key/],
    [file, { identities: "nothing" }, /no complete secret key/],
    [file, { identities: (await keyPair()).identity }, /cannot be decrypted/],
    [file.subarray(0, file.length - 10), { identities: identity }, /cannot be decrypted/],
    [new Uint8Array(), { identities: identity }, /cannot be decrypted/],
  ];
  for (const [bytes, keys, message] of refusals) {
    await assert.rejects(opened(bytes, keys, "prod"), (error: UserError) => {
      assert.equal(error.name, "UserError");
      assert.match(error.message, message);
      assert.doesNotMatch(`${error.message} ${error.next ?? ""}`, /SECRET-KEY-1[0-9A-Z]|NotASecret/);
      return true;
    });
  }
  await assert.rejects(opened(file, { identities: identity }, "dev"), /backup of stack prod, not of dev/);
  await assert.rejects(sealed(backup, { recipients: ["age1nonsense"] }), /age1nonsense is not a public key of age/);
});

test("a backup from before a rename belongs to the renamed stack, and one from after it to no other", async () => {
  const { identity, recipient } = await keyPair();
  const [locks, keys] = [{ recipients: [recipient] }, { identities: identity }];
  const before = await sealed(backup, locks);
  assert.deepEqual(await opened(before, keys, "renamed", "prod"), backup);
  await assert.rejects(opened(before, keys, "renamed"), (error: UserError) => {
    assert.match(error.message, /^this is a backup of stack prod, not of renamed$/);
    assert.match(error.next ?? "", /kazoo:stackLabel/);
    return true;
  });
  const after = await sealed({ ...backup, stack: "renamed", firstName: "prod" }, locks);
  assert.equal((await opened(after, keys, "renamedAgain", "prod")).stack, "renamed");
  await assert.rejects(opened(after, keys, "renamed"), /of stack renamed, which was first named prod, not of renamed/);
});

test("an age file with other content is refused", async () => {
  const { identity, recipient } = await keyPair();
  const { Encrypter } = await import("age-encryption");
  for (const content of ["hello", "[]", "null", '{"format":"kazoo-backup-1","stack":"prod","state":{"version":3}}']) {
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    const file = await encrypter.encrypt(content);
    await assert.rejects(opened(file, { identities: identity }, "prod"), /not a backup of a stack/);
  }
});
