import type { KubernetesObject, V1Namespace } from "@kubernetes/client-node";
import { fixedNames, stackLabel } from "../../../components/names";
import type { KubernetesCluster, Zone } from "../../../config/platform";
import { isHandmade } from "../../report/foreignFields";
import type { UnseenCluster } from "../../report/model";
import { RefusedError } from "../../shared/terminal";
import { asking, clientsOf } from "./kubernetes";
import { deployedIn, isKnown, knownObjects } from "../stack/deployed";
import type { Stack } from "../stack/openStack";

/** An object that a stack would create, but that someone else has already created. Server-side apply would silently take it over. */
export interface Stranger {
  readonly zone: Zone;
  readonly kind: string;
  readonly name: string;
  /** The stack that created it, if it has a stack's label. */
  readonly stack?: string;
  /** For a namespace that is being deleted: what it still waits for, according to its cluster. */
  readonly leaving?: string;
}

/**
 * Refuses to run on a stack whose namespaces, or objects in them, belong to someone else: an update would change them, and `destroy` would
 * delete them.
 * @param unseen clusters that do not answer; they are skipped
 * @throws RefusedError that names them all, and the next step
 */
export async function refuseStrangers(stack: Stack, unseen: readonly UnseenCluster[]): Promise<void> {
  const { clusters, zones } = stack.platform;
  const found = await Promise.all(
    Object.values(clusters).map(async (cluster) => {
      if (cluster.kind === "docker" || unseen.some((away) => away.cluster === cluster.name)) return [];
      return strangersIn(
        cluster,
        zones.filter((zone) => zone.cluster === cluster.name),
        stack.label,
      );
    }),
  );
  const strangers = found.flat();
  if (strangers.length === 0) return;
  // Read only now, because it takes a moment: someone may have removed a label by hand.
  const known = knownObjects(await deployedIn(stack));
  const foreign = strangers.filter(
    ({ kind, name, zone: { cluster, namespace }, leaving }) =>
      leaving !== undefined || !isKnown(known, { cluster, kind, name, namespace }),
  );
  if (foreign.length > 0) throw strangersError(foreign);
}

/** The objects that these zones of a cluster would create, but that someone else has created. Objects that the user may not read are not included. */
export async function strangersIn(
  cluster: KubernetesCluster,
  zones: readonly Zone[],
  stack: string,
): Promise<Stranger[]> {
  const { core } = await clientsOf(cluster);
  const found = await Promise.all(
    zones.map(async (zone): Promise<Stranger[]> => {
      const { namespace } = zone;
      const existing = await unlessRefused(cluster, () => core.readNamespace({ name: namespace }));
      if (existing === undefined) return [];
      if (existing.metadata?.deletionTimestamp !== undefined)
        return [{ zone, kind: "Namespace", name: namespace, leaving: waitsFor(existing) }];
      const owner = existing.metadata?.labels?.[stackLabel];
      if (owner !== stack && (!zone.adopt || owner !== undefined))
        return [{ zone, kind: "Namespace", name: namespace, ...(owner === undefined ? {} : { stack: owner }) }];
      return (await fixedObjects(cluster, zone)).flatMap(({ kind, item }) => {
        // In the stack's own namespace, an interrupted update may have left objects that are not in the state.
        const foreign = owner !== stack || isHandmade(item);
        return foreign ? [{ zone, kind, name: item.metadata?.name ?? "" }] : [];
      });
    }),
  );
  return found.flat();
}

/** The objects in a zone's namespace that have names that the program gives, by whoever. Those that the user may not read are not included. */
export async function fixedObjects(
  cluster: KubernetesCluster,
  zone: Zone,
): Promise<{ readonly apiVersion: string; readonly kind: string; readonly item: KubernetesObject }[]> {
  const { objects } = await clientsOf(cluster);
  const lists = await Promise.all(
    fixedNames
      .filter(({ key }) => key === undefined || zone[key] !== undefined)
      .map(async ({ apiVersion, kind, names }) => {
        const list = await unlessRefused(cluster, () => objects.list(apiVersion, kind, zone.namespace));
        const named = (list?.items ?? []).filter(({ metadata }) => names.includes(metadata?.name ?? ""));
        return named.map((item) => ({ apiVersion, kind, item }));
      }),
  );
  return lists.flat();
}

/** An answer of an API server; undefined if the object does not exist, or the user may not read it. */
const unlessRefused = <T>(cluster: KubernetesCluster, work: () => Promise<T>): Promise<T | undefined> =>
  asking(cluster, async () => {
    try {
      return await work();
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 403 || code === 404) return undefined;
      throw error;
    }
  });

/** What a namespace that is being deleted still waits for. */
const waitsFor = ({ status }: V1Namespace): string =>
  (status?.conditions ?? [])
    .filter((condition) => /Remaining|Failure/.test(condition.type) && condition.status === "True")
    .map(({ message }) => message)
    .join("; ");

const leavingError = (namespaces: readonly Stranger[]): RefusedError =>
  new RefusedError(
    namespaces
      .map(({ zone, name, leaving = "" }) => {
        const holds = leaving === "" ? "" : `: ${leaving}`;
        return `namespace ${name} of cluster ${zone.cluster} is being deleted, and accepts no objects until it is gone${holds}`;
      })
      .join("\n"),
    "wait until it is gone, then run the same command again; objects with finalizers stay until their controller, or you (kubectl edit), removes the finalizers",
  );

/**
 * The error that names the objects of someone else.
 * @param strangers at least one
 */
export function strangersError(strangers: readonly Stranger[]): RefusedError {
  const leaving = strangers.filter((stranger) => stranger.leaving !== undefined);
  if (leaving.length > 0) return leavingError(leaving);
  const lines = strangers.map(({ zone, kind, name, stack }) => {
    const place = kind === "Namespace" ? "" : ` in namespace ${zone.namespace}`;
    const owner = stack === undefined ? "this stack did not create it" : `stack ${stack} created it`;
    return `  ${kind} ${name}${place} of cluster ${zone.cluster}: ${owner}`;
  });
  const kinds = new Set(strangers.map(({ kind }) => kind));
  const ways = [
    ...(kinds.has("Namespace")
      ? ["give the datacenter another `namespace`"]
      : ["delete these objects, or give the datacenter another `namespace`"]),
    ...(strangers.some(({ kind, stack }) => kind === "Namespace" && stack === undefined)
      ? ["adopt: true on the datacenter shares the namespace, and destroy then keeps it"]
      : []),
    ...(kinds.has("Secret") ? ["kazoo:credentials takes over the values of existing Secrets"] : []),
  ];
  return new RefusedError(
    `objects that the stack would create exist already, and an update would take them over:\n${lines.join("\n")}`,
    ways.join("; "),
  );
}
