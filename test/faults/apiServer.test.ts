import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { type ApiProxy, type Treatment, apiProxy } from "../support/apiProxy";
import { type Run, cloneProject } from "../support/clone";
import { clusterApi } from "../support/clusterApi";
import { type FaultStack, faultStack } from "../support/faults";

/** A stack on clusters named by contexts, in the user's own backend. Its API servers are sandbox clusters behind proxies. */
describe("an API server that fails", { concurrency: 1 }, () => {
  let stack: FaultStack;
  let backend: string;
  const proxies: Record<string, ApiProxy> = {};
  const proxy = () => proxies.local ?? assert.fail("no proxy");

  before(async () => {
    backend = mkdtempSync(join(tmpdir(), "kazoo-backend-"));
    const environment = {
      PULUMI_BACKEND_URL: `file://${backend}`,
      PULUMI_CREDENTIALS_PATH: backend,
      PULUMI_CONFIG_PASSPHRASE: "made up for tests",
      PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
    };
    stack = await faultStack(environment);
    const { directory } = stack.clone;
    await stack.succeeds("sandbox", "up", "other");
    let kubeconfig = readFileSync(join(directory, ".sandbox/kubeconfig"), "utf8");
    const status = JSON.parse(await stack.succeeds("sandbox", "status", "--json")) as {
      name: string;
      server: string;
    }[];
    for (const { name, server } of status) {
      const one = (proxies[name] = await apiProxy(directory, name, server));
      kubeconfig = kubeconfig.replace(server, one.url);
    }
    writeFileSync(join(directory, "proxied"), kubeconfig, { mode: 0o600 });
    configure({});
    const { stdout } = await stack.run(["env"]);
    const init = `${stdout}\nexec pulumi stack init dev --non-interactive`;
    await promisify(execFile)("sh", ["-c", init], { cwd: directory, env: { ...process.env, ...environment } });
  });
  after(async () => {
    Object.values(proxies).forEach(({ close }) => close());
    await stack?.clone.dispose();
    if (backend !== undefined) rmSync(backend, { recursive: true, force: true });
  });

  const cluster = (name: string) => ({ context: `sandbox-${name}`, kubeconfig: "proxied" });
  const configure = (keys: object) =>
    stack.configure({ "kazoo:clusters": { local: cluster("local") }, "kazoo:image": { prebuilt: "kazoo:5" }, ...keys });
  const level = (KAZOO_LOG_LEVEL: string) => configure({ "kazoo:environment": { KAZOO_LOG_LEVEL } });

  /** Passes this many writes on, and treats all others in the given way. */
  const afterWrites = (writes: number, treatment: Treatment, act: () => void = () => undefined) => {
    let seen = 0;
    proxy().treat(({ method, path }) => {
      if (method === "GET" || path.includes("dryRun") || ++seen <= writes) return "pass";
      act();
      return treatment;
    });
  };

  test("429, too many requests, for every tenth request: nothing needs to be done", async () => {
    let seen = 0;
    proxy().treat(() => (++seen % 10 === 0 ? 429 : "pass"));
    const up = await stack.run(["up", "--yes"]);
    assert.equal(up.code, 0, up.stdout + up.stderr);
    proxy().mend();
    await stack.converges();
  });

  for (const [treatment, said] of [
    [500, /made up by the test: 500[^]*next: .*make up STACK=dev continues from here/],
    ["cut", /(EOF|connection reset)[^]*next: lost the connection to an API server[^]*run the same command again/],
  ] as const) {
    test(`${treatment} during a change`, async () => {
      level(treatment === 500 ? "debug" : "error");
      const kept = await stack.kept();
      afterWrites(1, treatment);
      const up = await stack.run(["up", "--yes"]);
      assert.notEqual(up.code, 0);
      assert.match(up.stdout + up.stderr, said);
      proxy().mend();
      await stack.converges(kept);
    });
  }

  test("no answer during a change: Ctrl-C ends the wait", async () => {
    level("warning");
    const kept = await stack.kept();
    let interrupt = (): void => assert.fail("nothing was printed");
    afterWrites(1, "hang", () => interrupt());
    const up = await stack.at(["up", "--yes"], { line: /./g, times: 1 }, ({ pid }) => {
      interrupt = () => process.kill(pid, "SIGINT");
    });
    assert.notEqual(up.code, 0);
    proxy().mend();
    await stack.converges(kept);
  });

  test("two ups at once, from two clones: the second names the first one's lock, and works after it", async () => {
    const other = await cloneProject();
    try {
      level("debug");
      const kept = await stack.kept();
      for (const file of ["Pulumi.dev.yaml", "proxied"])
        copyFileSync(join(stack.clone.directory, file), join(other.directory, file));
      let second: Promise<Run> | undefined;
      const up = ["up", "--yes", "--stack", "dev"];
      const first = await stack.at(["up", "--yes"], { line: /./g, times: 1 }, () => {
        const { pid } = stack.started().find(({ name }) => name === "pulumi") ?? assert.fail("no pulumi runs");
        process.kill(pid, "SIGSTOP");
        second = other.run(up, stack.environment).finally(() => process.kill(pid, "SIGCONT"));
      });
      assert.equal(first.code, 0, first.stdout + first.stderr);
      const refused = (await second) ?? assert.fail("there was no second");
      assert.notEqual(refused.code, 0);
      assert.match(refused.stdout + refused.stderr, /currently locked by 1 lock.*[^]*pulumi cancel/);
      const again = await other.run(up, stack.environment);
      assert.equal(again.code, 0, again.stdout + again.stderr);
      await stack.converges(kept);
    } finally {
      rmSync(other.directory, { recursive: true, force: true });
    }
  });

  test("one of two clusters cannot be reached: it is named, and the other's datacenter is deployed", async () => {
    const kept = await stack.kept();
    configure({
      "kazoo:environment": { KAZOO_LOG_LEVEL: "error" },
      "kazoo:clusters": { local: cluster("local"), other: cluster("other") },
      "kazoo:regions": {
        local: { cluster: "local", datacenters: { dev: {} } },
        far: { cluster: "other", datacenters: { dc: {} } },
      },
    });
    proxies.other?.treat(() => "cut");
    for (const command of ["preview", "up"]) {
      const run = await stack.run(command === "up" ? [command, "--yes"] : [command]);
      assert.notEqual(run.code, 0, command);
      assert.match(run.stderr, /warning: not seen: far-dc: context sandbox-other does not answer/);
    }
    // The previous ConfigMap still exists, because a failed run does not delete replaced objects.
    const environments = await stack.api.list(
      "/api/v1/namespaces/local-dev/configmaps?labelSelector=app.kubernetes.io%2Fname%3Dkazoo",
    );
    assert.ok(environments.some(({ data }) => data?.KAZOO_LOG_LEVEL === "error"));
    proxies.other?.mend();
    await stack.converges(kept);
    const { list } = await clusterApi(stack.clone.directory, "other");
    assert.equal((await list("/apis/apps/v1/namespaces/far-dc/statefulsets")).length, 4);
  });
});
