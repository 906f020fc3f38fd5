import type { V1Namespace } from "@kubernetes/client-node";
import { fixedNames, stackLabel } from "../../components/names";
import type { KubernetesCluster, Zone } from "../../config/platform";
import { isHandmade } from "../report/foreignFields";
import type { UnseenCluster } from "../report/model";
import { RefusedError } from "../shared/terminal";
import { asking, clientsOf } from "./kubernetes";
import { deployedIn, knownObjects } from "./missing";
import type { Stack } from "./openStack";

/** An object that a stack would create, and that somebody else has made already. Server-side apply would take it over without a word. */
export interface Stranger {
  readonly zone: Zone;
  readonly kind: string;
  readonly name: string;
  /** The stack that made it, if it carries the label of one. */
  readonly stack?: string;
  /** Of a namespace that is being deleted: what its cluster says that it waits for. */
  readonly leaving?: string;
}

/**
 * Refuses to run on a stack whose namespaces, or objects in them, belong to somebody else: an update would change them, and `destroy` delete
 * them.
 * @param unseen clusters that do not answer; they are not asked
 * @throws RefusedError that names them all, and how to go on
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
  // Only asked for now, since it takes a moment: a label may have been removed by hand.
  const known = knownObjects(await deployedIn(stack));
  const foreign = strangers.filter(
    ({ kind, name, zone, leaving }) =>
      leaving !== undefined ||
      !known.some(
        (own) =>
          own.cluster === zone.cluster &&
          own.kind === kind &&
          own.name === name &&
          (own.namespace ?? zone.namespace) === zone.namespace,
      ),
  );
  if (foreign.length > 0) throw strangersError(foreign);
}

/** What somebody else has made of what these zones of a cluster would create. What one may not read counts as the stack's own. */
export async function strangersIn(
  cluster: KubernetesCluster,
  zones: readonly Zone[],
  stack: string,
): Promise<Stranger[]> {
  const { core, objects } = await clientsOf(cluster);
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
      const lists = await Promise.all(
        fixedNames
          .filter(({ key }) => key === undefined || zone[key] !== undefined)
          .map(async ({ apiVersion, kind, names }) => {
            const list = await unlessRefused(cluster, () => objects.list(apiVersion, kind, namespace));
            return (list?.items ?? []).flatMap((item) => {
              const name = item.metadata?.name ?? "";
              // In the stack's own namespace, an interrupted update may have left objects that are not in the state.
              const foreign = names.includes(name) && (owner !== stack || isHandmade(item));
              return foreign ? [{ zone, kind, name }] : [];
            });
          }),
      );
      return lists.flat();
    }),
  );
  return found.flat();
}

/** An answer of an API server; undefined if there is no such object, or one may not read it. */
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
 * The error that names what is somebody else's.
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
