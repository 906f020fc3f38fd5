import type { Platform, Ring, Service, Zone } from "../platform";
import { problem, type Problem, zoneKey } from "../problem";
import type { Given } from "../schema";

/** Checks how Kazoo is reached from outside. Returns all problems. */
export function accessProblems(given: Given, platform: Platform): Problem[] {
  const zones = platform.zones.filter(({ cluster }) => platform.clusters[cluster]?.kind !== "docker");
  return [
    ...zones.flatMap((zone, index) => [
      ...serviceType(zone),
      ...sharedNodePorts(zone, zones.slice(0, index)),
      ...clientAddress(zone, zones.slice(0, index)),
      ...certificate(zone),
    ]),
    ...Object.values(platform.rings).flatMap((ring) => monsterUi(given, ring)),
  ];
}

/** Keys that only some types of Services have; for others, the API server would refuse them in the middle of an update. */
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
        `${zoneKey(zone)}.workloads.kazoo.service.${name}`,
        service[name],
        `nothing in a Service of type ${service.type}: only ${typesOf[name].join(" and ")} can have it`,
        `type: ${typesOf[name].at(-1)}`,
      ),
    );
}

/** A port of the cluster's nodes can belong to only one port of one Service. */
function sharedNodePorts(zone: Zone, before: readonly Zone[]): Problem[] {
  const others = before.filter(({ cluster }) => cluster === zone.cluster);
  const { nodePorts = {} } = zone.kazoo.service;
  const key = `${zoneKey(zone)}.workloads.kazoo.service.nodePorts`;
  if (nodePorts.crossbar !== undefined && nodePorts.crossbar === nodePorts.websockets)
    return [problem(`${key}.websockets`, nodePorts.websockets, "a port other than Crossbar's", "30555")];
  return Object.entries(nodePorts).flatMap(([name, port]) => {
    const other = others.find(({ kazoo }) => Object.values(kazoo.service.nodePorts ?? {}).includes(port));
    if (other === undefined) return [];
    const why = `since ${other.region}/${other.datacenter} has this one in the same cluster`;
    return [problem(`${key}.${name}`, port, `another port, ${why}`, "30801")];
  });
}

function clientAddress(zone: Zone, before: readonly Zone[]): Problem[] {
  const [found, another] = [zone.ingress, zone.gateway];
  if (found !== undefined && another !== undefined)
    return [
      problem(`${zoneKey(zone)}.gateway`, another, "either ingress or gateway, not both", "remove one of the two"),
    ];
  const way = found ?? another;
  if (way === undefined) return [];
  const key = `${zoneKey(zone)}.${found === undefined ? "gateway" : "ingress"}`;
  const { host, websockets, controllerNamespace } = way;
  const problems: Problem[] = [];
  if (another?.gateway.name === "") problems.push(problem(`${key}.name`, undefined, "the name of a Gateway", "public"));
  if (host === "")
    return [...problems, problem(`${key}.host`, undefined, "the datacenter's host name", "kazoo.example.com")];
  const others = before.filter(({ cluster }) => cluster === zone.cluster);
  for (const [part, name] of Object.entries({ host, "websockets.host": websockets.host })) {
    const other = others.find(({ ingress, gateway }) =>
      [ingress, gateway].some((each) => each !== undefined && [each.host, each.websockets.host].includes(name)),
    );
    if (other === undefined || (part !== "host" && name === host)) continue;
    const why = `since ${other.region}/${other.datacenter} has this one in the same cluster`;
    problems.push(problem(`${key}.${part}`, name, `another host name, ${why}`, `${zone.datacenter}.example.com`));
  }
  if (websockets.host === host && websockets.path === "/") {
    const expected = "a path other than Crossbar's, or a host of their own";
    problems.push(problem(`${key}.websockets.path`, websockets.path, expected, "/websockets"));
  }
  if (controllerNamespace !== undefined && zone.kazoo.service.type !== "ClusterIP") {
    const why = `its clients would not come from this namespace, and NetworkPolicies would keep them out`;
    const expected = `nothing with a Service of type ${zone.kazoo.service.type}: ${why}`;
    problems.push(problem(`${key}.controllerNamespace`, controllerNamespace, expected, "remove one of the two"));
  }
  return problems;
}

function certificate(zone: Zone): Problem[] {
  const { tls } = zone.ingress ?? {};
  if (tls === undefined) return [];
  const key = `${zoneKey(zone)}.ingress.tls`;
  if (tls.secretName === "") {
    const expected = "a Secret that exists (secretName), or the cert-manager issuer of one (issuer, clusterIssuer)";
    return [problem(key, {}, expected, "{ clusterIssuer: letsencrypt }")];
  }
  return tls.issuer === undefined || tls.clusterIssuer === undefined
    ? []
    : [problem(`${key}.issuer`, tls.issuer, "either issuer or clusterIssuer, not both", "remove one of the two")];
}

/** The apps call Crossbar from browsers, so they need an address that browsers reach. */
function monsterUi(given: Given, ring: Ring): Problem[] {
  const asked = given.rings?.[ring.name]?.masterAccount?.monsterUi;
  if (asked === undefined || ring.masterAccount?.monsterUi !== undefined) return [];
  const key = `kazoo:rings.${ring.name}.masterAccount.monsterUi.url`;
  const expected =
    "the address of Crossbar's API for browsers, since no datacenter of the ring has an ingress or a gateway";
  return [problem(key, undefined, expected, "https://kazoo.example.com/v2")];
}
