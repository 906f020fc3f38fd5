import type { KubernetesObject, V1Job, V1Pod, V1StatefulSet } from "@kubernetes/client-node";
import { workloadLabel, workloads } from "../../../components/names";
import type { KubernetesCluster } from "../../../config/platform";
import { type ContainerState, inspectContainers } from "../docker/containers";
import { asking, clientsOf } from "./kubernetes";
import type { KnownObject } from "../stack/deployed";
import type { Stack } from "../stack/openStack";
import { missingIn } from "./missing";
import { type SelectedZone, nodesOf, hostsIn } from "./nodes";
import { UserError } from "../../shared/terminal";
import type { NodeState } from "../../topology/states";

/** The number of a workload's nodes, wanted and ready. */
export interface Readiness {
  readonly ready: number;
  readonly wanted: number;
}

/** The state of a Job. */
export type JobState = "done" | "running" | "failed";

/** The state of a zone. */
export interface ZoneHealth {
  readonly zone: string;
  readonly ring: string;
  readonly cluster: string;
  readonly kazoo: Readiness;
  readonly brokers: Readiness;
  readonly database: Readiness;
  /** The Job that joins the zone's database nodes to the ring; undefined if there is none, as on Docker. */
  readonly join?: JobState;
  /** The Job of the ring's first boot, in its first zone. */
  readonly firstBoot?: JobState;
  /** Image of the newest Kazoo node, with the digest if the node reports it; undefined if there is no node. */
  readonly image?: string;
  /** When the newest Kazoo node was created (Kubernetes) or last started (Docker), ISO 8601. */
  readonly rolled?: string;
  /** Its nodes, by the names of their pods or containers. */
  readonly nodes?: Readonly<Record<string, NodeState>>;
  /** Objects of the stack's state that are not in the cluster, because someone has deleted them. */
  readonly missing?: readonly string[];
  /** Why the zone's state is unknown. */
  readonly problem?: string;
  /** What to do about it. */
  readonly next?: string;
}

/** Whether everything in a zone is ready. */
export const isHealthy = ({ problem, missing = [], kazoo, brokers, database, join, firstBoot }: ZoneHealth): boolean =>
  problem === undefined &&
  missing.length === 0 &&
  [kazoo, brokers, database].every(({ ready, wanted }) => ready >= wanted) &&
  [join, firstBoot].every((job) => job === undefined || job === "done");

/**
 * Refuses while something in these zones is not ready: the change would also stop what replaces it.
 * @param inMaintenance which of some database nodes are in maintenance mode, in which they are not ready: if the change moves shards, an
 * interrupted run may have left them so, and only the next one ends it. @default none
 */
export async function requireHealthy(
  { name: stack }: Pick<Stack, "name">,
  zones: readonly SelectedZone[],
  inMaintenance: (nodes: readonly string[]) => Promise<readonly string[]> = () => Promise.resolve([]),
): Promise<void> {
  const sick: string[] = [];
  for (const [index, health] of (await healthOf(zones)).entries()) {
    const { database } = health;
    const isReadyBut = (away: number) =>
      isHealthy({ ...health, database: { ...database, wanted: database.wanted - away } });
    if (isHealthy(health)) continue;
    const nodes = zones[index]?.zone.nodes.database ?? [];
    // The ring is asked only if nothing but database nodes is not ready.
    const away = isReadyBut(nodes.length) ? await inMaintenance(nodes) : [];
    if (!isReadyBut(away.length)) sick.push(health.zone);
  }
  if (sick.length === 0) return;
  throw new UserError(
    `not everything in ${sick.join(", ")} is ready`,
    `make status STACK=${stack} shows what is wrong; run the same command again when all of it is ready`,
  );
}

/**
 * Reads the state of zones. If a cluster does not answer, its zones have a `problem`; the others are not affected.
 * @param known the objects that should exist
 */
export function healthOf(zones: readonly SelectedZone[], known: readonly KnownObject[] = []): Promise<ZoneHealth[]> {
  return Promise.all(
    zones.map(async (selected): Promise<ZoneHealth> => {
      const { name, zone, cluster } = selected;
      const wanted = {
        kazoo: { ready: 0, wanted: zone.nodes.kazoo.length },
        brokers: { ready: 0, wanted: zone.endpoints.brokers.length },
        database: { ready: 0, wanted: zone.nodes.database.length },
      };
      const about = { zone: name, ring: zone.ring, cluster: cluster.name };
      try {
        const found =
          cluster.kind === "docker" ? await onDocker(selected) : await onKubernetes(selected, cluster, known);
        return { ...about, ...wanted, ...found };
      } catch (error) {
        const next = error instanceof UserError && error.next !== undefined ? { next: error.next } : {};
        return { ...about, ...wanted, problem: error instanceof Error ? error.message : String(error), ...next };
      }
    }),
  );
}

async function onDocker({ zone, cluster }: SelectedZone): Promise<Partial<ZoneHealth>> {
  if (cluster.kind !== "docker") return {};
  const nodes = nodesOf(hostsIn(zone), cluster);
  const states = await inspectContainers(
    cluster.host,
    nodes.map(({ name }) => name),
  );
  const readiness = (workload: string): Readiness => {
    const own = nodes.filter((node) => node.workload === workload);
    return { ready: own.filter(({ name }) => states[name]?.ready === true).length, wanted: own.length };
  };
  const kazoo = nodes.flatMap(({ workload, name }) => (workload === workloads.kazoo ? (states[name] ?? []) : []));
  const started = kazoo
    .map((state) => state.started)
    .sort()
    .at(-1);
  return {
    kazoo: readiness(workloads.kazoo),
    brokers: readiness(workloads.rabbitmq),
    database: readiness(workloads.database),
    nodes: Object.fromEntries(nodes.map(({ name }) => [name, containerState(states[name])])),
    ...(started === undefined ? {} : { rolled: started, image: zone.image }),
  };
}

async function onKubernetes(
  { zone }: SelectedZone,
  cluster: KubernetesCluster,
  known: readonly KnownObject[],
): Promise<Partial<ZoneHealth>> {
  const { core, apps, batch } = await clientsOf(cluster);
  const { namespace } = zone;
  const own = known.filter((object) => (object.namespace ?? object.name) === namespace);
  const [missing, sets, jobs, pods] = await Promise.all([
    missingIn(cluster, own),
    asking(cluster, () => apps.listNamespacedStatefulSet({ namespace })),
    asking(cluster, () => batch.listNamespacedJob({ namespace })),
    asking(cluster, () => core.listNamespacedPod({ namespace, labelSelector: podSelector })),
  ]);
  const readiness = (workload: string, fallback: number): Readiness => {
    const own = sets.items.filter(({ metadata }) => metadata?.labels?.[workloadLabel] === workload);
    const sum = (count: (set: (typeof own)[number]) => number) => own.reduce((total, set) => total + count(set), 0);
    return {
      ready: sum(({ status }) => status?.readyReplicas ?? 0),
      wanted: own.length === 0 ? fallback : sum(({ spec }) => spec?.replicas ?? 1),
    };
  };
  const youngest = pods.items.filter((pod) => workloadOf(pod) === workloads.kazoo).sort(byAge)[0];
  const image = imageOf(youngest);
  const job = (workload: string): JobState | undefined =>
    stateOf(jobs.items.filter(({ metadata }) => metadata?.labels?.[workloadLabel] === workload).sort(byAge)[0]);
  const [join, firstBoot] = [job(workloads.join), job(workloads.bootstrap)];
  return {
    ...(missing.length === 0
      ? {}
      : {
          missing: missing.map(({ kind, name }) => `${kind} ${name}`).sort(),
          next: "make up restores what is missing",
        }),
    kazoo: readiness(workloads.kazoo, zone.nodes.kazoo.length),
    brokers: readiness(workloads.rabbitmq, zone.endpoints.brokers.length),
    database: readiness(workloads.database, zone.nodes.database.length),
    nodes: Object.fromEntries(
      nodesOf(hostsIn(zone), cluster).map(({ name }) => {
        const pod = pods.items.find(({ metadata }) => metadata?.name === name);
        return [name, podState(pod, pod && sets.items.find((set) => owns(set, pod)))];
      }),
    ),
    ...(join === undefined ? {} : { join }),
    ...(firstBoot === undefined ? {} : { firstBoot }),
    ...(image === undefined ? {} : { image }),
    ...(youngest === undefined ? {} : { rolled: new Date(made(youngest)).toISOString() }),
  };
}

const workloadOf = ({ metadata }: KubernetesObject): string | undefined => metadata?.labels?.[workloadLabel];

const podSelector = `${workloadLabel} in (${[workloads.kazoo, workloads.rabbitmq, workloads.database].join(",")})`;

const owns = (set: V1StatefulSet, pod: V1Pod): boolean =>
  pod.metadata?.ownerReferences?.some(({ kind, name }) => kind === "StatefulSet" && name === set.metadata?.name) ??
  false;

/** The state of a node on Kubernetes, from its pod and the StatefulSet that owns it. */
export function podState(pod: V1Pod | undefined, set: Pick<V1StatefulSet, "status"> | undefined): NodeState {
  if (pod === undefined) return { state: "away" };
  const image = imageOf(pod);
  const statuses = pod.status?.containerStatuses ?? [];
  const about = {
    restarts: statuses.reduce((sum, { restartCount }) => sum + restartCount, 0),
    ...(image === undefined ? {} : { image }),
  };
  if (pod.metadata?.deletionTimestamp !== undefined) return { state: "rolling", waitsFor: "its end", ...about };
  const isReady = pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  if (!isReady) return { state: "starting", waitsFor: waitsFor(pod), ...about };
  const { updateRevision } = set?.status ?? {};
  const isNew = updateRevision === undefined || pod.metadata?.labels?.["controller-revision-hash"] === updateRevision;
  return isNew ? { state: "ready", ...about } : { state: "rolling", waitsFor: "its turn to be replaced", ...about };
}

function waitsFor({ status }: V1Pod): string {
  const unscheduled = status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
  if (unscheduled !== undefined)
    return `a node of the cluster: ${unscheduled.message ?? unscheduled.reason ?? "none fits"}`;
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const waiting = containers.find(({ state }) => state?.waiting?.reason !== undefined);
  if (waiting === undefined) return "its readiness check";
  const { reason, message } = waiting.state?.waiting ?? {};
  return `container ${waiting.name}: ${[reason, message].filter(Boolean).join(", ")}`;
}

/** The state of a node on Docker. */
function containerState(container: ContainerState | undefined): NodeState {
  if (container === undefined) return { state: "away" };
  const { running, ready, restarts, image } = container;
  return { state: ready ? "ready" : running ? "starting" : "away", restarts, image };
}

const made = ({ metadata }: KubernetesObject): number => metadata?.creationTimestamp?.getTime() ?? 0;

/** Newest first. */
const byAge = (a: KubernetesObject, b: KubernetesObject): number => made(b) - made(a);

/** The state of a Job; undefined if there is none. */
export function stateOf(job: Pick<V1Job, "status"> | undefined): JobState | undefined {
  if (job === undefined) return undefined;
  const has = (wanted: string) =>
    job.status?.conditions?.some(({ type, status }) => type === wanted && status === "True") ?? false;
  return has("Complete") ? "done" : has("Failed") ? "failed" : "running";
}

/** The image of a pod. An image named by tag gets the digest that its node pulled. */
export function imageOf(pod: Pick<V1Pod, "spec" | "status"> | undefined): string | undefined {
  const image = pod?.spec?.containers[0]?.image;
  const digest = /@(sha256:[a-f0-9]{64})$/.exec(pod?.status?.containerStatuses?.[0]?.imageID ?? "")?.[1];
  return image === undefined || digest === undefined || image.includes("@") ? image : `${image}@${digest}`;
}
