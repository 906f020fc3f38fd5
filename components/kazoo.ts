import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { podHosts, secrets, serviceHost, services } from "../config/hosts";
import { defaultCurlImage } from "../config/images";
import { sizes } from "../config/schema/sizes";
import { firstNode } from "./firstNode";
import { doNotWait, rollTimeouts, selectorLabels, spread, workloadLabels } from "./labels";
import { databasePort, kazooParts, kazooPorts, workloads } from "./names";
import type { Rolled } from "./order";
import { nodeMinutes, podMetadata, podSpec } from "./pods";
import { type Resources, containerResources, resourcesOf } from "./resources";
import { pullSecret, type RegistryLogin } from "./registries";
import { afterRollout } from "./rollout";
import { containerSecurity, users } from "./security";
import { type WorkloadArgs, cookieVolume, defaultClusterDomain, loginFrom, oneAtATime } from "./workload";

/** The run environment: variables of the Kazoo containers, as text (docs/configuration.md#kazooenvironment). */
export type Environment = Readonly<Record<string, pulumi.Input<string>>>;

/** A zone for Kazoo: its name and the hosts of its brokers. */
export interface ZoneBrokers {
  readonly zone: string;
  readonly alpha: pulumi.Input<string>;
  readonly beta: pulumi.Input<string>;
}

/** How Kazoo reaches a database. */
export interface DatabaseAddress {
  readonly host: pulumi.Input<string>;
  /** Port of the node-local interface; the usual port if there is none. */
  readonly adminPort: number;
}

/** The Kubernetes Service `kazoo`. */
export interface ServiceArgs {
  /** @default ClusterIP */
  readonly type?: "ClusterIP" | "NodePort" | "LoadBalancer";
  /** @default none */
  readonly annotations?: Readonly<Record<string, string>>;
  /** `Local` keeps the client's address. Not with ClusterIP. @default Cluster */
  readonly externalTrafficPolicy?: "Cluster" | "Local";
  /** Networks from which a load balancer accepts connections, in CIDR notation. @default everywhere */
  readonly loadBalancerSourceRanges?: readonly string[];
  /** Implementation of the load balancer. @default the cluster's */
  readonly loadBalancerClass?: string;
  /** Ports on the cluster's nodes. Not with ClusterIP. @default Kubernetes chooses them */
  readonly nodePorts?: { readonly crossbar?: number; readonly websockets?: number };
}

export interface KazooArgs extends WorkloadArgs {
  /** The Kazoo image, preferably pinned by digest. */
  readonly image: pulumi.Input<string>;
  /** Login for pulling the image, beside those of `pullSecrets`. @default none is needed */
  readonly registryLogin?: RegistryLogin;
  /** The zone and its brokers. */
  readonly brokers: ZoneBrokers;
  readonly database: DatabaseAddress;
  /** The ring's other zones; Kazoo federates over their brokers itself. @default none */
  readonly otherZones?: readonly ZoneBrokers[];
  /** Run environment; it overrides the hosts and ports derived from `brokers` and `database`. @default none */
  readonly environment?: Environment;
  /** Name of a Secret with the key `cookie`. */
  readonly cookieSecret: pulumi.Input<string>;
  /** Name of a Secret with the keys `username` and `password` of the brokers. */
  readonly brokerSecret: pulumi.Input<string>;
  /** Name of a Secret with the keys `username` and `password` of the database. */
  readonly databaseSecret: pulumi.Input<string>;
  /** Number of nodes. @default 1 */
  readonly replicas?: number;
  /** What each node requests and may use. @default 500m and 1Gi, at most 2Gi */
  readonly resources?: Resources;
  readonly service?: ServiceArgs;
  /** An image with `sh` and `curl`. @default curlimages/curl:8.11.1 */
  readonly curlImage?: string;
}

/** The first boot on an empty database takes minutes: allow up to 15. */
const startup = { periodSeconds: 5, failureThreshold: 180 };

/** Short name of the Erlang node in an environment, before the `@`. */
export const erlangVm = (environment: Environment): pulumi.Input<string> => environment.ERLANG_VM ?? "kazoo_apps";

/**
 * The Kazoo nodes of a datacenter. The headless Service `kazoo-nodes` gives each the host name of its Erlang node; `kazoo` balances over
 * the ready ones.
 * @example
 * const kazoo = new Kazoo("kazoo", {
 *   namespace,
 *   image: "registry.example.com/kazoo@sha256:…",
 *   brokers: { zone: "us-east-nyc", alpha: alpha.host, beta: beta.host },
 *   database,
 *   cookieSecret, brokerSecret, databaseSecret,
 * });
 */
export class Kazoo extends pulumi.ComponentResource {
  /** Fully qualified name of the Service that balances over the nodes. */
  readonly host: pulumi.Output<string>;
  /** Names of the Erlang nodes. */
  readonly nodes: pulumi.Output<string[]>;
  /** Names of the Secrets for pulling the image. */
  readonly pullSecrets: readonly string[];
  /** What dependents must wait for: everything is created and rolled out. */
  readonly rolled: Rolled;

  constructor(name: string, args: KazooArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:Kazoo", name, {}, opts);
    const {
      clusterDomain = defaultClusterDomain,
      replicas = sizes.kazoo.replicas,
      resources = resourcesOf(sizes.kazoo),
      service: { type = "ClusterIP", annotations = {}, nodePorts = {}, loadBalancerSourceRanges, ...service } = {},
      curlImage = defaultCurlImage,
      probes = {},
      secretKeys = {},
    } = args;
    const minutes = nodeMinutes(20, startup, args);
    const environment = completeEnvironment(args);
    const host = (key: "kazoo" | "kazooNodes") =>
      pulumi.output(args.namespace).apply((namespace) => serviceHost(services[key], namespace, clusterDomain));
    const parent = { parent: this };
    const labels = workloadLabels(workloads.kazoo);
    const selector = selectorLabels(workloads.kazoo);
    const metadata = { name: services.kazoo, namespace: args.namespace, labels };

    // Autonamed and immutable: a changed environment becomes a new ConfigMap, which restarts the pods.
    const configMap = new k8s.core.v1.ConfigMap(
      `${name}-${kazooParts.environment}`,
      { metadata: { namespace: args.namespace, labels }, immutable: true, data: environment },
      parent,
    );
    const ports = (["crossbar", "websockets"] as const).map((port) => ({
      name: port,
      port: kazooPorts[port],
      targetPort: port,
    }));
    const headless = new k8s.core.v1.Service(
      `${name}-headless`,
      {
        metadata: { ...metadata, name: services.kazooNodes },
        // A node needs its own name before it is ready.
        spec: { clusterIP: "None", publishNotReadyAddresses: true, selector, ports },
      },
      parent,
    );
    new k8s.core.v1.Service(
      `${name}-${kazooParts.service}`,
      {
        metadata: {
          ...metadata,
          annotations: type === "LoadBalancer" ? annotations : { ...doNotWait, ...annotations },
        },
        spec: {
          ...service,
          ...(loadBalancerSourceRanges === undefined
            ? {}
            : { loadBalancerSourceRanges: [...loadBalancerSourceRanges] }),
          type,
          selector,
          ports: ports.map((port) => ({
            ...port,
            ...(nodePorts[port.name] === undefined ? {} : { nodePort: nodePorts[port.name] }),
          })),
        },
      },
      // The API server refuses to change it.
      { ...parent, replaceOnChanges: ["spec.loadBalancerClass"] },
    );
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      parent,
    );
    new k8s.policy.v1.PodDisruptionBudget(`${name}-disruption`, { metadata, spec: oneAtATime(selector) }, parent);
    const own =
      args.registryLogin === undefined
        ? undefined
        : pullSecret(`${name}-image-pull`, { ...metadata, name: secrets.imagePull }, [args.registryLogin], parent);
    // Use the literal name: referencing the Secret's output would replace its dependents with it, as when the registry's address changes.
    this.pullSecrets = [...(args.pullSecrets ?? []), ...(own === undefined ? [] : [secrets.imagePull])];
    const answers = hasCrossbar(args.environment ?? {})
      ? { httpGet: { path: "/", port: "crossbar" } }
      : { tcpSocket: { port: "epmd" } };

    const statefulSet = new k8s.apps.v1.StatefulSet(
      `${name}-${kazooParts.nodes}`,
      {
        metadata,
        spec: {
          serviceName: headless.metadata.name,
          replicas: args.drained === true ? 0 : replicas,
          // The init container keeps the order of a first boot.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector },
          template: {
            metadata: podMetadata(labels, args),
            spec: {
              serviceAccountName: account.metadata.name,
              topologySpreadConstraints: spread(selector, args.topologySpread),
              terminationGracePeriodSeconds: 120,
              ...podSpec(users.kazoo, args, this.pullSecrets),
              ...(hasCrossbar(args.environment ?? {})
                ? { initContainers: [firstNode(curlImage, kazooPorts.crossbar, resources)] }
                : {}),
              containers: [
                {
                  name: "kazoo",
                  image: args.image,
                  envFrom: [{ configMapRef: { name: configMap.metadata.name } }],
                  env: [
                    { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
                    { name: "ERLANG_HOSTNAME", value: pulumi.interpolate`$(POD_NAME).${host("kazooNodes")}` },
                    ...loginFrom(args.brokerSecret, ["RABBITMQ_USER", "RABBITMQ_PASS"], secretKeys.rabbitmq),
                    ...loginFrom(args.databaseSecret, ["COUCHDB_USER", "COUCHDB_PASS"], secretKeys.database),
                  ],
                  ports: [
                    ...(["crossbar", "websockets", "fax", "media", "epmd"] as const).map((port) => ({
                      name: port,
                      containerPort: kazooPorts[port],
                    })),
                    { name: "crossbar-tls", containerPort: kazooPorts.crossbarTls },
                  ],
                  startupProbe: { ...answers, ...startup, ...probes.startup },
                  livenessProbe: {
                    ...answers,
                    periodSeconds: 30,
                    timeoutSeconds: 10,
                    failureThreshold: 4,
                    ...probes.liveness,
                  },
                  readinessProbe: { ...answers, periodSeconds: 10, timeoutSeconds: 5, ...probes.readiness },
                  resources: containerResources(resources),
                  securityContext: containerSecurity(true),
                  volumeMounts: [
                    { name: "erlang-cookie", mountPath: "/etc/secrets/erlang", readOnly: true },
                    { name: "configuration", mountPath: "/opt/kazoo/etc" },
                    { name: "log", mountPath: "/opt/kazoo/log" },
                    { name: "temporary", mountPath: "/tmp" },
                  ],
                },
              ],
              volumes: [
                cookieVolume(args.cookieSecret, secretKeys.cookie),
                // In memory, since credentials are rendered into it.
                { name: "configuration", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
                { name: "log", emptyDir: { sizeLimit: "1Gi" } },
                { name: "temporary", emptyDir: { sizeLimit: "1Gi" } },
              ],
            },
          },
        },
      },
      {
        ...parent,
        // Kubernetes cannot change it: a StatefulSet that was created with another policy keeps that one.
        ignoreChanges: ["spec.podManagementPolicy"],
        customTimeouts: rollTimeouts(replicas * minutes),
        ...(own === undefined ? {} : { dependsOn: own }),
      },
    );
    this.host = host("kazoo");
    this.nodes = pulumi
      .all([host("kazooNodes"), erlangVm(args.environment ?? {})])
      .apply(([headless, vm]) => podHosts("kazoo", replicas, headless).map((node) => `${vm}@${node}`));
    this.rolled = afterRollout(this, statefulSet, metadata, args.rollouts, minutes);
    this.registerOutputs({ host: this.host, nodes: this.nodes, pullSecrets: this.pullSecrets });
  }
}

/** Whether a node answers on Crossbar's port. A node that only runs ecallmgr is recognised by epmd, which it starts. */
export const hasCrossbar = ({ ERLANG_VM }: Environment): boolean => ERLANG_VM !== "ecallmgr";

/** The run environment with hosts and ports of the stores, and the ring's other zones. Values in `environment` win. */
export function completeEnvironment({
  brokers: { alpha, beta },
  database,
  otherZones = [],
  environment = {},
}: Pick<KazooArgs, "brokers" | "database" | "otherZones" | "environment">): Environment {
  const zones = otherZones.map(({ zone, alpha, beta }) => pulumi.interpolate`${zone}=${alpha},${beta}`);
  return {
    BIGCOUCH_HOST: database.host,
    BIGCOUCH_DATA_PORT: String(databasePort),
    BIGCOUCH_ADMIN_PORT: String(database.adminPort),
    // Fully qualified, unlike in the original project: Kazoo identifies a broker by its URI, which must differ between a ring's zones.
    KAZOO_AMQP_HOST: alpha,
    KAZOO_SECONDARY_AMQP_HOST: beta,
    ...environment,
    ...(zones.length === 0 ? {} : { KAZOO_OTHER_ZONES: pulumi.all(zones).apply((all) => all.join(" ")) }),
  };
}
