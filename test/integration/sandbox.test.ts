import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, after, before, describe, test } from "node:test";
import { UserError } from "../../tools/shared/terminal";
import { identify } from "../../tools/shared/processes";
import {
  type ClusterStatus,
  type RunningCluster,
  kubeconfigPath,
  sandboxDown,
  sandboxParts,
  sandboxPrograms,
  sandboxStatus,
  sandboxUp,
} from "../../tools/sandbox";
import { type Toolchain, ensureToolchain } from "../../tools/toolchain";
import { type Found, clusterApi, eventually } from "../support/clusterApi";

const silent = (): void => undefined;

interface Condition {
  readonly type: string;
  readonly status: string;
}
const isReady = ({ type, status }: Condition): boolean => type === "Ready" && status === "True";

/** The whole life of two real control planes in one folder; each test continues where the last one ended. */
describe("the sandbox", () => {
  const directory = mkdtempSync(join(tmpdir(), "kazoo-sandbox-"));
  let toolchain: Toolchain;
  before(async () => {
    toolchain = await ensureToolchain(sandboxParts, silent);
  });
  after(async () => {
    await sandboxDown({ directory, purge: true, report: silent });
    rmSync(directory, { recursive: true, force: true });
  });

  const up = (): Promise<RunningCluster[]> =>
    sandboxUp({ directory, clusters: ["east", "west"], toolchain, report: silent });
  const status = async (name: string): Promise<ClusterStatus> => {
    const found = (await sandboxStatus({ directory })).find((cluster) => cluster.name === name);
    assert.ok(found, name);
    return found;
  };
  const pids = async (): Promise<number[]> =>
    (await sandboxStatus({ directory })).flatMap(({ running }) => Object.values(running));

  test("two clusters start, each under 1 GiB, with nodes in three zones", async () => {
    const clusters = await up();
    assert.deepEqual(
      clusters.map(({ context, started }) => [context, started.length]),
      [
        ["sandbox-east", 5],
        ["sandbox-west", 5],
      ],
    );
    for (const name of ["east", "west"]) {
      const { ready, nodes, memory } = await status(name);
      assert.deepEqual({ ready, nodes }, { ready: true, nodes: { total: 6, ready: 6 } });
      assert.ok(memory > 0 && memory < 1024 ** 3, `${memory} bytes`);
      const labels = (await (await clusterApi(directory, name)).list("/api/v1/nodes")).map(
        (node) => node.metadata?.labels ?? {},
      );
      const zones = new Set(labels.map((label) => label["topology.kubernetes.io/zone"]));
      assert.deepEqual([...zones].sort(), [`${name}-a`, `${name}-b`, `${name}-c`]);
      assert.ok(labels.every((label) => label["topology.kubernetes.io/region"] === name));
    }
  });

  test("its files are readable only by their owner", () => {
    const visit = (path: string): void => {
      const found = lstatSync(path);
      if (found.isSymbolicLink()) return; // to the toolchain's programs
      assert.equal(found.mode & 0o077, 0, path);
      if (found.isDirectory()) readdirSync(path).forEach((name) => visit(join(path, name)));
    };
    visit(join(directory, ".sandbox"));
    assert.equal(statSync(kubeconfigPath(directory)).mode & 0o777, 0o600);
  });

  test("it listens on loopback only", async () => {
    for (const pid of await pids()) listening(pid);
  });

  test("each API has its own CA, and accepts no client without a certificate", async () => {
    const { server } = await status("east");
    await assert.rejects(answer(`${server}/api`, undefined), /self.signed|unable to verify/i);
    await assert.rejects(answer(`${server}/api`, await authority("west")), /signature|verify|self.signed/i);
    assert.equal(await answer(`${server}/api`, await authority("east")), 401);
  });

  test("etcd accepts no client without a certificate, and no plain HTTP", async () => {
    const [port] = listening((await status("east")).running.etcd ?? 0);
    assert.ok(port);
    await assert.rejects(answer(`https://127.0.0.1:${port}/version`, await authority("east")), /certificate|alert/i);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/version`));
  });

  test("a StatefulSet with volumes becomes ready and a Job completes, with restricted pods", async () => {
    const api = await clusterApi(directory, "east");
    const made = await Promise.all(
      objects.map(async ([path, object]) => (await api.call("POST", path, object)).status),
    );
    assert.deepEqual(
      made,
      objects.map(() => 201),
    );
    await eventually(
      "three pods ready",
      () => api.list("/apis/apps/v1/namespaces/default/statefulsets"),
      ([set]) => set?.status?.readyReplicas === 3,
    );
    const claims = await api.list("/api/v1/namespaces/default/persistentvolumeclaims");
    assert.deepEqual(
      claims.map((claim) => [claim.status?.phase, claim.spec?.storageClassName]),
      Array.from({ length: 3 }, () => ["Bound", "kwok-volume"]),
    );
    const pods = await api.list("/api/v1/namespaces/default/pods?labelSelector=app%3Dset");
    assert.equal(new Set(pods.map((pod) => pod.spec?.nodeName)).size, 3, "spread over nodes");
    await eventually(
      "the job done",
      () => api.list("/apis/batch/v1/namespaces/default/jobs"),
      ([job]) => job?.status?.succeeded === 1,
    );
  });

  test("pods become ready again after their node was unresponsive", async () => {
    const api = await clusterApi(directory, "east");
    const pod = "/api/v1/namespaces/default/pods/set-0";
    // What the controller manager writes once a node's lease has run out.
    const unready = { status: { conditions: [{ type: "Ready", status: "False" }] } };
    const { status } = await api.call("PATCH", `${pod}/status`, unready, "application/strategic-merge-patch+json");
    assert.equal(status, 200);
    await eventually(
      "the pod ready",
      async () => (await api.call("GET", pod)).body as Found,
      (found) => (found.status?.["conditions"] as Condition[]).some(isReady),
    );
  });

  test("a node that is not simulated is not managed", async () => {
    const api = await clusterApi(directory, "west");
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: "real" } };
    assert.equal((await api.call("POST", "/api/v1/nodes", node)).status, 201);
    // KWOK makes its nodes ready within a second; a simulated node created later proves that it ran.
    const later = {
      ...node,
      metadata: { name: "simulated-later", annotations: { "kwok.x-k8s.io/node": "fake" } },
    };
    assert.equal((await api.call("POST", "/api/v1/nodes", later)).status, 201);
    const conditions = async (name: string): Promise<Condition[]> => {
      const { status: state } = (await api.call("GET", `/api/v1/nodes/${name}`)).body as {
        status?: { conditions?: Condition[] };
      };
      return state?.conditions ?? [];
    };
    await eventually(
      "the simulated node ready",
      () => conditions("simulated-later"),
      (found) => found.some(isReady),
    );
    assert.equal((await conditions("real")).some(isReady), false);
    for (const name of ["real", "simulated-later"]) await api.call("DELETE", `/api/v1/nodes/${name}`);
  });

  test("starting it again does nothing", async () => {
    const before = await pids();
    const clusters = await up();
    assert.deepEqual(
      clusters.map(({ started }) => started),
      [[], []],
    );
    assert.deepEqual(await pids(), before);
  });

  for (const component of sandboxPrograms) {
    test(`a killed ${component} is noticed and restarted, and nothing else is`, async () => {
      const before = (await status("east")).running;
      const killed = before[component];
      assert.ok(killed !== undefined);
      process.kill(killed, "SIGKILL");
      await eventually(
        "it ended",
        () => Promise.resolve(identify(killed)),
        (found) => found === undefined,
      );
      const [east, west] = await up();
      assert.deepEqual([east?.started, west?.started], [[component], []]);
      const after = (await status("east")).running;
      assert.notEqual(after[component], killed);
      assert.deepEqual({ ...after, [component]: 0 }, { ...before, [component]: 0 });
      await dataIsThere();
    });
  }

  test("down stops only its own processes and keeps the data for the next up", async (test) => {
    const before = await pids();
    assert.equal(before.length, 10);
    const ids = (await up()).map(({ id }) => id);
    assert.deepEqual(await sandboxDown({ directory, clusters: ["west"], purge: false, report: silent }), ["west"]);
    assert.equal((await status("east")).ready, true, "the other cluster still runs");
    assert.deepEqual(await sandboxDown({ directory, purge: false, report: silent }), ["east"]);
    assert.deepEqual(before.map(identify), Array(10).fill(undefined));
    // As after a reboot, an unrelated process now has the pid of one of them.
    const stranger = bystander(test);
    writeFileSync(join(directory, ".sandbox/east/clusters/kwok/pids/etcd.pid"), String(stranger.pid));
    assert.deepEqual((await status("east")).running, {});
    const again = await up();
    assert.deepEqual(
      again.map(({ id }) => id),
      ids,
    );
    await dataIsThere();
    await sandboxDown({ directory, clusters: ["east"], purge: false, report: silent });
    assert.ok(identify(stranger.pid ?? 0), "the stranger runs on");
  });

  test("a sandbox of an earlier version keeps its data", async (test) => {
    await up();
    const { id } = (await up())[0] ?? assert.fail();
    const { server } = await status("east");
    await sandboxDown({ directory, clusters: ["east"], purge: false, report: silent });
    // What that version left: no kwokctl, its own port settings, and a record of the processes that it started.
    const old = join(directory, ".sandbox/east");
    rmSync(join(old, "clusters"), { recursive: true });
    rmSync(join(old, "kubectl"));
    const settings = JSON.parse(readFileSync(join(old, "settings.json"), "utf8")) as object;
    const ports = {
      etcd: 20_001,
      etcdPeer: 20_003,
      apiServer: Number(new URL(server).port),
      controllerManager: 20_005,
      scheduler: 20_007,
    };
    writeFileSync(join(old, "settings.json"), JSON.stringify({ ...settings, port: undefined, ports }));
    mkdirSync(join(old, "pki"));
    writeFileSync(join(old, "etcd.log"), "");
    const program = bystander(test);
    writeFileSync(join(old, "processes.json"), JSON.stringify({ etcd: identify(program.pid ?? 0) }));

    assert.equal((await status("east")).server, server);
    const [east] = await up();
    assert.deepEqual([east?.id, east?.server], [id, server]);
    assert.equal(identify(program.pid ?? 0), undefined, "its programs have ended");
    await dataIsThere();
    assert.deepEqual(readdirSync(old).sort(), ["clusters", "etcd", "kubectl", "settings.json"]);
  });

  test("an audit log is written on request, without the contents of Secrets", async () => {
    const [east] = await sandboxUp({ directory, clusters: ["east"], toolchain, report: silent, audit: true });
    assert.equal(east?.started.length, 5);
    assert.deepEqual((await up())[0]?.started, [], "the choice stays");
    const api = await clusterApi(directory, "east");
    for (const [kind, path] of [
      ["Secret", "secrets"],
      ["ConfigMap", "configmaps"],
    ] as const) {
      const object = {
        apiVersion: "v1",
        kind,
        metadata: { name: "planted" },
        [kind === "Secret" ? "stringData" : "data"]: { key: `planted-${path}` },
      };
      assert.equal((await api.call("POST", `/api/v1/namespaces/default/${path}`, object)).status, 201);
    }
    const log = readFileSync(join(directory, ".sandbox/east/audit.log"), "utf8");
    assert.match(log, /planted-configmaps/);
    assert.match(log, /"requestURI":"\/api\/v1\/namespaces\/default\/secrets"/);
    assert.doesNotMatch(log, /planted-secrets/);
    assert.ok(!log.includes(Buffer.from("planted-secrets").toString("base64")));
  });

  test("purge removes everything, and the next up creates a new cluster", async () => {
    const before = await up();
    await sandboxDown({ directory, clusters: ["east"], purge: true, report: silent });
    assert.deepEqual(
      (await sandboxStatus({ directory })).map(({ name }) => name),
      ["west"],
    );
    assert.doesNotMatch(readFileSync(kubeconfigPath(directory), "utf8"), /sandbox-east/);
    const [east] = await sandboxUp({ directory, clusters: ["east"], toolchain, report: silent });
    assert.notEqual(east?.id, before[0]?.id);
    assert.deepEqual(await (await clusterApi(directory, "east")).list("/apis/apps/v1/statefulsets"), []);
    await sandboxDown({ directory, purge: true, report: silent });
    assert.deepEqual(readdirSync(join(directory, ".sandbox")), []);
  });

  test("a program that exits at its start is named, with the end and the path of its log", async () => {
    const extraFlags = { "kube-scheduler": { "feature-gates": "Nothing=true" } };
    await assert.rejects(
      sandboxUp({ directory, clusters: ["north"], toolchain, extraFlags, report: silent }),
      (error: unknown) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, /kube-scheduler of the sandbox cluster north exited before it became ready/);
        assert.match(error.message, /unrecognized feature gate: Nothing/);
        const log = / (\/\S+\.log)/.exec(error.next ?? "")?.[1] ?? "";
        assert.match(readFileSync(log, "utf8"), /unrecognized feature gate: Nothing/);
        return true;
      },
    );
    // Once the flag is correct, the same command starts the cluster.
    const [north] = await sandboxUp({ directory, clusters: ["north"], toolchain, report: silent });
    assert.equal(north?.started.length, 5);
  });

  test("a controller that gave up waiting for a slow API server is started again", async () => {
    const name = "kube-controller-manager";
    const program = waitsOnce();
    const waiting: Toolchain = {
      ...toolchain,
      kwokStages: toolchain.kwokStages,
      binary: (part) => (part === name ? program : toolchain.binary(part)),
    };
    const starting = sandboxUp({ directory, clusters: ["north"], toolchain: waiting, report: silent });
    const { running } = await eventually(
      "the API server to be ready",
      () => status("north"),
      ({ ready, running }) => ready && running[name] !== undefined,
    );
    process.kill(running[name] ?? assert.fail());
    assert.equal((await starting)[0]?.started.length, 5);
  });

  test("Ctrl-C stops the programs that the command has started, and nothing else", async () => {
    const before = await pids();
    // One of the two new clusters becomes ready, while the other one waits.
    const program = `
      const { sandboxParts, sandboxUp } = require("./tools/sandbox");
      const { ensureToolchain } = require("./tools/toolchain");
      const [directory, waiting] = process.argv.slice(1);
      const report = console.log;
      ensureToolchain(sandboxParts, report)
        .then(({ kwokStages, binary }) => ({
          kwokStages,
          binary: (part) => (part === "kube-controller-manager" ? waiting : binary(part)),
        }))
        .then((toolchain) => sandboxUp({ directory, clusters: ["north", "south", "east"], toolchain, report }))
        .catch(({ message }) => console.log(message));`;
    const child = spawn(
      process.execPath,
      ["--require", "./tools/shared/typescript.js", "--eval", program, directory, waitsOnce()],
      { cwd: join(__dirname, "../.."), stdio: ["ignore", "pipe", "inherit"] },
    );
    let said = "";
    for await (const text of child.stdout.setEncoding("utf8")) {
      said += String(text);
      if (/ready after/.test(said) && !child.killed) child.kill("SIGINT");
    }
    assert.match(said, /interrupted/);
    for (const name of ["south", "east"]) assert.deepEqual((await status(name)).running, {}, said);
    assert.deepEqual(await pids(), before, "the other cluster still runs");
  });

  /** A controller manager whose next start waits until it is killed; any other start runs the real one. */
  function waitsOnce(): string {
    const program = join(directory, "kube-controller-manager");
    rmSync(`${program}.waits`, { recursive: true, force: true });
    const wait = `[[ $1 != --version ]] && mkdir ${program}.waits 2>/dev/null && exec -a $0 sleep 1000`;
    writeFileSync(program, `#!/bin/bash\n${wait}\nexec ${toolchain.binary("kube-controller-manager")} "$@"\n`, {
      mode: 0o755,
    });
    return program;
  }

  /** The CA certificate of a cluster, as PEM. */
  async function authority(name: string): Promise<string> {
    const { KubeConfig } = await import("@kubernetes/client-node");
    const kubeconfig = new KubeConfig();
    kubeconfig.loadFromFile(kubeconfigPath(directory));
    const data = kubeconfig.getCluster(`sandbox-${name}`)?.caData ?? assert.fail(`no cluster ${name}`);
    return Buffer.from(data, "base64").toString("utf8");
  }

  async function dataIsThere(): Promise<void> {
    const sets = await (await clusterApi(directory, "east")).list("/apis/apps/v1/namespaces/default/statefulsets");
    assert.deepEqual(
      sets.map((set) => set.metadata?.name),
      ["set"],
    );
  }
});

/** A process that belongs to no sandbox; stopped after the test. */
function bystander(test: TestContext): ChildProcess {
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  test.after(() => child.kill("SIGKILL"));
  return child;
}

/** The ports that a process listens on; asserts that all are on loopback. */
function listening(pid: number): number[] {
  // Sockets that listen (state 0A), by process: /proc/PID/net/tcp lists those of the whole network namespace.
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed since the listing
      }
    }),
  );
  return ["tcp", "tcp6"].flatMap((family) => {
    const rows = readFileSync(`/proc/${pid}/net/${family}`, "utf8").trim().split("\n").slice(1);
    return rows
      .map((line) => line.trim().split(/\s+/))
      .filter((row) => row[3] === "0A" && own.has(row[9] ?? ""))
      .map((row) => {
        assert.match(row[1] ?? "", /^0100007F:/, `process ${pid} listens on ${row[1]}`);
        return parseInt((row[1] ?? "").split(":")[1] ?? "", 16);
      });
  });
}

/** The status of an anonymous request that trusts this CA (PEM), or the system's. */
function answer(url: string, authority: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    const trust = authority === undefined ? {} : { ca: authority };
    get(url, trust, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", reject);
  });
}

const podSpec = (more: object): object => ({
  securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
  containers: [
    {
      name: "main",
      image: "none:1",
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    },
  ],
  ...more,
});

const objects: [path: string, object: object][] = [
  [
    "/apis/apps/v1/namespaces/default/statefulsets",
    {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name: "set" },
      spec: {
        serviceName: "set",
        replicas: 3,
        selector: { matchLabels: { app: "set" } },
        template: {
          metadata: { labels: { app: "set" } },
          spec: podSpec({
            topologySpreadConstraints: [
              {
                maxSkew: 1,
                topologyKey: "topology.kubernetes.io/zone",
                whenUnsatisfiable: "DoNotSchedule",
                labelSelector: { matchLabels: { app: "set" } },
              },
            ],
          }),
        },
        volumeClaimTemplates: [
          {
            metadata: { name: "data" },
            spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
          },
        ],
      },
    },
  ],
  [
    "/apis/batch/v1/namespaces/default/jobs",
    {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "job" },
      spec: { template: { spec: podSpec({ restartPolicy: "Never" }) } },
    },
  ],
];
