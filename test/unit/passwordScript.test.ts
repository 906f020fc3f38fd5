import assert from "node:assert/strict";
import { type TestContext, describe, test } from "node:test";
import { changePassword, tryPassword } from "../../tools/cli/cluster/passwordScript";
import { type CrossbarOptions, type CrossbarUser, startCrossbar } from "../support/crossbar";
import { runAgainst } from "../support/script";

const [old, fresh] = ["old-pass~word.1", "new-pass~word.2"];
/** As in the stack's file; Kazoo has the user as `admin`. */
const account = { name: `Jo's "PBX" $HOME \\ é`, realm: "sip.example.com", user: "Admin", password: fresh };
const stored = (password: string, more: Partial<CrossbarUser> = {}): CrossbarUser => ({
  realm: account.realm,
  accountName: account.name,
  username: "admin",
  password,
  ...more,
});

/** What the script says about a Kazoo with this user; no password may appear in an argument or in the output. */
async function run(t: TestContext, script: string, user: CrossbarUser, options: CrossbarOptions = {}) {
  const crossbar = await startCrossbar(user, options);
  t.after(crossbar.stop);
  const { code, stdout, stderr, curl } = await runAgainst(crossbar.port, script, {});
  for (const secret of [old, fresh, crossbar.token]) assert.ok(!(stdout + stderr + curl).includes(secret), secret);
  assert.doesNotMatch(curl, /[0-9a-f]{32}/, "a hash of a password is as good as the password");
  return { code, said: stdout.trim(), stderr, requests: crossbar.requests };
}

const change = changePassword(account, old);

describe("the administrator's password in Kazoo", () => {
  test("is changed and proved, also with the account's old name, new realm, a busy Crossbar and a database that is behind", async (t) => {
    const ways: [Partial<CrossbarUser>, CrossbarOptions][] = [
      [{}, {}],
      [{ realm: "moved.example.com" }, {}],
      [{ accountName: "renamed" }, {}],
      [{}, { busy: true, lag: 3 }],
    ];
    for (const [more, options] of ways) {
      const user = stored(old, more);
      const { code, said, stderr } = await run(t, change, user, options);
      assert.deepEqual([code, said, stderr, user.password], [0, "set", "", fresh]);
    }
  });

  test("is left alone if it is the new one already, so the change can run again", async (t) => {
    const user = stored(fresh);
    const { code, said, requests } = await run(t, change, user);
    assert.deepEqual([code, said, user.password], [0, "was set", fresh]);
    assert.ok(!requests.some((request) => request.startsWith("PATCH")));
  });

  test("a change that is cut off after any request ends when it runs again", async (t) => {
    const all = (await run(t, change, stored(old))).requests.length;
    for (let last = 1; last <= all; last += 1) {
      const user = stored(old);
      let count = 0;
      await run(t, change, user, { meanwhile: () => (++count > last ? 403 : undefined) });
      assert.ok([old, fresh].includes(user.password));
      const again = await run(t, change, user);
      assert.match(again.said, /^(was )?set$/, `after ${last} of ${all} requests`);
      assert.equal(user.password, fresh);
    }
  });

  test("is not touched if it is neither of the two", async (t) => {
    const user = stored("changed-by-hand");
    const { code, said } = await run(t, change, user);
    assert.deepEqual([code, said, user.password], [0, "refused", "changed-by-hand"]);
  });

  test("is not touched where a login needs a second factor, which proves the new one too", async (t) => {
    const user = stored(old);
    assert.equal((await run(t, change, user, { secondFactor: true })).said, "second factor");
    assert.equal(user.password, old);
    assert.equal((await run(t, change, stored(fresh), { secondFactor: true })).said, "was set");
  });

  test("can be tried without a change", async (t) => {
    const user = stored(fresh);
    assert.equal((await run(t, tryPassword(account), user)).said, "accepted");
    assert.equal((await run(t, tryPassword(account), stored(old))).said, "refused");
    assert.equal((await run(t, tryPassword(account), user, { secondFactor: true })).said, "second factor");
  });

  test("a change that does not take effect is an error", async (t) => {
    const { code, stderr } = await run(t, change, stored(old), { lag: 1000 });
    assert.equal(code, 1);
    assert.equal(
      stderr,
      "Crossbar took the new password, but logging in with it is refused, and with the old one accepted\n",
    );
  });

  test("a Crossbar that is down, stays busy, or refuses the change is named", async (t) => {
    const down = await runAgainst(1, change, {});
    assert.deepEqual([down.code, down.stdout, down.stderr], [1, "", "Crossbar does not answer\n"]);
    const busy = await run(t, change, stored(old), { meanwhile: () => 503 });
    assert.deepEqual([busy.code, busy.said, busy.stderr], [1, "", "Crossbar answers PUT with status 503\n"]);
    const user = stored(old, { privilege: "user" });
    const refused = await run(t, change, user);
    assert.deepEqual([refused.code, refused.said, refused.stderr], [1, "", "Crossbar answers PATCH with status 403\n"]);
    assert.equal(user.password, old);
  });
});
