import type { KubernetesObject } from "@kubernetes/client-node";
import type { KubernetesCluster } from "../../config/platform";
import { type Deployed, parseUrn } from "../report/digest";
import { asking, clientsOf } from "./kubernetes";
import type { Stack } from "./openStack";
import { askPulumi } from "./pulumi";

/** A Kubernetes object in a stack's state. */
export interface KnownObject {
  /** Name of the cluster in the config. */
  readonly cluster: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Its namespace; undefined for a Namespace. */
  readonly namespace?: string;
}

/** All resources in a stack's state, their secrets encrypted. */
export async function deployedIn(stack: Pick<Stack, "name" | "pulumi">): Promise<Deployed[]> {
  const text = await askPulumi(stack.pulumi, ["stack", "export", "--stack", stack.name]);
  return (JSON.parse(text) as { deployment?: { resources?: Deployed[] } }).deployment?.resources ?? [];
}

/** The Kubernetes objects among the resources of a state, without Jobs, because finished ones may be cleaned up. */
export function knownObjects(resources: readonly (Deployed & { readonly provider?: string })[]): KnownObject[] {
  return resources.flatMap(({ type, provider = "", inputs, outputs, ...resource }): KnownObject[] => {
    const { apiVersion, kind, metadata } = { ...inputs, ...outputs } as Partial<KubernetesObject>;
    if (!type.startsWith("kubernetes:") || resource.delete === true || kind === "Job") return [];
    if (apiVersion === undefined || kind === undefined || metadata?.name === undefined) return [];
    const cluster = parseUrn(provider.replace(/::[^:]*$/, "")).name.replace(/^cluster-/, "");
    const { name, namespace } = metadata;
    return [
      { cluster, apiVersion, kind, name, ...(namespace === undefined || kind === "Namespace" ? {} : { namespace }) },
    ];
  });
}

/** The known objects that a cluster lacks. Objects that the user may not list do not count as missing. */
export async function missingIn(cluster: KubernetesCluster, known: readonly KnownObject[]): Promise<KnownObject[]> {
  return (await groupsIn(cluster, known)).flatMap(({ group, items }) => {
    const names = new Set(items?.map(({ metadata }) => metadata?.name));
    return items === undefined ? [] : group.filter(({ name }) => !names.has(name));
  });
}

/** A cluster's known objects by kind and namespace; each group also has all existing objects of that kind, unless the user may not list them. */
export async function groupsIn<T extends KnownObject>(cluster: KubernetesCluster, known: readonly T[]) {
  const own = known.filter((object) => object.cluster === cluster.name);
  if (own.length === 0) return [];
  const { objects } = await clientsOf(cluster);
  const kinds = new Map<string, [T, ...T[]]>();
  for (const object of own) {
    const key = [object.apiVersion, object.kind, object.namespace].join();
    const others = kinds.get(key);
    if (others === undefined) kinds.set(key, [object]);
    else others.push(object);
  }
  return Promise.all(
    [...kinds.values()].map(async (group) => {
      const [{ apiVersion, kind, namespace }] = group;
      return { group, items: await itemsOf(cluster, () => objects.list(apiVersion, kind, namespace)) };
    }),
  );
}

/** The items of a list; undefined if the user may not list them. */
const itemsOf = (
  cluster: KubernetesCluster,
  list: () => Promise<{ readonly items: KubernetesObject[] }>,
): Promise<KubernetesObject[] | undefined> =>
  asking(cluster, async () => {
    try {
      return (await list()).items;
    } catch (error) {
      if ((error as { code?: unknown }).code === 403) return undefined;
      throw error;
    }
  });

/** Whether an object is one of the known ones. */
export const isKnown = (
  known: readonly KnownObject[],
  { cluster, kind, name, namespace }: Pick<KnownObject, "cluster" | "kind" | "name" | "namespace">,
): boolean =>
  known.some(
    (own) =>
      own.cluster === cluster && own.kind === kind && own.name === name && (own.namespace ?? namespace) === namespace,
  );

/** Objects as text: `Secret rabbitmq, Service kazoo`. */
export const objectList = (objects: readonly Pick<KnownObject, "kind" | "name">[]): string =>
  objects
    .map(({ kind, name }) => `${kind} ${name}`)
    .sort()
    .join(", ");
