import type { KubernetesCluster } from "../config/platform";
import { inspectContainers } from "./containers";
import { asking, connect } from "./kubernetes";
import { type SelectedZone, nodesOf, hostsIn } from "./nodes";
import { UserError } from "./terminal";

/** How many of a workload's nodes there should be, and how many are ready. */
export interface Readiness {
  readonly ready: number;
  readonly wanted: number;
}

/** How a zone is. */
export interface ZoneHealth {
  readonly zone: string;
  readonly ring: string;
  readonly cluster: string;
  readonly kazoo: Readiness;
  readonly brokers: Readiness;
  readonly database: Readiness;
  /** Reference of the image that the youngest Kazoo node runs; undefined when none is there. */
  readonly image?: string;
  /** When the youngest Kazoo node was made (Kubernetes) or last started (Docker), ISO 8601. */
  readonly rolled?: string;
  /** Why nothing is known of the zone. */
  readonly problem?: string;
  /** What to do about it. */
  readonly next?: string;
}

/** Whether all of a zone is ready. */
export const isHealthy = ({ problem, kazoo, brokers, database }: ZoneHealth): boolean =>
  problem === undefined && [kazoo, brokers, database].every(({ ready, wanted }) => ready >= wanted);

/** Looks at zones. A cluster that does not answer is told of its zones, and the others are seen. */
export function healthOf(zones: readonly SelectedZone[]): Promise<ZoneHealth[]> {
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
        const found = cluster.kind === "docker" ? await onDocker(selected) : await onKubernetes(selected, cluster);
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
  const kazoo = nodes.flatMap(({ workload, name }) => (workload === "kazoo" ? (states[name] ?? []) : []));
  const started = kazoo
    .map((state) => state.started)
    .sort()
    .at(-1);
  return {
    kazoo: readiness("kazoo"),
    brokers: readiness("rabbitmq"),
    database: readiness("bigcouch"),
    ...(started === undefined ? {} : { rolled: started, image: zone.image }),
  };
}

async function onKubernetes({ zone }: SelectedZone, cluster: KubernetesCluster): Promise<Partial<ZoneHealth>> {
  const { core, apps } = await connect(cluster);
  const { namespace } = zone;
  const [sets, pods] = await Promise.all([
    asking(cluster, () => apps.listNamespacedStatefulSet({ namespace })),
    asking(cluster, () => core.listNamespacedPod({ namespace, labelSelector: "app.kubernetes.io/name=kazoo" })),
  ]);
  const readiness = (workload: string, fallback: number): Readiness => {
    const own = sets.items.filter(({ metadata }) => metadata?.labels?.["app.kubernetes.io/name"] === workload);
    const sum = (count: (set: (typeof own)[number]) => number) => own.reduce((total, set) => total + count(set), 0);
    return {
      ready: sum(({ status }) => status?.readyReplicas ?? 0),
      wanted: own.length === 0 ? fallback : sum(({ spec }) => spec?.replicas ?? 1),
    };
  };
  const made = (pod: (typeof pods.items)[number]): number => pod.metadata?.creationTimestamp?.getTime() ?? 0;
  const youngest = [...pods.items].sort((a, b) => made(b) - made(a))[0];
  const image = youngest?.spec?.containers[0]?.image;
  return {
    kazoo: readiness("kazoo", zone.nodes.kazoo.length),
    brokers: readiness("rabbitmq", zone.endpoints.brokers.length),
    database: readiness("bigcouch", zone.nodes.database.length),
    ...(image === undefined ? {} : { image }),
    ...(youngest === undefined ? {} : { rolled: new Date(made(youngest)).toISOString() }),
  };
}
