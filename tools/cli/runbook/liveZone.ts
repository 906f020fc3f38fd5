import type { V1PersistentVolumeClaim, V1StatefulSet } from "@kubernetes/client-node";
import { services } from "../../../config/hosts";
import type { DrainedWorkload, KubernetesCluster, Zone } from "../../../config/platform";
import { partOf, regionStack } from "../../../config/stackPart";
import { chooseAmong } from "../../shared/choose";
import { asking, clientsOf } from "../cluster/kubernetes";
import { type SelectedZone, zonesOf } from "../cluster/nodes";
import { type Stack, readPlatform } from "../stack/openStack";
import type { RunbookOptions } from "./runbook";
import { beginWhole, openWhole } from "./wholeRing";
import { UserError } from "../../shared/terminal";

/** A zone on Kubernetes that a runbook changes, from the stack's file and its outputs. */
export interface LiveZone {
  /** With the zones of all regions, also if these have stacks of their own. */
  readonly stack: Stack;
  /** Name of the Pulumi stack that holds the zone. */
  readonly own: string;
  readonly zone: Zone;
  readonly selected: SelectedZone;
  readonly cluster: KubernetesCluster;
}

/**
 * The zone that the user chose, of a stack or of a region's stack. Unless it is a dry run, this starts the stack's clusters and cleans up after
 * killed runs.
 */
export async function liveZone(options: RunbookOptions): Promise<LiveZone> {
  const stack = await openWholeOf(options.stack);
  if (options.dryRun !== true) await beginWhole(stack);
  const zones = (await zonesOf(stack)).filter(({ zone }) =>
    [stack.name, holderOf(stack, zone)].includes(options.stack),
  );
  const selected = await chooseAmong("zone", "ZONE", zones, options.zone);
  const { cluster } = selected;
  const zone = stack.platform.zones.find(({ name }) => name === selected.name);
  if (zone === undefined || cluster.kind === "docker")
    throw new UserError(`zone ${selected.name} is not in Pulumi.${stack.whole}.yaml`, `make up STACK=${stack.name}`);
  return { stack, own: holderOf(stack, zone), zone, selected, cluster };
}

/** All that the file of a stack, or of a region's stack, describes. */
export const openWholeOf = (name: string): Promise<Stack> => openWhole(partOf(readPlatform(name), name).whole);

/** Name of the Pulumi stack that holds a zone. */
export const holderOf = ({ name, platform }: Stack, { region }: Pick<Zone, "region">): string =>
  platform.stacks === "region" ? regionStack(name, region) : name;

/** Names of the StatefulSets of each workload. */
export const setsOf: Readonly<Record<DrainedWorkload, readonly string[]>> = {
  kazoo: [services.kazoo],
  rabbitmq: [services.alpha, services.beta],
  database: [services.databaseNodes],
};

/**
 * Arguments that limit Pulumi to parts of a StatefulSet's component, such as `nodes` and `config`, and to the component itself: the state
 * records its dependencies, which must change with the order of a drained zone.
 */
export const targetsOf = ({ name }: Zone, set: string, ...parts: readonly string[]): string[] =>
  ["", ...parts.map((part) => `-${part}`)].flatMap((end) => ["--target", `**::${name}-${set}${end}`]);

/** A zone's StatefulSets, by name. */
export async function statefulSetsOf({ cluster, zone }: LiveZone): Promise<Map<string, V1StatefulSet>> {
  const { apps } = await clientsOf(cluster);
  const { items } = await asking(cluster, () => apps.listNamespacedStatefulSet({ namespace: zone.namespace }));
  return new Map(items.map((set) => [set.metadata?.name ?? "", set]));
}

/** The claims for the volumes of a workload's pods. */
export async function dataClaimsOf(
  { cluster, zone }: LiveZone,
  workload: DrainedWorkload,
): Promise<V1PersistentVolumeClaim[]> {
  const { core } = await clientsOf(cluster);
  const { items } = await asking(cluster, () =>
    core.listNamespacedPersistentVolumeClaim({ namespace: zone.namespace }),
  );
  const own = new RegExp(`^data-(${setsOf[workload].join("|")})-\\d+$`);
  return items.filter(({ metadata }) => own.test(metadata?.name ?? ""));
}
