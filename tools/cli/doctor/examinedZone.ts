import { workloads } from "../../../components/names";
import type { KubernetesCluster, Platform, Ring, Zone } from "../../../config/platform";
import { type SelectedZone, type ZoneNode, hostsIn, nodesOf } from "../cluster/nodes";

/** A zone on Kubernetes, from the stack's file and its outputs. */
export interface ExaminedZone {
  readonly selected: SelectedZone;
  readonly cluster: KubernetesCluster;
  readonly zone: Zone;
  readonly ring: Ring;
  /** Nodes that should run. */
  readonly nodes: readonly ZoneNode[];
}

/** A zone as a place to examine; none if it is on Docker, or not in the stack's file. */
export function examinedZone({ zones, rings }: Platform, selected: SelectedZone): ExaminedZone[] {
  const { cluster } = selected;
  const zone = zones.find(({ name }) => name === selected.name);
  const ring = rings[selected.zone.ring];
  if (cluster.kind === "docker" || zone === undefined || ring === undefined) return [];
  const nodes = nodesOf(hostsIn(selected.zone), cluster).filter(
    ({ workload }) => !zone.drained.includes(workload === workloads.database ? "database" : workload),
  );
  return [{ selected, cluster, zone, ring, nodes }];
}

export const inRing = (places: readonly ExaminedZone[], ring: string): ExaminedZone[] =>
  places.filter(({ zone }) => zone.ring === ring);

export const nodesOfWorkload = ({ nodes }: ExaminedZone, workload: ZoneNode["workload"]): ZoneNode[] =>
  nodes.filter((node) => node.workload === workload);
