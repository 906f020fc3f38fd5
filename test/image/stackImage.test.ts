import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { cloneProject, type Clone, type Run } from "../support/clone";
import { clusterApi } from "../support/clusterApi";
import { until } from "../support/until";
import { findCommand, freePort } from "./support/commands";
import { acquireEngine, noEngine, type Engine } from "./support/engine";
import { noRegistry, startRegistry, type Registry } from "./support/registry";
import { pulumi, writeStackFile } from "./support/stackFile";

/**
 * An image that a stack builds, from build to destroy, with a real engine, a real registry and a real API server; each test continues from the
 * previous one. The image is a small one, because the test is about how the stack builds, pushes and pins it.
 */

const stack = "image";
const login = { user: "ci", password: "a-secret-of-the-registry" };
const dockerfile = "FROM scratch\nARG KAZOO_VERSION\nLABEL version=$KAZOO_VERSION\nCOPY file /\n";

let skip: string | false = false;
let engine: Engine;
let registry: Registry;
let clone: Clone;
let firstImage: string;

before(async () => {
  skip = (await noEngine()) || noRegistry();
  if (skip !== false) return;
  engine = await acquireEngine();
  registry = await startRegistry(login);
  clone = await cloneProject();
  mkdirSync(context());
  writeFileSync(context("Dockerfile"), dockerfile);
  writeFileSync(context("file"), "one\n");
  writeStack(registry.address);
  await pulumi(clone, ["stack", "init", stack, "--no-select", "--secrets-provider", "passphrase"]);
  await setPassword(login.password);
});

after(async () => {
  await clone?.dispose();
  await registry?.remove();
  await engine?.release();
});

const context = (file = "") => join(clone.directory, "context", file);

function writeStack(address: string): void {
  writeStackFile(clone, stack, {
    protect: false,
    image: {
      build: {
        registry: address,
        repository: "telephony/kazoo",
        tags: ["4.3", "latest"],
        plainHttp: true,
        username: login.user,
        ...(engine.host === undefined ? {} : { docker: engine.host }),
        context: "context",
        args: { KAZOO_VERSION: "4.3" },
      },
    },
    clusters: { [stack]: { sandbox: true } },
    regions: { local: { cluster: stack, datacenters: { dev: {} } } },
  });
}

const setPassword = (password: string) =>
  pulumi(clone, ["config", "set", "--secret", "kazoo:registryPassword", password, "--stack", stack]);

/** The image in the spec of Kazoo's pods. */
async function deployed(): Promise<string> {
  const { body } = await (
    await clusterApi(clone.directory, stack)
  ).call("GET", "/apis/apps/v1/namespaces/local-dev/statefulsets/kazoo");
  const { spec } = body as { spec: { template: { spec: { containers: { image: string }[] } } } };
  return spec.template.spec.containers[0]?.image ?? "";
}

/** The registry's digest of a tag. */
async function pushed(tag: string): Promise<string | null> {
  const response = await fetch(`${registry.url}/v2/telephony/kazoo/manifests/${tag}`, {
    method: "HEAD",
    headers: {
      Accept: "application/vnd.docker.distribution.manifest.v2+json",
      Authorization: `Basic ${Buffer.from(`${login.user}:${login.password}`).toString("base64")}`,
    },
  });
  return response.headers.get("docker-content-digest");
}

async function up(): Promise<Run> {
  const run = await clone.run(["up", "--stack", stack]);
  assert.doesNotMatch(run.stdout + run.stderr, new RegExp(login.password));
  return run;
}

async function succeeds(): Promise<Run> {
  const run = await up();
  assert.equal(run.code, 0, run.stdout + run.stderr);
  return run;
}

/** Asserts that an `up` that cannot push says so, names the registry, and does not change the pods. */
async function failsToPush(address: string, cause: RegExp): Promise<void> {
  const before = await deployed();
  const { code, stdout, stderr } = await up();
  const output = stdout + stderr;
  assert.notEqual(code, 0, output);
  assert.match(output, /Error pushing docker image/);
  assert.ok(output.includes(address), `${address} is not named in:\n${output}`);
  assert.match(output, cause);
  assert.equal(await deployed(), before);
}

const step = (name: string, work: (t: TestContext) => Promise<void>) =>
  void test(name, async (t) => (skip === false ? work(t) : t.skip(skip)));

step("the first up builds, pushes each tag, and pins the pods to the pushed digest", async () => {
  await succeeds();
  firstImage = await deployed();
  assert.equal(firstImage, `${registry.address}/telephony/kazoo@${await pushed("4.3")}`);
  assert.equal(await pushed("latest"), await pushed("4.3"));
});

step("the pods can pull: their pull Secret holds the login", async () => {
  const { call } = await clusterApi(clone.directory, stack);
  const { body } = await call("GET", "/api/v1/namespaces/local-dev/secrets/kazoo-image-pull");
  const text = Buffer.from((body as { data: Record<string, string> }).data[".dockerconfigjson"] ?? "", "base64");
  assert.deepEqual(JSON.parse(text.toString()), {
    auths: {
      [registry.address]: {
        username: login.user,
        password: login.password,
        auth: Buffer.from(`${login.user}:${login.password}`).toString("base64"),
      },
    },
  });
});

step("the state has the password only encrypted", () => {
  const state = readFileSync(join(clone.directory, ".state", ".pulumi", "stacks", "kazoo", `${stack}.json`), "utf8");
  assert.doesNotMatch(state, new RegExp(login.password));
  assert.doesNotMatch(state, new RegExp(Buffer.from(`${login.user}:${login.password}`).toString("base64")));
  return Promise.resolve();
});

step("a second up changes nothing, also with other file times and another umask", async () => {
  utimesSync(context("file"), 1, 1);
  chmodSync(context("file"), 0o600);
  const { stdout } = await succeeds();
  assert.match(stdout, /Resources:\n\s+\d+ unchanged\n/);
  assert.equal(await deployed(), firstImage);
});

step("another clone with the same state sees no change", async () => {
  const other = await cloneProject();
  try {
    execFileSync("cp", ["-a", context(), join(clone.directory, `Pulumi.${stack}.yaml`), other.directory]);
    execFileSync("cp", ["-a", join(clone.directory, ".state"), join(clone.directory, ".sandbox"), other.directory]);
    const printed = await pulumi(other, ["preview", "--stack", stack, "--expect-no-changes", "--non-interactive"]);
    assert.match(printed, /\d+ unchanged/);
  } finally {
    // Without `dispose`: the sandbox is the first clone's.
    rmSync(other.directory, { recursive: true, force: true });
  }
});

step("the preview of a changed byte shows a new build, a new push, and that the pods will roll", async () => {
  writeFileSync(context("file"), "two\n");
  const { code, stdout } = await clone.run(["preview", "--stack", stack, "--", "--diff"]);
  assert.equal(code, 0, stdout);
  for (const type of ["remoteImage:RemoteImage", "registryImage:RegistryImage"]) {
    assert.match(stdout, new RegExp(`\\+-docker:index/${type}: \\(replace\\)`));
  }
  assert.match(stdout, /build *: "sha256:[0-9a-f]{64}" => "sha256:[0-9a-f]{64}"/);
  assert.match(stdout, /~ kubernetes:apps\/v1:StatefulSet: \(update\)/);
  assert.doesNotMatch(stdout, /kubernetes:apps\/v1:StatefulSet: \(replace\)/);
});

step("while the registry is down, an up fails and says so, and the pods do not change", async () => {
  await registry.stop();
  await failsToPush(registry.address, /connection refused/);
  assert.equal(await deployed(), firstImage);
});

step("the next up repairs it: a new digest, in the spec of the pods", async () => {
  await registry.start();
  await succeeds();
  const image = await deployed();
  assert.notEqual(image, firstImage);
  assert.equal(image, `${registry.address}/telephony/kazoo@${await pushed("4.3")}`);
  assert.equal(await pushed("latest"), await pushed("4.3"));
});

step("with a wrong password an up fails and says so; with the right one the next succeeds", async () => {
  writeFileSync(context("file"), "three\n");
  await setPassword("another-password");
  // The registry's answer; the failed resource names the registry.
  await failsToPush(registry.address, /unauthorized: authentication required/);
  await setPassword(login.password);
  await succeeds();
  assert.equal(await deployed(), `${registry.address}/telephony/kazoo@${await pushed("4.3")}`);
});

step("with a full disk behind the registry an up fails and says so", async (t) => {
  const full = await startFullRegistry(t);
  writeFileSync(
    context("file"),
    Buffer.alloc(4 * 1024 * 1024, "x").map(() => Math.floor(Math.random() * 256)),
  );
  const password = /secure: (\S+)/.exec(readFileSync(join(clone.directory, `Pulumi.${stack}.yaml`), "utf8"))?.[1];
  assert.ok(password);
  writeStack(full);
  await setPassword(login.password);
  await failsToPush(full, /no space left|unexpected HTTP status: 500/);
  writeStack(registry.address);
  await setPassword(login.password);
  await succeeds();
});

step("destroy keeps the pushed images for others that run them", async () => {
  const { code, stdout, stderr } = await clone.run(["destroy", "--stack", stack]);
  assert.equal(code, 0, stdout + stderr);
  assert.ok(await pushed("latest"));
});

/** A registry with an almost full disk. Returns its address. */
async function startFullRegistry(t: TestContext): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-full-registry-"));
  const address = `127.0.0.1:${await freePort()}`;
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]);
  const config = join(folder, "config.yml");
  writeFileSync(
    config,
    `version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: "${join(folder, "data")}" } }
http: { addr: "${address}" }
`,
  );
  const child = spawn(findCommand("docker-registry") ?? "docker-registry", ["serve", config], { stdio: "ignore" });
  t.after(async () => {
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await ended;
    execFileSync("umount", [folder]);
    rmSync(folder, { recursive: true });
  });
  await until("the full registry", async () => (await fetch(`http://${address}/v2/`)).ok);
  return address;
}
