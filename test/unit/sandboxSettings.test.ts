import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { type Server, createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import * as fc from "fast-check";
import { type CommandOptions, controlPlaneCommands, fingerprint } from "../../tools/sandbox/commands";
import { clusterFiles } from "../../tools/sandbox/files";
import { type ClusterSettings, ensureSettings, networks } from "../../tools/sandbox/settings";

let project: string;
beforeEach(() => (project = mkdtempSync(join(tmpdir(), "kazoo-sandbox-"))));
afterEach(() => rmSync(project, { recursive: true, force: true }));

const settle = async (names: string[], runs = false): Promise<ClusterSettings[]> => [
  ...(await ensureSettings({ project, names, address: "127.0.0.1", runs: () => runs })).values(),
];

async function occupy(port: number): Promise<Server> {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

describe("what a sandbox cluster is given", () => {
  test("stays the same over calls", async () => {
    const first = await settle(["east", "west"]);
    assert.deepEqual(await settle(["east", "west"]), first);
  });

  test("a port that another program took meanwhile is chosen again, the others stay", async () => {
    const [before] = await settle(["east"]);
    assert.ok(before);
    const server = await occupy(before.ports.scheduler);
    try {
      const [after] = await settle(["east"]);
      assert.ok(after);
      assert.notEqual(after.ports.scheduler, before.ports.scheduler);
      assert.deepEqual({ ...after.ports, scheduler: 0 }, { ...before.ports, scheduler: 0 });
      assert.equal(after.id, before.id);
    } finally {
      server.close();
    }
  });

  test("a port that its own program listens on is left alone", async () => {
    const [before] = await settle(["east"]);
    assert.ok(before);
    const server = await occupy(before.ports.apiServer);
    try {
      assert.deepEqual(await settle(["east"], true), [before]);
    } finally {
      server.close();
    }
  });

  test("is its own: no two clusters share a port, a network or an id, also when made again", async () => {
    const [east, west] = await settle(["east", "west"]);
    assert.ok(east && west);
    const ports = [east, west].flatMap((settings) => Object.values(settings.ports));
    assert.equal(new Set(ports).size, ports.length);
    assert.notEqual(east.network, west.network);
    rmSync(clusterFiles(project, "east").directory, { recursive: true });
    const [again] = await settle(["east"]);
    assert.ok(again);
    assert.notEqual(again.id, east.id);
    assert.notEqual(again.network, west.network);
  });

  test("is for its owner's eyes", async () => {
    await settle(["east"]);
    const files = clusterFiles(project, "east");
    assert.equal(statSync(files.settings).mode & 0o777, 0o600);
    assert.equal(statSync(files.directory).mode & 0o777, 0o700);
  });

  test("an address that no interface has is refused", async () => {
    await assert.rejects(
      ensureSettings({ project, names: ["east"], address: "192.0.2.1", runs: () => false }),
      /no network interface of this machine has the address 192\.0\.2\.1/,
    );
  });
});

const settingsOf = (network: number, address = "127.0.0.1"): ClusterSettings => ({
  id: "id",
  network,
  address,
  ports: { etcd: 1, etcdPeer: 2, apiServer: 3, controllerManager: 4, scheduler: 5 },
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

describe("command lines", () => {
  const options = (settings: ClusterSettings, more: Partial<CommandOptions> = {}): CommandOptions => ({
    files: clusterFiles("/project", "east"),
    settings,
    binary: (component) => `/bin/${component}`,
    stages: ["/stages/pod-ready.yaml"],
    ...more,
  });
  const argumentsOf = (component: string, given: CommandOptions): readonly string[] =>
    controlPlaneCommands(given).find((command) => command.component === component)?.args ?? [];

  test("nothing listens on more than loopback, and nothing skips a check", () => {
    for (const { args } of controlPlaneCommands(options(settingsOf(0)))) {
      const text = args.join(" ");
      assert.doesNotMatch(text, /0\.0\.0\.0[: ]|insecure|http:\/\//);
    }
    assert.ok(argumentsOf("kube-apiserver", options(settingsOf(0))).includes("--bind-address=127.0.0.1"));
    assert.ok(argumentsOf("kube-apiserver", options(settingsOf(0))).includes("--authorization-mode=Node,RBAC"));
  });

  test("KWOK manages the nodes that carry its mark alone, and is left out without stages", () => {
    const args = argumentsOf("kwok", options(settingsOf(0)));
    assert.ok(args.includes("--manage-all-nodes=false"));
    assert.ok(args.includes("--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake"));
    const without = controlPlaneCommands(options(settingsOf(0), { stages: undefined }));
    assert.deepEqual(
      without.map(({ component }) => component),
      ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"],
    );
  });

  test("on another address the API server tells pods of it", () => {
    const args = argumentsOf("kube-apiserver", options(settingsOf(0, "10.99.0.1")));
    assert.ok(args.includes("--advertise-address=10.99.0.1"));
    assert.ok(args.includes("--bind-address=10.99.0.1"));
  });

  test("given arguments come last, where they win", () => {
    const extraArguments = { "kube-apiserver": ["--v=4"] };
    assert.equal(argumentsOf("kube-apiserver", options(settingsOf(0), { extraArguments })).at(-1), "--v=4");
  });

  test("a moved API server is seen by all that use it, by etcd not", () => {
    const prints = (port: number): Record<string, string> => {
      const settings = settingsOf(0);
      const moved = { ...settings, ports: { ...settings.ports, apiServer: port } };
      return Object.fromEntries(
        controlPlaneCommands(options(moved)).map((command) => [command.component, fingerprint(command)]),
      );
    };
    const [before, after] = [prints(3), prints(33)];
    const changed = Object.keys(before).filter((component) => before[component] !== after[component]);
    assert.deepEqual(changed, ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]);
  });
});
