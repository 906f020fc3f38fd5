import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { requireDatabaseKind } from "../config/compatibility";
import { databasePort, kazooPorts, rabbitmqPorts, workloads } from "./names";

export interface NetworkPoliciesArgs {
  readonly namespace: pulumi.Input<string>;
  /** Stack and ring whose pods, in this cluster, talk to each other. */
  readonly stack: string;
  readonly ring: string;
  /** Networks of the pods of the ring's other clusters, in CIDR notation. @default none */
  readonly otherClusters?: readonly string[];
  /** Networks of the FreeSWITCH and Kamailio servers, in CIDR notation. @default none */
  readonly mediaNetworks?: readonly string[];
  /** TCP ports of brokers and databases elsewhere, if the run environment names some. @default none */
  readonly outsideStores?: readonly number[];
  /** Version of the database, which decides its ports. @default couchdb-2.3.1 */
  readonly databaseVersion?: string;
}

type Peer = k8s.types.input.networking.v1.NetworkPolicyPeer;
type Port = k8s.types.input.networking.v1.NetworkPolicyPort;

const tcp = (port: number, endPort?: number): Port => ({
  protocol: "TCP",
  port,
  ...(endPort === undefined || endPort === port ? {} : { endPort }),
});

/** Ports for destinations that customers choose: webhooks, carriers' interfaces, mail servers. */
const outsidePorts = [80, 443, 25, 465, 587];

/** Everywhere except the addresses at which clouds hand out credentials: customers choose the targets of webhooks. */
const outside: Peer[] = [
  { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } },
  { ipBlock: { cidr: "::/0", except: ["fd00:ec2::254/128"] } },
];

/** A datacenter's NetworkPolicies: deny by default, then allow the ports that each workload needs. */
export class NetworkPolicies extends pulumi.ComponentResource {
  constructor(name: string, args: NetworkPoliciesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:NetworkPolicies", name, {}, opts);
    for (const [suffix, spec] of Object.entries(networkPolicies(args))) {
      new k8s.networking.v1.NetworkPolicy(
        `${name}-${suffix}`,
        {
          metadata: { name: suffix, namespace: args.namespace, labels: { "app.kubernetes.io/part-of": "kazoo" } },
          spec,
        },
        { parent: this },
      );
    }
    this.registerOutputs({});
  }
}

/** The policies by name. */
export function networkPolicies(
  args: Omit<NetworkPoliciesArgs, "namespace">,
): Record<string, k8s.types.input.networking.v1.NetworkPolicySpec> {
  const { otherClusters = [], mediaNetworks = [], outsideStores = [] } = args;
  const anywhereInRing = (workload: string): Peer[] => [
    {
      namespaceSelector: { matchLabels: { "kazoo/stack": args.stack, "kazoo/ring": args.ring } },
      podSelector: pods(workload),
    },
    ...otherClusters.map((cidr) => ({ ipBlock: { cidr } })),
  ];
  const inZone = (workload: string): Peer[] => [{ podSelector: pods(workload) }];
  const media: Peer[] = mediaNetworks.map((cidr) => ({ ipBlock: { cidr } }));
  const database = requireDatabaseKind(args.databaseVersion ?? "couchdb-2.3.1");
  const data = [tcp(databasePort), ...(database.adminPort === undefined ? [] : [tcp(database.adminPort)])];
  const databasePeers = [
    ...data,
    tcp(rabbitmqPorts.epmd),
    tcp(database.distribution.first, database.distribution.last),
  ];
  const erlang = [tcp(kazooPorts.epmd), tcp(kazooPorts.distribution.first, kazooPorts.distribution.last)];
  const withMedia = <T>(rule: T) => (media.length === 0 ? [] : [rule]);

  return {
    "default-deny": { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
    "allow-dns": {
      podSelector: {},
      policyTypes: ["Egress"],
      egress: [{ ports: [{ protocol: "UDP", port: 53 }, tcp(53)] }],
    },
    rabbitmq: {
      podSelector: pods(workloads.rabbitmq),
      policyTypes: ["Ingress"],
      ingress: [
        { from: [...anywhereInRing(workloads.kazoo), ...media], ports: [tcp(rabbitmqPorts.amqp)] },
        // Kazoo reads the management interface of its own brokers; monitoring reads the metrics.
        { from: inZone(workloads.kazoo), ports: [tcp(rabbitmqPorts.management)] },
        { ports: [tcp(rabbitmqPorts.metrics)] },
      ],
    },
    bigcouch: {
      podSelector: pods(workloads.database),
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        // Kazoo's compactor connects to each node of the ring, on both ports.
        { from: anywhereInRing(workloads.kazoo), ports: data },
        { from: anywhereInRing(workloads.database), ports: databasePeers },
        { from: inZone(workloads.join), ports: data },
      ],
      egress: [{ to: anywhereInRing(workloads.database), ports: databasePeers }],
    },
    "bigcouch-join": {
      podSelector: pods(workloads.join),
      policyTypes: ["Egress"],
      egress: [{ to: inZone(workloads.database), ports: data }],
    },
    kazoo: {
      podSelector: pods(workloads.kazoo),
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        { ports: [tcp(kazooPorts.crossbar), tcp(kazooPorts.crossbarTls), tcp(kazooPorts.websockets)] },
        { from: anywhereInRing(workloads.kazoo), ports: erlang },
        ...withMedia({ from: media, ports: [...erlang, tcp(kazooPorts.media), tcp(kazooPorts.fax)] }),
      ],
      egress: [
        { to: anywhereInRing(workloads.rabbitmq), ports: [tcp(rabbitmqPorts.amqp)] },
        { to: inZone(workloads.rabbitmq), ports: [tcp(rabbitmqPorts.management)] },
        { to: anywhereInRing(workloads.database), ports: data },
        { to: anywhereInRing(workloads.kazoo), ports: erlang },
        // At its start, a node waits for the zone's first one.
        { to: inZone(workloads.kazoo), ports: [tcp(kazooPorts.crossbar)] },
        // ecallmgr fetches the events of each call from a port that mod_kazoo chooses (`ei_listen`, port 0).
        ...withMedia({ to: media, ports: [{ protocol: "TCP" }] }),
        ...(outsideStores.length === 0 ? [] : [{ ports: outsideStores.map((port) => tcp(port)) }]),
        { to: outside, ports: outsidePorts.map((port) => tcp(port)) },
      ],
    },
  };
}

function pods(workload: string) {
  return { matchLabels: { "app.kubernetes.io/name": workload } };
}
