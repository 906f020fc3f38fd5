import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, closeSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../support/until";
import { attempt, cacheFolder, findCommand, searchPath, run, type Outcome, type RunOptions } from "./commands";
import { isAlive, withLock } from "./lock";

/** A Docker Engine that answers. */
export interface Engine {
  /** Its address, as DOCKER_HOST; undefined if the client finds it on its own. */
  readonly host: string | undefined;
  /** The environment to give to whatever shall use this engine. */
  readonly env: NodeJS.ProcessEnv;
  /** Runs the Docker client and returns what it prints; throws on failure. */
  docker(args: readonly string[], options?: RunOptions): Promise<string>;
  /** The same, whatever its exit code. */
  tryDocker(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** Ends this process's use of it. An engine started here is stopped when nobody uses it any more. */
  release(): Promise<void>;
}

const data = join(cacheFolder(), "engine");
// Short, since the path of a socket is at most 107 characters; one for each cache, so that engines never share their data.
const key = createHash("sha256").update(data).digest("hex").slice(0, 6);
const runtime = `/run/kazoo-engine-${key}`;
const socket = `unix://${runtime}/docker.sock`;
const leases = join(runtime, "leases");
const pidFile = join(runtime, "docker.pid");
const bridge = `kz-${key}`;

/**
 * Why there is no engine to test with, in one line that says how to get one; undefined if acquireEngine will find one.
 * Use it to skip: `describe("…", { skip: await noEngine() }, …)`.
 */
export async function noEngine(): Promise<string | false> {
  const how =
    "as root on Debian, `apt-get install docker.io debootstrap` lets the tests start one of their own; or set DOCKER_HOST";
  if (findCommand("docker") === undefined) return `no Docker: ${how}`;
  if (await answers(undefined)) return false;
  if (process.env["DOCKER_HOST"]) return `no Docker Engine answers at DOCKER_HOST=${process.env["DOCKER_HOST"]}`;
  if (process.getuid?.() !== 0 || findCommand("dockerd") === undefined) return `no Docker Engine: ${how}`;
  if (findCommand("debootstrap") === undefined) return `no debootstrap for the base images: ${how}`;
  return false;
}

/**
 * An engine to test with: the one that the Docker client reaches, or else a private one, which several processes share
 * while each of them holds it. Its images and its build cache are kept in the user's cache, so that a second run is fast.
 */
export async function acquireEngine(): Promise<Engine> {
  if (await answers(undefined)) return engineAt(undefined, async () => undefined);
  const lease = join(leases, String(process.pid));
  await withLock(`${runtime}.lock`, async () => {
    mkdirSync(leases, { recursive: true });
    writeFileSync(lease, "");
    if (!(await answers(socket))) await start();
  });
  return engineAt(socket, async () => {
    await withLock(`${runtime}.lock`, async () => {
      rmSync(lease, { force: true });
      for (const pid of readdirSync(leases)) if (!isAlive(Number(pid))) rmSync(join(leases, pid));
      if (readdirSync(leases).length === 0) await stop();
    });
  });
}

function engineAt(host: string | undefined, release: () => Promise<void>): Engine {
  // The classic builder: Debian's engine comes without the plugin that BuildKit needs in the client.
  const env = { ...process.env, ...(host === undefined ? {} : { DOCKER_HOST: host }), DOCKER_BUILDKIT: "0" };
  return {
    host,
    env,
    docker: (args, options) => run("docker", args, { env, ...options }),
    tryDocker: (args, options) => attempt("docker", args, { env, ...options }),
    release,
  };
}

async function answers(host: string | undefined): Promise<boolean> {
  const env = host === undefined ? process.env : { ...process.env, DOCKER_HOST: host };
  return (await attempt("docker", ["version", "--format", "{{.Server.Version}}"], { env })).code === 0;
}

/**
 * Starts dockerd so that it changes nothing of this machine but what `stop` undoes: no iptables rules (containers reach
 * each other by their bridge, and published ports are carried by Docker's own proxy), no change of ip_forward, a bridge
 * under a name of its own. Builds that need the network use the host's (`docker build --network host`).
 */
async function start(): Promise<void> {
  mkdirSync(data, { recursive: true });
  await attempt("ip", ["link", "delete", bridge]);
  await run("ip", ["link", "add", bridge, "type", "bridge"]);
  await run("ip", ["address", "add", `172.30.${parseInt(key.slice(0, 2), 16)}.1/24`, "dev", bridge]);
  await run("ip", ["link", "set", bridge, "up"]);

  const log = openSync(join(runtime, "dockerd.log"), "w");
  const daemon = spawn(
    findCommand("dockerd")!,
    [
      ["--host", socket],
      ["--data-root", data],
      ["--exec-root", join(runtime, "exec")],
      ["--pidfile", pidFile],
      ["--bridge", bridge],
      ["--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"],
    ].flat(),
    // It looks for docker-proxy, runc and iptables, and outlives who happens to start it first: neither their PATH nor their TMPDIR will do.
    { detached: true, stdio: ["ignore", log, log], env: { ...process.env, PATH: searchPath(), TMPDIR: undefined } },
  );
  closeSync(log);
  daemon.unref();
  let ended = false;
  daemon.on("exit", () => (ended = true));
  daemon.on("error", () => (ended = true));
  await until("the Docker Engine", async () => {
    if (ended) return true;
    return await answers(socket);
  });
  if (ended) {
    const output = readFileSync(join(runtime, "dockerd.log"), "utf8").trim().split("\n").slice(-5).join("\n");
    throw new Error(`dockerd ended:\n${output}`);
  }
  // Of tests that were killed: a broker on an old volume would keep its old password.
  await clear();
}

/** Removes all containers, networks and volumes of the private engine. */
async function clear(): Promise<void> {
  const env = { ...process.env, DOCKER_HOST: socket };
  const each = async (list: readonly string[], remove: readonly string[]) => {
    const found = (await run("docker", list, { env })).split("\n").filter((name) => name !== "");
    if (found.length > 0) await run("docker", [...remove, ...found], { env });
  };
  await each(["ps", "--all", "--quiet"], ["rm", "--force", "--volumes"]);
  await run("docker", ["network", "prune", "--force"], { env });
  await each(["volume", "ls", "--quiet"], ["volume", "rm", "--force"]);
}

async function stop(): Promise<void> {
  await clear();
  const pid = Number(readFileSync(pidFile, "utf8"));
  process.kill(pid, "SIGTERM");
  await until("the Docker Engine to stop", async () => !isAlive(pid));
  await attempt("ip", ["link", "delete", bridge]);
  // It leaves its mounts behind, such as the network namespace of builds with the host's network.
  const mounts = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => [runtime, data].some((folder) => path.startsWith(`${folder}/`)));
  for (const path of mounts.reverse()) await run("umount", [path]);
  rmSync(runtime, { recursive: true, force: true });
}
