import type { AppsV1Api } from "@kubernetes/client-node";
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { KubernetesCluster } from "../config/platform";

/** How far a StatefulSet has rolled, and whether it still rolls: its nodes may be away for other reasons. */
export function rolled(set: {
  readonly metadata?: { readonly generation?: number };
  readonly spec?: { readonly replicas?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly currentRevision?: string;
    readonly updateRevision?: string;
  };
}): { readonly done: boolean; readonly rolling: boolean; readonly progress: string } {
  const wanted = set.spec?.replicas ?? 1;
  const {
    observedGeneration = 0,
    updatedReplicas,
    readyReplicas = 0,
    currentRevision,
    updateRevision,
  } = set.status ?? {};
  if (observedGeneration < (set.metadata?.generation ?? 0))
    return { done: false, rolling: true, progress: "the change is not yet seen" };
  // Once all have rolled and are ready the two are one revision; so they are where a change was taken back that pods still have.
  const updated = updatedReplicas ?? (currentRevision === updateRevision ? wanted : 0);
  const rolling = currentRevision !== updateRevision || updated < wanted;
  const progress = `${updated} of ${wanted} nodes rolled, ${readyReplicas} ready`;
  return { done: updated >= wanted && readyReplicas >= wanted, rolling, progress };
}

/** A StatefulSet that is waited for. */
export interface Roll {
  readonly cluster: KubernetesCluster;
  readonly namespace: string;
  readonly name: string;
  /** How long it may take. */
  readonly minutes: number;
  /** Is told each step of it. */
  readonly tell: (progress: string) => void;
}

/** Waits until a StatefulSet has rolled. */
export type AwaitRoll = (roll: Roll) => Promise<void>;

/** How a workload waits. */
export interface Waiting {
  readonly cluster: KubernetesCluster;
  readonly awaitRoll: AwaitRoll;
}

/** What to depend on for a workload to have rolled: all of it, and its StatefulSet once that has. A preview waits for nothing. */
export function afterRoll(
  workload: pulumi.Resource,
  set: k8s.apps.v1.StatefulSet,
  { cluster, awaitRoll }: Waiting,
): pulumi.Input<pulumi.Resource>[] {
  if (pulumi.runtime.isDryRun()) return [workload];
  const waited = pulumi
    .all([set.metadata.namespace, set.metadata.name, set.spec.replicas])
    .apply(async ([namespace, name, replicas]) => {
      const tell = (progress: string) => void pulumi.log.info(progress, set, undefined, true);
      await awaitRoll({ cluster, namespace, name, minutes: replicas * 20, tell });
      return set;
    });
  return [workload, waited];
}

/**
 * The provider's own waiting is not enough (4.25): right after a change it takes the status of before for the new one, and goes on at once. So
 * what must come after a roll waits here. Nodes that are away while nothing rolls hold nothing up for long: an update may be what mends them.
 * @param grace seconds for which those are waited for
 * @throws RunError where the roll takes longer than it may
 */
export async function awaitRoll({ cluster, namespace, name, minutes, tell }: Roll, grace = 120): Promise<void> {
  const apps = await clientOf(cluster);
  const what = `StatefulSet ${namespace}/${name}`;
  const began = Date.now();
  let said = "";
  for (let failures = 0; ;) {
    try {
      const { done, rolling, progress } = rolled(await apps.readNamespacedStatefulSet({ namespace, name }));
      if (done) return;
      if (!rolling && Date.now() > began + grace * 1000) {
        await pulumi.log.warn(`${what}: ${progress}, though nothing rolls; going on`);
        return;
      }
      if (progress !== said) tell(`waiting for ${what}: ${progress}`);
      [said, failures] = [progress, 0];
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: string };
      if (code === 404) return; // deleted by hand: nothing rolls
      failures += 1;
      // A cluster that is away was not changed by this update either, or the provider would have failed.
      if (failures > 5) {
        await pulumi.log.warn(`whether ${what} has rolled can't be seen: ${message?.split("\n")[0] ?? String(error)}`);
        return;
      }
    }
    if (Date.now() > began + minutes * 60_000) {
      throw new pulumi.RunError(
        `${what} has not rolled within ${minutes} minutes: ${said}; ` +
          `kubectl --context ${cluster.context} -n ${namespace} describe pods shows what holds it, and the next up goes on from here`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const clients = new WeakMap<KubernetesCluster, Promise<AppsV1Api>>();

/** The client of a cluster, one for all its rolls: a kubeconfig may run a command for each that is made. */
function clientOf(cluster: KubernetesCluster): Promise<AppsV1Api> {
  const known = clients.get(cluster) ?? connect(cluster);
  clients.set(cluster, known);
  return known;
}

async function connect({ kubeconfig, context }: KubernetesCluster): Promise<AppsV1Api> {
  // Loaded only here: it takes a second, and previews do without.
  const client = await import("@kubernetes/client-node");
  const config = new client.KubeConfig();
  if (kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(kubeconfig);
  config.setCurrentContext(context);
  return config.makeApiClient(client.AppsV1Api);
}
