import { workloads } from "../../../components/names";
import { type Cluster, type KubernetesCluster, hostsOf } from "../../../config/platform";
import { choose, chooseAmong } from "../../shared/choose";
import { dockerPlaces } from "../docker/dockerImage";
import { type Stack, openRegions, openStack, readPlatform, regionsIn } from "../stack/openStack";
import { UserError, reportToStderr } from "../../shared/terminal";
import { type ZoneView, readZones } from "../stack/zones";

/** Where a node runs. */
export type Place =
  | {
      readonly kind: "pod";
      readonly cluster: KubernetesCluster;
      readonly namespace: string;
      readonly pod: string;
      readonly container: string;
    }
  | { readonly kind: "container"; readonly host: string; readonly container: string };

/** A node of a zone: Kazoo, database or broker. */
export interface ZoneNode {
  /** Name of its pod or container: `kazoo-0`, `rabbitmq-alpha-0`; on Docker `kazoo`, `rabbitmq-alpha`. */
  readonly name: string;
  readonly workload: typeof workloads.kazoo | typeof workloads.database | typeof workloads.rabbitmq;
  /** Fully qualified; for a broker, its Service. */
  readonly host: string;
  readonly place: Place;
}

/** Host names of a zone's nodes, and their namespace. */
export interface NodeHosts {
  readonly namespace: string;
  readonly kazoo: readonly string[];
  readonly database: readonly string[];
  readonly brokers: readonly string[];
}

/** The hosts of a zone, from the stack's outputs. */
export const hostsIn = ({ namespace, nodes, endpoints }: ZoneView): NodeHosts => ({
  namespace,
  kazoo: nodes.kazoo.map((name) => name.split("@")[1] ?? name),
  database: nodes.database.map((name) => name.split("@")[1] ?? name),
  brokers: endpoints.brokers.map((endpoint) => endpoint.split(":")[0] ?? endpoint),
});

/** All nodes of a zone, Kazoo's first. */
export function nodesOf(hosts: NodeHosts, cluster: Cluster): ZoneNode[] {
  const node = (workload: ZoneNode["workload"], host: string, name: string): ZoneNode => ({
    name,
    workload,
    host,
    place:
      cluster.kind === "docker"
        ? { kind: "container", host: cluster.host, container: name }
        : { kind: "pod", cluster, namespace: hosts.namespace, pod: name, container: workload },
  });
  return [
    ...hosts.kazoo.map((host) => node(workloads.kazoo, host, label(host))),
    ...hosts.database.map((host) => node(workloads.database, host, label(host))),
    ...hosts.brokers.map((host) =>
      node(workloads.rabbitmq, host, cluster.kind === "docker" ? label(host) : `${label(host)}-0`),
    ),
  ];
}

const label = (host: string): string => host.split(".")[0] ?? host;

/** The zone and the node that the user chose. */
export interface Selection {
  readonly zone?: string | undefined;
  readonly node?: string | undefined;
}

/** A zone of a deployed stack, with its cluster. */
export interface SelectedZone {
  readonly name: string;
  readonly zone: ZoneView;
  readonly cluster: Cluster;
}

/** The zones of a deployed stack, also if its regions have stacks of their own. */
export async function zonesOf(stack: Stack): Promise<SelectedZone[]> {
  const isSplit = regionsIn(stack.name, stack.platform) !== undefined;
  const holders = isSplit ? await openRegions(stack.name, reportToStderr) : [stack];
  const zones = (await Promise.all(holders.map(readZones))).flatMap((found) => Object.entries(found));
  if (zones.length === 0) throw new UserError(`stack ${stack.name} is not deployed`, `make up STACK=${stack.name}`);
  return zones.map(([name, zone]) => {
    const cluster = stack.platform.clusters[zone.cluster];
    if (cluster === undefined)
      throw new UserError(
        `zone ${name} is on ${zone.cluster}, which is not in the stack's file`,
        `restore kazoo:clusters.${zone.cluster} there until make up STACK=${stack.name} has removed the zone`,
      );
    return { name, zone, cluster };
  });
}

/** The zone to act on. */
export const selectZone = async (stack: Stack, { zone }: Selection): Promise<SelectedZone> =>
  chooseAmong("zone", "ZONE", await zonesOf(stack), zone);

/** The node to act on: a Kazoo node, unless another one is named. */
export const selectNode = ({ zone, cluster }: SelectedZone, selection: Selection): Promise<ZoneNode> =>
  nodeAmong(nodesOf(hostsIn(zone), cluster), selection);

/**
 * The node of a stack to act on, on Kubernetes or Docker. On Docker, the stack need not be deployed, because a container can run without it;
 * then the toolchain is not needed either.
 */
export async function findNode(stackName: string, selection: Selection): Promise<ZoneNode> {
  const platform = readPlatform(stackName);
  const onKubernetes = async (zone: string | undefined): Promise<ZoneNode> =>
    selectNode(await selectZone(await openStack(stackName, reportToStderr), { zone }), selection);
  const places = dockerPlaces(platform);
  if (places.length === 0) return onKubernetes(selection.zone);
  const { name } = await chooseAmong("zone", "ZONE", platform.zones, selection.zone);
  const place = places.find(({ zone }) => zone.name === name);
  if (place === undefined) return onKubernetes(name);
  const { kazooNodes, databaseNodes, broker } = hostsOf(place.zone, place.cluster);
  const brokers = [broker("alpha"), broker("beta")];
  const hosts = { namespace: place.cluster.network, kazoo: kazooNodes, database: databaseNodes, brokers };
  return nodeAmong(nodesOf(hosts, place.cluster), selection);
}

/**
 * Refuses a stack or zone on Docker. If a stack has both, only its zones on Kubernetes can be chosen.
 * @param instead the command to run on Docker
 */
export async function onKubernetes<Given extends Selection & { readonly stack: string }>(
  given: Given,
  command: string,
  instead: string,
): Promise<Given> {
  const platform = readPlatform(given.stack);
  const onDocker = dockerPlaces(platform).map(({ zone }) => zone.name);
  if (onDocker.length === 0) return given;
  const others = platform.zones.map(({ name }) => name).filter((name) => !onDocker.includes(name));
  if (others.length > 0 && !onDocker.includes(given.zone ?? ""))
    return { ...given, zone: await choose("zone", "ZONE", others, given.zone) };
  const what = others.length === 0 ? `stack ${given.stack}` : `zone ${given.zone}`;
  throw new UserError(`${command} is for Kubernetes, and ${what} is on Docker`, `${instead} STACK=${given.stack}`);
}

async function nodeAmong(nodes: readonly ZoneNode[], { node }: Selection): Promise<ZoneNode> {
  const kazoo = nodes.filter(({ workload }) => workload === workloads.kazoo);
  const candidates = node === undefined ? kazoo : nodes;
  // An Erlang node's full name is accepted too.
  const wanted = node?.includes("@") ? label(node.split("@")[1] ?? "") : node;
  return chooseAmong("node", "NODE", candidates, wanted);
}
