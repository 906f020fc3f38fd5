import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { bootstrapEnvironment } from "../../components/bootstrapJob";
import { bootstrapScript } from "../../components/bootstrapScript";
import { cloneProject, type Clone } from "../support/clone";
import { until } from "../support/until";
import { freePort } from "./support/commands";
import { couchdbImage } from "./support/couchdbImage";
import { holdDockerNames } from "./support/dockerNames";
import { acquireEngine, noEngine, type Engine } from "./support/engine";
import { kazooImage } from "./support/kazooImage";
import { serveKazooSources, type KazooSources } from "./support/kazooSources";
import { rabbitmqImage } from "./support/rabbitmqImage";
import { writeStackFile } from "./support/stackFile";

/** The targets that Docker and Kubernetes share, on Docker: real containers, the real image. Each test continues from the previous one. */

const stack = ["--stack", "docker"];
const account = { name: "example", realm: "sip.example.com", user: "admin" };

let skip: string | false = false;
let releaseNames: (() => void) | undefined;
let engine: Engine;
let sources: KazooSources;
let clone: Clone;
let image: string;
let port: number;

before(async () => {
  skip = await noEngine();
  if (skip !== false) return;
  releaseNames = await holdDockerNames();
  engine = await acquireEngine();
  sources = await serveKazooSources();
  image = await kazooImage(engine, sources);
  const images = { rabbitmq: await rabbitmqImage(engine), database: await couchdbImage(engine) };
  clone = await cloneProject();
  port = await freePort();
  writeStackFile(clone, "docker", {
    protect: false,
    image: { prebuilt: image },
    images,
    rings: { main: { masterAccount: account } },
    clusters: {
      local: {
        docker: {
          ...(engine.host === undefined ? {} : { host: engine.host }),
          ports: { crossbar: port, websockets: await freePort() },
        },
      },
    },
    regions: { local: { cluster: "local", datacenters: { dev: { ring: "main" } } } },
  });
});

after(async () => {
  if (clone !== undefined) {
    await clone.run(["destroy", ...stack]);
    await clone.dispose();
  }
  await sources?.stop();
  await engine?.release();
  releaseNames?.();
});

const step = (name: string, work: (t: TestContext) => Promise<void>) =>
  void test(name, async (t) => (skip === false ? work(t) : t.skip(skip)));

/** Runs `kazoo TARGET --stack docker …`, which must succeed, and returns its output. */
async function kazoo(target: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await clone.run([target, ...stack, ...args]);
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

/** Runs it, expects it to fail, and returns its error. */
async function refused(target: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await clone.run([target, ...stack, ...args]);
  assert.notEqual(code, 0, stdout);
  return stdout + stderr;
}

const answers = () => until("Crossbar", async () => (await fetch(`http://127.0.0.1:${port}/`)).status === 200);

step("before the stack is deployed, account targets are refused with the next step", async () => {
  assert.match(await refused("init-account"), /stack docker is not deployed\nnext: make up STACK=docker/);
});

step("status shows the zone's containers, for people and for programs", async () => {
  await kazoo("up");
  await answers();
  await until("all ready", async () => (await clone.run(["status", ...stack])).code === 0);
  assert.match(await kazoo("status"), /^local-dev +local +main +1\/1 +2\/2 +1\/1 +- +- +\S+ +\d+ (s|min) ago$/m);
  const { zones } = JSON.parse(await kazoo("status", "--json")) as { zones: { kazoo: unknown; rolled: string }[] };
  assert.deepEqual(zones[0]?.kazoo, { ready: 1, wanted: 1 });
  assert.ok(Math.abs(Date.now() - Date.parse(zones[0]?.rolled ?? "")) < 30 * 60_000);
});

step("logs are those of Kazoo, or of the named container", async () => {
  assert.match(await kazoo("logs"), /Starting kazoo_apps@kazoo\.local/);
  assert.doesNotMatch(await kazoo("logs", "--node", "rabbitmq-alpha"), /Starting kazoo_apps/);
  assert.match(
    await refused("logs", "--node", "kazoo-9"),
    /there is no node kazoo-9\nnext: set NODE= to one of kazoo, bigcouch/,
  );
});

step("shell runs commands in Kazoo's container, and exits with their exit code", async () => {
  assert.equal((await kazoo("shell", "--", "id", "-u")).trim(), "1000");
  const failed = await clone.run(["shell", ...stack, "--", "sh", "-c", "exit 7"]);
  assert.equal(failed.code, 7);
});

step("kazoo-maint-nodes asks the node", async () => {
  assert.match(await kazoo("kazoo-maint-nodes"), /kazoo_apps@kazoo\.local/);
});

step("init-account creates the config's account once, and shows no password", async () => {
  assert.match(await refused("get-master-account"), /failed to find account/);
  const made = await kazoo("init-account");
  assert.match(made, /^master account example: made$/m);
  assert.doesNotMatch(made, /[A-Za-z0-9]{32}/);
  assert.match(await kazoo("init-account"), /^master account example: is there$/m);
  const shown = await kazoo("get-master-account");
  assert.match(shown, /Realm: sip\.example\.com/);
  assert.match(shown, /System Admin: true/);
});

step("init-apps registers Monster UI's apps, by default with the published API", async () => {
  assert.match(
    await kazoo("init-apps"),
    new RegExp(`^apps: \\d+ known to call http://127\\.0\\.0\\.1:${port}/v2$`, "m"),
  );
  assert.match(await refused("init-apps", "--path", "/nowhere"), /bootstrap failed: sup init_apps/);
});

step("Kubernetes targets say that they do not work on Docker", async () => {
  for (const target of ["kube-logsf", "kube-shell", "kube-deploy", "kube-rollout-history"]) {
    assert.match(
      await refused(target),
      new RegExp(`^error: ${target} is for Kubernetes, and stack docker is on Docker\\nnext: make `),
    );
  }
});

step("the Job's script works from a separate container", async () => {
  const inspected = await engine.docker(["inspect", "--format", "{{json .Config.Env}}", "kazoo"]);
  const own = Object.fromEntries((JSON.parse(inspected) as string[]).map((line) => line.split(/=(.*)/s)));
  const environment: Record<string, string> = {
    ...bootstrapEnvironment({
      databaseVersion: "couchdb-2.3.1",
      databaseUrl: "http://bigcouch.local:5984",
      account: {
        ...account,
        monsterUi: { path: "/var/www/html/monster-ui/apps", url: "https://kazoo.example.com/v2" },
      },
      node: { vm: "kazoo_apps", host: "kazoo.local" },
    }),
    DATABASE_USER: own["COUCHDB_USER"] ?? "",
    DATABASE_PASSWORD: own["COUCHDB_PASS"] ?? "",
    ACCOUNT_PASSWORD: "a-password-of-this-test",
    ERLANG_COOKIE: own["ERLANG_COOKIE"] ?? "",
  };
  const tmpfs = ["--read-only", "--tmpfs", "/tmp", "--tmpfs", "/opt/kazoo/etc:uid=1000,gid=1000"];
  const variables = Object.entries(environment).flatMap(([name, value]) => ["--env", `${name}=${value}`]);
  const job = [
    "run",
    "--rm",
    "--network",
    "local",
    ...tmpfs,
    ...variables,
    "--entrypoint",
    "sh",
    image,
    "-c",
    bootstrapScript,
  ];
  const again = await engine.docker(job);
  assert.match(again, /^database _users: (made|is there)$/m);
  assert.match(again, /^master account example: is there$/m);

  // Makes it a ring without accounts again.
  await kazoo(
    "shell",
    "--",
    "sh",
    "-c",
    'curl -fsS -X DELETE -u "$COUCHDB_USER:$COUCHDB_PASS" http://bigcouch.local:5984/accounts',
  );
  const fresh = await engine.docker(job);
  assert.match(fresh, /^master account example: made$/m);
  assert.match(fresh, /^apps: \d+ known to call https:\/\/kazoo\.example\.com\/v2$/m);
  assert.match(await kazoo("get-master-account"), /System Admin: true/);

  const wrongCookie = await engine.tryDocker(
    job
      .map((argument) => (argument.startsWith("ERLANG_COOKIE=") ? "ERLANG_COOKIE=another" : argument))
      .map((argument) =>
        // A minute is enough to see that nothing answers.
        argument === bootstrapScript ? bootstrapScript.replaceAll("until_works 36", "until_works 2") : argument,
      ),
  );
  assert.equal(wrongCookie.code, 1);
  assert.match(wrongCookie.stderr, /^bootstrap failed: no answer from Kazoo at kazoo\.local$/m);
});

step("logsf follows until the container ends", async () => {
  const following = clone.run(["logsf", ...stack]);
  await until("the follower", async () => (await engine.docker(["ps", "--quiet"])) !== "");
  await engine.docker(["stop", "kazoo"]);
  const { code, stdout } = await following;
  assert.equal(code, 0);
  assert.match(stdout, /Stopped kazoo_apps@kazoo\.local/);
  assert.match(await refused("status"), /0\/1/);
});
