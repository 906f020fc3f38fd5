import type { DatabaseKind } from "../config/compatibility";
import { databasePort, kazooPorts, outsidePorts, rabbitmqPorts, type workloads } from "./names";

/** Pods of a workload. */
export type Workload = keyof typeof workloads;

/**
 * Besides workloads: `media` are the networks in `mediaNetworks`, `stores` are external brokers and databases that the run environment names,
 * `monitoring` is the namespace in `monitoring` or, without one, anywhere, `clients` come from the ingress controller's namespace or, without
 * one, from anywhere, `outside` is everywhere except the addresses at which clouds hand out credentials.
 */
export type Source = Workload | "everyPod" | "media" | "monitoring" | "clients" | "anywhere";
export type Target = Workload | "media" | "stores" | "outside" | "anywhere";

/** A port, a range of them with both ends, or all ports of a protocol. */
export interface Port {
  readonly protocol: "TCP" | "UDP";
  readonly port?: number;
  readonly endPort?: number;
}

/** What ports depend on. */
export interface PortContext {
  readonly database: DatabaseKind;
  /** Whether the database's port for Prometheus is open, if it has one. */
  readonly databaseMetrics: boolean;
  /** TCP ports of external stores. */
  readonly outsideStores: readonly number[];
}

export interface Connection {
  readonly from: readonly Source[];
  readonly to: Target;
  /** How far apart two pods may be: in one zone, or in any two zones of the ring. @default zone */
  readonly within?: "zone" | "ring";
  readonly ports: (context: PortContext) => readonly Port[];
  /** The reason, shown in docs/networking.md. */
  readonly why: string;
}

const tcp = (...ports: readonly (number | { readonly first: number; readonly last: number })[]): Port[] =>
  ports.map((port) => {
    if (typeof port === "number") return { protocol: "TCP", port };
    const { first, last } = port;
    return { protocol: "TCP", port: first, ...(last === first ? {} : { endPort: last }) };
  });

const erlang = tcp(kazooPorts.epmd, kazooPorts.distribution);
const data = ({ adminPort }: DatabaseKind): Port[] =>
  tcp(databasePort, ...(adminPort === undefined ? [] : [adminPort]));

/**
 * Every connection that a datacenter's pods may make or accept; all others are denied. NetworkPolicies and the table in docs/networking.md
 * are generated from it. The order is that of the rules.
 */
export const connections: readonly Connection[] = [
  {
    from: ["kazoo", "media"],
    to: "rabbitmq",
    within: "ring",
    ports: () => tcp(rabbitmqPorts.amqp),
    why: "AMQP: Kazoo connects to its own brokers and to those of the ring's other zones",
  },
  {
    from: ["kazoo"],
    to: "rabbitmq",
    ports: () => tcp(rabbitmqPorts.management),
    why: "Kazoo reads the management API of its own brokers",
  },
  { from: ["monitoring"], to: "rabbitmq", ports: () => tcp(rabbitmqPorts.metrics), why: "metrics" },
  {
    from: ["monitoring"],
    to: "database",
    ports: ({ database: { metricsPort }, databaseMetrics }) =>
      databaseMetrics && metricsPort !== undefined ? tcp(metricsPort) : [],
    why: "metrics of CouchDB 3, where `monitoring` has them scraped",
  },
  {
    from: ["kazoo"],
    to: "database",
    within: "ring",
    ports: ({ database }) => data(database),
    why: "documents; Kazoo's compactor connects to each node",
  },
  {
    from: ["database"],
    to: "database",
    within: "ring",
    ports: ({ database }) => [...data(database), ...tcp(rabbitmqPorts.epmd, database.distribution)],
    why: "the ring's nodes share their data over HTTP and Erlang",
  },
  { from: ["join"], to: "database", ports: ({ database }) => data(database), why: "joins the nodes to the ring" },
  {
    from: ["bootstrap"],
    to: "database",
    ports: () => tcp(databasePort),
    why: "creates system databases and restricts access to them",
  },
  {
    from: ["clients"],
    to: "kazoo",
    ports: () => tcp(kazooPorts.crossbar, kazooPorts.crossbarTls, kazooPorts.websockets),
    why: "Crossbar's API, its TLS listener where you configure one, Blackhole's websockets",
  },
  { from: ["kazoo"], to: "kazoo", within: "ring", ports: () => erlang, why: "Erlang" },
  {
    from: ["kazoo"],
    to: "kazoo",
    ports: () => tcp(kazooPorts.crossbar),
    why: "a node that starts waits for the zone's first one",
  },
  {
    from: ["media"],
    to: "kazoo",
    ports: () => [...erlang, ...tcp(kazooPorts.media, kazooPorts.fax)],
    why: "Erlang, media proxy, fax over SMTP",
  },
  { from: ["bootstrap"], to: "kazoo", ports: () => erlang, why: "creates the master account, over Erlang" },
  {
    from: ["kazoo"],
    to: "media",
    ports: () => [{ protocol: "TCP" }],
    // `ei_listen` of mod_kazoo, with port 0.
    why: "ecallmgr fetches the events of each call from a port that FreeSWITCH chooses",
  },
  {
    from: ["kazoo"],
    to: "stores",
    ports: ({ outsideStores }) => tcp(...outsideStores),
    why: "brokers and databases that you run elsewhere",
  },
  {
    from: ["kazoo"],
    to: "outside",
    ports: () => tcp(...outsidePorts),
    why: "webhooks, carriers and mail, where customers choose the host",
  },
  { from: ["everyPod"], to: "anywhere", ports: () => [{ protocol: "UDP", port: 53 }, ...tcp(53)], why: "DNS" },
];
