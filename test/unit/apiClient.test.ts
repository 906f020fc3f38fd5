import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Stack, exportedEnvironment, stackEnvironment } from "../../tools/cli/stack/openStack";
import type { Toolchain } from "../../tools/toolchain";
import { deployWithMocks, platformFrom } from "../support/mocks";

describe("how fast the provider asks a cluster", () => {
  const settingsIn = async (cluster: object) => {
    const platform = platformFrom({
      image: { prebuilt: "kazoo:4.3" },
      clusters: { east: { context: "prod-east", ...cluster } },
      regions: { east: { cluster: "east", datacenters: { nyc: {} } } },
    });
    const { resources } = await deployWithMocks(platform);
    const provider = resources.find(({ type }) => type === "pulumi:providers:kubernetes") ?? assert.fail();
    return provider.inputs.kubeClientSettings;
  };

  test("is an input of the provider only if the config says it, and then no part comes from the environment", async () => {
    process.env.PULUMI_K8S_CLIENT_BURST = "7";
    try {
      assert.equal(await settingsIn({}), undefined, "a live stack previews no changed provider");
      const settings = await settingsIn({ apiClient: { qps: 50 } });
      assert.deepEqual(JSON.parse(String(settings)), { qps: 50, burst: 400, timeout: 32 });
    } finally {
      delete process.env.PULUMI_K8S_CLIENT_BURST;
    }
  });

  test("has defaults in Pulumi's environment, never over what the caller has set", () => {
    const environment = (caller: NodeJS.ProcessEnv) => {
      const { PULUMI_K8S_CLIENT_QPS: qps, PULUMI_K8S_CLIENT_BURST: burst } = stackEnvironment(
        { env: {} } as Toolchain,
        undefined,
        caller,
      );
      return { qps, burst };
    };
    assert.deepEqual(environment({}), { qps: "200", burst: "400" });
    assert.deepEqual(environment({ PULUMI_K8S_CLIENT_QPS: "5" }), { qps: "5", burst: "400" });
  });

  test("is the same for plain Pulumi in the environment that kazoo env prints", () => {
    const printed = () =>
      exportedEnvironment({ toolchain: { env: {} }, platform: { clusters: {} } } as unknown as Stack);
    assert.equal(printed().PULUMI_K8S_CLIENT_QPS, "200");
    process.env.PULUMI_K8S_CLIENT_QPS = "7";
    try {
      assert.ok(!("PULUMI_K8S_CLIENT_QPS" in printed()), "the caller's own value stays");
    } finally {
      delete process.env.PULUMI_K8S_CLIENT_QPS;
    }
  });
});
