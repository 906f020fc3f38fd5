import { PassThrough, type Readable, type Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type { KubeConfig, KubernetesObject, V1Pod, V1Status } from "@kubernetes/client-node";
import { readKubeconfig } from "../../../config/kubeconfig";
import type { KubernetesCluster } from "../../../config/platform";
import { kubeconfigOf } from "../stack/openStack";
import { wrongTime } from "./refusedBy";
import { UserError } from "../../shared/terminal";

/** The official client for a cluster. Loaded only here: loading it takes longer than the rest of a command. */
export async function clientsOf(cluster: KubernetesCluster) {
  const client = await import("@kubernetes/client-node");
  const path = kubeconfigOf(cluster);
  let config: KubeConfig;
  try {
    config = readKubeconfig(client, path);
  } catch (error) {
    const hint = cluster.kind === "sandbox" ? startSandbox(cluster) : "see kazoo:clusters in the stack's file";
    throw new UserError(`the kubeconfig of cluster ${cluster.name} cannot be read: ${(error as Error).message}`, hint);
  }
  requireContext(config, cluster, path);
  config.setCurrentContext(cluster.context);
  return {
    config,
    core: config.makeApiClient(client.CoreV1Api),
    apps: config.makeApiClient(client.AppsV1Api),
    batch: config.makeApiClient(client.BatchV1Api),
    objects: client.KubernetesObjectApi.makeApiClient(config),
    exec: new client.Exec(config),
    log: new client.Log(config),
  };
}

/** What identifies an object in a cluster. */
export interface ObjectName {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Empty for an object without one. */
  readonly namespace: string;
}

/** Reads an object of any kind; fails with the API server's own error. */
export async function readObject(
  cluster: KubernetesCluster,
  { apiVersion, kind, name, namespace }: ObjectName,
): Promise<KubernetesObject> {
  const { objects } = await clientsOf(cluster);
  return objects.read({ apiVersion, kind, metadata: { name, ...(namespace === "" ? {} : { namespace }) } });
}

/** Names of the contexts in the caller's own kubeconfig: at least one. */
export async function contextNames(): Promise<string[]> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  try {
    config.loadFromDefault();
  } catch (error) {
    throw new UserError(`your kubeconfig cannot be read: ${(error as Error).message}`, "correct it, or set KUBECONFIG");
  }
  // Without a kubeconfig, the client invents a context for localhost.
  const names = config.getContexts().flatMap(({ name }) => (name === "loaded-context" ? [] : name));
  if (names.length > 0) return names;
  throw new UserError("your kubeconfig has no context", "set KUBECONFIG to the path of your cluster's kubeconfig");
}

const startSandbox = ({ name }: KubernetesCluster): string =>
  `make sandbox-up STACK=… (or npx kazoo sandbox up ${name}) starts it if it is stopped`;

function requireContext(config: KubeConfig, cluster: KubernetesCluster, path: string | undefined): void {
  if (config.getContextObject(cluster.context) !== null) return;
  const known = config.getContexts().map(({ name }) => name);
  throw new UserError(
    `kazoo:clusters.${cluster.name}.context: found ${JSON.stringify(cluster.context)}, which is not in ${path ?? "your kubeconfig"}`,
    cluster.kind === "sandbox"
      ? startSandbox(cluster)
      : known.length === 0
        ? "there are no contexts: set KUBECONFIG, or set kubeconfig next to context"
        : `use one of its contexts: ${known.join(", ")}`,
  );
}

/** Runs calls to a cluster's API server; a failure becomes one clear line. `absent` is the error for a 404. */
export async function asking<T>(cluster: KubernetesCluster, work: () => Promise<T>, absent?: UserError): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code, body, message } = error as { code?: unknown; body?: unknown; message?: string };
    if (code === 404 && absent !== undefined) throw absent;
    const said = statusMessage(body) ?? message?.split("\n")[0] ?? String(error);
    if (typeof code === "number") {
      const look = `kubectl --context ${cluster.context}`;
      const hint =
        code === 401 || code === 403
          ? `${look} auth whoami shows which user you are; give that user the permission`
          : `${look} get --raw '/readyz?verbose' shows the state of the API server`;
      throw new UserError(`cluster ${cluster.name} answers ${code}: ${said}`, hint);
    }
    throw new UserError(`context ${cluster.context} does not answer: ${said}`, hintFor(cluster, code));
  }
}

function hintFor(cluster: KubernetesCluster, code: unknown): string {
  if (code === "CERT_NOT_YET_VALID" || code === "CERT_HAS_EXPIRED") return wrongTime;
  return cluster.kind === "sandbox" ? startSandbox(cluster) : "check that the cluster is reachable from this machine";
}

function statusMessage(body: unknown): string | undefined {
  const parsed: unknown = typeof body === "string" && body.startsWith("{") ? JSON.parse(body) : body;
  return typeof parsed === "object" && parsed !== null ? (parsed as V1Status).message : undefined;
}

/** A pod with its container, in a cluster. */
export interface PodPlace {
  readonly cluster: KubernetesCluster;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** No container runs in the pod: the sandbox simulates it. */
export class SimulatedPodError extends UserError {}

/** The result of work in pods; undefined if they are simulated: nothing runs in them. */
export async function unlessSimulated<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SimulatedPodError) return undefined;
    throw error;
  }
}

/**
 * The pod, if a container runs in it.
 * @throws UserError if the pod does not exist, SimulatedPodError if it is simulated
 */
async function realPod({ cluster, namespace, pod }: PodPlace, what: string): Promise<V1Pod> {
  const { core } = await clientsOf(cluster);
  const found = await asking(
    cluster,
    () => core.readNamespacedPod({ name: pod, namespace }),
    new UserError(
      `there is no pod ${pod} in namespace ${namespace} of cluster ${cluster.name}`,
      `kubectl --context ${cluster.context} -n ${namespace} get pods lists them`,
    ),
  );
  const node = found.spec?.nodeName;
  if (cluster.kind === "sandbox" && node !== undefined) {
    const { metadata } = await asking(cluster, () => core.readNode({ name: node }));
    if (metadata?.annotations?.["kwok.x-k8s.io/node"] !== undefined) {
      throw new SimulatedPodError(
        `pod ${pod} is simulated: no container runs in the sandbox, so there is no ${what}`,
        "use a stack on another cluster, or on Docker (STACK=docker)",
      );
    }
  }
  return found;
}

/** Input and output of a command in a container. */
export interface Streams {
  readonly input?: Readable;
  readonly output: Writable;
  readonly errors: Writable;
  /** Whether input and output are a terminal. */
  readonly terminal: boolean;
  /** Closes the connection to a command that takes too long. */
  readonly signal?: AbortSignal;
}

/** Runs a command in a pod and returns its exit code. */
export async function execInPod(place: PodPlace, command: readonly string[], streams: Streams): Promise<number> {
  const { status: found } = await realPod(place, "shell and no sup");
  if (found?.phase === "Pending")
    throw new UserError(`pod ${place.pod} has not started yet`, "make status shows what it waits for");
  const { cluster, namespace, pod, container } = place;
  const { input = null, output, errors, terminal, signal } = streams;
  const { exec } = await clientsOf(cluster);
  return asking(cluster, async () => {
    let status: V1Status | undefined;
    const onStatus = (found: V1Status): void => {
      status = found;
    };
    const own = terminal ? null : errors; // a terminal has one stream for both
    const socket = await exec.exec(namespace, pod, container, [...command], output, own, input, terminal, onStatus);
    await new Promise<void>((resolve, reject) => {
      socket.onclose = () => resolve();
      socket.onerror = (event: { message: string }) => reject(new Error(event.message));
      const end = (): void => socket.terminate();
      if (signal?.aborted === true) end();
      else signal?.addEventListener("abort", end, { once: true });
    });
    if (status === undefined)
      throw new UserError(`the connection to pod ${pod} was closed before the command ended`, "try again");
    return exitCode(status);
  });
}

function exitCode({ status, reason, message, details }: V1Status): number {
  if (status === "Success") return 0;
  const cause = details?.causes?.find((candidate) => candidate.reason === "ExitCode");
  if (reason === "NonZeroExitCode" && cause?.message !== undefined) return Number(cause.message);
  throw new UserError(`the command could not be run: ${message ?? reason ?? "no reason given"}`);
}

/** Which part of a log. */
export interface LogOptions {
  readonly follow: boolean;
  /** Start with the last lines, so many of them; default: all. */
  readonly tail?: number;
}

/** Writes a container's log and returns at its end; a followed log of a running container has none. */
export async function podLog(place: PodPlace, { follow, tail }: LogOptions, output: Writable): Promise<void> {
  requireStarted(await realPod(place, "log"), place);
  const { log } = await clientsOf(place.cluster);
  const stream = new PassThrough();
  // The client's pipe passes on data, but not the error of a broken connection.
  stream.on("pipe", (body) => body.on("error", (error) => stream.destroy(error)));
  stream.pipe(output, { end: false });
  const options = { follow, ...(tail === undefined ? {} : { tailLines: tail }) };
  await asking(place.cluster, () => log.log(place.namespace, place.pod, place.container, stream, options));
  try {
    await finished(stream, { writable: false });
  } catch (error) {
    throw new UserError(
      `the connection to the log of pod ${place.pod} broke: ${(error as Error).message}`,
      "run the same command again",
    );
  }
}

/** Refuses the log of a container that has not started yet; the API server's answer does not give the reason. */
function requireStarted({ status }: V1Pod, { cluster, namespace, pod, container }: PodPlace): void {
  const found = status?.containerStatuses?.find(({ name }) => name === container);
  const started = found?.state?.running ?? found?.state?.terminated ?? found?.lastState?.terminated;
  if (started !== undefined) return;
  const initial = status?.initContainerStatuses?.find(({ state }) => state?.terminated === undefined);
  const reason = found?.state?.waiting?.reason ?? status?.phase ?? "unknown";
  throw new UserError(
    `pod ${pod} has no log yet: its container is waiting: ${reason}${initial === undefined ? "" : ` (for ${initial.name})`}`,
    `try again later; kubectl --context ${cluster.context} -n ${namespace} describe pod ${pod} shows why`,
  );
}
