import { isDeepStrictEqual } from "node:util";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { requireDatabaseKind } from "../config/compatibility";
import { type Connection, type Port, type Source, type Target, type Workload, connections } from "./connections";
import { stackLabel, workloadLabel, workloads } from "./names";

export interface NetworkPoliciesArgs {
  readonly namespace: pulumi.Input<string>;
  /** Stack and ring whose pods, in this cluster, talk to each other. */
  readonly stack: string;
  readonly ring: string;
  /** Networks of the pods of the ring's other clusters, in CIDR notation. @default none */
  readonly otherClusters?: readonly string[];
  /** Networks of the FreeSWITCH and Kamailio servers, in CIDR notation. @default none */
  readonly mediaNetworks?: readonly string[];
  /** The only namespace that can read metrics. @default every pod of the cluster can */
  readonly monitoringNamespace?: string;
  /** The only namespace from which clients reach Kazoo, such as that of an ingress controller. @default they reach it from anywhere */
  readonly clientNamespace?: string;
  /** TCP ports of external brokers and databases, if the run environment names some. @default none */
  readonly outsideStores?: readonly number[];
  /** Version of the database, which decides its ports. @default couchdb-2.3.1 */
  readonly databaseVersion?: string;
  /** Whether the database's port for Prometheus is open, if it has one. @default false */
  readonly databaseMetrics?: boolean;
}

type Peer = k8s.types.input.networking.v1.NetworkPolicyPeer;
type Spec = k8s.types.input.networking.v1.NetworkPolicySpec;
type Ingress = k8s.types.input.networking.v1.NetworkPolicyIngressRule;
type Egress = k8s.types.input.networking.v1.NetworkPolicyEgressRule;
type Pods = Workload | "everyPod";
type Options = Omit<NetworkPoliciesArgs, "namespace">;

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
export function networkPolicies(options: Options): Record<string, Spec> {
  const policy = (of: Pods): Spec => {
    const ingress = ingressOf(of, options, (row) => !isBootstrap(row));
    const egress = egressOf(of, options);
    return {
      podSelector: selectorOf(of),
      policyTypes: [...(ingress.length > 0 ? ["Ingress"] : []), ...(egress.length > 0 ? ["Egress"] : [])],
      ...(ingress.length > 0 ? { ingress } : {}),
      ...(egress.length > 0 ? { egress } : {}),
    };
  };
  return {
    "default-deny": { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
    "allow-dns": policy("everyPod"),
    [workloads.rabbitmq]: policy("rabbitmq"),
    [workloads.database]: policy("database"),
    [workloads.join]: policy("join"),
    [workloads.kazoo]: policy("kazoo"),
  };
}

/** The policies, by the suffixes of their names, that allow the connections of the bootstrap Job at both ends, besides the datacenter's. */
export function bootstrapPolicies(): Record<string, Spec> {
  // The Job connects only within its zone, so neither matters.
  const options = { stack: "", ring: "" };
  const targets = (["database", "kazoo"] as const).map((target): [string, Spec] => [
    `to-${workloads[target]}`,
    { podSelector: selectorOf(target), policyTypes: ["Ingress"], ingress: ingressOf(target, options, isBootstrap) },
  ]);
  return {
    out: { podSelector: selectorOf("bootstrap"), policyTypes: ["Egress"], egress: egressOf("bootstrap", options) },
    ...Object.fromEntries(targets),
  };
}

const isBootstrap = ({ from }: Connection): boolean => from.includes("bootstrap");

/** The rules for connections to pods. */
function ingressOf(target: Pods, options: Options, which: (row: Connection) => boolean): Ingress[] {
  const rules = connections
    .filter((row) => row.to === target && which(row))
    .flatMap((row) => rulesOf(row, row.from, options));
  // A port that is open to everyone needs no second rule.
  const open = rules.filter(({ peers }) => peers === undefined).flatMap(({ ports }) => ports);
  const isOpen = (port: Port) => open.some((other) => isDeepStrictEqual(other, port));
  return rules
    .filter(({ peers, ports }) => peers === undefined || !ports.every(isOpen))
    .map(({ peers, ports }) => ({ ...(peers === undefined ? {} : { from: peers }), ports }));
}

/** The rules for connections from pods. */
const egressOf = (source: Pods, options: Options): Egress[] =>
  connections
    .filter(({ from }) => from.includes(source))
    .flatMap((row) => rulesOf(row, [row.to], options))
    .map(({ peers, ports }) => ({ ...(peers === undefined ? {} : { to: peers }), ports }));

interface Rule {
  /** The other ends. @default everyone */
  readonly peers?: Peer[];
  readonly ports: Port[];
}

/** One rule; none without other ends or ports, because Kubernetes reads an empty list as everyone or all ports. */
function rulesOf(row: Connection, otherEnds: readonly (Source | Target)[], options: Options): Rule[] {
  const { databaseVersion = "couchdb-2.3.1", databaseMetrics = false, outsideStores = [] } = options;
  const ports = [...row.ports({ database: requireDatabaseKind(databaseVersion), databaseMetrics, outsideStores })];
  if (ports.length === 0) return [];
  const peers: Peer[] = [];
  for (const end of otherEnds) {
    const found = peersOf(end, row.within, options);
    if (found === undefined) return [{ ports }];
    peers.push(...found);
  }
  return peers.length === 0 ? [] : [{ peers, ports }];
}

/** The peers of an end; undefined for everyone, which no list can express. */
function peersOf(end: Source | Target, within: Connection["within"], options: Options): Peer[] | undefined {
  const { stack, ring, otherClusters = [], mediaNetworks = [], monitoringNamespace, clientNamespace } = options;
  if (end === "anywhere" || end === "stores") return undefined;
  if (end === "monitoring") return everyPodOf(monitoringNamespace);
  if (end === "clients") return everyPodOf(clientNamespace);
  if (end === "outside") return outside;
  if (end === "media") return mediaNetworks.map(network);
  const podSelector = selectorOf(end);
  if (within !== "ring") return [{ podSelector }];
  const namespaceSelector = { matchLabels: { [stackLabel]: stack, "kazoo/ring": ring } };
  return [{ namespaceSelector, podSelector }, ...otherClusters.map(network)];
}

/** Everywhere except the addresses at which clouds hand out credentials: customers choose the targets of webhooks. */
const outside: Peer[] = [
  { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } },
  { ipBlock: { cidr: "::/0", except: ["fd00:ec2::254/128"] } },
];

/** The pods of a namespace; without one, everyone. */
const everyPodOf = (namespace: string | undefined): Peer[] | undefined =>
  namespace === undefined
    ? undefined
    : [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } } }];

const network = (cidr: string): Peer => ({ ipBlock: { cidr } });

const selectorOf = (pods: Pods) => (pods === "everyPod" ? {} : { matchLabels: { [workloadLabel]: workloads[pods] } });
