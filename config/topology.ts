import { databaseKind, versionOfSources, type DatabaseKind } from "./compatibility";
import { defaultEnvironment, type RunEnvironment } from "./environment";
import {
  seedImage,
  type Cluster,
  type ImageBuild,
  type MasterAccount,
  type Platform,
  type Quorum,
  type Ring,
  type Workload,
  type Zone,
} from "./platform";
import {
  buildDefaults,
  dockerDefaults,
  masterAccountDefaults,
  type BuildConfig,
  type ClusterConfig,
  type Config,
  type DatacenterConfig,
  type RegionConfig,
  type RingConfig,
  type WorkloadsConfig,
} from "./schema";
import { sizes } from "./sizes";

/** Makes a Platform of a config whose shape is right: regions x datacenters, defaults filled in, the nearest level winning. */
export function platformOf(config: Config): Platform {
  const zones = Object.entries(config.regions)
    .flatMap(([regionName, region]) =>
      Object.entries(region.datacenters).map(([name, datacenter]) =>
        zoneOf(config, regionName, region, name, datacenter),
      ),
    )
    .sort((a, b) => (a.region === b.region ? compare(a.datacenter, b.datacenter) : compare(a.region, b.region)));
  const ringNames = [...new Set(zones.map((zone) => zone.ring))];
  return {
    image:
      config.image?.build === undefined
        ? { kind: "prebuilt", reference: config.image?.prebuilt ?? seedImage }
        : buildOf(config.image.build, config),
    images: { curl: "curlimages/curl:8.11.1", ...defined(config.images ?? {}) },
    protect: config.protect ?? true,
    clusters: Object.fromEntries(
      Object.entries(config.clusters).map(([name, cluster]) => [name, clusterOf(name, cluster)]),
    ),
    rings: Object.fromEntries(
      ringNames.map((name) => [
        name,
        ringOf(
          name,
          { kazoo: versionOfSources(config.image?.build?.args?.KAZOO_VERSION ?? ""), ...config.rings?.[name] },
          zones.filter((zone) => zone.ring === name),
          defined(config.credentials?.[name] ?? {}),
        ),
      ]),
    ),
    zones,
  };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function buildOf(build: BuildConfig, config: Config): ImageBuild {
  const { registry, username, plainHttp = false } = build;
  const { registryPassword: password } = config;
  const clusterHosts = Object.values(config.clusters).flatMap(({ docker }) =>
    docker === undefined ? [] : [docker.host ?? dockerDefaults.host],
  );
  const login = username === undefined || password === undefined ? {} : { login: { username, password } };
  return {
    kind: "build",
    host: build.docker ?? clusterHosts[0] ?? dockerDefaults.host,
    context: build.context ?? buildDefaults.context,
    repository: build.repository,
    tags: build.tags ?? buildDefaults.tags,
    args: build.args ?? {},
    ...defined({ platform: build.platform, network: build.network, digest: build.digest }),
    ...(registry === undefined ? {} : { registry: { address: registry, plainHttp, ...login } }),
  };
}

function clusterOf(name: string, config: ClusterConfig): Cluster {
  if (config.docker !== undefined) {
    const { host, network, address, ports } = config.docker;
    return {
      name,
      kind: "docker",
      host: host ?? dockerDefaults.host,
      network: network ?? dockerDefaults.network,
      published: { address: address ?? dockerDefaults.address, ...dockerDefaults.ports, ...defined(ports ?? {}) },
    };
  }
  const common = {
    name,
    clusterDomain: config.clusterDomain ?? "cluster.local",
    ...defined({ podNetwork: config.podNetwork }),
  };
  return config.sandbox === true
    ? { ...common, kind: "sandbox", context: `sandbox-${name}`, kubeconfig: ".sandbox/kubeconfig" }
    : { ...common, kind: "kubernetes", context: config.context ?? "", ...defined({ kubeconfig: config.kubeconfig }) };
}

function zoneOf(
  config: Config,
  regionName: string,
  region: RegionConfig,
  name: string,
  datacenter: DatacenterConfig,
): Zone {
  const levels = [config, region, datacenter];
  const chosen = Object.assign({}, ...levels.map((level) => level.environment ?? {})) as Record<
    string,
    string | number | boolean
  >;
  const zone = String(chosen.KAZOO_ZONE ?? `${regionName}-${name}`);
  const environment: RunEnvironment = {
    ...defaultEnvironment,
    ...Object.fromEntries(Object.entries(chosen).map(([variable, value]) => [variable, String(value)])),
    ...(Object.assign({}, ...levels.map((level) => level.extraEnvironment ?? {})) as Record<string, string>),
    REGION: regionName,
    DATACENTER: name,
    KAZOO_ZONE: zone,
  };
  return {
    name: zone,
    region: regionName,
    datacenter: name,
    cluster: datacenter.cluster ?? region.cluster ?? "",
    ring: datacenter.ring ?? zone,
    namespace: datacenter.namespace ?? zone,
    environment,
    mediaNetworks: datacenter.mediaNetworks ?? region.mediaNetworks ?? config.mediaNetworks ?? [],
    ...workloadsOf(levels.map((level) => level.workloads ?? {})),
  };
}

function workloadsOf(levels: readonly WorkloadsConfig[]): Pick<Zone, "kazoo" | "rabbitmq" | "database"> {
  const merged = levels.reduce(merge, {} as WorkloadsConfig);
  const { kazoo = {}, rabbitmq = {}, database = {} } = merged;
  return {
    kazoo: {
      replicas: kazoo.replicas ?? sizes.kazoo.replicas,
      resources: resourcesOf(kazoo.resources, sizes.kazoo),
      service: { type: kazoo.service?.type ?? "ClusterIP", annotations: kazoo.service?.annotations ?? {} },
    },
    rabbitmq: {
      storage: rabbitmq.storage ?? sizes.rabbitmq.storage,
      ...defined({ storageClass: rabbitmq.storageClass }),
      resources: resourcesOf(rabbitmq.resources, sizes.rabbitmq),
    },
    database: {
      replicas: database.replicas ?? sizes.database.replicas,
      storage: database.storage ?? sizes.database.storage,
      ...defined({ storageClass: database.storageClass }),
      resources: resourcesOf(database.resources, sizes.database),
    },
  };
}

type ResourcesConfig = NonNullable<NonNullable<WorkloadsConfig["kazoo"]>["resources"]>;

function resourcesOf(
  config: ResourcesConfig | undefined,
  size: { cpu: string; memory: string; limit: string },
): Workload["resources"] {
  return {
    requests: { cpu: config?.requests?.cpu ?? size.cpu, memory: config?.requests?.memory ?? size.memory },
    limits: { ...defined({ cpu: config?.limits?.cpu }), memory: config?.limits?.memory ?? size.limit },
  };
}

function ringOf(name: string, config: RingConfig, zones: readonly Zone[], credentials: Ring["credentials"]): Ring {
  const nodes = zones.reduce((sum, zone) => sum + zone.database.replicas, 0);
  const database = databaseKind(config.database ?? "couchdb-2.3.1") as DatabaseKind;
  const placement = config.placement ?? defaultPlacement(zones);
  return {
    name,
    kazoo: config.kazoo ?? "4.3",
    database,
    rabbitmq: config.rabbitmq ?? "3.13",
    permitTransientQueues: config.permitTransientQueues ?? false,
    quorum: quorumOf(config.quorum ?? {}, database, nodes, placement),
    ...defined({ placement, masterAccount: masterAccountOf(config.masterAccount) }),
    credentials,
    zones: zones.map((zone) => zone.name),
  };
}

function masterAccountOf(config: RingConfig["masterAccount"]): MasterAccount | undefined {
  if (config === undefined) return undefined;
  const { name, realm, user, monsterUi, prompts } = config;
  const { appsPath, language } = masterAccountDefaults;
  return {
    name,
    realm,
    user,
    ...(monsterUi === undefined ? {} : { monsterUi: { path: monsterUi.path ?? appsPath, url: monsterUi.url } }),
    ...(prompts === undefined ? {} : { prompts: { path: prompts.path, language: prompts.language ?? language } }),
  };
}

/**
 * Two copies in each of two zones (2600Hz's figures), one in each of three. On BigCouch, one of two zones that is cut off still reaches
 * its r = w = 2; CouchDB wants 3 of the 4 copies, which neither side of a cut has: both go on, and writes are answered with 202 until
 * they meet again. In more zones there are still three copies, and no need to place them: the database deals them out over its nodes by
 * name (mem3:choose_shards), and the names of pods start with their number, so that neighbours are of different zones, at least where
 * each zone has equally many.
 */
function defaultPlacement(zones: readonly Zone[]): Record<string, number> | undefined {
  if (zones.length < 2 || zones.length > 3) return undefined;
  return Object.fromEntries(
    zones.map((zone) => [zone.name, zones.length === 2 ? Math.min(2, zone.database.replicas) : 1]),
  );
}

/** 2600Hz's figures q=3 n=3 r=2 w=2 as far as there are nodes; a single node has 1 of each. */
function quorumOf(
  config: NonNullable<RingConfig["quorum"]>,
  { engine }: DatabaseKind,
  nodes: number,
  placement: Record<string, number> | undefined,
): Quorum {
  const placed =
    placement === undefined ? undefined : Object.values(placement).reduce((sum, copies) => sum + copies, 0);
  const n = config.n ?? placed ?? Math.min(3, nodes);
  const shards = { q: config.q ?? (nodes === 1 ? 1 : 3), n };
  return engine === "bigcouch" ? { ...shards, r: config.r ?? Math.min(2, n), w: config.w ?? Math.min(2, n) } : shards;
}

/** The nearer level's keys over the farther one's, mapping by mapping. */
function merge<T>(far: T, near: T): T {
  if (!isMapping(far) || !isMapping(near)) return near;
  const merged: Record<string, unknown> = { ...far };
  for (const [key, value] of Object.entries(near)) {
    if (value !== undefined) merged[key] = key in merged ? merge(merged[key], value) : value;
  }
  return merged as T;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Leaves out the keys that are undefined. */
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, content]) => content !== undefined)) as Defined<T>;
}
