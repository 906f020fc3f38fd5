import type * as pulumi from "@pulumi/pulumi";
import type { ExistingSecrets, Rotations, SecretKeys } from "../config/credentials";
import type { MasterAccount } from "./bootstrapJob";
import type { DatabaseNode, DatabaseSettings, Quorum } from "./bigcouch";
import type { GatewayRoutesArgs } from "./gatewayRoutes";
import type { IngressArgs } from "./ingress";
import type { Environment, ServiceArgs, ZoneBrokers } from "./kazoo";
import type { RingOrder } from "./order";
import type { JobSettings, NodeSettings } from "./pods";
import type { Resources } from "./resources";
import type { RegistryLogin } from "./registries";
import type { RingCredentials } from "./ring";
import type { Volume } from "./workload";

/** A datacenter in the operator's terms. */
export interface ZoneArgs {
  /** Kazoo's zone. */
  readonly name: string;
  readonly region: string;
  readonly datacenter: string;
  readonly namespace: string;
  /** Whether the namespace may already exist, created by someone else: then it outlives the datacenter. @default false */
  readonly adopt?: boolean;
  /** Workloads that currently run no pods. @default none */
  readonly drained?: readonly ("kazoo" | "rabbitmq" | "database")[];
  /** Run environment of its Kazoo nodes. */
  readonly environment: Environment;
  /** Networks of its FreeSWITCH and Kamailio servers, in CIDR notation. */
  readonly mediaNetworks: readonly string[];
  /** What Prometheus and Grafana read about it. @default nothing */
  readonly monitoring?: {
    readonly podMonitors: boolean;
    readonly annotations: boolean;
    readonly rules: boolean;
    readonly dashboards: boolean;
    readonly labels: Readonly<Record<string, string>>;
    /** The only namespace that reads metrics. @default every pod of the cluster */
    readonly namespace?: string | undefined;
  };
  /** Access through an Ingress controller, and the only namespace from which clients then come. @default none */
  readonly ingress?: Omit<IngressArgs, "namespace"> & { readonly controllerNamespace?: string };
  /** Access through a Gateway, instead of an Ingress. @default none */
  readonly gateway?: Omit<GatewayRoutesArgs, "namespace"> & { readonly controllerNamespace?: string };
  readonly kazoo: NodeSettings & {
    readonly replicas: number;
    readonly resources: Resources;
    readonly service: ServiceArgs;
  };
  readonly rabbitmq: NodeSettings & Volume & { readonly resources: Resources };
  readonly database: NodeSettings & Volume & { readonly replicas: number; readonly resources: Resources };
  /** The pods of its Jobs. */
  readonly jobs: JobSettings;
}

/** The versions and settings that the zones of a ring share. */
export interface RingSettings {
  readonly name: string;
  /** Version of Kazoo: `4.3`. */
  readonly kazoo: string;
  /** RabbitMQ's series: `3.13`. */
  readonly rabbitmq: string;
  readonly permitTransientQueues: boolean;
  /** Existing Secrets in the namespace, instead of those that the datacenter creates. */
  readonly secrets: ExistingSecrets;
  /** Their keys, if they have other names. */
  readonly secretKeys: SecretKeys;
  /** How far its credentials were rotated. @default each is the first */
  readonly rotations?: Rotations;
  /** Other keys of rabbitmq.conf. */
  readonly brokerSettings: Readonly<Record<string, string>>;
  /** Plugins beside those that Kazoo needs. */
  readonly brokerPlugins: readonly string[];
  /** Other settings of the database's ini, by section. */
  readonly databaseSettings: DatabaseSettings;
  readonly database: { readonly version: string; readonly nodeName: string };
  readonly quorum: Quorum;
  readonly placement?: Readonly<Record<string, number>>;
  /** Images of the brokers, the database and, with `sh` and `curl`, small scripts. */
  readonly images: { readonly rabbitmq: string; readonly database: string; readonly curl: string };
}

/** The input of a datacenter, on any kind of cluster. */
export interface DatacenterArgs {
  /** Name of the stack. */
  readonly stack: string;
  readonly zone: ZoneArgs;
  readonly ring: RingSettings;
  readonly credentials: RingCredentials;
  /** The order in which the ring's zones change. */
  readonly order: RingOrder;
  /** Whether Pulumi refuses to delete or replace what holds data. */
  readonly protect: boolean;
}

/** The Kazoo image of all zones. */
export interface ImageReference {
  readonly reference: pulumi.Input<string>;
  /** Login for pulling it, beside those of the datacenters; undefined: none is needed. */
  readonly login?: RegistryLogin | undefined;
  /** Whether the stack builds it, so that on Docker there is nothing to pull. */
  readonly built: boolean;
}

/** Addresses of a datacenter's workloads, `host:port` or URL, from within the cluster. */
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
  /** URLs for clients outside of the cluster. @default there is no ingress */
  readonly urls?: { readonly crossbar: string; readonly websockets: string };
  /** On Docker: names of the containers, Kazoo's first. @default none */
  readonly containers?: readonly string[];
}

/** The first boot of a ring. */
export interface FirstBoot {
  readonly image: ImageReference;
  /** @default no account is created */
  readonly account?: MasterAccount | undefined;
  /** The account's password. Secret. */
  readonly password?: pulumi.Input<string> | undefined;
  /** Resources that must come first. */
  readonly after: readonly pulumi.Input<pulumi.Resource>[];
}

/** What the other zones of a ring know of a datacenter. */
export interface RingMember {
  /** Kazoo's brokers: the datacenter's own, unless the run environment names others. */
  readonly brokers: ZoneBrokers;
  /** The nodes of its database. */
  readonly databaseNodes: pulumi.Input<readonly DatabaseNode[]>;
}

/**
 * A datacenter on any kind of cluster. Creating it creates its brokers and its database; the rest follows when the ring's other zones have
 * theirs.
 */
export interface Datacenter extends RingMember {
  /** Joins its database nodes with those of all zones to one ring. */
  readonly joinRing: (zones: readonly RingMember[]) => void;
  /** Runs Kazoo, which federates over the brokers of the other ones of all zones. */
  readonly runKazoo: (image: ImageReference, zones: readonly RingMember[]) => KazooNodes;
  /** Creates what a ring needs once, from its first zone: the system databases and the master account. */
  readonly firstBoot: (boot: FirstBoot) => void;
}
