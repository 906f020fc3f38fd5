import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { RunEnvironment } from "../config/environment";
import {
  hostsOf,
  type Cluster,
  type Hosts,
  type Platform,
  type Ring as RingConfig,
  type Zone,
} from "../config/platform";
import { databasePort } from "./bigcouch";
import { Datacenter } from "./datacenter";
import { Kazoo, kazooPorts } from "./kazoo";
import { rabbitmqPorts } from "./rabbitmq";
import { Ring } from "./ring";

/** What a stack tells of each zone; nothing in it is secret. */
export interface ZoneOutputs {
  readonly region: string;
  readonly datacenter: string;
  readonly ring: string;
  readonly cluster: string;
  /** Context of the kubeconfig that leads to the cluster. */
  readonly context: string;
  readonly namespace: string;
  /** `host:port` or URL, as reached from within the cluster. */
  readonly endpoints: {
    readonly crossbar: string;
    readonly websockets: string;
    readonly database: string;
    readonly brokers: readonly string[];
  };
  /** Names of the Erlang nodes. */
  readonly nodes: { readonly kazoo: readonly string[]; readonly database: readonly string[] };
  readonly image: pulumi.Input<string>;
}

/** A zone with what follows from it. */
interface Member {
  readonly zone: Zone;
  readonly cluster: Cluster;
  readonly hosts: Hosts;
  /** Of the cluster, and of random values: default providers are disabled, so that nothing lands in whatever cluster is current. */
  readonly providers: { readonly kubernetes: k8s.Provider; readonly random: random.Provider };
}

/**
 * The program: everything that a stack holds, as a function of its config.
 * @returns the stack's outputs: its zones by name
 */
export function deployPlatform(platform: Platform): { zones: Record<string, ZoneOutputs> } {
  const members = membersOf(platform);
  const zones = Object.values(platform.rings).flatMap((ring) =>
    deployRing(
      platform,
      ring,
      members.filter(({ zone }) => zone.ring === ring.name),
    ),
  );
  return { zones: Object.fromEntries(zones) };
}

function membersOf(platform: Platform): Member[] {
  const randomProvider = new random.Provider("random");
  const clusters = new Map(
    Object.values(platform.clusters).map((cluster) => {
      const kubernetes = new k8s.Provider(`cluster-${cluster.name}`, {
        context: cluster.context,
        ...(cluster.kubeconfig === undefined ? {} : { kubeconfig: cluster.kubeconfig }),
        // The identity is the name in the config: an edited kubeconfig must replace nothing.
        clusterIdentifier: cluster.name,
      });
      return [cluster.name, { cluster, providers: { kubernetes, random: randomProvider } }];
    }),
  );
  return platform.zones.flatMap((zone) => {
    const found = clusters.get(zone.cluster);
    return found === undefined ? [] : [{ zone, ...found, hosts: hostsOf(zone, found.cluster) }];
  });
}

function deployRing(platform: Platform, ring: RingConfig, members: readonly Member[]): [string, ZoneOutputs][] {
  const randomProviders = members.slice(0, 1).map(({ providers }) => providers.random);
  const { credentials } = new Ring(
    `ring-${ring.name}`,
    { ring, protect: platform.protect },
    { providers: randomProviders },
  );
  const databaseNodes = members.flatMap(({ zone, hosts }) =>
    hosts.databaseNodes.map((host) => ({ host, zone: zone.name })),
  );
  const datacenters = members.map(({ zone, cluster, providers }) => {
    const otherClusters = members
      .filter((other) => other.cluster !== cluster)
      .flatMap((other) => other.cluster.podNetwork ?? []);
    return new Datacenter(
      zone.name,
      {
        zone,
        cluster,
        ring,
        credentials,
        images: platform.images,
        databaseNodes,
        otherClusters: [...new Set(otherClusters)],
        protect: platform.protect,
      },
      { providers },
    );
  });

  // All databases join before any Kazoo fills them, and the ring's first zone fills them alone; later it is the one that a change meets first.
  const stores = datacenters.flatMap((datacenter) => datacenter.stores);
  let first: Kazoo | undefined;
  return members.map((member, index) => {
    const { zone, hosts } = member;
    const datacenter = datacenters[index] as Datacenter;
    const kazoo = new Kazoo(
      `${zone.name}-kazoo`,
      {
        namespace: datacenter.namespace,
        suffix: hosts.suffix("kazoo-nodes"),
        image: platform.image,
        environment: { ...hostEnvironment(hosts, ring), ...zone.environment },
        otherZones: members
          .filter((other) => other !== member)
          .map((other) => ({
            zone: other.zone.name,
            alpha: other.hosts.broker("alpha"),
            beta: other.hosts.broker("beta"),
          })),
        cookieSecret: datacenter.cookieSecret,
        brokerSecret: datacenter.brokerSecret,
        databaseSecret: datacenter.databaseSecret,
        size: zone.kazoo,
      },
      { parent: datacenter, dependsOn: first === undefined ? stores : [...stores, first] },
    );
    first ??= kazoo;
    return [zone.name, outputsOf(member, ring, platform.image)];
  });
}

/**
 * Hosts and ports of a zone's stores, for Kazoo. Fully qualified where the seed has bare names: to Kazoo a broker is its URI, and the URIs
 * of a ring's zones must differ. CouchDB 3 has no node-local port, so that Kazoo's master is sent to the usual one.
 */
function hostEnvironment(hosts: Hosts, ring: RingConfig): RunEnvironment {
  return {
    BIGCOUCH_HOST: hosts.database,
    BIGCOUCH_DATA_PORT: String(databasePort),
    BIGCOUCH_ADMIN_PORT: String(ring.database.adminPort ?? databasePort),
    KAZOO_AMQP_HOST: hosts.broker("alpha"),
    KAZOO_SECONDARY_AMQP_HOST: hosts.broker("beta"),
  };
}

function outputsOf({ zone, cluster, hosts }: Member, ring: RingConfig, image: pulumi.Input<string>): ZoneOutputs {
  return {
    region: zone.region,
    datacenter: zone.datacenter,
    ring: ring.name,
    cluster: cluster.name,
    context: cluster.context,
    namespace: zone.namespace,
    endpoints: {
      crossbar: `http://${hosts.kazoo}:${kazooPorts.crossbar}`,
      websockets: `ws://${hosts.kazoo}:${kazooPorts.websockets}`,
      database: `http://${hosts.database}:${databasePort}`,
      brokers: (["alpha", "beta"] as const).map((role) => `${hosts.broker(role)}:${rabbitmqPorts.amqp}`),
    },
    nodes: {
      kazoo: hosts.kazooNodes.map((host) => `${zone.environment.ERLANG_VM}@${host}`),
      database: hosts.databaseNodes.map((host) => `${ring.database.nodeName}@${host}`),
    },
    image,
  };
}
