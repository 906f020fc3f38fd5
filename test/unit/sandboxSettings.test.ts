import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type Server, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import * as fc from "fast-check";
import { parseAllDocuments } from "yaml";
import { clusterFiles } from "../../tools/sandbox/files";
import { type ClusterOptions, clusterConfig } from "../../tools/sandbox/kwokctl";
import { clusterPorts } from "../../tools/sandbox/ports";
import { type ClusterSettings, ensureSettings, networks, readSettings, serverUrl } from "../../tools/sandbox/settings";

let project: string;
beforeEach(() => (project = mkdtempSync(join(tmpdir(), "kazoo-sandbox-"))));
afterEach(() => rmSync(project, { recursive: true, force: true }));

const settle = async (names: string[], audit?: boolean): Promise<ClusterSettings[]> => [
  ...(await ensureSettings(project, names, { address: "127.0.0.1", audit })).values(),
];

async function occupy(port: number): Promise<Server> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

describe("the settings of a sandbox cluster", () => {
  test("stay the same from call to call", async () => {
    const first = await settle(["east", "west"]);
    assert.deepEqual(await settle(["east", "west"]), first);
  });

  test("only the ports are chosen again, if another program has taken one", async () => {
    const [before] = await settle(["east"]);
    assert.ok(before);
    const server = await occupy(clusterPorts(before.port).scheduler);
    try {
      const [after] = await settle(["east"]);
      assert.ok(after);
      assert.notEqual(after.port, before.port);
      assert.deepEqual({ ...after, port: 0 }, { ...before, port: 0 });
    } finally {
      server.close();
    }
  });

  test("are unique: no two clusters share a port, a network or an id, also after being created again", async () => {
    const [east, west] = await settle(["east", "west"]);
    assert.ok(east && west);
    const ports = [east, west].flatMap(({ port }) => Object.values(clusterPorts(port)));
    assert.equal(new Set(ports).size, ports.length);
    assert.notEqual(east.network, west.network);
    rmSync(clusterFiles(project, "east").directory, { recursive: true });
    const [again] = await settle(["east"]);
    assert.ok(again);
    assert.notEqual(again.id, east.id);
    assert.notEqual(again.network, west.network);
  });

  test("keep an audit log until it is switched off", async () => {
    const audits = async (given?: boolean) => (await settle(["east"], given))[0]?.audit ?? false;
    assert.deepEqual(
      [await audits(), await audits(true), await audits(), await audits(false), await audits()],
      [false, true, true, false, false],
    );
  });

  test("are readable only by their owner", async () => {
    await settle(["east"]);
    const files = clusterFiles(project, "east");
    assert.equal(statSync(files.settings).mode & 0o777, 0o600);
    assert.equal(statSync(files.directory).mode & 0o777, 0o700);
  });

  test("refuse an address that no interface has", async () => {
    await assert.rejects(
      ensureSettings(project, ["east"], { address: "192.0.2.1" }),
      /no network interface of this machine has the address 192\.0\.2\.1/,
    );
  });

  test("of an earlier version keep id, networks and server", async () => {
    await settle(["east"]);
    const files = clusterFiles(project, "east");
    const ports = { etcd: 1, etcdPeer: 2, apiServer: 23456, controllerManager: 4, scheduler: 5 };
    writeFileSync(files.settings, JSON.stringify({ id: "some", network: 3, address: "127.0.0.1", ports }));
    const read = readSettings(files);
    assert.ok(read);
    assert.equal(serverUrl(read), "https://127.0.0.1:23456");
    assert.deepEqual([read.id, networks(read).pods], ["some", "10.6.0.0/16"]);
  });
});

const settingsOf = (network: number, address = "127.0.0.1"): ClusterSettings => ({
  id: "id",
  network,
  address,
  port: 20_000,
});

test("the networks of different clusters never overlap", () => {
  const network = fc.integer({ min: 0, max: 127 });
  fc.assert(
    fc.property(network, network, (a, b) => {
      fc.pre(a !== b);
      const all = [a, b].flatMap((number) => {
        const { pods, services, serviceAddress } = networks(settingsOf(number));
        assert.ok(serviceAddress.startsWith(services.replace(/\.0\.0\/16$/, ".")));
        return [pods, services];
      });
      assert.equal(new Set(all).size, 4);
      for (const range of all) assert.match(range, /^10\.(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])\.0\.0\/16$/);
    }),
  );
});

describe("kwokctl's configuration of a cluster", () => {
  interface Configuration {
    readonly options: Readonly<Record<string, unknown>>;
    readonly componentsPatches: { name: string; extraArgs: { key: string; value: string; override: boolean }[] }[];
  }
  const configOf = (settings: ClusterSettings, more: Partial<ClusterOptions> = {}) => {
    const text = clusterConfig({
      files: clusterFiles("/project", "east"),
      settings,
      binary: (part) => `/bin/${part}`,
      stages: "/stages",
      simulatedNodes: 6,
      ...more,
    });
    const { options, componentsPatches } = parseAllDocuments(text)[0]?.toJS() as Configuration;
    const flagsOf = (name: string): Record<string, string> =>
      Object.fromEntries(
        componentsPatches.find((patch) => patch.name === name)?.extraArgs.map(({ key, value }) => [key, value]) ?? [],
      );
    return { text, options, flagsOf };
  };

  test("nothing listens on more than loopback, and nothing skips a check", () => {
    const { text, options, flagsOf } = configOf(settingsOf(0));
    assert.equal(options.bindAddress, "127.0.0.1");
    assert.equal(flagsOf("kube-apiserver")["bind-address"], "127.0.0.1");
    assert.doesNotMatch(text, /0\.0\.0\.0[: ]|insecure|http:\/\//);
    assert.equal(flagsOf("etcd")["client-cert-auth"], "true");
  });

  test("KWOK manages only the nodes with its annotation, and does not run without any", () => {
    const flags = configOf(settingsOf(0)).flagsOf("kwok-controller");
    assert.equal(flags["manage-all-nodes"], "false");
    assert.equal(flags["manage-nodes-with-annotation-selector"], "kwok.x-k8s.io/node=fake");
    assert.deepEqual(configOf(settingsOf(0), { simulatedNodes: 0 }).options.disable, ["kwok-controller"]);
  });

  test("on another address, the API server advertises it to pods, and kubeconfigs use it", () => {
    const { flagsOf } = configOf(settingsOf(0, "10.99.0.1"));
    assert.equal(flagsOf("kube-apiserver")["advertise-address"], "10.99.0.1");
    assert.equal(flagsOf("kube-apiserver")["bind-address"], "10.99.0.1");
    assert.equal(flagsOf("kube-scheduler")["master"], "https://10.99.0.1:20002");
  });

  test("additional flags override the sandbox's own", () => {
    const extraFlags = { "kube-controller-manager": { "concurrent-namespace-syncs": 1, v: 4 } };
    const flags = configOf(settingsOf(0), { extraFlags }).flagsOf("kube-controller-manager");
    assert.deepEqual([flags["concurrent-namespace-syncs"], flags["v"]], ["1", "4"]);
  });
});
