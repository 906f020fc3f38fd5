import { existsSync, readFileSync } from "node:fs";
import { poll } from "../shared/interrupt";
import { type ProcessId, endProcess, isAlive, startDetached } from "../shared/processes";
import { UserError } from "../shared/terminal";
import { type Api, connect } from "./api";
import { type Command, controlPlaneCommands, fingerprint, serverUrl } from "./commands";
import { type ClusterFiles, readJson, writePrivate } from "./files";
import { writeComponentKubeconfigs } from "./kubeconfig";
import { ensurePki } from "./pki";
import { type ClusterSettings, type Component, components, networks } from "./settings";
import { simulatedNodes, stageFiles, storageClass } from "./simulation";

/** A program as it was started: which process, with which command line. */
interface Started extends ProcessId {
  readonly fingerprint: string;
}
type Processes = Partial<Record<Component, Started>>;

/** What a control plane is started with. */
export interface ControlPlaneOptions {
  readonly files: ClusterFiles;
  readonly settings: ClusterSettings;
  /** Absolute path of a program. */
  readonly binary: (component: Component) => string;
  /** KWOK's stage files' folder. */
  readonly stages: string;
  /** Nodes that KWOK simulates; with 0 KWOK is not started, so that claims bind only to volumes made by others. */
  readonly simulatedNodes: number;
  /** Put behind a program's own arguments, where a flag's last value wins. */
  readonly extraArguments?: Partial<Readonly<Record<Component, readonly string[]>>>;
  readonly signal: AbortSignal;
}

/** Milliseconds that a program may take to become ready; on two busy cores a start was seen to take 15 s. */
const patience = 90_000;

/**
 * Brings the programs of one cluster to where they all run with the wanted command lines and are ready: starts what does
 * not run, starts anew what was started otherwise, leaves alone what is right.
 * @returns the programs that it started; none when all was well
 * @throws UserError naming the program that ended or did not become ready, with the end of its log
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<Component[]> {
  const { files, settings, signal } = options;
  await ensurePki(files, { address: settings.address, serviceAddress: networks(settings).serviceAddress });
  writeComponentKubeconfigs(files, settings);
  const commands = controlPlaneCommands({
    ...options,
    stages: options.simulatedNodes === 0 ? undefined : stageFiles(options.stages),
  });
  const processes = readProcesses(files);
  const wrong = components.filter((component) => {
    const command = commands.find((candidate) => candidate.component === component);
    const process = processes[component];
    return process !== undefined && (command === undefined || process.fingerprint !== fingerprint(command));
  });
  await endComponents(files, wrong);

  const started: Component[] = [];
  const startMissing = (command: Command): void => {
    if (readProcesses(files)[command.component] !== undefined) return;
    start(files, command);
    started.push(command.component);
  };
  const api = connect(files);
  try {
    // Controllers give up when the API server does not answer for ten seconds: they come after it.
    const first = commands.filter(({ component }) => component === "etcd" || component === "kube-apiserver");
    first.forEach(startMissing);
    await untilReady(files, first, signal, () => unhealthy(first, api));
    commands.forEach(startMissing);
    const nodes = simulatedNodes(files.name, options.simulatedNodes);
    const objects = nodes.length === 0 ? [] : [storageClass, ...nodes];
    const server = serverUrl(settings);
    await Promise.all(objects.map(({ path, object }) => api.apply(server + path, object)));
    await untilReady(files, commands, signal, async () => {
      const states = await Promise.all(nodes.map(({ path }) => api.get(server + path)));
      const nodesReady = states.every((state) => state !== undefined && isReadyNode(state.body));
      return (await unhealthy(commands, api)) ?? (nodesReady ? undefined : "kwok");
    });
  } finally {
    api.close();
  }
  return started;
}

/** Ends the programs of a cluster in order: those that use the API server first, the store last. */
export async function stopControlPlane(files: ClusterFiles): Promise<Component[]> {
  const running = components.filter((component) => readProcesses(files)[component] !== undefined);
  await endComponents(files, running);
  return running;
}

/** The programs of a cluster that run now. */
export function readProcesses(files: ClusterFiles): Processes {
  const noted = readJson<Processes>(files.processes) ?? {};
  return Object.fromEntries(Object.entries(noted).filter(([, process]) => isAlive(process)));
}

function start(files: ClusterFiles, command: Command): void {
  const id = startDetached({
    binary: command.binary,
    args: command.args,
    directory: files.directory,
    log: files.log(command.component),
    // No proxies, no credentials of the caller: they reach each other on this machine, with certificates.
    env: { PATH: process.env.PATH ?? "", HOME: files.directory },
  });
  const started: Started = { ...id, fingerprint: fingerprint(command) };
  writePrivate(files.processes, JSON.stringify({ ...readProcesses(files), [command.component]: started }));
}

async function endComponents(files: ClusterFiles, ending: readonly Component[]): Promise<void> {
  const end = async (component: Component): Promise<void> => {
    const process = readProcesses(files)[component];
    if (process !== undefined) await endProcess(process);
  };
  const [store, server, ...users] = components;
  await Promise.all(users.filter((component) => ending.includes(component)).map(end));
  if (ending.includes(server)) await end(server);
  if (ending.includes(store)) await end(store);
  if (existsSync(files.directory)) writePrivate(files.processes, JSON.stringify(readProcesses(files)));
}

/** Waits until nothing lags behind; a program that ends meanwhile, or lags for too long, is an error that names it. */
async function untilReady(
  files: ClusterFiles,
  commands: readonly Command[],
  signal: AbortSignal,
  lagging: () => Promise<Component | undefined>,
): Promise<void> {
  let last: Component | undefined;
  const ready = await poll(patience, signal, async () => {
    const processes = readProcesses(files);
    const ended = commands.find(({ component }) => processes[component] === undefined);
    if (ended !== undefined) throw failure(files, ended.component, "ended instead of getting ready");
    last = await lagging();
    return last === undefined ? true : undefined;
  });
  if (ready === undefined && last !== undefined) throw failure(files, last, `is not ready after ${patience / 1000} s`);
}

/** The first program that does not yet say that it is ready. */
async function unhealthy(commands: readonly Command[], api: Api): Promise<Component | undefined> {
  for (const { component, health } of commands) {
    if (health === undefined) continue;
    const answer = await api.get(`https://${health.address}:${health.port}${health.path}`);
    if (answer?.status !== 200) return component;
  }
  return undefined;
}

/** Whether a node, as the API server describes it, is ready and takes pods. */
export function isReadyNode(body: string): boolean {
  const node = JSON.parse(body) as {
    spec?: { taints?: unknown[] };
    status?: { conditions?: { type: string; status: string }[] };
  };
  const ready = node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  return ready && (node.spec?.taints ?? []).length === 0;
}

function failure(files: ClusterFiles, component: Component, what: string): UserError {
  const log = files.log(component);
  const lines = existsSync(log) ? readFileSync(log, "utf8").trimEnd().split("\n").slice(-8) : [];
  return new UserError(
    [`${component} of the sandbox cluster ${files.name} ${what}; the end of its log:`, ...lines].join("\n  "),
    `read ${log}; the same command again tries anew`,
  );
}
