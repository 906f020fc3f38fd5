import type { Fact, Region, Topology, WorkloadBox, ZoneBox } from "./graph";
import { type NodeState, type State, states, type ZoneState } from "./states";

/** A topology in which each node carries its state. @param at when the states were read, as text */
export function withStates(topology: Topology, zones: Readonly<Record<string, ZoneState>>, at: string): Topology {
  const regions = topology.regions.map((region): Region => {
    const clusters = region.clusters.map((cluster) => ({
      ...cluster,
      zones: cluster.zones.map((zone) =>
        zoneWith(zone, zones[zone.title] ?? { problem: "the zone is not deployed yet" }),
      ),
    }));
    return { ...region, clusters, notes: [...region.notes, readyIn(clusters.flatMap((cluster) => cluster.zones))] };
  });
  return { ...topology, regions, facts: [["seen", at], ...topology.facts] };
}

const statesIn = (zones: readonly ZoneBox[]): State[] =>
  zones.flatMap(({ workloads }) =>
    workloads.flatMap((one) => Object.values(one.states ?? {}).map(({ state }) => state)),
  );

const readyIn = (zones: readonly ZoneBox[]): string => readyOf(statesIn(zones));

function readyOf(all: readonly State[]): string {
  const ready = all.filter((state) => state === "ready").length;
  return ready === all.length ? `all ${ready} nodes ready` : `${ready} of ${all.length} nodes ready`;
}

export const worstOf = (all: readonly State[]): State =>
  states[Math.max(0, ...all.map((state) => states.indexOf(state)))] ?? "unknown";

function zoneWith(zone: ZoneBox, { nodes = {}, problem }: ZoneState): ZoneBox {
  const workloads = zone.workloads.map((workload) => workloadWith(workload, nodes, problem));
  const drawn = { ...zone, workloads };
  const said: Fact[] = [["state", problem ?? readyIn([drawn])]];
  return {
    ...drawn,
    state: worstOf(statesIn([drawn])),
    notes: [...zone.notes, problem === undefined ? readyIn([drawn]) : "state unknown"],
    facts: [...said, ...zone.facts],
  };
}

function workloadWith(
  workload: WorkloadBox,
  nodes: Readonly<Record<string, NodeState>>,
  problem?: string,
): WorkloadBox {
  const missing: NodeState = problem === undefined ? { state: "away" } : { state: "unknown", waitsFor: problem };
  const own = workload.nodes.map((name) => [name, nodes[name] ?? missing] as const);
  return {
    ...workload,
    states: Object.fromEntries(own),
    facts: [...own.map(([name, node]): Fact => [name, inWords(node)]), ...workload.facts],
  };
}

function inWords({ state, waitsFor, image, restarts }: NodeState): string {
  const restarted = restarts === undefined ? [] : [restarts === 1 ? "1 restart" : `${restarts} restarts`];
  return [
    waitsFor === undefined ? state : `${state}: ${waitsFor}`,
    ...restarted,
    ...(image === undefined ? [] : [image]),
  ].join("; ");
}
