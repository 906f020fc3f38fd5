import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { type Clone, cloneProject } from "../support/clone";
import { clusterApi, eventually } from "../support/clusterApi";
import { plainPulumi } from "../support/plainPulumi";

const config = {
  "kazoo:protect": false,
  "kazoo:stacks": "region",
  "kazoo:clusters": {
    east: { sandbox: true, clusterDomain: "east.internal", podNetwork: "10.0.0.0/16" },
    west: { sandbox: true, clusterDomain: "west.internal", podNetwork: "10.2.0.0/16" },
  },
  "kazoo:rings": { main: {} },
  "kazoo:ring": "main",
  "kazoo:regions": {
    "us-east": { cluster: "east", datacenters: { nyc: {} } },
    "us-west": { cluster: "west", datacenters: { sfo: {} } },
  },
};

/** Matches no StatefulSet, so that the program refuses the zone. */
const unfit = (zone: string) => ({
  target: { kind: "StatefulSet", name: "kazoo", zone },
  operations: [{ op: "replace", path: "/spec/nothing", value: 1 }],
});

describe("a stack per region, two regions in two sandbox clusters", { concurrency: 1 }, () => {
  let clone: Clone;
  before(async () => {
    clone = await cloneProject();
    configure({});
  });
  after(() => clone?.dispose());

  const configure = (more: object): void =>
    writeFileSync(join(clone.directory, "Pulumi.split.yaml"), JSON.stringify({ config: { ...config, ...more } }));
  let name = "split";
  const run = (command: string, ...args: string[]) => clone.run([command, "--stack", name, ...args]);
  const locks = () => {
    const folder = join(clone.directory, ".state/.pulumi/locks/organization/kazoo");
    return existsSync(folder) ? readdirSync(folder).flatMap((stack) => readdirSync(join(folder, stack))) : [];
  };

  test("Ctrl-C stops all regions gracefully, and the next up completes them", async () => {
    const { code, stderr } = await clone.interrupt(["up", "--stack", "split"], /us-west: .*StatefulSet \S+ creat/);
    assert.equal(code, 130, stderr);
    assert.deepEqual(locks(), []);
    const { code: again, stdout, stderr: problems } = await run("up");
    assert.equal(again, 0, stdout + problems);
    assert.match(stdout, /done +us-east\ndone +us-west\n/);
    assert.match(stdout, /Stack split: 2 zones/);
  });

  test("previews are empty, also with plain Pulumi, and status shows all zones", async () => {
    const report = await run("preview-report");
    assert.equal(report.code, 0, report.stdout + report.stderr);
    // As the operator runs it, without options.
    const plain = await plainPulumi(clone, ["preview", "--expect-no-changes"], "split.us-west", {
      PULUMI_OPTION_CONFIG_FILE: "Pulumi.split.yaml",
    });
    assert.equal(plain.code, 0, plain.stdout + plain.stderr);
    const status = await run("status");
    assert.equal(status.code, 0, status.stdout + status.stderr);
    assert.match(status.stdout, /us-east-nyc +east .*\nus-west-sfo +west /);
  });

  test("previews of each stack alone, on machines of their own, make the same report as one of all", async () => {
    configure({ "kazoo:environment": { KAZOO_LOG_LEVEL: "notice" } });
    const report = (out: string) => readFileSync(join(clone.directory, out, "report.md"), "utf8");
    const all = await run("preview-report", "--out", "all");
    assert.equal(all.code, 2, all.stdout + all.stderr);
    const listed = await clone.run(["stacks", "split"]);
    const { parts } = JSON.parse(listed.stdout) as { parts: { stack: string }[] };
    assert.deepEqual(parts.map(({ stack }) => stack).sort(), ["split", "split.us-east", "split.us-west"]);
    for (const { stack } of parts) {
      const { code, stderr } = await clone.run([
        "preview-report",
        "--stack",
        stack,
        "--alone",
        "--out",
        `parts/${stack}`,
      ]);
      assert.equal(code, stack === "split" ? 0 : 2, stderr);
    }
    const assembled = await run("preview-report", "--parts", "parts", "--out", "assembled");
    assert.equal(assembled.code, 2, assembled.stdout + assembled.stderr);
    assert.equal(report("assembled"), report("all"));
    rmSync(join(clone.directory, "parts", "split.us-west"), { recursive: true });
    const lacking = await run("preview-report", "--parts", "parts", "--out", "assembled");
    assert.equal(lacking.code, 1, lacking.stdout + lacking.stderr);
    assert.match(report("assembled"), /stack split\.us-west: there is no preview of it/);
    const order = await clone.run(["stacks", "--order", "split"]);
    assert.deepEqual(JSON.parse(order.stdout), { regions: ["split.us-east", "split.us-west"], atOnce: 1 });
  });

  test("a failing region only stops the later regions of a live ring, and the next up completes it", async () => {
    configure({ "kazoo:environment": { KAZOO_LOG_LEVEL: "notice" }, "kazoo:patches": { bad: unfit("us-east-nyc") } });
    const first = await run("up");
    assert.notEqual(first.code, 0);
    assert.match(first.stdout, /failed +us-east: [\s\S]*not run +us-west: it waits for us-east\n/);
    configure({ "kazoo:environment": { KAZOO_LOG_LEVEL: "notice" }, "kazoo:patches": { bad: unfit("us-west-sfo") } });
    const last = await run("up");
    assert.notEqual(last.code, 0);
    assert.match(last.stdout, /done +us-east\nfailed +us-west: /);
    assert.match(last.stderr, /up did not succeed for 1 of 2 regions: us-west/);
    configure({ "kazoo:environment": { KAZOO_LOG_LEVEL: "notice" } });
    const one = await run("up", "--region", "us-west");
    assert.equal(one.code, 0, one.stdout + one.stderr);
  });

  test("other commands list the stacks to choose from", async () => {
    const { code, stderr } = await run("logs");
    assert.equal(code, 1);
    assert.match(stderr, /STACK=split\.us-east or STACK=split\.us-west/);
  });

  /** What an update would change: the clusters' objects with their versions, but for those that controllers update. */
  const objects = async () => {
    const paths = ["/api/v1/secrets", "/api/v1/configmaps", "/api/v1/services", "/apis/apps/v1/statefulsets"];
    const apis = await Promise.all(["east", "west"].map((cluster) => clusterApi(clone.directory, cluster)));
    const found = (await Promise.all(apis.flatMap(({ list }) => paths.map(list)))).flat();
    return found
      .filter(({ metadata }) => metadata?.namespace?.startsWith("us-") === true)
      .map(({ metadata }) => [metadata?.uid, metadata?.name, metadata?.generation ?? metadata?.resourceVersion]);
  };
  const noChanges = async (): Promise<void> => {
    const { code, stdout, stderr } = await run("preview-report");
    assert.equal(code, 0, stdout + stderr);
  };
  const stateFile = () => join(clone.directory, ".state/.pulumi/stacks/kazoo/split.json");

  test("join makes one stack of all, and touches no object", async () => {
    const before = await objects();
    assert.ok(before.length > 20);
    configure({ "kazoo:environment": { KAZOO_LOG_LEVEL: "warning" } });
    const refused = await run("join");
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /step 1, .*changes that are not applied.*\nnext: make up STACK=split applies them; then make join/,
    );
    configure({ "kazoo:environment": { KAZOO_LOG_LEVEL: "notice" } });
    const { code, stdout, stderr } = await run("join");
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /Stack split: 2 zones/);
    await noChanges();
    assert.deepEqual(await objects(), before);
  });

  test("split moves regions to stacks of their own, also after an interruption that left one in both", async () => {
    const before = await objects();
    const whole = readFileSync(stateFile(), "utf8");
    const { code, stdout, stderr } = await run("split");
    assert.equal(code, 0, stdout + stderr);
    writeFileSync(stateFile(), whole);
    const refused = await run("up");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /stack split itself holds datacenters.*\nnext: make split STACK=split moves them/);
    assert.equal((await run("up", "--alone")).code, 1, "it would delete the datacenters");
    const again = await run("split");
    assert.equal(again.code, 0, again.stdout + again.stderr);
    await noChanges();
    assert.deepEqual(await objects(), before);
    const done = await run("split");
    assert.equal(done.code, 0);
    assert.match(done.stderr, /nothing is left to do/);
  });

  test("rename gives all stacks another name, also after an interruption, and touches no object", async () => {
    const before = await objects();
    writeFileSync(join(clone.directory, "passphrase"), "a passphrase of the tests");
    const locked = ["--passphrase-file", "passphrase"];
    const backup = await clone.run(["backup", "--stack", "split.us-east", "--out", "before.age", ...locked]);
    assert.equal(backup.code, 0, backup.stderr);
    const [file, renamed] = ["split", "renamed"].map((each) => join(clone.directory, `Pulumi.${each}.yaml`));
    const { code, stdout, stderr } = await run("rename", "--to", "renamed");
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /Stack split\.us-east becomes renamed\.us-east\n/);
    // Interrupted before the last step.
    renameSync(renamed ?? "", file ?? "");
    const again = await run("rename", "--to", "renamed");
    assert.equal(again.code, 0, again.stdout + again.stderr);
    assert.match(again.stdout, /Stack split becomes renamed \(done\)/);
    name = "renamed";
    const west = await clone.run(["restore", "--stack", "renamed.us-west", "--from", "before.age", ...locked]);
    assert.match(west.stderr, /this is a backup of stack split\.us-east, not of renamed\.us-west/);
    const restored = await clone.run([
      ...["restore", "--stack", "renamed.us-east", "--from", "before.age", ...locked, "--yes"],
    ]);
    assert.equal(restored.code, 0, restored.stderr);
    await noChanges();
    assert.deepEqual(await objects(), before);
    const left = readdirSync(join(clone.directory, ".state/configs")).filter((file) => file.includes("split"));
    assert.deepEqual(left, []);
  });

  test("a broker's user is rotated over all regions, also after an interruption in the second one", async () => {
    const logins = async () => {
      const apis = await Promise.all(["east", "west"].map((cluster) => clusterApi(clone.directory, cluster)));
      const secrets = (await Promise.all(apis.map(({ list }) => list("/api/v1/secrets")))).flat();
      return secrets.flatMap(({ metadata, data }) =>
        metadata?.namespace?.startsWith("us-") && metadata.name === "rabbitmq"
          ? [{ username: atob(data?.["username"] ?? ""), password: data?.["password"] }]
          : [],
      );
    };
    const file = () => readFileSync(join(clone.directory, `Pulumi.${name}.yaml`), "utf8");
    const before = await logins();
    const rotate = ["rotate", "rabbitmq", "--stack", name];
    const interrupted = await clone.interrupt(rotate, /us-west: .*rabbitmq-alpha-nodes.*updating/);
    assert.equal(interrupted.code, 130, interrupted.stdout + interrupted.stderr);
    assert.match(interrupted.stderr, /make rotate STACK=renamed RING=main WHAT=rabbitmq continues/);
    assert.match(file(), /"?number"?: 2, "?step"?: add/);
    assert.deepEqual(await logins(), before, "Kazoo stays with the first user until all brokers have both");
    const { code, stdout, stderr } = await clone.run(rotate);
    assert.equal(code, 0, stdout + stderr);
    const [east, west, ...others] = await logins();
    assert.deepEqual([east?.username, others], ["kazoo-2", []]);
    assert.notEqual(east?.password, before[0]?.password);
    assert.deepEqual(west, east);
    assert.match(file(), /rabbitmq"?: \{ "?number"?: 2 \}/);
  });

  test("a region's last datacenter is removed with its stack", async () => {
    // Drained already, which saves half of the updates: runbooks.test.ts has them.
    const path = join(clone.directory, `Pulumi.${name}.yaml`);
    const drained = readFileSync(path, "utf8")
      .replace(/"main": \{/, "$& placement: { us-east-nyc: 1 },")
      .replace(/"sfo": \{/, "$& drained: [kazoo, rabbitmq, database]");
    writeFileSync(path, drained);
    assert.equal((await run("up")).code, 0);
    const remove = ["--zone", "us-west-sfo"];
    const shown = await run("remove", ...remove, "--dry-run");
    assert.match(
      shown.stdout,
      /\. Stack renamed\.us-west is destroyed, because us-west-sfo is the last zone of region/,
    );
    const { code, stdout, stderr } = await run("remove", ...remove);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /Stack renamed: 1 zone\n/);
    const stacks = await plainPulumi(clone, ["stack", "ls"], name);
    assert.doesNotMatch(stacks.stdout, /us-west/);
  });

  test("an API server with the operator's definition accepts its Stacks, strictly, and would keep all they say", async () => {
    const { call } = await clusterApi(clone.directory, "east");
    const definition = JSON.parse(
      readFileSync(join(clone.directory, "test/fixtures/crds/stacks.pulumi.com.json"), "utf8"),
    );
    const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert.equal((await call("POST", definitions, definition as object)).status, 201);
    const clusters = {
      east: { context: "prod-east", clusterDomain: "east.internal", podNetwork: "10.0.0.0/16" },
      west: { context: "prod-west", clusterDomain: "west.internal", podNetwork: "10.2.0.0/16" },
    };
    const prod = {
      ...config,
      "kazoo:clusters": clusters,
      "kazoo:image": { prebuilt: "registry.example.com/kazoo:4.3" },
      "kazoo:policy": true,
    };
    writeFileSync(join(clone.directory, "Pulumi.prod.yaml"), JSON.stringify({ config: prod }));
    const options = ["--repository", "https://git.example.com/kazoo.git", "--commit", "abc", "--folder", "telephony"];
    const more = ["--git-secret", "git", "--namespace", "default", "--backend", "s3://states"];
    const { code, stdout, stderr } = await clone.run(["operator", "--stack", "prod", ...options, ...more]);
    assert.equal(code, 0, stderr);
    const objects = parseAllDocuments(stdout).map((document) => document.toJS() as { spec: object });
    assert.equal(objects.length, 3);
    const path = "/apis/pulumi.com/v1/namespaces/default/stacks?dryRun=All&fieldValidation=Strict";
    await eventually(
      "the definition",
      () => call("GET", "/apis/pulumi.com/v1"),
      ({ status }) => status === 200,
    );
    for (const object of objects) {
      const { status, body } = await call("POST", path, object);
      assert.equal(status, 201, JSON.stringify(body));
      assert.deepEqual(body.spec, object.spec);
    }
    const [shared] = objects;
    const wrong = await call("POST", path, { ...shared, spec: { ...shared?.spec, configFile: "Pulumi.prod.yaml" } });
    assert.match(JSON.stringify(wrong.body), /unknown field \\"spec\.configFile\\"/);
  });

  test("destroy removes the regions and then their shared stack", async () => {
    const { code, stdout, stderr } = await run("destroy");
    assert.equal(code, 0, stdout + stderr);
    const { stdout: left } = await plainPulumi(clone, ["stack", "export"], name);
    const { resources = [] } = (JSON.parse(left) as { deployment: { resources?: unknown[] } }).deployment;
    assert.deepEqual(resources, []);
    assert.deepEqual(locks(), []);
  });
});
