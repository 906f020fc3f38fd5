import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { stackLabel } from "./names";

/** Labels that select the pods of a workload. A StatefulSet's selector cannot change, so these must not either. */
export function selectorLabels(workload: string, instance: string = workload): Record<string, string> {
  return { "app.kubernetes.io/name": workload, "app.kubernetes.io/instance": instance };
}

/** Labels of everything that belongs to a workload. */
export function workloadLabels(workload: string, instance: string = workload): Record<string, string> {
  return { ...selectorLabels(workload, instance), "app.kubernetes.io/part-of": "kazoo" };
}

/**
 * Labels of a datacenter's namespace, which NetworkPolicies of the ring's other zones select. If two stacks use the same namespace, the API
 * server refuses the second, because it would change a label of the first.
 */
export function namespaceLabels(
  stack: string,
  zone: { readonly name: string; readonly region: string; readonly datacenter: string; readonly ring: string },
): Record<string, string> {
  return {
    "app.kubernetes.io/part-of": "kazoo",
    [stackLabel]: stack,
    "kazoo/zone": zone.name,
    "kazoo/region": zone.region,
    "kazoo/datacenter": zone.datacenter,
    "kazoo/ring": zone.ring,
  };
}

/**
 * Spreads pods with the given labels over availability zones and nodes as evenly as possible.
 * @param whenUnsatisfiable whether a pod that would make them uneven starts anyway
 */
export function spread(
  labels: Record<string, string>,
  whenUnsatisfiable: "ScheduleAnyway" | "DoNotSchedule" = "ScheduleAnyway",
): k8s.types.input.core.v1.TopologySpreadConstraint[] {
  return ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable,
    labelSelector: { matchLabels: labels },
  }));
}

/**
 * Annotation of objects that the provider does not wait for. For a Service without an external address, it would wait ten seconds, and the program
 * waits for the pods anyway. For an Ingress, it would wait for an address in the status, which not every controller writes.
 */
export const doNotWait = { "pulumi.com/skipAwait": "true" };

/** Time for a StatefulSet, in minutes: the provider's ten are less than the probes and grace periods of its pods allow. */
export function rollTimeouts(minutes: number): pulumi.CustomTimeouts {
  return { create: `${minutes}m`, update: `${minutes}m` };
}
