import type { DatabaseKind, KazooVersion, RabbitmqVersion, UpgradeStep } from "./compatibility";
import type { ExistingSecrets, Rotations, SecretKeys } from "./credentials";
import type { RunEnvironment } from "./schema/environment";
import type { Monitoring } from "./schema/monitoring";
import type { Patch } from "./schema/patches";
import { type BrokerRole, podHosts, serviceHost, services } from "./hosts";
import type { JobSettings, NodeSettings } from "./schema/podSettings";

/** A stack's validated config, the input of the program. Immutable; the only secrets are in `Ring.credentials`, `Registry.login` and `Platform.registries`. */
export interface Platform {
  /** The Kazoo image. */
  readonly image: PrebuiltImage | ImageBuild;
  /** Images that come from `kazoo:imageMirror`, with the name that each has at Docker Hub. */
  readonly hubImages: Readonly<Record<string, string>>;
  /** How images are pulled from closed registries. */
  readonly registries: {
    /** By address. `docker.io` is Docker Hub. */
    readonly logins: readonly {
      readonly address: string;
      readonly username: string;
      /** Secret. */
      readonly password: string;
    }[];
    /** Names of existing Secrets in each namespace. */
    readonly secretNames: readonly string[];
  };
  /** Whether what holds data is protected from deletion and replacement. */
  readonly protect: boolean;
  /** Whether commands run Pulumi with the project's policy pack. */
  readonly policy: boolean;
  /** Whether everything is one Pulumi stack, or each region has its own, next to one with what they share. */
  readonly stacks: "one" | "region";
  /** The stack's name on labels. Default: its name. */
  readonly stackLabel?: string;
  readonly clusters: Readonly<Record<string, Cluster>>;
  readonly rings: Readonly<Record<string, Ring>>;
  /** In the order of region and datacenter; nothing may depend on a zone's position. */
  readonly zones: readonly Zone[];
  /** In the order of their names. */
  readonly patches: readonly Patch[];
}

/** An existing image. */
export interface PrebuiltImage {
  readonly kind: "prebuilt";
  readonly reference: string;
}

/** An image that the stack builds. */
export interface ImageBuild {
  readonly kind: "build";
  /** Address of the Docker Engine that builds. */
  readonly host: string;
  /** Path of the build context, from the project's folder. */
  readonly context: string;
  readonly repository: string;
  /** At least one. */
  readonly tags: readonly string[];
  /** OS/ARCHITECTURE; default: the engine's. */
  readonly platform?: string;
  /** Docker network of the build's steps, or `host`; default: the engine's. */
  readonly network?: string;
  readonly args: Readonly<Record<string, string>>;
  /** Without it, the image stays in the engine. */
  readonly registry?: Registry;
  /** `sha256:…` of an image built earlier; if given, it runs and nothing is built. */
  readonly digest?: string;
}

/** Reference of a built image: its digest in the registry, or its id in the engine. */
export const builtReference = ({ registry, repository }: ImageBuild, digest: string): string =>
  registry === undefined ? digest : `${registry.address}/${repository}@${digest}`;

/** A registry to push to. */
export interface Registry {
  /** `host` or `host:port`. */
  readonly address: string;
  readonly plainHttp: boolean;
  /** Without it, one of `Platform.registries` is used, or anyone can push. */
  readonly login?: { readonly username: string; /** Secret. */ readonly password: string };
}

/** What runs a datacenter's workloads. */
export type Cluster = KubernetesCluster | DockerCluster;

/** A Docker Engine with one datacenter on a network of its own. */
export interface DockerCluster {
  readonly name: string;
  readonly kind: "docker";
  /** Address of the engine. */
  readonly host: string;
  /** The Docker network; host names end in its name. */
  readonly network: string;
  /** Where Kazoo's ports are published. */
  readonly published: { readonly address: string; readonly crossbar: number; readonly websockets: number };
}

/** A Kubernetes cluster, for its provider and the ring's other clusters. */
export interface KubernetesCluster {
  readonly name: string;
  /** `sandbox`: the embedded control plane; `kubernetes`: any other. */
  readonly kind: "sandbox" | "kubernetes";
  readonly context: string;
  /** Path relative to the project's folder; default: `$KUBECONFIG`, else `~/.kube/config`. */
  readonly kubeconfig?: string;
  readonly clusterDomain: string;
  /** Network of the pods in CIDR notation. */
  readonly podNetwork?: string;
  /** How fast the provider asks the API server; default: as its environment says. The timeout is in seconds. */
  readonly apiClient?: { readonly qps: number; readonly burst: number; readonly timeout: number };
}

/** One Kazoo system: what its zones share. */
export interface Ring {
  readonly name: string;
  readonly kazoo: KazooVersion;
  readonly database: DatabaseKind;
  readonly rabbitmq: RabbitmqVersion;
  readonly permitTransientQueues: boolean;
  readonly quorum: Quorum;
  /** Copies of each document by zone; undefined if the database spreads them. */
  readonly placement?: Readonly<Record<string, number>>;
  /** Images of the brokers, the database and small scripts, where they are pulled from. */
  readonly images: { readonly rabbitmq: string; readonly database: string; readonly curl: string };
  /** Other keys of rabbitmq.conf. */
  readonly brokerSettings: Readonly<Record<string, string>>;
  /** Other plugins of the brokers. */
  readonly brokerPlugins: readonly string[];
  /** Other settings of the database's ini, by section. */
  readonly databaseSettings: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Without it, first boot creates no account. */
  readonly masterAccount?: MasterAccount;
  /** Given credentials; the others are random. Secret. */
  readonly credentials: GivenCredentials;
  /** Existing Secrets in the zones' namespaces; the stack creates none in their place. */
  readonly secrets: ExistingSecrets;
  /** Keys of these Secrets, if their names differ from the stack's own. */
  readonly secretKeys: SecretKeys;
  /** How far the users of its stores were rotated. */
  readonly rotations: Rotations;
  /** The next step of an unfinished upgrade. */
  readonly upgrading?: UpgradeStep;
  /** Names of the zones, in the order of `Platform.zones`. */
  readonly zones: readonly string[];
}

/** Shards (q), read and write quorum (r, w) of the database ring; CouchDB always requires a majority of the copies and has no r and w. */
export interface Quorum {
  readonly q: number;
  /** Copies of new databases; with a placement, only the number that the database is configured with, see topology.ts. */
  readonly n: number;
  readonly r?: number;
  readonly w?: number;
}

/** Total number of copies in a placement. */
export const placedCopies = (placement: Readonly<Record<string, number>>): number =>
  Object.values(placement).reduce((sum, copies) => sum + copies, 0);

/** Copies that a ring makes of each new document. */
export const copiesOf = ({ quorum, placement }: Pick<Ring, "quorum" | "placement">): number =>
  placement === undefined ? quorum.n : placedCopies(placement);

/** A ring's master account, with its administrator. */
export interface MasterAccount {
  readonly name: string;
  readonly realm: string;
  readonly user: string;
  /** Folder of Monster UI's apps on the Kazoo nodes, and the API that they call. */
  readonly monsterUi?: { readonly path: string; readonly url: string };
  /** Folder of recordings in the Kazoo image, and their language. */
  readonly prompts?: { readonly path: string; readonly language: string };
}

/** Secrets of a ring given by the operator; the stack creates the others. */
export interface GivenCredentials {
  readonly cookie?: string;
  readonly rabbitmq?: string;
  readonly database?: string;
  readonly masterAccount?: string;
}

/** A workload that can be without pods for a while; `rabbitmq` are both brokers. */
export type DrainedWorkload = "kazoo" | "rabbitmq" | "database";

/** A datacenter. */
export interface Zone {
  /** Kazoo's zone: `REGION-DATACENTER` unless `KAZOO_ZONE` says otherwise. */
  readonly name: string;
  readonly region: string;
  readonly datacenter: string;
  /** Name of its cluster in `Platform.clusters`. */
  readonly cluster: string;
  /** Name of its ring in `Platform.rings`. */
  readonly ring: string;
  readonly namespace: string;
  /** Whether the namespace may belong to someone else. */
  readonly adopt: boolean;
  /** Workloads that currently run no pods. */
  readonly drained: readonly DrainedWorkload[];
  /** The run environment that the operator chose, over the seed's defaults; without hosts, which components know. */
  readonly environment: RunEnvironment;
  readonly mediaNetworks: readonly string[];
  readonly monitoring: Monitoring;
  readonly ingress?: Ingress;
  /** Instead of `ingress`. */
  readonly gateway?: Gateway;
  readonly kazoo: Workload & { readonly service: Service };
  readonly rabbitmq: Omit<Workload, "replicas"> & Storage;
  readonly database: Workload & Storage;
  readonly jobs: JobSettings;
}

/** Pods of one kind in a datacenter. Quantities are canonical Kubernetes quantities. */
export interface Workload extends NodeSettings {
  readonly replicas: number;
  readonly resources: {
    readonly requests: { readonly cpu: string; readonly memory: string; readonly ephemeralStorage?: string };
    readonly limits: { readonly cpu?: string; readonly memory: string; readonly ephemeralStorage?: string };
  };
}

/** The Kubernetes Service `kazoo`; Kubernetes decides what is undefined. */
export interface Service {
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
  readonly annotations: Readonly<Record<string, string>>;
  readonly externalTrafficPolicy?: "Cluster" | "Local";
  /** In CIDR notation. */
  readonly loadBalancerSourceRanges?: readonly string[];
  readonly loadBalancerClass?: string;
  readonly nodePorts?: { readonly crossbar?: number; readonly websockets?: number };
}

/** Where clients outside of the cluster reach a datacenter. */
export interface ClientAddress {
  readonly host: string;
  readonly websockets: { readonly host: string; readonly path: string };
  /** The only namespace from which clients reach Kazoo. Default: they reach it from anywhere. */
  readonly controllerNamespace?: string;
}

export interface Ingress extends ClientAddress {
  /** Default: the cluster's default class. */
  readonly class?: string;
  /** Secret with the certificate, and who issues it, if not the operator. */
  readonly tls?: { readonly secretName: string; readonly issuer?: string; readonly clusterIssuer?: string };
  readonly annotations: Readonly<Record<string, string>>;
}

/** An existing Gateway (Gateway API) that leads to the datacenter. */
export interface Gateway extends ClientAddress {
  readonly gateway: {
    readonly name: string;
    /** Default: the datacenter's. */
    readonly namespace?: string;
    /** The Gateway's listener. */
    readonly sectionName?: string;
  };
  /** Whether the listener has TLS. */
  readonly tls: boolean;
}

/** The volume of each pod. */
export interface Storage {
  readonly storage: string;
  /** Default: the cluster's default class. */
  readonly storageClass?: string;
}

/** Hosts of a datacenter, all fully qualified: names that are the same from every zone of a ring. */
export interface Hosts {
  /** The Service, headless, of a broker. */
  readonly broker: (role: BrokerRole) => string;
  /** The balanced Service of the database. */
  readonly database: string;
  /** The balanced Service of Kazoo. */
  readonly kazoo: string;
  /** DNS suffix of the pods behind a headless Service. */
  readonly suffix: (service: "bigcouch" | "kazoo-nodes") => string;
  readonly databaseNodes: readonly string[];
  readonly kazooNodes: readonly string[];
}

/** The hosts of a zone: `SERVICE.NAMESPACE.svc.DOMAIN`, with `POD.` in front for a node; on Docker `CONTAINER.NETWORK`. */
export function hostsOf(zone: Zone, cluster: Cluster): Hosts {
  if (cluster.kind === "docker") return dockerHosts(cluster);
  const service = (name: keyof typeof services) => serviceHost(services[name], zone.namespace, cluster.clusterDomain);
  return {
    broker: service,
    database: service("database"),
    kazoo: service("kazoo"),
    suffix: (name) => serviceHost(name, zone.namespace, cluster.clusterDomain),
    databaseNodes: podHosts("bigcouch", zone.database.replicas, service("databaseNodes")),
    kazooNodes: podHosts("kazoo", zone.kazoo.replicas, service("kazooNodes")),
  };
}

function dockerHosts({ network }: DockerCluster): Hosts {
  const host = (name: keyof typeof services) => `${services[name]}.${network}`;
  return {
    broker: host,
    database: host("databaseNodes"),
    kazoo: host("kazoo"),
    suffix: () => network,
    databaseNodes: [host("databaseNodes")],
    kazooNodes: [host("kazoo")],
  };
}
