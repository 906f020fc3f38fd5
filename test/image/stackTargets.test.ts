import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { cloneProject, type Clone } from "../support/clone";
import { until } from "../support/until";
import { freePort } from "./support/commands";
import { couchdbImage } from "./support/couchdbImage";
import { holdDockerNames } from "./support/dockerNames";
import { acquireEngine, noEngine, type Engine } from "./support/engine";
import { kazooImage } from "./support/kazooImage";
import { serveKazooSources, type KazooSources } from "./support/kazooSources";
import { rabbitmqImage } from "./support/rabbitmqImage";
import { noRegistry, startRegistry, type Registry } from "./support/registry";
import { writeStackFile } from "./support/stackFile";

/** The Docker targets of the Makefile, `kazoo docker …`, with a real engine and registry; each test continues from the previous one. */

let skip: string | false = false;
let releaseNames: (() => void) | undefined;
let engine: Engine;
let registry: Registry;
let sources: KazooSources;
let clone: Clone;
let port: number;

before(async () => {
  skip = (await noEngine()) || noRegistry();
  if (skip !== false) return;
  releaseNames = await holdDockerNames();
  engine = await acquireEngine();
  registry = await startRegistry();
  sources = await serveKazooSources();
  clone = await cloneProject();
  port = await freePort();
  const docker = {
    ...(engine.host === undefined ? {} : { host: engine.host }),
    ports: { crossbar: port, websockets: await freePort() },
  };
  const common = {
    protect: false,
    clusters: { local: { docker } },
    regions: { local: { cluster: "local", datacenters: { dev: {} } } },
  };
  writeStackFile(clone, "docker", {
    ...common,
    image: { prebuilt: await kazooImage(engine, sources) },
    images: { rabbitmq: await rabbitmqImage(engine), database: await couchdbImage(engine) },
  });
  writeStackFile(clone, "built", {
    ...common,
    image: {
      build: {
        registry: registry.address,
        repository: "targets",
        tags: ["a", "b"],
        plainHttp: true,
        context: "context",
        args: { KAZOO_VERSION: "4.3" },
      },
    },
  });
  mkdirSync(join(clone.directory, "context"));
  writeFileSync(
    join(clone.directory, "context", "Dockerfile"),
    "FROM scratch\nARG KAZOO_VERSION\nLABEL v=$KAZOO_VERSION\n",
  );
});

after(async () => {
  if (clone !== undefined) {
    await clone.run(["docker", "rm"]);
    await clone.run(["destroy", "--stack", "docker"]);
    await clone.dispose();
  }
  await sources?.stop();
  await registry?.remove();
  await engine?.release();
  releaseNames?.();
});

const step = (name: string, work: (t: TestContext) => Promise<void>) =>
  void test(name, async (t) => (skip === false ? work(t) : t.skip(skip)));

/** Runs `kazoo docker …`, which must succeed, and returns its output. */
async function docker(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await clone.run(["docker", ...args], { DOCKER_BUILDKIT: "0" });
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

/** Runs `kazoo docker …`, which must fail, and returns its error. */
async function refused(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await clone.run(["docker", ...args]);
  assert.notEqual(code, 0, stdout);
  return stderr;
}

const status = async (container: string) =>
  (await engine.tryDocker(["inspect", "--format", "{{.State.Status}}", container])).stdout.trim();

/** The output of `kazoo logs`, which also works for a container launched alone. */
const logs = async () => (await clone.run(["logs", "--stack", "docker"])).stdout;

const answers = () => until("Crossbar", async () => (await fetch(`http://127.0.0.1:${port}/`)).status === 200);

step("build and rebuild create the image under all names of the stack", async () => {
  for (const target of ["build", "rebuild"]) {
    await docker(target, "--stack", "built");
    for (const tag of ["a", "b"]) {
      const label = await engine.docker([
        "inspect",
        "--format",
        "{{.Config.Labels.v}}",
        `${registry.address}/targets:${tag}`,
      ]);
      assert.equal(label.trim(), "4.3");
    }
  }
});

step("tag adds names, push pushes each name, rmi removes them", async () => {
  await docker("tag", "--stack", "built", "another-name:1");
  await docker("push", "--stack", "built");
  for (const tag of ["a", "b"]) {
    assert.ok((await fetch(`${registry.url}/v2/targets/manifests/${tag}`)).ok, `${tag} was not pushed`);
  }
  await docker("rmi", "--stack", "built", "another-name:1");
  assert.equal((await engine.docker(["images", "--quiet", `${registry.address}/targets`])).trim(), "");
});

step("targets that need a built image are refused for a prebuilt one, with the next step", async () => {
  for (const target of ["build", "push", "tag"]) assert.match(await refused(target), /does not build its image/);
  assert.match(await refused("start", "--stack", "dev"), /stack dev has no datacenter on Docker/);
});

step("run opens a shell in a new container, which is gone afterwards", async () => {
  const before = await engine.docker(["ps", "--all", "--quiet"]);
  await docker("run");
  assert.equal(await engine.docker(["ps", "--all", "--quiet"]), before);
});

step("create-network creates only the network, launch-deps brokers and database, kill-deps kills them", async () => {
  await docker("create-network");
  assert.notEqual(await engine.docker(["network", "ls", "--quiet", "--filter=name=^local$"]), "");
  assert.equal(await status("bigcouch"), "");
  const deps = ["rabbitmq-alpha", "rabbitmq-beta", "bigcouch"];
  await docker("launch-deps");
  for (const name of deps) assert.equal(await status(name), "running", name);
  assert.equal(await status("kazoo"), "");
  await docker("kill-deps");
  for (const name of deps) assert.equal(await status(name), "exited", name);
  await docker("launch-deps");
  for (const name of deps) assert.equal(await status(name), "running", name);
});

step("launch-net adds Kazoo as kazoo.local; stop, start and kill act on its container", async () => {
  await docker("launch-net");
  await answers();
  const aliases = await engine.docker([
    "inspect",
    "--format",
    "{{json .NetworkSettings.Networks.local.Aliases}}",
    "kazoo",
  ]);
  assert.match(aliases, /"kazoo\.local"/);
  await docker("stop");
  assert.equal(await status("kazoo"), "exited");
  assert.equal((await engine.docker(["inspect", "--format", "{{.State.ExitCode}}", "kazoo"])).trim(), "0");
  await docker("start");
  await answers();
  await docker("kill");
  assert.equal(await status("kazoo"), "exited");
});

step("rm removes Kazoo's container, and launch-net brings it back", async () => {
  await docker("rm");
  assert.equal(await status("kazoo"), "");
  await docker("launch-net");
  await answers();
});

step("launch runs Kazoo alone on Docker's default network, with the caller's variables", async () => {
  const { code, stderr } = await clone.run(["destroy", "--stack", "docker"]);
  assert.equal(code, 0, stderr);
  const run = await clone.run(["docker", "launch"], {
    KAZOO_LOG_LEVEL: "debug",
    BIGCOUCH_HOST: "bigcouch.example.com",
  });
  assert.equal(run.code, 0, run.stderr);
  const { Env: environment } = JSON.parse(
    await engine.docker(["inspect", "--format", "{{json .Config}}", "kazoo"]),
  ) as {
    Env: string[];
  };
  for (const line of ["KAZOO_LOG_LEVEL=debug", "BIGCOUCH_HOST=bigcouch.example.com", "KAZOO_ZONE=local-dev"]) {
    assert.ok(environment.includes(line), line);
  }
  const networks = await engine.docker(["inspect", "--format", "{{json .NetworkSettings.Networks}}", "kazoo"]);
  assert.deepEqual(Object.keys(JSON.parse(networks) as object), ["bridge"]);
  await until("Kazoo's log", async () => /Starting kazoo_apps@kazoo\.local/.test(await logs()));
  assert.match(await refused("launch"), /docker run ended with exit code 125/);
  await docker("rm");
});
