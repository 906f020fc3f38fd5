import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { withoutLoopbackProxy } from "../../tools/shared/proxy";

describe("a proxy in the environment", () => {
  const proxy = "http://proxy.example.com:3128";

  for (const name of ["http_proxy", "HTTPS_PROXY", "all_proxy", "grpc_proxy"]) {
    test(`${name} is not used for this machine`, () => {
      const list = "localhost,127.0.0.1,::1";
      assert.deepEqual(withoutLoopbackProxy({ [name]: proxy }), { no_proxy: list, NO_PROXY: list });
    });
  }

  test("listed hosts are kept, once each, in both spellings of the variable", () => {
    const env = {
      https_proxy: proxy,
      no_proxy: "a.example, localhost",
      NO_PROXY: "b.example",
      no_grpc_proxy: "c.example",
    };
    const { no_proxy, NO_PROXY, no_grpc_proxy } = withoutLoopbackProxy(env);
    assert.equal(no_proxy, "a.example,localhost,b.example,127.0.0.1,::1");
    assert.equal(NO_PROXY, no_proxy);
    assert.equal(no_grpc_proxy, "c.example,localhost,127.0.0.1,::1");
  });

  test("applying it twice changes nothing more", () => {
    const env = { http_proxy: proxy, NO_PROXY: "a.example" };
    const changed = withoutLoopbackProxy(env);
    assert.deepEqual(withoutLoopbackProxy({ ...env, ...changed }), changed);
  });

  test("without a proxy nothing is changed", () => {
    assert.deepEqual(withoutLoopbackProxy({ PATH: "/bin", http_proxy: "", NO_PROXY: "a.example" }), {});
  });
});
