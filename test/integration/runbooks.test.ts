import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Found } from "../support/clusterApi";
import { fits } from "../support/rabbitmq";
import { type SandboxStack, sandboxStack } from "../support/sandboxStack";
import { until } from "../support/until";

/** A protected ring of two zones, `local-a` and `local-b`, with two database nodes each. */
const ring = {
  "kazoo:protect": true,
  "kazoo:rings": { main: { masterAccount: { name: "example", realm: "sip.example.com", user: "admin" } } },
  "kazoo:ring": "main",
  "kazoo:workloads": { database: { replicas: 2 } },
  "kazoo:regions": { local: { cluster: "local", datacenters: { a: {}, b: {} } } },
};

const sets = ["bigcouch", "kazoo", "rabbitmq-alpha", "rabbitmq-beta"];

describe("runbooks on the sandbox", { concurrency: 1 }, () => {
  let stack: SandboxStack;
  before(async () => {
    stack = await sandboxStack();
    stack.configure(ring);
    await stack.succeeds("up", "--yes");
  });
  after(() => stack?.clone.dispose());

  const file = () => readFileSync(join(stack.clone.directory, "Pulumi.dev.yaml"), "utf8");
  /** The uids of a zone's objects of a kind, e.g. `pods`, by name. */
  const ids = async (kind: string, zone: string, wanted: (object: Found) => boolean = () => true) =>
    Object.fromEntries(
      (await stack.api.list(`/api/v1/namespaces/${zone}/${kind}`))
        .filter(wanted)
        .map(({ metadata }) => [metadata?.name, metadata?.uid]),
    );
  const nodes = (zone: string) =>
    ids("pods", zone, ({ metadata }) => metadata?.ownerReferences?.[0]?.kind === "StatefulSet");
  const claims = (zone: string) => ids("persistentvolumeclaims", zone);
  const replicas = async (zone: string) =>
    Object.fromEntries(
      (await stack.api.list(`/apis/apps/v1/namespaces/${zone}/statefulsets`)).map(({ metadata, spec }) => [
        metadata?.name,
        spec?.replicas,
      ]),
    );

  test("status and doctor report no findings; they find a deleted Secret and a full quota, with the fix", async () => {
    const simulated = "the pods are simulated: brokers, databases and Kazoo were not queried";
    assert.ok((await stack.succeeds("status")).includes(`\n${simulated}\n`));
    assert.match(await stack.succeeds("doctor"), /^The pods are simulated, .*\ndev: nothing is wrong\n$/);

    await stack.api.call("DELETE", "/api/v1/namespaces/local-b/secrets/rabbitmq");
    const quotas = "/api/v1/namespaces/local-a/resourcequotas";
    const quota = { metadata: { name: "team" }, spec: { hard: { pods: "5" } } };
    assert.equal((await stack.api.call("POST", quotas, quota)).status, 201);
    await until("the quota to be counted", async () =>
      (await stack.api.list(quotas)).some(({ status }) => status?.["used"] !== undefined),
    );
    const status = await stack.clone.run(["status"]);
    assert.equal(status.code, 1);
    assert.match(status.stdout, /local-b: missing in the cluster: Secret rabbitmq\n.*\nnext: make up restores/);
    const { code, stdout } = await stack.clone.run(["doctor", "--json"]);
    assert.equal(code, 1);
    const { findings } = JSON.parse(stdout) as { findings: Record<"kind" | "where" | "what" | "fix", string>[] };
    assert.deepEqual(
      findings.map(({ kind, where, what, fix }) => `${kind} ${where}: ${what}; ${fix}`),
      [
        "error local-b: missing in the cluster: Secret rabbitmq; make up restores what is missing",
        "error local-a: the ResourceQuota team allows 5 of pods, of which 5 is used; ask its owner to raise it (kubectl describe quota team), or lower replicas or resources in the stack's file",
      ],
    );

    await stack.api.call("DELETE", `${quotas}/team`);
    await stack.succeeds("up", "--yes");
    await stack.succeeds("doctor");
  });

  /** A Secret of each zone with decoded values; undefined if there is none. */
  const secret = async (name: string) =>
    Promise.all(
      ["local-a", "local-b"].map(async (zone) => {
        const found = await stack.api.list(`/api/v1/namespaces/${zone}/secrets`);
        const data = found.find(({ metadata }) => metadata?.name === name)?.data;
        return data && Object.fromEntries(Object.entries(data).map(([key, value]) => [key, atob(value)]));
      }),
    );

  test("the brokers' user is rotated, also after an interruption; every pod can log in at any time", async () => {
    const rotate = ["rotate", "rabbitmq", "--ring", "main", "--yes"];
    const [before, others] = [await secret("rabbitmq"), await ids("secrets", "local-a")];
    const databasePods = () => ids("pods", "local-b", ({ metadata }) => /^bigcouch-\d/.test(metadata?.name ?? ""));
    const database = await databasePods();
    const interrupted = await stack.clone.interrupt(rotate, /rabbitmq-alpha-nodes.*updating/);
    assert.notEqual(interrupted.code, 0, interrupted.stdout);
    assert.match(file(), /"?number"?: 2, "?step"?: add/, interrupted.stdout + interrupted.stderr);
    assert.deepEqual(await secret("rabbitmq"), before, "Kazoo stays with the first user until brokers have both");

    await stack.succeeds(...rotate, "--keep");
    const moved = await secret("rabbitmq");
    assert.equal(moved[0]?.username, "kazoo-2");
    assert.notEqual(moved[0]?.password, before[0]?.password);
    assert.deepEqual(moved[0], moved[1]);
    // Brokers have both passwords; the first user's is unchanged.
    const [, definitions] = await secret("rabbitmq-users");
    const { users } = JSON.parse(definitions?.["definitions.json"] ?? "{}") as {
      users: { name: string; password_hash: string }[];
    };
    for (const login of [before[1], moved[1]]) {
      const user = users.find(({ name }) => name === login?.username);
      assert.ok(fits(user?.password_hash ?? "", login?.password ?? ""), login?.username);
    }
    const pods = await stack.api.list("/api/v1/namespaces/local-b/pods");
    const kazoo = pods.find(({ metadata }) => metadata?.name === "kazoo-0");
    assert.match(JSON.stringify(kazoo?.metadata), /"kazoo\/broker-user":"kazoo-2"/);

    await stack.succeeds(...rotate);
    assert.deepEqual(await secret("rabbitmq"), moved);
    assert.deepEqual(
      await ids("secrets", "local-a"),
      others,
      "no Secret was replaced, and the brokers' users are gone",
    );
    assert.match(file(), /rabbitmq"?: \{ "?number"?: 2 \}/);
    assert.deepEqual(await databasePods(), database);
    await stack.isUnchanged();
    await stack.succeeds("status");
  });

  test("the master account's password is rotated, also after an interruption; no pod restarts, and first boot does not run again", async () => {
    const rotate = ["rotate", "master-account", "--ring", "main", "--yes"];
    const password = async () => (await secret("kazoo-master-account"))[0]?.password;
    const pods = async () => [await ids("pods", "local-a"), await ids("pods", "local-b")];
    const [old, there] = [await password(), await pods()];
    const interrupted = await stack.clone.interrupt(rotate, /ring-main-bootstrap-account.*updating/);
    assert.notEqual(interrupted.code, 0, interrupted.stdout);
    assert.match(file(), /masterAccount"?: \{ "?number"?: 2, "?step"?: move/, interrupted.stdout + interrupted.stderr);
    const { code, stdout, stderr } = await stack.clone.run(rotate);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stderr, /the pods are simulated: there is no Kazoo that could get the new password/);
    assert.match((await password()) ?? "", /^[A-Za-z0-9]{32}$/);
    assert.notEqual(await password(), old);
    assert.deepEqual(await pods(), there);
    assert.match(file(), /masterAccount"?: \{ "?number"?: 2 \}/);
    await stack.isUnchanged();
  });

  test("a dry run of drain shows each step with what it touches, and changes nothing", async () => {
    const [text, there] = [file(), await replicas("local-a")];
    const shown = await stack.succeeds("drain", "--zone", "local-a", "--dry-run");
    assert.match(shown, /^drain zone local-a\n {2}new calls go to local-b\n {2}1\. Kazoo's nodes stop taking calls\n/);
    assert.match(shown, /pods kazoo-0: sup kapps_controller stop_app callflow/);
    assert.match(shown, / 2\. Kazoo, the brokers and the database nodes stop, in this order\n/);
    for (const set of sets) assert.match(shown, new RegExp(`StatefulSet ${set} in namespace local-a: no pods`));
    assert.doesNotMatch(shown, /local-b:/);
    assert.equal(file(), text);
    assert.deepEqual(await replicas("local-a"), there);
  });

  test("a zone is drained, also after an interruption, and returns with its volumes; the other zone's pods do not change", async () => {
    const [other, volumes] = [await nodes("local-b"), await claims("local-a")];
    const interrupted = await stack.clone.interrupt(
      ["drain", "--zone", "local-a", "--yes"],
      /kazoo-nodes.*(updating|updated)/,
    );
    assert.notEqual(interrupted.code, 0, interrupted.stdout);
    assert.match(file(), /"?drained"?: \[ *"?kazoo/, interrupted.stdout + interrupted.stderr);
    await stack.succeeds("drain", "--zone", "local-a", "--yes");
    assert.deepEqual(await replicas("local-a"), Object.fromEntries(sets.map((set) => [set, 0])));
    assert.deepEqual(await nodes("local-a"), {});
    assert.deepEqual(await nodes("local-b"), other);
    assert.deepEqual(await claims("local-a"), volumes);
    await stack.isUnchanged();
    await stack.succeeds("status");
    assert.match(await stack.succeeds("drain", "--zone", "local-a", "--dry-run"), /2\..*in this order \(done\)/);

    // The last zone's database has the only remaining copies.
    const last = await stack.succeeds("drain", "--zone", "local-b", "--dry-run");
    assert.match(last, /no other zone of its ring is in service/);
    assert.match(last, /the database nodes keep running: no other zone that runs its database has copies/);
    assert.doesNotMatch(last, /StatefulSet bigcouch/);

    await stack.succeeds("return", "--zone", "local-a", "--yes");
    assert.deepEqual(await replicas("local-a"), await replicas("local-b"));
    assert.equal(Object.keys(await nodes("local-a")).length, Object.keys(other).length);
    assert.deepEqual(await nodes("local-b"), other);
    assert.deepEqual(await claims("local-a"), volumes);
    assert.doesNotMatch(file(), /drained/);
    await stack.isUnchanged();
    await stack.succeeds("status");
  });

  test("volumes of database nodes grow without restarting pods, also after an interruption; a smaller size is refused", async () => {
    const grow = ["grow", "--zone", "local-b", "--workload", "database", "--to"];
    const smaller = await stack.clone.run([...grow, "1Gi"]);
    assert.match(smaller.stderr, /1Gi is less than the 20Gi that the volumes have: a volume cannot shrink/);
    const unasked = await stack.clone.run([...grow, "30Gi"]);
    assert.match(unasked.stderr, /there is no terminal to ask on/);

    const [pods, volumes] = [await nodes("local-b"), await claims("local-b")];
    const interrupted = await stack.clone.interrupt([...grow, "30Gi", "--yes"], /Previewing update/);
    assert.notEqual(interrupted.code, 0, interrupted.stdout);
    await stack.succeeds(...grow, "30Gi", "--yes");
    assert.deepEqual(await nodes("local-b"), pods);
    assert.deepEqual(await claims("local-b"), volumes);
    for (const { metadata, status } of await stack.api.list("/api/v1/namespaces/local-b/persistentvolumeclaims")) {
      const { storage } = status?.capacity as { storage: string };
      assert.equal(storage, metadata?.name?.includes("bigcouch") === true ? "30Gi" : storage, metadata?.name);
    }
    await stack.isUnchanged();
    assert.match(await stack.succeeds(...grow, "30Gi", "--dry-run"), /1\. .*\(done\)\n(.*\n)* {2}2\. .*\(done\)/);
  });

  test("volumes of brokers grow one broker after the other", async () => {
    const volumes = await claims("local-b");
    await stack.succeeds("grow", "--zone", "local-b", "--workload", "rabbitmq", "--to", "16Gi", "--yes");
    assert.deepEqual(await claims("local-b"), volumes);
    await stack.isUnchanged();
    await stack.succeeds("status");
  });

  /** Images of the StatefulSets of both zones, by their names; each once. */
  const images = async () => {
    const found: Record<string, string> = {};
    for (const zone of ["local-a", "local-b"])
      for (const { metadata, spec } of await stack.api.list(`/apis/apps/v1/namespaces/${zone}/statefulsets`)) {
        const { template } = spec as { template: { spec: { containers: { image: string }[] } } };
        found[`${zone}/${metadata?.name}`] = template.spec.containers[0]?.image ?? "";
      }
    return found;
  };
  const those = (found: Record<string, string>, set: RegExp) => [
    ...new Set(Object.entries(found).flatMap(([name, image]) => (set.test(name) ? image : []))),
  ];

  test("brokers go to the next series, also after an interruption, and Kazoo to another image; volumes and the rest stay", async () => {
    const upgrade = ["upgrade", "rabbitmq", "--to", "4.0", "--yes"];
    const volumes = [await claims("local-a"), await claims("local-b")];
    const database = await ids("pods", "local-b", ({ metadata }) => /^bigcouch-\d/.test(metadata?.name ?? ""));
    const interrupted = await stack.clone.interrupt(upgrade, /rabbitmq-alpha-nodes.*updating/);
    assert.notEqual(interrupted.code, 0, interrupted.stdout);
    assert.match(file(), /rabbitmq"?: "?4\.0"?, "?upgrading"?: "?rabbitmq/, interrupted.stdout + interrupted.stderr);
    assert.match((await stack.clone.run(["status"])).stdout, /ring main: an upgrade to rabbitmq 4\.0 is not finished/);
    await stack.succeeds(...upgrade);
    assert.deepEqual(those(await images(), /rabbitmq/), ["rabbitmq:4.0-management"]);

    const [before, image] = [await images(), "registry.example.com/kazoo:4.3.20"];
    await stack.succeeds("upgrade", "kazoo", "--to", "4.3.20", "--image", image, "--yes");
    assert.deepEqual(those(await images(), /kazoo/), [image]);
    assert.deepEqual(those(await images(), /rabbitmq|bigcouch/), those(before, /rabbitmq|bigcouch/));
    assert.doesNotMatch(file(), /upgrading/);

    assert.deepEqual([await claims("local-a"), await claims("local-b")], volumes);
    assert.deepEqual(
      await ids("pods", "local-b", ({ metadata }) => /^bigcouch-\d/.test(metadata?.name ?? "")),
      database,
    );
    await stack.isUnchanged();
    await stack.succeeds("status");
    const back = await stack.clone.run(["upgrade", "rabbitmq", "--to", "3.13"]);
    assert.match(back.stderr, /run RabbitMQ 4\.0, and cannot be downgraded to 3\.13/);
  });

  test("a datacenter is removed from a protected ring, also after an interruption; the other keeps what it has", async () => {
    const [volumes, secrets] = [await claims("local-a"), await ids("secrets", "local-a")];
    const remove = ["remove", "--zone", "local-b"];
    const shown = await stack.succeeds(...remove, "--dry-run");
    assert.match(shown, /1\. New databases get no copies in local-b\n.*placement of ring main: 2 in local-a\n/);
    assert.match(shown, /5\. The database nodes stop\n[^]*6\. The ring forgets.*\n.*bigcouch-0\.bigcouch\.local-b\./);
    assert.doesNotMatch(file(), /placement/);
    const interrupted = await stack.clone.interrupt([...remove, "--yes"], /kazoo-nodes.*(updating|updated)/);
    assert.notEqual(interrupted.code, 0, interrupted.stdout);
    await stack.succeeds(...remove, "--yes");
    assert.deepEqual(await stack.api.list("/api/v1/namespaces/local-b/pods"), []);
    assert.doesNotMatch(file(), /"?b"?: /);
    assert.deepEqual([await claims("local-a"), await ids("secrets", "local-a")], [volumes, secrets]);
    await stack.isUnchanged();
    await stack.succeeds("status");
    const alone = await stack.clone.run(["remove", "--zone", "local-a", "--yes"]);
    assert.match(alone.stderr, /zone local-a is the only one of ring main: its databases would be lost/);
  });

  test("a datacenter is added to a ring that was alone, also after an interruption; the other keeps what it has", async () => {
    const [volumes, secrets] = [await claims("local-a"), await ids("secrets", "local-a")];
    const add = ["add", "--region", "local", "--datacenter", "b", "--copies", "1"];
    const shown = await stack.succeeds(...add, "--dry-run");
    assert.match(shown, /copies of new databases: 2 in local-a, 1 in local-b\n/);
    assert.doesNotMatch(file(), /"?b"?: /);
    const interrupted = await stack.clone.interrupt([...add, "--yes"], /local-b-bigcouch-nodes.*(creating|created)/);
    assert.notEqual(interrupted.code, 0, interrupted.stdout);
    await stack.succeeds(...add, "--yes");
    assert.deepEqual(Object.keys(await nodes("local-b")).sort(), Object.keys(await nodes("local-a")).sort());
    assert.deepEqual([await claims("local-a"), await ids("secrets", "local-a")], [volumes, secrets]);
    await stack.isUnchanged();
  });

  test("a zone gets fewer database nodes if all copies have a place, also after an interruption; claims stay, and new nodes do not start with them", async () => {
    const scale = (zone: string, to: string, ...more: string[]) => ["scale", "--zone", zone, "--to", to, ...more];
    const few = await stack.clone.run(scale("local-a", "1"));
    assert.match(few.stderr, /with 1 database node in local-a, Pulumi\.dev\.yaml would be invalid/);
    const [other, volumes] = [await nodes("local-a"), await claims("local-b")];
    const shown = await stack.succeeds(...scale("local-b", "1", "--dry-run"));
    assert.match(shown, /2\. The database nodes stop\n[^]*bigcouch-1\.bigcouch\.local-b\..*: its claim .* stays/);
    const interrupted = await stack.clone.interrupt(
      scale("local-b", "1", "--yes"),
      /bigcouch-nodes.*(updating|updated)/,
    );
    assert.notEqual(interrupted.code, 0, interrupted.stdout);
    await stack.succeeds(...scale("local-b", "1", "--yes"));
    assert.equal((await replicas("local-b"))["bigcouch"], 1);
    assert.deepEqual(await nodes("local-a"), other);
    assert.deepEqual(await claims("local-b"), volumes);
    await stack.isUnchanged();
    const more = await stack.clone.run(scale("local-b", "2", "--yes"));
    assert.match(more.stderr, /claim data-bigcouch-1 of an earlier node still exists/);
  });
});
