import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { deployWithMocks, platformFrom, type Registered, regionsInTwoClusters } from "../support/mocks";

const config = {
  ...regionsInTwoClusters,
  rings: { main: { kazoo: "4.3", masterAccount: { name: "main", realm: "main.example.com", user: "admin" } } },
  ring: "main",
  regions: {
    "us-east": { cluster: "east", datacenters: { nyc: {}, bos: {} } },
    "us-west": { cluster: "west", datacenters: { sfo: {} } },
  },
};
const platform = platformFrom(config);
const whole = platformFrom({ ...config, stacks: "one" });
type Deployed = Awaited<ReturnType<typeof deployWithMocks>>;

describe("a stack per region", () => {
  let [one, shared, east, west]: Deployed[] = [];
  before(async () => {
    one = await deployWithMocks(whole, undefined, { name: "prod" });
    shared = await deployWithMocks(platform, undefined, { name: "prod" });
    const { credentials, image } = shared.outputs as { credentials?: object; image?: string };
    const outputs = { credentials, image };
    east = await deployWithMocks(platform, undefined, { name: "prod.us-east", shared: outputs });
    west = await deployWithMocks(platform, undefined, { name: "prod.us-west", shared: outputs });
  });
  const resourcesOf = (...stacks: (Deployed | undefined)[]): Registered[] =>
    stacks
      .flatMap((stack) => stack?.resources ?? [])
      .filter(({ name, type }) => name !== "random" && !type.startsWith("pulumi:"))
      .sort((a, b) => (a.name < b.name ? -1 : 1));

  test("together, the stacks have the same resources and values as a single stack, each once", () => {
    assert.deepEqual(resourcesOf(shared, east, west), resourcesOf(one));
  });

  test("under another name, a stack with the label of the first has the same resources and values", async () => {
    const named = platformFrom({ ...config, stacks: "one", stackLabel: "prod" });
    assert.deepEqual(resourcesOf(await deployWithMocks(named, undefined, { name: "live" })), resourcesOf(one));
    assert.notDeepEqual(resourcesOf(await deployWithMocks(whole, undefined, { name: "live" })), resourcesOf(one));
  });

  test("the shared stack has credentials and no clusters; a region has only its datacenters' clusters", () => {
    const providers = (stack: Deployed | undefined) =>
      stack?.resources.filter(({ type }) => type === "pulumi:providers:kubernetes").map(({ name }) => name);
    assert.deepEqual([shared, east, west].map(providers), [[], ["cluster-east"], ["cluster-west"]]);
    assert.ok(resourcesOf(shared).every(({ name }) => name.startsWith("ring-main")));
  });

  test("first boot runs in the region of the ring's first zone", () => {
    const boots = (stack: Deployed | undefined) =>
      resourcesOf(stack).filter(({ name }) => name.startsWith("ring-main-bootstrap")).length;
    assert.ok(boots(east) > 0);
    assert.equal(boots(west), 0);
  });

  test("credentials are secret in the shared stack's outputs and in the regions", () => {
    const { credentials } = shared?.returned as unknown as { credentials?: { isSecret: Promise<boolean> } };
    const secret = async () => assert.equal(await credentials?.isSecret, true);
    const wrapped = east?.asked.filter(({ type }) => type === "kubernetes:core/v1:Secret") ?? [];
    assert.ok(wrapped.length >= 8);
    for (const { inputs, name } of wrapped) {
      const text = JSON.stringify(inputs.stringData);
      assert.match(text, /4dabf18193072939515e22adb298388d/, name);
    }
    return secret();
  });

  test("a region's outputs have only its own zones", () => {
    const zones = (stack: Deployed | undefined) => Object.keys(stack?.outputs.zones ?? {});
    assert.deepEqual([shared, east, west].map(zones), [[], ["us-east-bos", "us-east-nyc"], ["us-west-sfo"]]);
  });
});

describe("waiting for other regions", () => {
  const users = ["rabbitmqUsers", "databaseUsers"].map((key) => [key, [{ name: "kazoo", password: "secret" }]]);
  const credentials = Object.fromEntries([...keys().map((key) => [key, key]), ...users]) as object;
  const shared = { credentials: { main: credentials }, image: "kazoo" };
  const arrivals = async (region: string, exists: (set: string) => boolean) =>
    (await deployWithMocks(platform, exists, { name: `prod.${region}`, shared })).arrived.sort();
  const stores = (zone: string) =>
    ["bigcouch", "bigcouch-join", "rabbitmq-alpha", "rabbitmq-beta"].map((s) => `${zone}/${s}`);

  test("in a new ring Kazoo waits for the stores of all regions, and for the first zone's Kazoo", async () => {
    const [east, west] = await Promise.all([arrivals("us-east", () => false), arrivals("us-west", () => false)]);
    assert.deepEqual(new Set(east), new Set(stores("us-west-sfo")));
    const others = [...stores("us-east-bos"), "us-east-bos/kazoo", ...stores("us-east-nyc")];
    assert.deepEqual(new Set(west), new Set(others));
  });

  test("in a live ring, a region does not wait for what another region has not created yet", async () => {
    const onlyEast = (set: string) => set.startsWith("us-east");
    assert.deepEqual(await arrivals("us-east", onlyEast), []);
  });

  test("in a live ring, a region changes its databases after the earlier regions' databases have rolled out", async () => {
    const arrived = await arrivals("us-west", () => true);
    assert.ok(arrived.includes("us-east-nyc/bigcouch"));
    assert.ok(!arrived.some((name) => name.endsWith("join")));
  });
});

function keys(): string[] {
  return ["cookie", "rabbitmq", "database", "databaseCookie", "databaseUuid", "databaseAuthSecret", "masterAccount"];
}
