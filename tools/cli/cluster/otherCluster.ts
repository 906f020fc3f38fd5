import type { KubernetesObject } from "@kubernetes/client-node";
import type { KubernetesCluster } from "../../../config/platform";
import { parseUrn, type Deployed } from "../../report/digest";
import type { UnseenCluster } from "../../report/model";
import { RefusedError } from "../../shared/terminal";
import { asking, clientsOf } from "./kubernetes";
import { deployedIn } from "../stack/deployed";
import type { Stack } from "../stack/openStack";

/** A namespace in a stack's state. */
export interface KnownNamespace {
  /** Name of the cluster in the config. */
  readonly cluster: string;
  readonly name: string;
  /** The id that its cluster assigned; no other cluster has the same. */
  readonly uid: string;
}

/** The namespaces in a state, with their ids. */
export const knownNamespaces = (resources: readonly (Deployed & { readonly provider?: string })[]): KnownNamespace[] =>
  resources.flatMap(({ type, provider = "", outputs, ...resource }) => {
    const { name, uid } = ((outputs ?? {}) as KubernetesObject).metadata ?? {};
    if (type !== "kubernetes:core/v1:Namespace" || resource.delete === true) return [];
    if (name === undefined || uid === undefined) return [];
    return [{ cluster: parseUrn(provider.replace(/::[^:]*$/, "")).name.replace(/^cluster-/, ""), name, uid }];
  });

/**
 * Refuses to run if a context leads to another cluster than the one that the stack was deployed to: an update would deploy the stack a second
 * time, and `destroy` would forget what runs on the first cluster. Sandbox clusters are skipped, because their ids show when one is new.
 * @param unseen clusters that do not answer; they are skipped
 * @param args of Pulumi; `--refresh --run-program` adopts the other cluster on purpose. With `--refresh` alone, Pulumi would query the cluster in
 * the state, and find nothing to do.
 * @throws RefusedError that names each such cluster
 */
export async function refuseOtherClusters(
  stack: Stack,
  unseen: readonly UnseenCluster[] = [],
  args: readonly string[] = [],
): Promise<void> {
  const asked = Object.values(stack.platform.clusters).filter(
    (cluster): cluster is KubernetesCluster =>
      cluster.kind === "kubernetes" && unseen.every((away) => away.cluster !== cluster.name),
  );
  if (asked.length === 0 || args.includes("--run-program")) return;
  const known = knownNamespaces(await deployedIn(stack));
  const problems = await Promise.all(asked.map((cluster) => otherCluster(cluster, known)));
  const lines = problems.flatMap((line) => line ?? []);
  if (lines.length === 0) return;
  throw new RefusedError(
    lines.join("\n"),
    `point the context at the cluster that the stack runs on; if that cluster no longer exists, npx kazoo up -s ${stack.name} -- --refresh --run-program builds the stack here, with the same credentials and empty databases`,
  );
}

/**
 * Why this cluster cannot be the one in a state: it has none of the state's namespaces, by their ids. Undefined if it has one, if the user may
 * not read them, or if nothing was deployed yet.
 */
export async function otherCluster(
  cluster: KubernetesCluster,
  known: readonly KnownNamespace[],
): Promise<string | undefined> {
  const own = known.filter((namespace) => namespace.cluster === cluster.name);
  if (own.length === 0) return undefined;
  const there = await Promise.all(own.map((namespace) => hasNamespace(cluster, namespace)));
  if (there.some((found) => found !== false)) return undefined;
  const { config } = await clientsOf(cluster);
  const names = own.map(({ name, uid }) => `${name} (uid ${uid})`).join(", ");
  return `cluster ${cluster.name}: context ${cluster.context} leads to ${config.getCurrentCluster()?.server}, which has none of the namespaces that the stack was deployed to: ${names}. Either it is another cluster, or all of them were deleted there`;
}

/** Whether a cluster has this namespace, by its id; undefined if the user may not read it. */
export const hasNamespace = async (
  cluster: KubernetesCluster,
  { name, uid }: Pick<KnownNamespace, "name" | "uid">,
): Promise<boolean | undefined> => {
  const found = await uidOf(cluster, name);
  return found === "forbidden" ? undefined : found === uid;
};

/** The id of a namespace; undefined if there is none. */
export async function uidOf(cluster: KubernetesCluster, name: string): Promise<string | "forbidden" | undefined> {
  const { core } = await clientsOf(cluster);
  return asking(cluster, async () => {
    try {
      return (await core.readNamespace({ name })).metadata?.uid;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 404) return undefined;
      if (code === 403) return "forbidden";
      throw error;
    }
  });
}
