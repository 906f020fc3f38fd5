import { databaseKind, versionOfSources, type DatabaseKind } from "./compatibility";
import { numbersOf, type Rotated, type Rotations } from "./credentials";
import type { RunEnvironment } from "./schema/environment";
import { clientUrls } from "./hosts";
import { brokerImage, databaseImage, fullName, mirrored, seedImage } from "./images";
import {
  placedCopies,
  type ClientAddress,
  type Cluster,
  type Gateway,
  type ImageBuild,
  type Ingress,
  type MasterAccount,
  type Platform,
  type Quorum,
  type Ring,
  type Service,
  type Zone,
} from "./platform";
import {
  defaultRing,
  schema,
  type BuildConfig,
  type ClusterConfig,
  type Config,
  type DatacenterConfig,
  type Given,
  type RingConfig,
} from "./schema";
import { imageFolder } from "./schema/build";
import { localEngine } from "./schema/cluster";
import { everyLevel } from "./schema/region";
import { defaultKazooVersion } from "./schema/ring";

/** Turns a config of the right shape into a Platform: regions x datacenters, the nearest level wins, defaults fill the rest. */
export function platformOf(given: Given): Platform {
  const config = withDefaults(given);
  const zones = Object.entries(config.regions)
    .flatMap(([region, { datacenters }]) =>
      Object.entries(datacenters).map(([name, datacenter]) => zoneOf(region, name, datacenter)),
    )
    .sort((a, b) => (a.region === b.region ? compare(a.datacenter, b.datacenter) : compare(a.region, b.region)));
  const hubImages: Record<string, string> = {};
  const pulled = (reference: string): string => {
    const found = mirrored(reference, config.imageMirror);
    if (found !== reference) hubImages[found] = fullName(reference);
    return found;
  };
  const ringNames = [...new Set(zones.map((zone) => zone.ring))];
  const rings = ringNames.map((name) => {
    const own = zones.filter((zone) => zone.ring === name);
    return ringOf(name, ringConfig(given, config, name), own, config, pulled);
  });
  return {
    image:
      config.image.build === undefined
        ? { kind: "prebuilt", reference: config.image.prebuilt ?? pulled(seedImage) }
        : buildOf(config.image.build, config, buildArguments(given, rings[0])),
    hubImages,
    registries: registriesOf(config.registries),
    protect: config.protect,
    policy: config.policy,
    stacks: config.stacks,
    ...(config.stackLabel === undefined ? {} : { stackLabel: config.stackLabel }),
    clusters: Object.fromEntries(
      Object.entries(config.clusters).map(([name, cluster]) => [name, clusterOf(name, cluster)]),
    ),
    rings: Object.fromEntries(rings.map((ring) => [ring.name, ring])),
    zones,
    patches: Object.entries(config.patches)
      .sort(([a], [b]) => compare(a, b))
      .map(([name, patch]) => ({ name, ...patch })),
  };
}

/** Sorted, so that the order in the config does not matter. */
function registriesOf(config: Config["registries"]): Platform["registries"] {
  const entries = Object.entries(config).sort(([a], [b]) => compare(a, b));
  return {
    logins: entries.flatMap(([address, { username, password }]) =>
      username === undefined || password === undefined ? [] : [{ address, username, password }],
    ),
    secretNames: [...new Set(entries.flatMap(([, { secretName }]) => secretName ?? []))],
  };
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Merges the levels into each datacenter, and only then fills in defaults: a default of a nearer level must not hide a value of a farther one. */
function withDefaults(given: Given): Config {
  const platform = Object.fromEntries(
    Object.keys(everyLevel).map((key) => [key, given[key as keyof typeof everyLevel]]),
  );
  const regions = Object.entries(given.regions).map(([regionName, { datacenters, ...region }]) => {
    const merged = Object.entries(datacenters).map(([name, datacenter]) => [
      name,
      merge(merge(platform, region), datacenter),
    ]);
    return [regionName, { ...region, datacenters: Object.fromEntries(merged) as unknown }];
  });
  return schema.parse({ ...given, regions: Object.fromEntries(regions) as unknown });
}

/** The ring's own key; for Kazoo's version, else the build's. */
function ringConfig(given: Given, config: Config, name: string): RingConfig {
  const ring = config.rings[name] ?? defaultRing;
  const built = versionOfSources(config.image.build?.args.KAZOO_VERSION ?? "");
  return given.rings?.[name]?.kazoo === undefined && built !== undefined ? { ...ring, kazoo: built } : ring;
}

/**
 * The build arguments, with Kazoo's version from the rings. The version is omitted if it is the Dockerfile's default, so that stacks that never
 * named one keep their image. With the operator's own Dockerfile, it is omitted unless a ring names one.
 */
function buildArguments(given: Given, ring: Ring | undefined): Readonly<Record<string, string>> {
  const { args = {}, context = imageFolder } = given.image?.build ?? {};
  if (ring === undefined || args.KAZOO_VERSION !== undefined) return args;
  const isDefault =
    context === imageFolder
      ? ring.kazoo === defaultKazooVersion
      : Object.values(given.rings ?? {}).every(({ kazoo }) => kazoo === undefined);
  return isDefault ? args : { ...args, KAZOO_VERSION: ring.kazoo };
}

function buildOf(build: BuildConfig, config: Config, args: Readonly<Record<string, string>>): ImageBuild {
  const { registry, username, plainHttp } = build;
  const { registryPassword: password } = config;
  const clusterHosts = Object.values(config.clusters).flatMap(({ docker }) => docker?.host ?? []);
  const login = username === undefined || password === undefined ? {} : { login: { username, password } };
  return {
    kind: "build",
    host: build.docker ?? clusterHosts[0] ?? localEngine,
    context: build.context,
    repository: build.repository,
    tags: build.tags,
    args,
    ...defined({ platform: build.platform, network: build.network, digest: build.digest }),
    ...(registry === undefined ? {} : { registry: { address: registry, plainHttp, ...login } }),
  };
}

function clusterOf(
  name: string,
  { docker, sandbox, clusterDomain, podNetwork, context, kubeconfig, apiClient }: ClusterConfig,
): Cluster {
  if (docker !== undefined) {
    const { host, network, address, ports } = docker;
    return { name, kind: "docker", host, network, published: { address, ...ports } };
  }
  const common = { name, clusterDomain, ...defined({ podNetwork, apiClient }) };
  return sandbox
    ? { ...common, kind: "sandbox", context: `sandbox-${name}`, kubeconfig: ".sandbox/kubeconfig" }
    : { ...common, kind: "kubernetes", context: context ?? "", ...defined({ kubeconfig }) };
}

function zoneOf(region: string, name: string, datacenter: DatacenterConfig): Zone {
  const zone = datacenter.environment.KAZOO_ZONE ?? `${region}-${name}`;
  const chosen = Object.entries(datacenter.environment).map(([variable, value]) => [variable, String(value)]);
  const environment: RunEnvironment = {
    ...(Object.fromEntries(chosen) as Record<string, string>),
    ...datacenter.extraEnvironment,
    REGION: region,
    DATACENTER: name,
    KAZOO_ZONE: zone,
  };
  return {
    name: zone,
    region,
    datacenter: name,
    cluster: datacenter.cluster ?? "",
    ring: datacenter.ring ?? zone,
    namespace: datacenter.namespace ?? zone,
    adopt: datacenter.adopt,
    drained: datacenter.drained,
    environment,
    mediaNetworks: datacenter.mediaNetworks,
    monitoring: datacenter.monitoring,
    ...defined({ ingress: ingressOf(datacenter.ingress), gateway: gatewayOf(datacenter.gateway) }),
    ...datacenter.workloads,
    kazoo: { ...datacenter.workloads.kazoo, service: serviceOf(datacenter.workloads.kazoo.service) },
  };
}

const serviceOf = ({ nodePorts, ...service }: DatacenterConfig["workloads"]["kazoo"]["service"]): Service => ({
  type: service.type,
  annotations: service.annotations,
  ...defined({ ...service, nodePorts: nodePorts && defined(nodePorts) }),
});

/** A missing host is reported by accessChecks.ts. */
const addressOf = ({
  host = "",
  websockets,
  controllerNamespace,
}: Pick<NonNullable<DatacenterConfig["ingress"]>, "host" | "websockets" | "controllerNamespace">): ClientAddress => ({
  host,
  websockets: {
    host: websockets.host ?? host,
    path: websockets.path ?? (websockets.host === undefined ? "/websockets" : "/"),
  },
  ...defined({ controllerNamespace }),
});

/** A missing name is reported by accessChecks.ts. */
function gatewayOf(config: DatacenterConfig["gateway"]): Gateway | undefined {
  if (config === undefined) return undefined;
  const { name = "", namespace, sectionName, tls } = config;
  return { ...addressOf(config), tls, gateway: { name, ...defined({ namespace, sectionName }) } };
}

function ingressOf(config: DatacenterConfig["ingress"]): Ingress | undefined {
  if (config === undefined) return undefined;
  const { tls, annotations } = config;
  return {
    ...addressOf(config),
    annotations,
    ...defined({ class: config.class, tls: tls && certificateOf(tls) }),
  };
}

/** A Secret without name is reported by accessChecks.ts. */
function certificateOf({
  secretName,
  issuer,
  clusterIssuer,
}: NonNullable<NonNullable<DatacenterConfig["ingress"]>["tls"]>) {
  const made = issuer ?? clusterIssuer;
  return { secretName: secretName ?? (made === undefined ? "" : "kazoo-tls"), ...defined({ issuer, clusterIssuer }) };
}

function ringOf(
  name: string,
  config: RingConfig,
  zones: readonly Zone[],
  { images, credentials }: Pick<Config, "images" | "credentials">,
  pulled: (reference: string) => string,
): Ring {
  const nodes = zones.reduce((sum, zone) => sum + zone.database.replicas, 0);
  const database = databaseKind(config.database) as DatabaseKind;
  const placement = config.placement ?? defaultPlacement(zones);
  return {
    name,
    kazoo: config.kazoo,
    database,
    rabbitmq: config.rabbitmq,
    permitTransientQueues: config.permitTransientQueues,
    brokerSettings: config.brokerSettings,
    brokerPlugins: config.brokerPlugins,
    databaseSettings: config.databaseSettings,
    quorum: quorumOf(config.quorum ?? {}, database, nodes, placement),
    ...defined({ placement, masterAccount: masterAccountOf(config.masterAccount, zones), upgrading: config.upgrading }),
    images: {
      rabbitmq: pulled(images.rabbitmq ?? brokerImage(config.rabbitmq)),
      database: pulled(images.database ?? databaseImage(config.database)),
      curl: pulled(images.curl),
    },
    ...split(credentials[name] ?? {}, config.rotations),
    zones: zones.map((zone) => zone.name),
  };
}

/** Configured credentials, except those of users that stores no longer know, and the names and keys of existing Secrets. */
function split(
  given: Config["credentials"][string],
  rotations: RingConfig["rotations"],
): Pick<Ring, "credentials" | "secrets" | "secretKeys" | "rotations"> {
  const rotated = Object.fromEntries(
    Object.entries(defined(rotations)).map(([store, rotation]) => [store, defined(rotation)]),
  ) as Rotations;
  const entries = Object.entries(defined(given));
  const stored = entries.flatMap(([part, value]) => (typeof value === "string" ? [] : [{ part, ...value }]));
  const isKnown = (part: string) => numbersOf(rotated[part as Rotated]).includes(1);
  return {
    rotations: rotated,
    credentials: Object.fromEntries(entries.filter(([part, value]) => typeof value === "string" && isKnown(part))),
    secrets: Object.fromEntries(stored.map(({ part, secretName }) => [part, secretName])),
    secretKeys: Object.fromEntries(stored.map(({ part, keys = {} }) => [part, keys])),
  };
}

/** `checks/` reports Monster UI without a URL. */
function masterAccountOf(config: RingConfig["masterAccount"], zones: readonly Zone[]): MasterAccount | undefined {
  if (config === undefined) return undefined;
  const { monsterUi, prompts, ...administrator } = config;
  const [crossbar] = zones.flatMap(({ ingress, gateway }) => [
    ...(ingress === undefined ? [] : [clientUrls(ingress, ingress.tls !== undefined).crossbar]),
    ...(gateway === undefined ? [] : [clientUrls(gateway, gateway.tls).crossbar]),
  ]);
  const url = monsterUi?.url ?? (crossbar === undefined ? undefined : `${crossbar}/v2`);
  const apps = monsterUi === undefined || url === undefined ? undefined : { path: monsterUi.path, url };
  return { ...administrator, ...defined({ monsterUi: apps, prompts }) };
}

/**
 * Two copies in each of two zones (2600Hz's figures), one in each of three. If two zones lose their connection, each still reaches its r = w = 2
 * on BigCouch. CouchDB requires 3 of the 4 copies, which neither zone has: both continue, and answer writes with 202 until they are connected
 * again. In more zones there are still three copies. They need no placement if all zones have the same number of nodes: the database distributes
 * copies over its nodes in the order of their names (mem3:choose_shards), and the names of pods start with their number, so neighbours are in
 * different zones. Otherwise `checks/` requires a placement.
 */
function defaultPlacement(zones: readonly Zone[]): Record<string, number> | undefined {
  if (zones.length < 2 || zones.length > 3) return undefined;
  return Object.fromEntries(
    zones.map((zone) => [zone.name, zones.length === 2 ? Math.min(2, zone.database.replicas) : 1]),
  );
}

/**
 * 2600Hz's figures q=3 n=3 r=2 w=2, reduced if there are fewer nodes; a single node has 1 of each. With a placement, n creates no copies: uploads
 * wait for n copies if {@link DatabaseKind.uploadsWaitForConfiguredCopies}. Databases keep the number of copies that they were created with, which
 * is 4 in a ring of two zones, so n stays at least 4 when the ring gets a third zone.
 */
function quorumOf(
  config: NonNullable<RingConfig["quorum"]>,
  { engine, uploadsWaitForConfiguredCopies }: DatabaseKind,
  nodes: number,
  placement: Record<string, number> | undefined,
): Quorum {
  const copies = placement === undefined ? (config.n ?? Math.min(3, nodes)) : placedCopies(placement);
  const configured = placement !== undefined && uploadsWaitForConfiguredCopies ? Math.max(4, copies) : copies;
  const shards = { q: config.q ?? (nodes === 1 ? 1 : 3), n: config.n ?? configured };
  return engine === "bigcouch"
    ? { ...shards, r: config.r ?? Math.min(2, copies), w: config.w ?? Math.min(2, copies) }
    : shards;
}

/** The nearer level's keys over the farther one's, mapping by mapping. */
function merge(far: unknown, near: unknown): unknown {
  if (!isMapping(far) || !isMapping(near)) return near;
  const merged = Object.entries(near)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [key, Object.hasOwn(far, key) ? merge(far[key], value) : value]);
  return { ...far, ...Object.fromEntries(merged) } as unknown;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Removes undefined keys. */
function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, content]) => content !== undefined)) as Defined<T>;
}
