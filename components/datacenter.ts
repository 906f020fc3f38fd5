import type * as pulumi from "@pulumi/pulumi";
import type { MasterAccount } from "./bootstrapJob";
import type { DatabaseNode, Quorum } from "./bigcouch";
import type { Environment, RegistryLogin, ServiceArgs, ZoneBrokers } from "./kazoo";
import type { RingOrder } from "./order";
import type { RingCredentials } from "./ring";
import type { Resources, Volume } from "./workload";

/** A datacenter as its operator describes it. */
export interface ZoneArgs {
  /** Kazoo's zone. */
  readonly name: string;
  readonly region: string;
  readonly datacenter: string;
  readonly namespace: string;
  /** Run environment of its Kazoo nodes. */
  readonly environment: Environment;
  /** Networks of its FreeSWITCH and Kamailio servers, in CIDR notation. */
  readonly mediaNetworks: readonly string[];
  readonly kazoo: { readonly replicas: number; readonly resources: Resources; readonly service: ServiceArgs };
  readonly rabbitmq: Volume & { readonly resources: Resources };
  readonly database: Volume & { readonly replicas: number; readonly resources: Resources };
}

/** The versions and settings that the zones of a ring share. */
export interface RingSettings {
  readonly name: string;
  /** Version of Kazoo: `4.3`. */
  readonly kazoo: string;
  /** RabbitMQ's series: `3.13`. */
  readonly rabbitmq: string;
  readonly permitTransientQueues: boolean;
  readonly database: { readonly version: string; readonly nodeName: string };
  readonly quorum: Quorum;
  readonly placement?: Readonly<Record<string, number>>;
}

/** What every datacenter is made of, on a cluster of any kind. */
export interface DatacenterArgs {
  /** Name of the stack. */
  readonly stack: string;
  readonly zone: ZoneArgs;
  readonly ring: RingSettings;
  readonly credentials: RingCredentials;
  /** Images in the place of the official ones. */
  readonly images: { readonly rabbitmq?: string; readonly database?: string; readonly curl: string };
  /** The order in which the ring's zones change. */
  readonly order: RingOrder;
  /** Whether Pulumi refuses to delete or replace what holds data. */
  readonly protect: boolean;
}

/** The Kazoo image that all zones run. */
export interface ImageReference {
  readonly reference: pulumi.Input<string>;
  /** Login with which it is pulled; undefined: none is needed. */
  readonly login?: RegistryLogin | undefined;
  /** Whether the stack builds it, so that on Docker there is nothing to pull. */
  readonly built: boolean;
}

/** Where the workloads of a datacenter are reached, `host:port` or URL, as seen from within the cluster. */
export interface Endpoints {
  readonly crossbar: pulumi.Input<string>;
  readonly websockets: pulumi.Input<string>;
  readonly database: pulumi.Input<string>;
  readonly brokers: readonly pulumi.Input<string>[];
}

/** The Kazoo nodes of a datacenter. */
export interface KazooNodes {
  /** Names of the Erlang nodes. */
  readonly nodes: pulumi.Input<readonly string[]>;
  readonly endpoints: Endpoints;
  /** On Docker: names of the containers, Kazoo's first. @default none */
  readonly containers?: readonly string[];
}

/** The first boot of a ring. */
export interface FirstBoot {
  readonly image: ImageReference;
  /** @default no account is made */
  readonly account?: MasterAccount | undefined;
  /** The account's password. Secret. */
  readonly password?: pulumi.Input<string> | undefined;
  /** What must come first. */
  readonly after: readonly pulumi.Input<pulumi.Resource>[];
}

/**
 * A datacenter on a cluster of any kind: its brokers and database exist once it is made; the rest follows when the ring's other zones have
 * theirs.
 */
export interface Datacenter {
  /** The brokers that Kazoo uses here: the datacenter's own, unless the run environment names others. */
  readonly brokers: ZoneBrokers;
  /** The nodes of its database. */
  readonly databaseNodes: pulumi.Input<readonly DatabaseNode[]>;
  /** Makes its database nodes one ring with those of all zones. */
  readonly joinRing: (zones: readonly Datacenter[]) => void;
  /** Runs Kazoo, which federates over the brokers of the other ones of all zones. */
  readonly runKazoo: (image: ImageReference, zones: readonly Datacenter[]) => KazooNodes;
  /** Makes what a ring needs once, from its first zone: the database's own databases and the master account. */
  readonly firstBoot: (boot: FirstBoot) => void;
}
