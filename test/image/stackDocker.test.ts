import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { cloneProject, type Clone, type Run } from "../support/clone";
import { until } from "../support/until";
import { freePort } from "./support/commands";
import { couchdbImage } from "./support/couchdbImage";
import { holdDockerNames } from "./support/dockerNames";
import { acquireEngine, noEngine, type Engine } from "./support/engine";
import { kazooImage } from "./support/kazooImage";
import { serveKazooSources, type KazooSources } from "./support/kazooSources";
import { rabbitmqImage } from "./support/rabbitmqImage";
import { pulumi, writeStackFile } from "./support/stackFile";

/** The stack on plain Docker from up to destroy, with a real engine, real brokers and the real image; each test continues from the previous one. */

const stack = "docker";
const containers = ["bigcouch", "kazoo", "rabbitmq-alpha", "rabbitmq-beta"];

let skip: string | false = false;
let releaseNames: (() => void) | undefined;
let engine: Engine;
let sources: KazooSources;
let clone: Clone;
let images: { kazoo: string; rabbitmq: string; database: string };
let ports: { crossbar: number; websockets: number };

before(async () => {
  skip = await noEngine();
  if (skip !== false) return;
  releaseNames = await holdDockerNames();
  engine = await acquireEngine();
  sources = await serveKazooSources();
  images = {
    kazoo: await kazooImage(engine, sources),
    rabbitmq: await rabbitmqImage(engine),
    database: await couchdbImage(engine),
  };
  ports = { crossbar: await freePort(), websockets: await freePort() };
  clone = await cloneProject();
  writeStack({});
});

after(async () => {
  if (clone !== undefined) {
    await clone.run(["destroy", "--stack", stack]);
    await clone.dispose();
  }
  await sources?.stop();
  await engine?.release();
  releaseNames?.();
});

/** The project's stack docker, with the tests' images, on this engine and free ports. */
function writeStack(environment: Record<string, unknown>): void {
  const { kazoo, ...others } = images;
  writeStackFile(clone, stack, {
    protect: false,
    image: { prebuilt: kazoo },
    images: others,
    environment,
    clusters: {
      local: { docker: { ...(engine.host === undefined ? {} : { host: engine.host }), network: "local", ports } },
    },
    regions: { local: { cluster: "local", datacenters: { dev: {} } } },
  });
}

const step = (name: string, work: (t: TestContext) => Promise<void>) =>
  void test(name, async (t) => (skip === false ? work(t) : t.skip(skip)));

async function up(...args: string[]): Promise<Run> {
  const run = await clone.run(["up", "--stack", stack, ...(args.length === 0 ? [] : ["--", ...args])]);
  assert.equal(run.code, 0, run.stdout + run.stderr);
  return run;
}

const inspect = async (container: string, format: string) =>
  (await engine.docker(["inspect", "--format", format, container])).trim();

/** Ids of the stack's containers by name. */
const ids = async () =>
  Object.fromEntries(await Promise.all(containers.map(async (name) => [name, await inspect(name, "{{.Id}}")])));

step("everything is healthy after the first up", async () => {
  const began = Date.now();
  await up();
  const took = (Date.now() - began) / 1000;
  for (const container of containers) assert.equal(await inspect(container, "{{.State.Health.Status}}"), "healthy");
  console.log(`healthy after ${took.toFixed(0)} s`);
});

step("Crossbar answers on the machine's loopback, at the endpoint in the stack's outputs", async () => {
  const { zones } = JSON.parse(await pulumi(clone, ["stack", "output", "--json", "--stack", stack])) as {
    zones: Record<string, { endpoints: Record<string, string>; containers: string[] }>;
  };
  const zone = zones["local-dev"];
  assert.equal(zone?.endpoints["crossbar"], `http://127.0.0.1:${ports.crossbar}`);
  assert.deepEqual([...(zone?.containers ?? [])].sort(), containers);
  const answer = await fetch(zone?.endpoints["crossbar"] ?? "");
  assert.equal(answer.status, 200);
});

step("containers are reachable as NAME.local, and Kazoo uses both brokers and the database", async () => {
  const { Hostname } = JSON.parse(await inspect("kazoo", "{{json .Config}}")) as { Hostname: string };
  assert.equal(Hostname, "kazoo.local");
  const rendered = await engine.docker(["exec", "kazoo", "cat", "/opt/kazoo/etc/config.ini"]);
  assert.match(rendered, /@rabbitmq-alpha\.local:5672/);
  assert.match(rendered, /@rabbitmq-beta\.local:5672/);
  assert.match(rendered, /bigcouch\.local/);
  for (const name of ["rabbitmq-alpha", "rabbitmq-beta"]) {
    // Crossbar may answer before the brokers are connected.
    await until(`a connection to ${name}`, async () =>
      /kazoo/.test(await engine.docker(["exec", name, "rabbitmqctl", "-q", "list_connections", "user"])),
    );
  }
});

step("Kazoo's container cannot gain privileges and can write only to its three folders", async () => {
  const host = JSON.parse(await inspect("kazoo", "{{json .HostConfig}}")) as Record<string, unknown>;
  assert.equal(host["ReadonlyRootfs"], true);
  assert.deepEqual(host["CapDrop"], ["ALL"]);
  assert.deepEqual(host["SecurityOpt"], ["no-new-privileges:true"]);
  assert.equal((await engine.docker(["exec", "kazoo", "id", "-u"])).trim(), "1000");
  const { code } = await engine.tryDocker(["exec", "kazoo", "touch", "/opt/kazoo/file"]);
  assert.notEqual(code, 0);
});

step("a second up changes nothing, even with a refresh", async () => {
  const before = await ids();
  assert.match((await up()).stdout, /Resources:\n\s+\d+ unchanged\n/);
  await up("--refresh", "--expect-no-changes");
  assert.deepEqual(await ids(), before);
});

step("a changed variable replaces Kazoo's container and no other", async () => {
  const { kazoo: oldKazoo, ...others } = await ids();
  writeStack({ KAZOO_LOG_LEVEL: "debug" });
  await up();
  const { kazoo, ...same } = await ids();
  assert.notEqual(kazoo, oldKazoo);
  assert.deepEqual(same, others);
  assert.match(await inspect("kazoo", "{{json .Config.Env}}"), /KAZOO_LOG_LEVEL=debug/);
});

step("the state has no password in plain text", async () => {
  const env = JSON.parse(await inspect("kazoo", "{{json .Config.Env}}")) as string[];
  const secrets = env.flatMap((line) => /^(?:ERLANG_COOKIE|RABBITMQ_PASS|COUCHDB_PASS)=(.+)$/.exec(line)?.[1] ?? []);
  assert.equal(secrets.length, 3);
  const state = await pulumi(clone, ["stack", "export", "--stack", stack]);
  for (const secret of secrets) assert.ok(!state.includes(secret), "a secret is in the state in clear");
});

step("destroy leaves nothing", async () => {
  const { code, stdout, stderr } = await clone.run(["destroy", "--stack", stack]);
  assert.equal(code, 0, stdout + stderr);
  assert.equal(
    await engine.docker(["ps", "--all", "--quiet", ...containers.map((name) => `--filter=name=^${name}$`)]),
    "",
  );
  assert.equal(
    await engine.docker(["volume", "ls", "--quiet", "--filter=name=rabbitmq-", "--filter=name=bigcouch"]),
    "",
  );
  assert.equal(await engine.docker(["network", "ls", "--quiet", "--filter=name=^local$"]), "");
});
