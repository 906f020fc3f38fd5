import assert from "node:assert/strict";
import { type TestContext, describe, test } from "node:test";
import { compared } from "../../tools/cli/commands/moveImages";
import { withMove } from "../../tools/cli/stackFile/imageMove";
import { type Access, digestOf } from "../../tools/cli/docker/registry";
import { startRegistry } from "../support/registryDouble";

const [one, another] = [`sha256:${"1".repeat(64)}`, `sha256:${"2".repeat(64)}`];
const anonymous: Access = { login: () => Promise.resolve(undefined), plainHttp: [] };
const registry = async (t: TestContext, ...login: Parameters<typeof startRegistry>) => {
  const started = await startRegistry(...login);
  t.after(started.stop);
  return started;
};

describe("the digest of an image in a registry", () => {
  for (const kind of ["basic", "token"] as const)
    test(`is asked for with the login, ${kind}`, async (t) => {
      const login = { username: "ci", password: "not-a-secret" };
      const { address, images } = await registry(t, { kind, ...login });
      images.set("hub/kazoo:4.3", one);
      const asked = (password: string) =>
        digestOf(`${address}/hub/kazoo:4.3`, { ...anonymous, login: () => Promise.resolve({ ...login, password }) });
      assert.equal(await asked(login.password), one);
      await assert.rejects(asked("wrong"), /does not show hub\/kazoo to user ci$/);
      await assert.rejects(digestOf(`${address}/hub/kazoo:4.3`, anonymous), /does not show hub\/kazoo without a login/);
    });

  test("is that of a tag, of a digest, or of latest; none if the image is not there", async (t) => {
    const { address, images, stop } = await registry(t);
    images.set("kazoo:latest", one).set(`kazoo@${another}`, another);
    assert.equal(await digestOf(`${address}/kazoo`, anonymous), one);
    assert.equal(await digestOf(`${address}/kazoo:4.3@${another}`, anonymous), another);
    assert.equal(await digestOf(`${address}/kazoo:4.3`, anonymous), undefined);
    stop();
    await assert.rejects(
      digestOf(`${address}/kazoo`, anonymous),
      /^UserError: registry 127\.0\.0\.1:\d+ does not answer: /,
    );
  });
});

test("copies are compared: missing and other images are refused with the commands that copy them", async (t) => {
  const [{ address: from, images, stop }, { address: to, images: copies }] = [await registry(t), await registry(t)];
  const moved = ["a:1", "b:1"].map((name) => ({ from: `${from}/${name}`, to: `${to}/hub/${name}` }));
  images.set("a:1", one).set("b:1", one);
  copies.set("hub/a:1", another);
  await assert.rejects(compared(moved, anonymous), (error: Error & { next?: string }) => {
    assert.match(
      error.message,
      /hub\/a:1 is another image: sha256:2+ instead of sha256:1+\n.*hub\/b:1 does not exist$/,
    );
    for (const each of moved)
      assert.ok(error.next?.includes(`skopeo copy --all docker://${each.from} docker://${each.to}`), error.next);
    return true;
  });
  copies.set("hub/a:1", one).set("hub/b:1", one);
  for (const line of await compared(moved, anonymous)) assert.match(line, /has the same digest, sha256:1+$/);
  // The first registry is gone: only what is pinned by digest can be compared.
  stop();
  const pinned = { from: `${from}/c@${another}`, to: `${to}/c@${another}` };
  copies.set(`c@${another}`, another);
  const [first, , last] = await compared([...moved, pinned], anonymous);
  assert.match(first ?? "", /sha256:1+, not compared: registry .* does not answer/);
  assert.match(last ?? "", /has the same digest/);
});

describe("a stack's file names images at another place", () => {
  const moves: [string, string, string, string][] = [
    ["docker.io", "r.example.com/hub", "{}", "{ kazoo:imageMirror: r.example.com/hub }"],
    ["docker.io", "r.example.com", "{ kazoo:image: { prebuilt: a/b:1 } }", "prebuilt: r.example.com/a/b:1"],
    ["docker.io", "r.example.com", "{ kazoo:images: { curl: a/b:1 } }", "{ curl: a/b:1 }, kazoo:imageMirror: r.ex"],
    ["docker.io", "r.example.com", "{ kazoo:imageMirror: m }", "{ kazoo:imageMirror: m }"],
    ["m.example.com", "n:5000/x", "{ kazoo:imageMirror: m.example.com/hub }", "{ kazoo:imageMirror: n:5000/x/hub }"],
    ["m.example.com/hub", "docker.io", "{ kazoo:imageMirror: m.example.com/hub }", "{}"],
    ["quay.io", "n:5000", "{ kazoo:images: { database: quay.io/c:1 } } # ours", "{ database: n:5000/c:1 } } # ours"],
    ["quay.io/c", "n:5000", "{ kazoo:images: { database: quay.io/c2:1 } }", "{ database: quay.io/c2:1 }"],
    // The second run of the same move finds everything there.
    [
      "m.example.com",
      "m.example.com/x",
      "{ kazoo:imageMirror: m.example.com/x/hub }",
      "{ kazoo:imageMirror: m.example.com/x/hub }",
    ],
    [
      "m.example.com",
      "n:5000/x",
      "{ kazoo:image: { build: { registry: m.example.com, repository: k } } }",
      "{ registry: n:5000, repository: x/k }",
    ],
  ];
  for (const [from, to, config, expected] of moves)
    test(`${config}, ${from} -> ${to}`, () => {
      const changed = withMove(`config: ${config}\n`, { from, to });
      assert.ok(changed.replaceAll('"', "").includes(expected), changed);
    });
});
