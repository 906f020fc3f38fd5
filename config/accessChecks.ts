import type { Platform, Service, Zone } from "./platform";
import { problem, type Problem } from "./problem";

/** Checks how Kazoo is reached from outside. Returns all problems. */
export function accessProblems(platform: Platform): Problem[] {
  const zones = platform.zones.filter(({ cluster }) => platform.clusters[cluster]?.kind !== "docker");
  return zones.flatMap((zone, index) => [...serviceType(zone), ...sharedNodePorts(zone, zones.slice(0, index))]);
}

const keyOf = (zone: Zone) => `kazoo:regions.${zone.region}.datacenters.${zone.datacenter}`;

/** What only some types of Services have; the API server refuses it for others, in the middle of an update. */
const typesOf = {
  externalTrafficPolicy: ["NodePort", "LoadBalancer"],
  nodePorts: ["NodePort", "LoadBalancer"],
  loadBalancerSourceRanges: ["LoadBalancer"],
  loadBalancerClass: ["LoadBalancer"],
} as const satisfies { readonly [K in keyof Service]?: readonly Service["type"][] };

function serviceType(zone: Zone): Problem[] {
  const { service } = zone.kazoo;
  return (Object.keys(typesOf) as (keyof typeof typesOf)[])
    .filter((name) => service[name] !== undefined && !(typesOf[name] as readonly string[]).includes(service.type))
    .map((name) =>
      problem(
        `${keyOf(zone)}.workloads.kazoo.service.${name}`,
        service[name],
        `nothing in a Service of type ${service.type}: only ${typesOf[name].join(" and ")} can have it`,
        `type: ${typesOf[name].at(-1)}`,
      ),
    );
}

/** A node's port belongs to one port of one Service of its cluster. */
function sharedNodePorts(zone: Zone, before: readonly Zone[]): Problem[] {
  const others = before.filter(({ cluster }) => cluster === zone.cluster);
  const { nodePorts = {} } = zone.kazoo.service;
  const key = `${keyOf(zone)}.workloads.kazoo.service.nodePorts`;
  if (nodePorts.crossbar !== undefined && nodePorts.crossbar === nodePorts.websockets)
    return [problem(`${key}.websockets`, nodePorts.websockets, "a port other than Crossbar's", "30555")];
  return Object.entries(nodePorts).flatMap(([name, port]) => {
    const other = others.find(({ kazoo }) => Object.values(kazoo.service.nodePorts ?? {}).includes(port));
    if (other === undefined) return [];
    const why = `since ${other.region}/${other.datacenter} has this one in the same cluster`;
    return [problem(`${key}.${name}`, port, `another port, ${why}`, "30801")];
  });
}
