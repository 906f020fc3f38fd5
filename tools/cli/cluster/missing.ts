import type { KubernetesObject } from "@kubernetes/client-node";
import type { KubernetesCluster } from "../../../config/platform";
import type { KnownObject } from "../stack/deployed";
import { asking, clientsOf } from "./kubernetes";

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
