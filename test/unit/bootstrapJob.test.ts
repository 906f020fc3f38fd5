import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deployWithMocks, objects, platformFrom } from "../support/mocks";

const account = { name: "example", realm: "sip.example.com", user: "admin" };

const stack = (ring: object, secrets?: object) =>
  platformFrom(
    {
      image: { prebuilt: "registry.example.com/kazoo:4.3" },
      clusters: { east: { context: "east" } },
      rings: { main: ring },
      regions: {
        "us-east": { cluster: "east", datacenters: { nyc: { ring: "main" }, bos: { ring: "main" }, own: {} } },
      },
      ...(secrets === undefined ? {} : { credentials: { main: secrets } }),
    },
    "credentials",
  );

interface Job {
  readonly metadata: { readonly annotations: Record<string, string> };
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } };
}
interface Container {
  readonly image: string;
  readonly terminationMessagePolicy: string;
  readonly env: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: unknown }[];
}

async function bootstrapJobs(ring: object, secrets?: object) {
  const { resources, returned: outputs } = await deployWithMocks(stack(ring, secrets));
  const jobs = Object.entries(objects(resources, "Job")).filter(([name]) => name.endsWith("/kazoo-bootstrap"));
  return { resources, outputs, jobs: Object.fromEntries(jobs) as unknown as Record<string, Job> };
}

describe("first boot", () => {
  test("is one Job per ring, in the namespace of its first zone, recreated if it failed", async () => {
    const { jobs } = await bootstrapJobs({ masterAccount: account });
    assert.deepEqual(Object.keys(jobs).sort(), ["us-east-bos/kazoo-bootstrap", "us-east-own/kazoo-bootstrap"]);
    for (const job of Object.values(jobs)) {
      assert.equal(job.metadata.annotations["pulumi.com/replaceUnready"], "true");
      assert.equal(job.spec.template.spec.containers[0]?.terminationMessagePolicy, "FallbackToLogsOnError");
    }
  });

  test("calls the first zone's first Kazoo node from the Kazoo image, if there is an account to create", async () => {
    const { jobs } = await bootstrapJobs({ masterAccount: account });
    const [container] = jobs["us-east-bos/kazoo-bootstrap"]?.spec.template.spec.containers ?? [];
    const value = (name: string) => container?.env.find((variable) => variable.name === name)?.value;
    assert.equal(container?.image, "registry.example.com/kazoo:4.3");
    assert.equal(value("ERLANG_HOSTNAME"), "kazoo-0.kazoo-nodes.us-east-bos.svc.cluster.local");
    assert.equal(value("ACCOUNT_NAME"), "example");

    const [other] = jobs["us-east-own/kazoo-bootstrap"]?.spec.template.spec.containers ?? [];
    assert.match(other?.image ?? "", /curl/);
    assert.ok(!other?.env.some(({ name }) => name.startsWith("ACCOUNT_")));
  });

  test("may connect to the database and Kazoo only", async () => {
    const { resources } = await bootstrapJobs({ masterAccount: account });
    const policies = objects(resources, "NetworkPolicy");
    const out = policies["us-east-bos/kazoo-bootstrap-out"] as unknown as {
      spec: { egress: { to: { podSelector: { matchLabels: Record<string, string> } }[]; ports: { port: number }[] }[] };
    };
    const ways = out.spec.egress.map(({ to, ports }) => [
      to[0]?.podSelector.matchLabels["app.kubernetes.io/name"],
      ports.map(({ port }) => port),
    ]);
    assert.deepEqual(ways, [
      ["bigcouch", [5984]],
      ["kazoo", [4369, 11500]],
    ]);
    assert.ok(policies["us-east-bos/kazoo-bootstrap-to-kazoo"] !== undefined);
    assert.ok(policies["us-east-nyc/kazoo-bootstrap-out"] === undefined);
  });

  test("does not exist for a BigCouch ring without an account", async () => {
    const platform = platformFrom({
      image: { prebuilt: "kazoo" },
      images: { database: "mirror.example.com/bigcouch:0.4.2" },
      clusters: { east: { context: "east" } },
      rings: { main: { database: "bigcouch-0.4.2" } },
      regions: { "us-east": { cluster: "east", datacenters: { nyc: { ring: "main" } } } },
    });
    const { resources } = await deployWithMocks(platform);
    assert.deepEqual(
      Object.keys(objects(resources, "Job")).filter((name) => name.includes("bootstrap")),
      [],
    );
  });
});

describe("the master account's password", () => {
  test("is the configured one, and appears only in a Secret, the outputs and its guard", async () => {
    const { resources, outputs } = await bootstrapJobs({ masterAccount: account }, { masterAccount: "given-password" });
    const holders = resources.filter(({ inputs }) => JSON.stringify(inputs).includes("given-password"));
    assert.deepEqual(
      holders.map(({ name }) => name),
      ["ring-main-bootstrap-account", "ring-main-given-masterAccount"],
    );
    assert.deepEqual(Object.keys(outputs.masterAccounts), ["main"]);
    const { password, ...facts } = outputs.masterAccounts["main"] ?? assert.fail();
    assert.deepEqual(facts, account);
    assert.equal(await new Promise((resolve) => password.apply(resolve)), "given-password");
    assert.equal(await (password as unknown as { isSecret: Promise<boolean> }).isSecret, true);
  });

  test("is random by default, and is not created without an account", async () => {
    const withAccount = await bootstrapJobs({ masterAccount: account });
    const name = "ring-main-master-account-password";
    assert.ok(withAccount.resources.some((resource) => resource.name === name));
    const without = await bootstrapJobs({});
    assert.ok(!without.resources.some((resource) => resource.name.includes("master-account")));
    assert.deepEqual(without.outputs.masterAccounts, {});
  });
});

describe("a master account in the config", () => {
  const mistakes: [object, RegExp][] = [
    [{ ...account, realm: "x" }, /kazoo:rings\.main\.masterAccount\.realm: found "x"; expected a DNS name/],
    [{ name: "example", user: "admin" }, /kazoo:rings\.main\.masterAccount\.realm: found nothing/],
    [{ ...account, user: "a b" }, /kazoo:rings\.main\.masterAccount\.user: found "a b"/],
    [{ ...account, monsterUi: { url: "kazoo" } }, /masterAccount\.monsterUi\.url: found "kazoo"; expected an http/],
    [{ ...account, password: "x" }, /masterAccount\.password: found an unknown key/],
  ];
  for (const [masterAccount, expected] of mistakes) {
    test(`${JSON.stringify(masterAccount)} is refused`, () => {
      assert.throws(() => stack({ masterAccount }), expected);
    });
  }

  test("has a password that Kazoo accepts: at most 32 characters", () => {
    assert.throws(
      () => stack({ masterAccount: account }, { masterAccount: "x".repeat(33) }),
      /kazoo:credentials\.main\.masterAccount: found \[secret\]; expected 8 to 32/,
    );
  });
});
