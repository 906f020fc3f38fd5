import { secrets, services } from "../config/hosts";

/**
 * The parts of the components that the tools need: names, ports, and how to read a rollout. Plain values and functions, without Pulumi.
 */

/** Names of the workloads: the value of the label `app.kubernetes.io/name`, and the name of each pod's main container. */
export const workloads = {
  kazoo: "kazoo",
  rabbitmq: "rabbitmq",
  database: "bigcouch",
  join: "bigcouch-join",
  bootstrap: "kazoo-bootstrap",
} as const;

/** Label that selects the pods of a workload. */
export const workloadLabel = "app.kubernetes.io/name";

/** Last part of the logical names `ZONE-kazoo-PART` of a zone's Kazoo. */
export const kazooParts = { service: "balanced", nodes: "nodes", environment: "environment" } as const;

/** Logical name of the image's component. */
export const imageResource = "kazoo-image";

/** Containers of a datacenter on Docker. */
export const containers = {
  kazoo: services.kazoo,
  alpha: services.alpha,
  beta: services.beta,
  database: services.databaseNodes,
} as const;

/** Types of the datacenter components. */
export const datacenterTypes = {
  kubernetes: "kazoo:index:Datacenter",
  docker: "kazoo:index:DockerDatacenter",
} as const;

/** Type of the ring components. */
export const ringType = "kazoo:index:Ring";

/** Guard resources, by what they protect from changes: the logical name is that of a datacenter or ring with this suffix. */
export const guards = {
  /** Of a datacenter: the names of its database nodes, that is, namespace and cluster domain. */
  names: "database-names",
  /** Of a datacenter: its ring. */
  ring: "ring-membership",
  /** Of a ring: the format of its database's files; the state follows. */
  format: "database-format",
  /** Of a ring: its brokers' series, which follows. */
  series: "rabbitmq-series",
} as const;

/** A datacenter's Ingresses, or its HTTPRoutes instead. */
export const clientRoutes = { crossbar: "kazoo", websockets: "kazoo-websockets" } as const;

const brokers = [services.alpha, services.beta];

/** Names of a datacenter's objects that a manually created object could already have. ConfigMaps and the join Job have a unique part. */
export const fixedNames: readonly {
  readonly apiVersion: string;
  readonly kind: string;
  readonly names: readonly string[];
  /** Only a datacenter with this key has them. */
  readonly key?: "ingress" | "gateway";
}[] = [
  { apiVersion: "v1", kind: "Secret", names: Object.values(secrets) },
  { apiVersion: "v1", kind: "Service", names: Object.values(services) },
  { apiVersion: "v1", kind: "ServiceAccount", names: [workloads.kazoo, workloads.database, ...brokers] },
  { apiVersion: "apps/v1", kind: "StatefulSet", names: [workloads.kazoo, workloads.database, ...brokers] },
  {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    names: [workloads.kazoo, workloads.database, workloads.rabbitmq],
  },
  { apiVersion: "batch/v1", kind: "Job", names: [workloads.bootstrap] },
  { apiVersion: "networking.k8s.io/v1", kind: "Ingress", names: Object.values(clientRoutes), key: "ingress" },
  { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute", names: Object.values(clientRoutes), key: "gateway" },
  {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    names: [
      "default-deny",
      "allow-dns",
      workloads.kazoo,
      workloads.rabbitmq,
      workloads.database,
      workloads.join,
      ...["to-kazoo", "to-bigcouch", "out"].map((suffix) => `${workloads.bootstrap}-${suffix}`),
    ],
  },
];

/** Label of a namespace that names the stack it belongs to. */
export const stackLabel = "kazoo/stack";

/** Annotation of an object that names the patches of `kazoo:patches` it was changed by. */
export const patchesAnnotation = "kazoo/patches";

/** Annotations of pods that name their users and cookies, unless these are the first ones: a change rolls the pods. */
export const credentialAnnotations = {
  broker: "kazoo/broker-user",
  database: "kazoo/database-user",
  administrators: "kazoo/administrators",
  cookie: "kazoo/cookie",
} as const;

/**
 * TCP ports of a Kazoo node: Crossbar's API, its TLS twin, Blackhole's websockets, fax over SMTP, the media proxy, epmd, and Erlang
 * distribution, which the image keeps within 11500 to 11999.
 */
export const kazooPorts = {
  crossbar: 8000,
  crossbarTls: 8443,
  websockets: 5555,
  fax: 19025,
  media: 24517,
  epmd: 4369,
  distribution: { first: 11500, last: 11999 },
} as const;

/** TCP ports of destinations that customers choose, which Kazoo calls: webhooks, carriers' interfaces, mail servers. */
export const outsidePorts = [80, 443, 25, 465, 587] as const;

/** Ports of a broker (rabbitmq.com/docs/networking). */
export const rabbitmqPorts = {
  amqp: 5672,
  management: 15672,
  metrics: 15692,
  distribution: 25672,
  epmd: 4369,
} as const;

/** Port of the database's clustered HTTP interface. */
export const databasePort = 5984;

/** Path of the first boot's script, relative to the project's folder. */
export const bootstrapScriptPath = "components/bootstrap.sh";

/** The progress of a StatefulSet's rollout. */
export interface RolloutProgress {
  /** Whether all pods have the newest revision and are ready. */
  readonly done: boolean;
  /** Whether pods are still being replaced; pods may be unavailable for other reasons. */
  readonly rolling: boolean;
  /** As text: `1 of 2 nodes updated, 1 ready`. */
  readonly text: string;
}

/** Reads a StatefulSet's rollout from the object in the API. */
export function rolloutProgress(set: {
  readonly metadata?: { readonly generation?: number };
  readonly spec?: { readonly replicas?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly updatedReplicas?: number;
    readonly readyReplicas?: number;
    readonly currentRevision?: string;
    readonly updateRevision?: string;
  };
}): RolloutProgress {
  const wanted = set.spec?.replicas ?? 1;
  const {
    observedGeneration = 0,
    replicas = 0,
    updatedReplicas,
    readyReplicas = 0,
    currentRevision,
    updateRevision,
  } = set.status ?? {};
  if (observedGeneration < (set.metadata?.generation ?? 0))
    return { done: false, rolling: true, text: "the controller has not seen the change yet" };
  // The two revisions become equal once all pods have rolled and are ready, and if a change is reverted before it reached any pod.
  const updated = updatedReplicas ?? (currentRevision === updateRevision ? wanted : 0);
  // Surplus pods may take minutes to stop.
  if (replicas > wanted)
    return { done: false, rolling: true, text: `${replicas - wanted} of ${replicas} nodes still stop` };
  const rolling = currentRevision !== updateRevision || updated < wanted;
  const text = `${updated} of ${wanted} nodes updated, ${readyReplicas} ready`;
  return { done: updated >= wanted && readyReplicas >= wanted, rolling, text };
}
