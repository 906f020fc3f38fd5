import type { AppsV1Api, BatchV1Api, CoreV1Api, KubeConfig, V1Namespace } from "@kubernetes/client-node";
import type * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { readKubeconfig } from "../config/kubeconfig";
import { Changes } from "./changes";
import { Lookout } from "./lookout";
import { rolloutProgress, workloadLabel } from "./names";
import type { Rolled } from "./order";

/** A StatefulSet to wait for. */
export interface Rollout {
  readonly namespace: string;
  readonly name: string;
  /** Time limit. */
  readonly minutes: number;
  /** Receives its progress, as lines of text. */
  readonly report: (progress: string) => void;
}

/** Queries about one cluster, answered by its API server. */
export interface Rollouts {
  /** Whether a StatefulSet exists. */
  readonly exists: (namespace: string, name: string) => Promise<boolean>;
  /** A namespace, if it exists. Rejects if the cluster does not answer, or the namespace may not be read. */
  readonly namespace: (name: string) => Promise<V1Namespace | undefined>;
  /** From now on, and until it is waited for, warns of what keeps a StatefulSet's pods from becoming ready. */
  readonly begins: (set: { readonly namespace: string; readonly name: string }) => void;
  /** Resolves once a StatefulSet is rolled out. @throws RunError after the time limit */
  readonly wait: (rollout: Rollout) => Promise<void>;
  /** Resolves once a namespace has a StatefulSet, or a Job with a label that has succeeded. @throws RunError after the time limit */
  readonly arrives: (arrival: Arrival) => Promise<void>;
}

/** An object that another stack creates: a StatefulSet by its name, or a Job by its label. */
export interface Arrival extends Omit<Rollout, "name"> {
  readonly kind: "StatefulSet" | "Job";
  readonly name: string;
  /** Who creates it, and how, for the error. */
  readonly next: string;
}

/** How long to wait, in seconds. */
export interface Patience {
  /** For unavailable pods when no rollout is in progress: an update may be what repairs them. */
  readonly grace: number;
  /** Before each look at what keeps pods from becoming ready. */
  readonly look: number;
}

/** How to reach a cluster's API server. */
export interface ClusterAccess {
  /** Context of the kubeconfig. */
  readonly context: string;
  /** Path of the kubeconfig. @default $KUBECONFIG or ~/.kube/config */
  readonly kubeconfig?: string;
}

/**
 * What dependents must wait for until a workload is rolled out. A preview waits for nothing. Without `rollouts` only the Kubernetes provider
 * waits, which mistakes the status from before a change for the new one (seen with 4.25) and is only right for a first `up`. While the provider
 * waits, it may not say why for many minutes; `rollouts` does.
 * @param metadata of the StatefulSet, which the program knows before the provider returns it
 * @param minutesPerNode time limit for each node
 */
export function afterRollout(
  workload: pulumi.Resource,
  set: k8s.apps.v1.StatefulSet,
  metadata: { readonly namespace: pulumi.Input<string>; readonly name: string },
  rollouts: Rollouts | undefined,
  minutesPerNode = 20,
): Rolled {
  if (rollouts === undefined || pulumi.runtime.isDryRun()) return [workload];
  const { name } = metadata;
  pulumi.output(metadata.namespace).apply((namespace) => rollouts.begins({ namespace, name }));
  const waited = pulumi.all([set.metadata.namespace, set.spec.replicas]).apply(async ([namespace, replicas]) => {
    const report = (progress: string) => void pulumi.log.info(progress, set, undefined, true);
    await rollouts.wait({ namespace, name, minutes: Math.max(1, replicas) * minutesPerNode, report });
    return set;
  });
  return [workload, waited];
}

/**
 * Queries a cluster's API server.
 * @param patience how long to wait, in seconds
 */
export function clusterRollouts(access: ClusterAccess, patience: Patience = { grace: 120, look: 10 }): Rollouts {
  // One client for the whole update, because a kubeconfig may run a command for each. Created at the first query: loading it takes a second,
  // which previews do not need.
  let client: Promise<Apis> | undefined;
  const apis = () => (client ??= apisOf(access));
  const config = async () => (await apis()).config;
  const changes = {
    StatefulSet: new Changes(config, "apps/v1", "statefulsets"),
    Job: new Changes(config, "batch/v1", "jobs"),
  };
  const lookout = new Lookout(apis, patience.look);
  return {
    exists: async (namespace, name) => {
      try {
        await (await apis()).apps.readNamespacedStatefulSet({ namespace, name });
        return true;
      } catch (error) {
        // A cluster that does not answer fails the update at its first object. Until then, assume that the StatefulSet exists.
        return statusOf(error) !== 404;
      }
    },
    namespace: async (name) => {
      try {
        return await (await apis()).core.readNamespace({ name });
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    },
    begins: (set) => lookout.begin(set),
    wait: async (rollout) => {
      lookout.end(rollout);
      await waitFor(await apis(), changes.StatefulSet, lookout, rollout, access.context, patience);
    },
    arrives: async (arrival) => arrive(await apis(), changes[arrival.kind], arrival, patience),
  };
}

async function arrive(
  { apps, batch }: Apis,
  changes: Changes,
  { namespace, kind, name, minutes, report, next }: Arrival,
  patience: Patience,
): Promise<void> {
  const what = `${kind} ${namespace}/${name}`;
  const isThere = async (): Promise<boolean> => {
    if (kind === "StatefulSet") return (await apps.readNamespacedStatefulSet({ namespace, name })) !== undefined;
    const { items } = await batch.listNamespacedJob({ namespace, labelSelector: `${workloadLabel}=${name}` });
    return items.some(({ status }) => (status?.succeeded ?? 0) > 0);
  };
  const began = Date.now();
  let said = false;
  await changes.until(namespace, name, async () => {
    // A cluster that does not answer may do so later.
    if (await isThere().catch(() => false)) return undefined;
    if (!said) report(`waiting for ${what}, which another stack creates`);
    said = true;
    if (Date.now() >= began + minutes * 60_000)
      throw new pulumi.RunError(`${what} of another stack was not there within ${minutes} minutes: ${next}`);
    return patience.look;
  });
}

async function waitFor(
  { apps }: Apis,
  changes: Changes,
  lookout: Lookout,
  rollout: Rollout,
  context: string,
  patience: Patience,
): Promise<void> {
  const { namespace, name, minutes, report } = rollout;
  const what = `StatefulSet ${namespace}/${name}`;
  const began = Date.now();
  let said = "";
  let troubles: ReadonlySet<string> = new Set();
  let looked = began;
  let seen = false;
  let failures = 0;
  await changes.until(namespace, name, async () => {
    try {
      const { done, rolling, text } = rolloutProgress(await apps.readNamespacedStatefulSet({ namespace, name }));
      if (done) return undefined;
      seen = true;
      if (!rolling && Date.now() >= began + patience.grace * 1000) {
        await pulumi.log.warn(`${what}: ${text}, but no rollout is in progress; continuing`);
        return undefined;
      }
      if (text !== said) report(`waiting for ${what}: ${text}`);
      [said, failures] = [text, 0];
      // A pod that has just started is not in trouble yet.
      if (Date.now() >= looked + patience.look * 1000) {
        troubles = await lookout.look(rollout);
        looked = Date.now();
      }
    } catch (error) {
      if (statusOf(error) === 404) {
        await pulumi.log.warn(`${what} was deleted by hand, and this update does not restore it; npx kazoo up does`);
        return undefined;
      }
      failures += 1;
      if (failures > 5) {
        const reason = (error as Error).message?.split("\n")[0] ?? String(error);
        // This update has not changed a cluster that never answers, or the provider would have failed. But in the middle of a rollout, the next
        // step could stop the only node that is left.
        if (!seen) {
          await pulumi.log.warn(`${what}: cannot see whether it is rolled out: ${reason}`);
          return undefined;
        }
        const text = `its cluster does not answer: ${reason}`;
        if (text !== said) report(`waiting for ${what}: ${text}`);
        said = text;
      }
    }
    if (Date.now() >= began + minutes * 60_000) {
      throw new pulumi.RunError(
        `${what} was not rolled out within ${minutes} minutes: ${[said, ...troubles].join("; ")}; ` +
          `kubectl --context ${context} -n ${namespace} describe pods shows why, and the next up continues from here`,
      );
    }
    return failures > 0 ? 0.5 : patience.look;
  });
}

const statusOf = (error: unknown): unknown => (error as { code?: unknown }).code;

interface Apis {
  readonly config: KubeConfig;
  readonly apps: AppsV1Api;
  readonly batch: BatchV1Api;
  readonly core: CoreV1Api;
}

async function apisOf({ kubeconfig, context }: ClusterAccess): Promise<Apis> {
  const client = await import("@kubernetes/client-node");
  const config = readKubeconfig(client, kubeconfig);
  config.setCurrentContext(context);
  return {
    config,
    apps: config.makeApiClient(client.AppsV1Api),
    batch: config.makeApiClient(client.BatchV1Api),
    core: config.makeApiClient(client.CoreV1Api),
  };
}
