import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

/** Labels that select the pods of a workload; a StatefulSet's selector can't be changed, so these are for good. */
export function selectorLabels(workload: string, instance: string = workload): Record<string, string> {
  return { "app.kubernetes.io/name": workload, "app.kubernetes.io/instance": instance };
}

/** Labels of everything that belongs to a workload. */
export function workloadLabels(workload: string, instance: string = workload): Record<string, string> {
  return { ...selectorLabels(workload, instance), "app.kubernetes.io/part-of": "kazoo" };
}

/**
 * Labels of a datacenter's namespace: NetworkPolicies of the ring's other zones select by them. Of two stacks that are given the same
 * namespace the second is refused by the API server, since each wants a label that the other has set.
 */
export function namespaceLabels(
  stack: string,
  zone: { readonly name: string; readonly region: string; readonly datacenter: string; readonly ring: string },
): Record<string, string> {
  return {
    "app.kubernetes.io/part-of": "kazoo",
    "kazoo/stack": stack,
    "kazoo/zone": zone.name,
    "kazoo/region": zone.region,
    "kazoo/datacenter": zone.datacenter,
    "kazoo/ring": zone.ring,
  };
}

/** Spreads pods with the given labels over availability zones and nodes as evenly as the cluster allows, without holding any back. */
export function spread(labels: Record<string, string>): k8s.types.input.core.v1.TopologySpreadConstraint[] {
  return ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: labels },
  }));
}

/**
 * Annotation of a Service that gets no address from outside: the provider takes ten seconds to find it ready, and the pods behind it, which
 * matter, are waited for by themselves.
 */
export const doNotWait = { "pulumi.com/skipAwait": "true" };

/** How long a StatefulSet may take, in minutes: the provider's ten are less than its pods' own probes and grace allow. */
export function rollTimeouts(minutes: number): pulumi.CustomTimeouts {
  return { create: `${minutes}m`, update: `${minutes}m` };
}
