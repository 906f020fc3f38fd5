import { databasePort, kazooPorts, outsidePorts, rabbitmqPorts } from "../../components/names";
import { services } from "../../config/hosts";
import { databaseMetricsPort } from "../../config/schema/monitoring";
import {
  type Cluster,
  type Hosts,
  type Platform,
  type Ring,
  type Zone,
  copiesOf,
  hostsOf,
} from "../../config/platform";
import type { NodeState, State } from "./states";

/** A detail of an item, shown on request: a label and its value. */
export type Fact = readonly [label: string, value: string];

/** An item in the drawing. */
export interface Item {
  /** Unique in the topology. */
  readonly id: string;
  readonly title: string;
  /** Short lines below the title. */
  readonly notes: readonly string[];
  readonly facts: readonly Fact[];
}

/** A system outside the stack that communicates with it. */
export interface Outside extends Item {
  /** `in`: it calls Kazoo; `out`: Kazoo calls it; `both`. */
  readonly direction: "in" | "out" | "both";
}

/** A stack: its regions and their contents, the rings that zones share, and the connections. */
export interface Topology {
  readonly stack: string;
  readonly facts: readonly Fact[];
  readonly outside: readonly Outside[];
  readonly regions: readonly Region[];
  /** Rings of more than one zone. */
  readonly rings: readonly Item[];
  /** Links between regions and items outside them. */
  readonly links: readonly Link[];
}

export interface Region extends Item {
  readonly clusters: readonly ClusterPart[];
}

/** The part of a cluster that is in a region. */
export interface ClusterPart extends Item {
  readonly zones: readonly ZoneBox[];
}

/** A datacenter. */
export interface ZoneBox extends Item {
  /** Whether the ring has other zones, and this one gets each change first. */
  readonly first: boolean;
  readonly workloads: readonly WorkloadBox[];
  /** The worst state of its nodes, if it was queried. */
  readonly state?: State;
  readonly links: readonly Link[];
}

/** Nodes of one kind in a zone. */
export interface WorkloadBox extends Item {
  readonly kind: "kazoo" | "broker" | "database" | "elsewhere";
  /** Names of its pods or containers. */
  readonly nodes: readonly string[];
  /** The state of each node, if it was queried. */
  readonly states?: Readonly<Record<string, NodeState>>;
}

/** A connection between two items. */
export interface Link {
  readonly from: string;
  readonly to: string;
  /** `failover` is used if `use` does not answer; `member` belongs to a ring. */
  readonly kind: "use" | "failover" | "member";
  readonly arrow: "to" | "both" | "none";
  readonly label: readonly string[];
}

/** The topology of a stack. */
export function topologyOf(stack: string, platform: Platform): Topology {
  const { zones, rings } = platform;
  const shared = Object.values(rings).filter((ring) => ring.zones.length > 1);
  const outside = outsideOf(platform);
  const regions = [...new Set(zones.map(({ region }) => region))].map((name) => regionOf(name, platform));
  const links = regions.flatMap((region): Link[] => {
    const own = zones.filter((zone) => regionId(zone.region) === region.id);
    return [
      ...outside
        .filter(({ reaches }) => own.some(reaches))
        .map(({ item: { id, direction } }) => ({
          ...(direction === "out" ? { from: region.id, to: id } : { from: id, to: region.id }),
          kind: "use" as const,
          arrow: direction === "both" ? ("both" as const) : ("to" as const),
          label: [],
        })),
      ...shared
        .filter((ring) => own.some((zone) => zone.ring === ring.name))
        .map((ring) => ({
          from: region.id,
          to: ringId(ring.name),
          kind: "member" as const,
          arrow: "none" as const,
          label: [],
        })),
    ];
  });
  return {
    stack,
    facts: [
      ["zones", String(zones.length)],
      ["image of Kazoo", imageOf(platform)],
      ["protected", platform.protect ? "yes" : "no, a stack to throw away"],
    ],
    outside: outside.map(({ item }) => item),
    regions,
    rings: shared.map((ring) => ringItem(ring)),
    links,
  };
}

const regionId = (name: string) => `region ${name}`;
const ringId = (name: string) => `ring ${name}`;
const zoneId = (name: string) => `zone ${name}`;

const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

const range = ({ first, last }: { readonly first: number; readonly last: number }): string =>
  first === last ? String(first) : `${first}–${last}`;

/** `couchdb-2.3.1`: CouchDB 2.3.1. */
const databaseTitle = ({ database }: Ring): string =>
  database.version.replace(/^bigcouch-/, "BigCouch ").replace(/^couchdb-/, "CouchDB ");

const dataPorts = ({ database }: Ring): string =>
  [databasePort, ...(database.adminPort === undefined ? [] : [database.adminPort])].join(", ");

function imageOf({ image }: Platform): string {
  if (image.kind === "prebuilt") return image.reference;
  const name = `${image.registry === undefined ? "" : `${image.registry.address}/`}${image.repository}`;
  return image.digest === undefined
    ? `${name}:${image.tags[0]}, built from ${image.context}`
    : `${name}@${image.digest}`;
}

/** The systems outside the stack, and the zones that each communicates with. */
function outsideOf({ zones, clusters }: Platform): { item: Outside; reaches: (zone: Zone) => boolean }[] {
  const onDocker = (zone: Zone) => clusters[zone.cluster]?.kind === "docker";
  const networks = [...new Set(zones.flatMap(({ mediaNetworks }) => mediaNetworks))];
  const { crossbar, crossbarTls, websockets, epmd, distribution, fax, media } = kazooPorts;
  const clients: Outside = {
    id: "outside clients",
    title: "API clients, browsers",
    notes: [`to Kazoo: Crossbar ${crossbar}, ${crossbarTls}; Blackhole ${websockets}`],
    facts: [
      ["Crossbar, the API", `${crossbar}; ${crossbarTls} where you configure TLS`],
      ["Blackhole, websockets", String(websockets)],
    ],
    direction: "in",
  };
  const servers: Outside = {
    id: "outside media",
    title: "FreeSWITCH, Kamailio",
    notes: [`to brokers: ${rabbitmqPorts.amqp}; to Kazoo: ${epmd}, ${range(distribution)}, ${fax}, ${media}`],
    facts: [
      ["networks", networks.join(", ")],
      ["to brokers", `AMQP ${rabbitmqPorts.amqp}`],
      ["to Kazoo", `Erlang ${epmd}, ${range(distribution)}; fax ${fax}; media ${media}`],
      ["from Kazoo", "every TCP port: FreeSWITCH chooses one for the events of each call"],
    ],
    direction: "both",
  };
  const internet: Outside = {
    id: "outside internet",
    title: "Webhooks, carriers, mail",
    notes: [`from Kazoo: ${outsidePorts.join(", ")}`],
    facts: [["from Kazoo", outsidePorts.join(", ")]],
    direction: "out",
  };
  return [
    { item: clients, reaches: () => true },
    ...(networks.length === 0
      ? []
      : [{ item: servers, reaches: ({ mediaNetworks }: Zone) => mediaNetworks.length > 0 }]),
    ...(zones.every(onDocker) ? [] : [{ item: internet, reaches: (zone: Zone) => !onDocker(zone) }]),
  ];
}

function regionOf(name: string, platform: Platform): Region {
  const zones = platform.zones.filter(({ region }) => region === name);
  const names = [...new Set(zones.map(({ cluster }) => cluster))];
  const sum = (count: (zone: Zone) => number) => zones.reduce((total, zone) => total + count(zone), 0);
  const kazoo = counted(
    sum((zone) => zone.kazoo.replicas),
    "Kazoo node",
  );
  const databases = counted(
    sum((zone) => zone.database.replicas),
    "database node",
  );
  return {
    id: regionId(name),
    title: name,
    notes: [`${counted(zones.length, "datacenter")} in ${counted(names.length, "cluster")}`],
    facts: [
      ["datacenters", zones.map(({ datacenter }) => datacenter).join(", ")],
      ["clusters", names.join(", ")],
      ["rings", [...new Set(zones.map(({ ring }) => ring))].join(", ")],
      ["nodes", `${kazoo}, ${counted(zones.length * 2, "broker")}, ${databases}`],
    ],
    clusters: names.map((cluster) => clusterPart(name, cluster, platform)),
  };
}

function clusterPart(region: string, name: string, platform: Platform): ClusterPart {
  const zones = platform.zones.filter((zone) => zone.region === region && zone.cluster === name);
  const cluster = platform.clusters[name] as Cluster;
  const rest: { notes: string[]; facts: Fact[] } =
    cluster.kind === "docker"
      ? {
          notes: ["Docker Engine"],
          facts: [
            ["engine", cluster.host],
            ["network", cluster.network],
          ],
        }
      : {
          notes: [`${cluster.kind === "sandbox" ? "sandbox" : "Kubernetes"}, ${cluster.clusterDomain}`],
          facts: [
            ["context of the kubeconfig", cluster.context],
            ["domain", cluster.clusterDomain],
            ["network of the pods", cluster.podNetwork ?? "not given"],
          ],
        };
  return {
    id: `cluster ${name} ${regionId(region)}`,
    title: name,
    ...rest,
    zones: zones.map((zone) => zoneBox(zone, platform.rings[zone.ring] as Ring, cluster)),
  };
}

function zoneBox(zone: Zone, ring: Ring, cluster: Cluster): ZoneBox {
  const hosts = hostsOf(zone, cluster);
  const first = ring.zones.length > 1 && ring.zones[0] === zone.name;
  const place = cluster.kind === "docker" ? `network ${cluster.network}` : `namespace ${zone.namespace}`;
  const workloads = workloadsOf(zone, ring, cluster, hosts);
  return {
    id: zoneId(zone.name),
    title: zone.name,
    notes: [place, ring.zones.length > 1 ? `ring ${ring.name}` : "a ring of its own"],
    facts: [
      ["region", zone.region],
      ["datacenter", zone.datacenter],
      ["cluster", zone.cluster],
      [cluster.kind === "docker" ? "network" : "namespace", place.replace(/^\S+ /, "")],
      ["ring", ring.zones.length > 1 ? ring.name : `${ring.name}, which has no other zone`],
      ["first zone of the ring", first ? "yes: each change reaches it first" : (ring.zones[0] ?? "")],
      ["copies", copiesIn(zone, ring)],
      ...(zone.mediaNetworks.length === 0
        ? []
        : [["FreeSWITCH and Kamailio", zone.mediaNetworks.join(", ")] satisfies Fact]),
      ["Kazoo from outside", reachedAt(zone, cluster)],
    ],
    first,
    workloads: workloads.map(({ box }) => box),
    links: workloads.flatMap(({ link }) => link ?? []),
  };
}

const reachedAt = (zone: Zone, cluster: Cluster): string =>
  cluster.kind === "docker"
    ? `${cluster.published.address}, Crossbar ${cluster.published.crossbar}, Blackhole ${cluster.published.websockets}`
    : `Service kazoo, ${zone.kazoo.service.type}`;

/** How many copies of each document a zone has. */
function copiesIn({ name }: Zone, ring: Ring): string {
  const copies = copiesOf(ring);
  const ofEach = "of each document";
  if (ring.placement !== undefined) return `${ring.placement[name] ?? 0} of ${copies} copies ${ofEach}`;
  if (ring.zones.length > 1) return `${counted(copies, "copy", "copies")} ${ofEach}, over all nodes of the ring`;
  return copies === 1 ? `the only copy ${ofEach}` : `all ${copies} copies ${ofEach}`;
}

interface Workload {
  readonly box: WorkloadBox;
  /** The link from Kazoo to it. */
  readonly link?: Link;
}

/** A zone's workloads, Kazoo first, then what it uses from left to right. */
function workloadsOf(zone: Zone, ring: Ring, cluster: Cluster, hosts: Hosts): Workload[] {
  const { environment: env, monitoring } = zone;
  const onDocker = cluster.kind === "docker";
  const readers = monitoring.namespace === undefined ? "anywhere" : `the namespace ${monitoring.namespace}`;
  const metricsPort = databaseMetricsPort(monitoring, ring.database);
  const nodeName = (host: string) => host.split(".")[0] ?? host;
  const id = (part: string) => `${zoneId(zone.name)} ${part}`;
  const link = (to: string, kind: Link["kind"], ...label: string[]): Link => ({
    from: id("kazoo"),
    to,
    kind,
    arrow: "to",
    label,
  });
  const elsewhere = (role: string, host: string, what: string, ports: string, kind: Link["kind"]): Workload => ({
    box: {
      id: id(role),
      title: host,
      notes: [what, "not of this stack"],
      facts: [["ports", ports]],
      kind: "elsewhere",
      nodes: [],
    },
    link: link(id(role), kind, ports),
  });
  const isOwn = (host: string | undefined, own: string): host is undefined =>
    host === undefined || own === host || own.startsWith(`${host}.`);

  const broker = (role: "alpha" | "beta", variable: "KAZOO_AMQP_HOST" | "KAZOO_SECONDARY_AMQP_HOST"): Workload[] => {
    const kind = role === "alpha" ? "use" : "failover";
    const word = role === "alpha" ? "first" : "failover";
    const box: WorkloadBox = {
      id: id(role),
      title: services[role],
      notes: [`RabbitMQ ${ring.rabbitmq}`],
      facts: [
        ["host", hosts.broker(role)],
        ["AMQP", `${rabbitmqPorts.amqp}, from Kazoo nodes of ${inRing(ring)}`],
        ["management", `${rabbitmqPorts.management}, from Kazoo nodes of the zone`],
        ["metrics", `${rabbitmqPorts.metrics}, from ${readers}`],
        ["volume", volumeOf(zone.rabbitmq)],
        ["memory", zone.rabbitmq.resources.limits.memory],
      ],
      kind: "broker",
      nodes: [onDocker ? services[role] : `${services[role]}-0`],
    };
    const named = env[variable];
    return isOwn(named, hosts.broker(role))
      ? [{ box, link: link(box.id, kind, `AMQP, ${word}`, `${rabbitmqPorts.amqp}, ${rabbitmqPorts.management}`) }]
      : [{ box }, elsewhere(`${role} elsewhere`, named, `broker, ${word}`, String(rabbitmqPorts.amqp), kind)];
  };

  const data = [env.BIGCOUCH_DATA_PORT ?? databasePort, env.BIGCOUCH_ADMIN_PORT ?? ring.database.adminPort];
  const named = env.BIGCOUCH_HOST;
  const databaseElsewhere = isOwn(named, hosts.database)
    ? []
    : [elsewhere("database elsewhere", named, "database", data.filter(Boolean).join(", "), "use")];
  const database: WorkloadBox = {
    id: id("database"),
    title: databaseTitle(ring),
    notes: [copiesNote(zone, ring)],
    facts: [
      ["copies", copiesIn(zone, ring)],
      [onDocker ? "host" : "balanced host", hosts.database],
      ["nodes", hosts.databaseNodes.map((host) => `${ring.database.nodeName}@${host}`).join(", ")],
      ["HTTP", `${dataPorts(ring)}, from Kazoo and database nodes of ${inRing(ring)}`],
      ["Erlang", `${erlangOfDatabase(ring)}, from database nodes of ${inRing(ring)}`],
      ...(metricsPort === undefined ? [] : [["metrics", `${metricsPort}, from ${readers}`] as const]),
      ["volume of each node", volumeOf(zone.database)],
      ["memory of each node", zone.database.resources.limits.memory],
    ],
    kind: "database",
    nodes: hosts.databaseNodes.map(nodeName),
  };
  const { crossbar, crossbarTls, websockets, epmd, distribution, fax, media } = kazooPorts;
  const onlyEcallmgr = env.ERLANG_VM === "ecallmgr";
  const kazoo: WorkloadBox = {
    id: id("kazoo"),
    title: `${onlyEcallmgr ? "ecallmgr of Kazoo" : "Kazoo"} ${ring.kazoo}`,
    notes: onlyEcallmgr ? [] : [`Crossbar ${crossbar}, Blackhole ${websockets}`],
    facts: [
      [onDocker ? "host" : "balanced host", hosts.kazoo],
      ["nodes", hosts.kazooNodes.map((host) => `${env.ERLANG_VM ?? "kazoo_apps"}@${host}`).join(", ")],
      ["from outside", reachedAt(zone, cluster)],
      ["Crossbar", `${crossbar}, ${crossbarTls}, from anywhere`],
      ["Blackhole", `${websockets}, from anywhere`],
      ["Erlang", `${epmd}, ${range(distribution)}, from Kazoo nodes of ${inRing(ring)}`],
      ...(zone.mediaNetworks.length === 0
        ? []
        : [["fax, media proxy", `${fax}, ${media}, from FreeSWITCH and Kamailio`] satisfies Fact]),
      ["memory of each node", zone.kazoo.resources.limits.memory],
    ],
    kind: "kazoo",
    nodes: hosts.kazooNodes.map(nodeName),
  };
  return [
    { box: kazoo },
    ...broker("alpha", "KAZOO_AMQP_HOST"),
    ...broker("beta", "KAZOO_SECONDARY_AMQP_HOST"),
    {
      box: database,
      ...(databaseElsewhere.length > 0 ? {} : { link: link(database.id, "use", "HTTP", dataPorts(ring)) }),
    },
    ...databaseElsewhere,
  ];
}

const inRing = ({ name, zones }: Ring): string => (zones.length > 1 ? `ring ${name}` : "the zone");

const erlangOfDatabase = ({ database }: Ring): string => `${rabbitmqPorts.epmd}, ${range(database.distribution)}`;

const volumeOf = ({ storage, storageClass }: { storage: string; storageClass?: string }): string =>
  storageClass === undefined ? storage : `${storage}, ${storageClass}`;

function copiesNote({ name }: Zone, ring: Ring): string {
  const copies = copiesOf(ring);
  if (ring.placement !== undefined) return `${ring.placement[name] ?? 0} of ${copies} copies`;
  if (ring.zones.length > 1) return `${counted(copies, "copy", "copies")} in the ring`;
  return copies === 1 ? "the only copy" : `all ${copies} copies`;
}

function ringItem(ring: Ring): Item {
  const { epmd, distribution } = kazooPorts;
  const { q, r, w } = ring.quorum;
  const copies = copiesOf(ring);
  const where =
    ring.placement === undefined
      ? "over all its nodes"
      : Object.entries(ring.placement)
          .map(([zone, count]) => `${zone} ${count}`)
          .join(", ");
  const between: Fact[] = [
    ["Kazoo to brokers", `AMQP ${rabbitmqPorts.amqp}`],
    ["Kazoo to databases", dataPorts(ring)],
    ["Kazoo to Kazoo", `Erlang ${epmd}, ${range(distribution)}`],
    ["database to database", `${dataPorts(ring)}, Erlang ${erlangOfDatabase(ring)}`],
  ];
  return {
    id: ringId(ring.name),
    title: `ring ${ring.name}`,
    notes: [
      `one Kazoo system of ${ring.zones.length} zones; first zone ${ring.zones[0]}`,
      `${counted(copies, "copy", "copies")} of each document: ${where}`,
      ...between.map(([label, value]) => `${label}: ${value}`),
    ],
    facts: [
      ["Kazoo", ring.kazoo],
      ["database", databaseTitle(ring)],
      ["brokers", `RabbitMQ ${ring.rabbitmq}`],
      ["zones", ring.zones.join(", ")],
      ["first zone", `${ring.zones[0]}: each change reaches it first`],
      ["copies of each document", `${copies}, ${where}`],
      ["shards", `q=${q}${r === undefined ? "" : `, r=${r}`}${w === undefined ? "" : `, w=${w}`}`],
      ...between.map(([label, value]): Fact => [`between zones: ${label}`, value]),
    ],
  };
}
