import { existsSync, readFileSync, rmSync } from "node:fs";
import { poll } from "../shared/interrupt";
import { UserError } from "../shared/terminal";
import { type Api, connect } from "./api";
import { type ClusterFiles, type Component, components, readText, writePrivate } from "./files";
import { type ClusterOptions, clusterConfig, createCluster, startCluster } from "./kwokctl";
import { clusterPorts } from "./ports";
import { endPrograms, runningPrograms } from "./programs";
import { type ClusterSettings, serverUrl } from "./settings";
import { simulatedNodes, storageClass } from "./simulation";

/** Milliseconds that a program may take to become ready; on two very busy cores a start was seen to take 20 s. */
const patience = 180_000;

/**
 * Starts the programs of a cluster that do not run, and waits until all are ready. A cluster that was created from
 * another configuration is stopped and recreated with the same data.
 * @throws UserError naming the program that exited or did not become ready, with the end of its log
 */
export async function startControlPlane(options: ClusterOptions & { readonly signal: AbortSignal }): Promise<void> {
  const { files, settings, signal } = options;
  const wanted = components.filter((component) => component !== "kwok" || options.simulatedNodes > 0);
  const startMissing = async (): Promise<void> => {
    const running = runningPrograms(files);
    const missing = wanted.filter((component) => running[component] === undefined);
    if (missing.length === 0) return;
    // kwokctl assumes that a process with the id in this file is the program.
    for (const component of missing) rmSync(files.processNumber(component), { force: true });
    await startCluster(options);
  };
  const config = clusterConfig(options);
  if (readText(files.config) !== config) {
    await endPrograms(runningPrograms(files));
    rmSync(files.config, { force: true });
    rmSync(files.work, { recursive: true, force: true });
    await createCluster(options, config);
    writePrivate(files.config, config);
  } else await startMissing();

  const api = connect(files);
  try {
    const first: Component[] = ["etcd", "kube-apiserver"];
    await untilReady(files, first, signal, () => unhealthy(settings, first, api));
    const nodes = simulatedNodes(files.name, options.simulatedNodes);
    const objects = nodes.length === 0 ? [] : [storageClass, ...nodes];
    const server = serverUrl(settings);
    await Promise.all(objects.map(({ path, object }) => api.apply(server + path, object)));
    // For existing nodes, applying the object does not change the size, which is in the status.
    await Promise.all(nodes.map(({ path, object }) => api.apply(`${server}${path}/status`, object)));
    const lagging = async (): Promise<Component | undefined> => {
      const states = await Promise.all(nodes.map(({ path }) => api.get(server + path)));
      const nodesReady = states.every((state) => state !== undefined && isReadyNode(JSON.parse(state.body)));
      return (await unhealthy(settings, wanted, api)) ?? (nodesReady ? undefined : "kwok");
    };
    // kwokctl starts all programs at once, and controllers exit when the API server does not answer within ten seconds.
    await untilReady(files, wanted, signal, lagging, startMissing);
  } finally {
    api.close();
  }
}

/**
 * Waits until `lagging` returns nothing. With `restart`, which starts what does not run, each program may exit once.
 * @throws UserError naming a program that exited or takes too long
 */
async function untilReady(
  files: ClusterFiles,
  wanted: readonly Component[],
  signal: AbortSignal,
  lagging: () => Promise<Component | undefined>,
  restart?: () => Promise<void>,
): Promise<void> {
  let last: Component | undefined;
  const restarted = new Set<Component>();
  const ready = await poll(patience, signal, async () => {
    const running = runningPrograms(files);
    const exited = wanted.filter((component) => running[component] === undefined);
    const failed = exited.find((component) => restart === undefined || restarted.has(component));
    if (failed !== undefined) throw failure(files, failed, "exited before it became ready");
    exited.forEach((component) => restarted.add(component));
    if (exited.length > 0) await restart?.();
    last = await lagging();
    return last === undefined ? true : undefined;
  });
  if (ready === undefined && last !== undefined) throw failure(files, last, `is not ready after ${patience / 1000} s`);
}

/** The first of these programs whose health endpoint does not say that it is ready. */
async function unhealthy(
  settings: ClusterSettings,
  wanted: readonly Component[],
  api: Api,
): Promise<Component | undefined> {
  const ports = clusterPorts(settings.port);
  const health: Partial<Record<Component, string>> = {
    "kube-apiserver": `${serverUrl(settings)}/readyz`,
    "kube-controller-manager": `https://127.0.0.1:${ports.controllerManager}/healthz`,
    "kube-scheduler": `https://127.0.0.1:${ports.scheduler}/healthz`,
  };
  for (const component of wanted) {
    const url = health[component];
    if (url !== undefined && (await api.get(url))?.status !== 200) return component;
  }
  return undefined;
}

/** Whether a node, as the API server describes it, is ready and takes pods. */
export function isReadyNode(node: {
  readonly spec?: { readonly taints?: readonly unknown[] };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}): boolean {
  const ready = node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  return ready && (node.spec?.taints ?? []).length === 0;
}

function failure(files: ClusterFiles, component: Component, what: string): UserError {
  const log = files.log(component);
  const lines = existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n").slice(-8) : [];
  return new UserError(
    [`${component} of the sandbox cluster ${files.name} ${what}; the end of its log:`, ...lines].join("\n  "),
    `read ${log}, then run the same command again`,
  );
}
