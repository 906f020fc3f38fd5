import type { V1StatefulSet } from "@kubernetes/client-node";
import { services } from "../../config/hosts";
import type { DrainedWorkload, KubernetesCluster, Zone } from "../../config/platform";
import { begin } from "./commands/lifecycle";
import { asking, clientsOf } from "./kubernetes";
import { type SelectedZone, selectZone } from "./nodes";
import { type Stack, openStack } from "./openStack";
import type { RunbookOptions } from "./runbook";
import { UserError, reportToStderr } from "../shared/terminal";

/** A zone on Kubernetes that a runbook changes, from the stack's file and its outputs. */
export interface LiveZone {
  readonly stack: Stack;
  readonly zone: Zone;
  readonly selected: SelectedZone;
  readonly cluster: KubernetesCluster;
}

/** The zone that the user chose. Unless it is a dry run, this starts its clusters and cleans up after killed runs. */
export async function liveZone(options: RunbookOptions): Promise<LiveZone> {
  const stack = await openStack(options.stack, reportToStderr);
  if (options.dryRun !== true) await begin(stack);
  const selected = await selectZone(stack, options);
  const { cluster } = selected;
  const zone = stack.platform.zones.find(({ name }) => name === selected.name);
  if (zone === undefined || cluster.kind === "docker")
    throw new UserError(`zone ${selected.name} is not in Pulumi.${stack.whole}.yaml`, `make up STACK=${stack.name}`);
  return { stack, zone, selected, cluster };
}

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
