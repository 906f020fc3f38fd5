import { rmSync } from "node:fs";
import { join } from "node:path";
import { interruptible } from "../shared/interrupt";
import { withLock } from "../shared/lock";
import { requireProc, residentMemory } from "../shared/processes";
import { type Report, UserError } from "../shared/terminal";
import type { Toolchain } from "../toolchain";
import { connect } from "./api";
import { isReadyNode, startControlPlane } from "./controlPlane";
import {
  type ClusterFiles,
  type Component,
  clusterFiles,
  clusterNames,
  components,
  kubeconfigPath,
  sandboxDirectory,
} from "./files";
import { contextName, writeKubeconfig } from "./kubeconfig";
import type { ClusterOptions } from "./kwokctl";
import { endEarlierPrograms } from "./earlier";
import { type Programs, endPrograms, runningPrograms, startedSince } from "./programs";
import { ensureSettings, networks, readSettings, serverUrl } from "./settings";

export { contextName, kubeconfigPath };

/** Parts of the toolchain that a sandbox needs. */
export const sandboxParts = [...components, "kwokctl"] as const;

/** The programs that run in a sandbox cluster. */
export const sandboxPrograms: readonly Component[] = components;

/** Options of {@link sandboxUp}. */
export interface SandboxUpOptions {
  /** Folder of the project; the sandbox keeps everything in its subfolder `.sandbox`. */
  readonly directory: string;
  /** Names of the clusters to run; other clusters of this sandbox are not touched. */
  readonly clusters: readonly string[];
  readonly toolchain: Toolchain;
  readonly report: Report;
  /** Address that the API servers listen on, of an existing network interface; default loopback. */
  readonly address?: string;
  /** Simulated nodes of each cluster, over three zones; default 6. With 0 KWOK is not started. */
  readonly simulatedNodes?: number;
  /** Additional flags per program, without `--`; they override the sandbox's own. Default none. */
  readonly extraFlags?: ClusterOptions["extraFlags"];
  /** Whether the API servers write an audit log; default: unchanged, and off for a new cluster. */
  readonly audit?: boolean;
}

/** A cluster before the command: which of its programs were running. */
interface Before {
  readonly files: ClusterFiles;
  readonly running: Programs;
}

/** A running cluster, as {@link sandboxUp} returns it. */
export interface RunningCluster {
  readonly name: string;
  /** Unique: a cluster that is recreated under the same name after a purge has another id. */
  readonly id: string;
  readonly context: string;
  readonly server: string;
  /** The programs that had to be started; empty if the cluster was already running. */
  readonly started: readonly Component[];
}

/**
 * Refuses a machine or a folder that cannot run a sandbox. kwokctl splits the programs' command lines at blanks, even at those in paths (seen
 * with 0.8.0).
 * @throws UserError
 */
export function requireSandboxHost(directory: string): void {
  requireProc();
  if (!/\s/.test(directory)) return;
  throw new UserError(
    `the sandbox needs a folder whose path has no spaces (found: ${directory})`,
    "move the clone to another folder, or use another cluster for the stack: see docs/sandbox.md#kind",
  );
}

/**
 * Starts each named cluster: real etcd, API server, controller manager and scheduler, with nodes that KWOK simulates.
 * Starts only programs that do not run, and keeps the cluster's data. Ctrl-C ends all programs that it has started.
 * @throws UserError naming the program that does not start, with the end of its log
 */
export async function sandboxUp(options: SandboxUpOptions): Promise<RunningCluster[]> {
  const { directory, toolchain, report, address = "127.0.0.1" } = options;
  requireSandboxHost(directory);
  const names = [...new Set(options.clusters)];
  names.forEach(checkName);
  return locked(directory, report, async (signal) => {
    await Promise.all(names.map((name) => endEarlierPrograms(clusterFiles(directory, name))));
    const before = names.map((name): Before => {
      const files = clusterFiles(directory, name);
      return { files, running: runningPrograms(files) };
    });
    const settings = await ensureSettings(directory, names, { address, audit: options.audit });
    const one = async ({ files, running }: Before): Promise<RunningCluster> => {
      const { name } = files;
      const cluster = settings.get(name);
      if (cluster === undefined) throw new Error(`no settings of ${name}`);
      if (Object.keys(running).length === 0) report(`sandbox cluster ${name}: starting`);
      const began = Date.now();
      await startControlPlane({
        files,
        settings: cluster,
        binary: (part) => toolchain.binary(part),
        stages: toolchain.kwokStages,
        simulatedNodes: options.simulatedNodes ?? 6,
        ...(options.extraFlags === undefined ? {} : { extraFlags: options.extraFlags }),
        signal,
      });
      const seconds = ((Date.now() - began) / 1000).toFixed(1);
      const programs = startedSince(files, running);
      const started = components.filter((component) => component in programs);
      if (started.length > 0) report(`sandbox cluster ${name}: ready after ${seconds} s (${started.join(", ")})`);
      return { name, id: cluster.id, context: contextName(name), server: serverUrl(cluster), started };
    };
    // Wait for all before reporting a failure, so that nothing continues to run after this function returns.
    const results = await Promise.allSettled(before.map(one));
    writeKubeconfig(directory);
    if (signal.aborted) {
      await Promise.all(before.map(({ files, running }) => endPrograms(startedSince(files, running))));
      signal.throwIfAborted();
    }
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  });
}

/**
 * Ends the processes of the sandbox's clusters, and no others. Data stays for the next start, unless `purge`.
 * @param options.clusters names of the clusters to end; default all
 * @returns the names of the clusters that had something running or, with `purge`, were removed
 */
export async function sandboxDown(options: {
  readonly directory: string;
  readonly clusters?: readonly string[];
  readonly purge: boolean;
  readonly report: Report;
}): Promise<string[]> {
  const { directory, purge, report } = options;
  const known = clusterNames(directory);
  const unknown = options.clusters?.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UserError(`there is no sandbox cluster ${unknown}`, `there are: ${known.join(", ") || "none"}`);
  }
  if (known.length === 0) return [];
  return locked(directory, report, async () => {
    const ended = await Promise.all(
      (options.clusters ?? known).map(async (name) => {
        const files = clusterFiles(directory, name);
        const stopped = [...(await endEarlierPrograms(files)), ...(await endPrograms(runningPrograms(files)))];
        if (purge) rmSync(files.directory, { recursive: true, force: true });
        if (purge) report(`sandbox cluster ${name}: removed with its data`);
        else if (stopped.length > 0) report(`sandbox cluster ${name}: stopped, data kept`);
        return purge || stopped.length > 0 ? [name] : [];
      }),
    );
    if (purge) writeKubeconfig(directory);
    return ended.flat();
  });
}

/** The state of a sandbox cluster. */
export interface ClusterStatus {
  readonly name: string;
  readonly context: string;
  readonly server: string;
  readonly podNetwork: string;
  readonly serviceNetwork: string;
  /** Process id of each running program. */
  readonly running: Readonly<Partial<Record<Component, number>>>;
  /** Memory of all its programs, in bytes. */
  readonly memory: number;
  /** Whether the API server answers and is ready. */
  readonly ready: boolean;
  readonly nodes: { readonly total: number; readonly ready: number };
}

/** Reads the state of every cluster of the project's sandbox; changes nothing. */
export async function sandboxStatus(options: { readonly directory: string }): Promise<ClusterStatus[]> {
  const states = clusterNames(options.directory).map(async (name): Promise<ClusterStatus[]> => {
    const files = clusterFiles(options.directory, name);
    const settings = readSettings(files);
    if (settings === undefined) return [];
    const processes = Object.entries(runningPrograms(files));
    const ranges = networks(settings);
    return [
      {
        name,
        context: contextName(name),
        server: serverUrl(settings),
        podNetwork: ranges.pods,
        serviceNetwork: ranges.services,
        running: Object.fromEntries(processes.map(([component, { pid }]) => [component, pid])),
        memory: processes.reduce((sum, [, id]) => sum + residentMemory(id), 0),
        ...(await askServer(files, serverUrl(settings))),
      },
    ];
  });
  return (await Promise.all(states)).flat();
}

async function askServer(files: ClusterFiles, server: string): Promise<Pick<ClusterStatus, "ready" | "nodes">> {
  const down = { ready: false, nodes: { total: 0, ready: 0 } };
  if (runningPrograms(files)["kube-apiserver"] === undefined) return down;
  const api = connect(files);
  try {
    const [readiness, answer] = await Promise.all([api.get(`${server}/readyz`), api.get(`${server}/api/v1/nodes`)]);
    if (readiness?.status !== 200 || answer?.status !== 200) return down;
    const { items } = JSON.parse(answer.body) as { items: Parameters<typeof isReadyNode>[0][] };
    return { ready: true, nodes: { total: items.length, ready: items.filter(isReadyNode).length } };
  } finally {
    api.close();
  }
}

function locked<T>(directory: string, report: Report, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const lock = join(sandboxDirectory(directory), "lock");
  const waiting = (pid: number): void => {
    // Runs side by side in this process take turns.
    if (pid !== process.pid) report(`waiting for another command on this sandbox (process ${pid})`);
  };
  return interruptible((signal) => withLock(lock, waiting, () => work(signal), signal));
}

/** Files beside the clusters' folders. */
const reserved = ["kubeconfig", "lock"];

function checkName(name: string): void {
  if (/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/.test(name) && !reserved.includes(name)) return;
  throw new UserError(
    `${JSON.stringify(name)} cannot be the name of a sandbox cluster`,
    `use at most 40 of a-z, 0-9 and "-", starting and ending with a letter or digit; not ${reserved.join(" or ")}`,
  );
}
