import * as docker from "@pulumi/docker";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { services } from "../config/hosts";
import { dockerHub } from "../config/images";
import type { DockerCluster, KubernetesCluster, Platform, Registry } from "../config/platform";
import type { DashboardZone } from "./dashboard";
import type { Datacenter, DatacenterArgs, ZoneArgs } from "./datacenter";
import { DockerDatacenter } from "./dockerDatacenter";
import { KubernetesDatacenter } from "./kubernetesDatacenter";
import { RingOrder, type Step } from "./order";
import type { Patches } from "./patches";
import type { RegistryLogin } from "./registries";
import { databasePort, rabbitmqPorts, workloads } from "./names";
import type { ClusterAccess, Rollouts } from "./rollout";

/** A cluster of the config with its own provider. Only this file depends on the cluster's kind. */
export interface Cluster {
  readonly name: string;
  /** Context of the kubeconfig; on Docker, the engine's address. */
  readonly context: string;
  /** A zone's namespace; on Docker, the network. */
  readonly placeOf: (zone: { readonly namespace: string }) => string;
  /** Creates a datacenter on it. */
  readonly datacenter: (name: string, args: DatacenterArgs) => Datacenter;
  /** Whether a workload's StatefulSet exists, in a namespace. */
  readonly exists: (namespace: string, workload: Step["workload"]) => Promise<boolean>;
  /** Resolves once a workload of another stack exists and is rolled out. @param next what to do if that never happens */
  readonly done: (namespace: string, workload: Step["workload"], next: string) => Promise<void>;
}

/** A cluster whose provider is created on demand. */
interface Provided extends Cluster {
  readonly provide: () => pulumi.ProviderResource;
}

/** The cluster of a zone. */
export type ClusterOf = (zone: { readonly cluster: string }) => Cluster;

/**
 * The clusters, each with its own provider. Default providers are disabled, so that nothing is deployed to whatever cluster is current.
 * @param randomProvider for the guards of the datacenters
 * @param rolloutsOf how to wait for the StatefulSets of a cluster
 * @param patches of the objects of the datacenters
 * @param own names of those that the stack deploys to; others are only queried for the progress of other stacks
 */
export function clustersOf(
  platform: Platform,
  randomProvider: pulumi.ProviderResource,
  rolloutsOf: (access: ClusterAccess) => Rollouts,
  patches: Patches,
  own: readonly string[] = Object.keys(platform.clusters),
): ClusterOf {
  const clusters = new Map(
    Object.values(platform.clusters).map((cluster) => [
      cluster.name,
      cluster.kind === "docker"
        ? onDocker(cluster, platform)
        : onKubernetes(cluster, platform, rolloutsOf(cluster), randomProvider, patches),
    ]),
  );
  for (const name of own) clusters.get(name)?.provide();
  return ({ cluster }) => {
    const found = clusters.get(cluster);
    if (found === undefined) throw new Error(`cluster ${cluster} is not in the config`);
    return found;
  };
}

type OrderedZone = Pick<ZoneArgs, "name" | "region" | "namespace" | "drained"> & { readonly cluster: string };

/**
 * The order in which the zones of a ring change, which depends on what exists already.
 * @param zones all of the ring
 * @param own those that this stack deploys. @default all
 */
export function orderOf(zones: readonly OrderedZone[], clusterOf: ClusterOf, own = zones): RingOrder {
  const zoneOf = (name: string) => zones.find((each) => each.name === name);
  return new RingOrder(
    zones.map(({ name }) => name),
    async ({ zone: name, workload }) => {
      const zone = zoneOf(name);
      return zone !== undefined && clusterOf(zone).exists(zone.namespace, workload);
    },
    ({ zone: name, workload }) => {
      const drained = zoneOf(name)?.drained ?? [];
      return drained.some((each) => each === workload || (each === "rabbitmq" && /^(alpha|beta)$/.test(workload)));
    },
    {
      has: (name) => own.every((zone) => zone.name !== name),
      done: async ({ zone: name, workload }) => {
        const zone = zoneOf(name);
        if (zone === undefined) return;
        const next = `deploy region ${zone.region} at the same time; make up without REGION= deploys all`;
        await clusterOf(zone).done(zone.namespace, workload, next);
      },
    },
  );
}

function onKubernetes(
  { name, context, kubeconfig, clusterDomain, apiClient }: KubernetesCluster,
  platform: Platform,
  rollouts: Rollouts,
  randomProvider: pulumi.ProviderResource,
  patches: Patches,
): Provided {
  let provider: k8s.Provider | undefined;
  const provide = () =>
    (provider ??= withoutVariable(
      "KUBECONFIG",
      () =>
        new k8s.Provider(`cluster-${name}`, {
          context,
          ...(kubeconfig === undefined ? {} : { kubeconfig }),
          // The identity is the name in the config: an edited kubeconfig must replace nothing.
          clusterIdentifier: name,
          // A changed credential changes its Secret in place: replacing it would replace the StatefulSets that refer to it.
          enableSecretMutable: true,
          // All or none: the SDK would fill in the rest from the environment, and write it into the state.
          ...(apiClient === undefined ? {} : { kubeClientSettings: apiClient }),
        }),
    ));
  const statefulSets = {
    alpha: services.alpha,
    beta: services.beta,
    database: services.databaseNodes,
    kazoo: services.kazoo,
  };
  return {
    name,
    context,
    placeOf: ({ namespace }) => namespace,
    datacenter: (zone, args) =>
      new KubernetesDatacenter(
        zone,
        {
          ...args,
          clusterDomain,
          otherClusters: otherPodNetworks(platform, args.ring.name, name),
          outsideStores: outsideStores(platform, args.ring.name, args.zone),
          dashboardZones: dashboardZones(platform, args.ring.name, args.zone.name),
          registries: platform.registries,
          rollouts,
        },
        { providers: [provide(), randomProvider], transformations: [patches.in(zone, args.zone.namespace)] },
      ),
    exists: async (namespace, workload) =>
      workload !== "join" && (await rollouts.exists(namespace, statefulSets[workload])),
    done: async (namespace, workload, next) => {
      const minutes = 30;
      const report = (progress: string) => void pulumi.log.info(progress, undefined, undefined, true);
      if (workload === "join")
        return rollouts.arrives({ namespace, kind: "Job", name: workloads.join, minutes, report, next });
      const set = { namespace, name: statefulSets[workload], minutes, report };
      await rollouts.arrives({ ...set, kind: "StatefulSet", next });
      await rollouts.wait(set);
    },
    provide,
  };
}

/**
 * Creates a provider without an environment variable. The SDK would use the path in `$KUBECONFIG` as an input and so write it into the state,
 * where it would be wrong on every other machine. The provider's own process still reads the variable.
 */
function withoutVariable<T>(name: string, make: () => T): T {
  const value = process.env[name];
  delete process.env[name];
  try {
    return make();
  } finally {
    if (value !== undefined) process.env[name] = value;
  }
}

/** The zones on the dashboard that a zone has for its ring: all of them, in its first zone in each cluster that wants one. */
function dashboardZones({ zones }: Platform, ring: string, zone: string): readonly DashboardZone[] {
  const all = zones.filter((each) => each.ring === ring);
  const cluster = all.find(({ name }) => name === zone)?.cluster;
  const first = all.find((each) => each.cluster === cluster && each.monitoring.dashboards);
  return first?.name === zone ? all : [];
}

/** Pod networks of a ring's other clusters. */
function otherPodNetworks(platform: Platform, ring: string, cluster: string): string[] {
  const others = platform.zones.filter((zone) => zone.ring === ring && zone.cluster !== cluster);
  const networks = others.flatMap((zone) => {
    const other = platform.clusters[zone.cluster];
    return other === undefined || other.kind === "docker" ? [] : (other.podNetwork ?? []);
  });
  return [...new Set(networks)];
}

/**
 * TCP ports of external brokers and databases that a zone connects to: the brokers that a run environment of its ring names, since every zone
 * connects to those of the others, and the database that its own names.
 */
function outsideStores({ zones }: Platform, ring: string, { environment }: Pick<ZoneArgs, "environment">): number[] {
  const names = (of: ZoneArgs["environment"], ...variables: string[]) =>
    variables.some((variable) => of[variable] !== undefined);
  const port = (variable: string, otherwise: number) => Number(environment[variable] ?? otherwise);
  const brokers = zones
    .filter((zone) => zone.ring === ring)
    .some((zone) => names(zone.environment, "KAZOO_AMQP_HOST", "KAZOO_SECONDARY_AMQP_HOST"));
  return [
    ...(brokers ? [rabbitmqPorts.amqp] : []),
    ...(names(environment, "BIGCOUCH_HOST", "BIGCOUCH_DATA_PORT", "BIGCOUCH_ADMIN_PORT")
      ? [port("BIGCOUCH_DATA_PORT", databasePort), port("BIGCOUCH_ADMIN_PORT", 5986)]
      : []),
  ];
}

function onDocker({ name, host, network, published }: DockerCluster, { image, registries }: Platform): Provided {
  const registry = image.kind === "build" ? image.registry : undefined;
  let provider: docker.Provider | undefined;
  const provide = () => (provider ??= dockerProvider(`cluster-${name}`, host, registry, registries.logins));
  return {
    name,
    context: host,
    placeOf: () => network,
    datacenter: (zone, args) => new DockerDatacenter(zone, { ...args, network, published }, { providers: [provide()] }),
    exists: async () => false,
    done: () => Promise.resolve(),
    provide,
  };
}

/**
 * A provider for a Docker Engine.
 * @param registry the registry of the stack's image. The provider needs an entry for it even without a login.
 * @param logins for other registries, and for this one if it has none of its own
 */
export function dockerProvider(
  name: string,
  host: string,
  registry: Registry | undefined,
  logins: readonly RegistryLogin[],
): docker.Provider {
  const entry = (url: string, login?: Pick<RegistryLogin, "username" | "password">) =>
    login === undefined
      ? { address: url, authDisabled: true }
      : { address: url, username: login.username, password: pulumi.secret(login.password) };
  const own =
    registry === undefined
      ? []
      : [
          entry(
            `${registry.plainHttp ? "http" : "https"}://${registry.address}`,
            registry.login ?? logins.find(({ address }) => address === registry.address),
          ),
        ];
  const others = logins
    .filter(({ address }) => address !== registry?.address)
    // The provider knows Docker Hub by this name if an image's name has no registry.
    .flatMap((login) =>
      [login.address, ...(login.address === dockerHub ? ["registry-1.docker.io"] : [])].map((address) =>
        entry(`https://${address}`, login),
      ),
    );
  const registryAuth = [...own, ...others];
  // Empty, otherwise $DOCKER_CONTEXT would override the engine in the config.
  const engine = { host, context: "" };
  return new docker.Provider(name, registryAuth.length === 0 ? engine : { ...engine, registryAuth });
}
