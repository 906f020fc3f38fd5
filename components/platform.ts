import * as docker from "@pulumi/docker";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { RunEnvironment } from "../config/environment";
import {
  builtReference,
  hostsOf,
  seedImage,
  type DockerCluster,
  type Hosts,
  type KubernetesCluster,
  type Platform,
  type Ring as RingConfig,
  type Zone,
} from "../config/platform";
import { type BigCouch, databasePort } from "./bigcouch";
import { BootstrapJob, systemDatabases } from "./bootstrapJob";
import { Datacenter } from "./datacenter";
import { containerNames, DockerDatacenter } from "./dockerDatacenter";
import { Kazoo, kazooPorts, type RegistryLogin, type ZoneBrokers } from "./kazoo";
import { KazooImage } from "./kazooImage";
import { rabbitmqPorts } from "./rabbitmq";
import type { AwaitRoll } from "./rollout";
import { Ring, type RingCredentials } from "./ring";

/** What a stack tells of each zone; nothing in it is secret. */
export interface ZoneOutputs {
  readonly region: string;
  readonly datacenter: string;
  readonly ring: string;
  readonly cluster: string;
  /** Context of the kubeconfig that leads to the cluster; on Docker the engine's address. */
  readonly context: string;
  /** Namespace; on Docker the network. */
  readonly namespace: string;
  /** On Docker: names of the containers, Kazoo's first. */
  readonly containers?: readonly string[];
  /** `host:port` or URL, as reached from within the cluster; on Docker Kazoo's as published on the machine. */
  readonly endpoints: {
    readonly crossbar: string;
    readonly websockets: string;
    readonly database: string;
    readonly brokers: readonly string[];
  };
  /** Names of the Erlang nodes. */
  readonly nodes: { readonly kazoo: readonly string[]; readonly database: readonly string[] };
  readonly image: pulumi.Input<string>;
}

/** What a stack tells of a ring's master account. */
export interface MasterAccountOutputs {
  readonly name: string;
  readonly realm: string;
  readonly user: string;
  /** Secret. */
  readonly password: pulumi.Output<string>;
}

/** The stack's outputs. */
export interface PlatformOutputs {
  /** By name. */
  readonly zones: Record<string, ZoneOutputs>;
  /** By ring, where the config has one. */
  readonly masterAccounts: Record<string, MasterAccountOutputs>;
}

/** A zone on a cluster of a kind, with what follows from it. */
interface Member<C extends KubernetesCluster | DockerCluster> {
  readonly zone: Zone;
  readonly cluster: C;
  readonly hosts: Hosts;
  /** Of the cluster: default providers are disabled, so that nothing lands in whatever cluster is current. */
  readonly provider: pulumi.ProviderResource;
}

/** The Kazoo image that all zones run. */
interface Image {
  readonly reference: pulumi.Input<string>;
  /** What a cluster needs to pull it; left out: nothing. */
  readonly login?: RegistryLogin;
}

/**
 * The program: everything that a stack holds, as a function of its config.
 * @param stack the stack's name
 * @param awaitRoll what waits for a StatefulSet
 * @returns the stack's outputs
 */
export function deployPlatform(platform: Platform, stack: string, awaitRoll: AwaitRoll): PlatformOutputs {
  const randomProvider = new random.Provider("random");
  const image = imageOf(platform);
  const { kubernetes, docker: onDocker } = membersOf(platform);
  const rings = Object.values(platform.rings).map((ring) => {
    const { credentials } = new Ring(
      `ring-${ring.name}`,
      { ring, protect: platform.protect },
      { providers: [randomProvider] },
    );
    const inRing = ({ zone }: { readonly zone: Zone }) => zone.ring === ring.name;
    const context = { stack, awaitRoll, platform, image, ring, credentials, randomProvider };
    const zones = deployKubernetes(context, kubernetes.filter(inRing));
    const containers = onDocker.filter(inRing).map((member) => deployDocker(context, member));
    return { context, zones, outputs: [...zones.map(({ outputs }) => outputs), ...containers] };
  });
  // Only once all of Kazoo has rolled: the engine starts nothing more when a Job has failed.
  const kazoos = rings.flatMap(({ zones }) => zones.flatMap(({ kazoo }) => kazoo.rolled));
  for (const { context, zones } of rings) {
    if (zones[0] !== undefined) bootstrap(context, zones[0], kazoos);
  }
  return {
    zones: Object.fromEntries(rings.flatMap(({ outputs }) => outputs)),
    masterAccounts: Object.fromEntries(rings.flatMap(({ context }) => masterAccountOf(context))),
  };
}

function imageOf({ image, clusters }: Platform): Image {
  if (image.kind === "prebuilt") {
    if (image.reference === seedImage && Object.values(clusters).some(({ kind }) => kind === "kubernetes")) {
      void pulumi.log.warn(
        `kazoo:image: ${seedImage} runs as root and logs in as guest, by its README; neither is let in here, so its pods will not become ready. ` +
          "Build one from image/: kazoo:image: { build: { registry: registry.example.com, repository: kazoo } }",
      );
    }
    return { reference: image.reference };
  }
  const { address, login } = image.registry ?? {};
  const withLogin = login === undefined || address === undefined ? {} : { login: { address, ...login } };
  if (image.digest !== undefined) return { reference: builtReference(image, image.digest), ...withLogin };
  const provider = dockerProvider("image-builder", image.host, image);
  const { reference } = new KazooImage("kazoo-image", { build: image }, { provider });
  return { reference, ...withLogin };
}

/**
 * A provider for a Docker Engine. `image`, where one is built, is pushed and pulled with its registry's credentials; where the registry
 * asks for none, the engine still wants some to be named.
 */
function dockerProvider(name: string, host: string, image: Platform["image"]): docker.Provider {
  const registry = image.kind === "build" ? image.registry : undefined;
  // Empty, or $DOCKER_CONTEXT would lead to another engine than the config names.
  const engine = { host, context: "" };
  if (registry === undefined) return new docker.Provider(name, engine);
  const { address, plainHttp, login } = registry;
  const url = `${plainHttp ? "http" : "https"}://${address}`;
  return new docker.Provider(name, {
    ...engine,
    registryAuth: [
      login === undefined
        ? { address: url, authDisabled: true }
        : { address: url, username: login.username, password: pulumi.secret(login.password) },
    ],
  });
}

function membersOf(platform: Platform): { kubernetes: Member<KubernetesCluster>[]; docker: Member<DockerCluster>[] } {
  const members = Object.values(platform.clusters).map((cluster) => {
    const zones = platform.zones.filter((zone) => zone.cluster === cluster.name);
    const placed = zones.map((zone) => ({ zone, hosts: hostsOf(zone, cluster) }));
    const name = `cluster-${cluster.name}`;
    if (cluster.kind === "docker") {
      const provider = dockerProvider(name, cluster.host, platform.image);
      return { kubernetes: [], docker: placed.map((member) => ({ ...member, cluster, provider })) };
    }
    const provider = new k8s.Provider(name, {
      context: cluster.context,
      ...(cluster.kubeconfig === undefined ? {} : { kubeconfig: cluster.kubeconfig }),
      // The identity is the name in the config: an edited kubeconfig must replace nothing.
      clusterIdentifier: cluster.name,
      // A changed credential changes its Secret in place: a replaced one would take the StatefulSets that name it along.
      enableSecretMutable: true,
    });
    return { kubernetes: placed.map((member) => ({ ...member, cluster, provider })), docker: [] };
  });
  // In the order of the platform's zones, whatever the order of the clusters.
  const position = ({ zone }: { readonly zone: Zone }) => platform.zones.indexOf(zone);
  return {
    kubernetes: members.flatMap(({ kubernetes }) => kubernetes).sort((a, b) => position(a) - position(b)),
    docker: members.flatMap((member) => member.docker),
  };
}

/** What the zones of a ring are made with. */
interface RingContext {
  readonly stack: string;
  readonly awaitRoll: AwaitRoll;
  readonly platform: Platform;
  readonly image: Image;
  readonly ring: RingConfig;
  readonly credentials: RingCredentials;
  readonly randomProvider: random.Provider;
}

/** A zone's resources, as far as others build on them. */
interface DeployedZone {
  readonly member: Member<KubernetesCluster>;
  readonly datacenter: Datacenter;
  readonly kazoo: Kazoo;
  readonly outputs: [string, ZoneOutputs];
}

function deployDocker(
  { platform, image, ring, credentials }: RingContext,
  { zone, cluster, hosts, provider }: Member<DockerCluster>,
): [string, ZoneOutputs] {
  new DockerDatacenter(
    zone.name,
    {
      zone,
      cluster,
      hosts,
      ring,
      credentials,
      image: image.reference,
      imageIsBuilt: platform.image.kind === "build",
      images: platform.images,
      environment: environmentOf({ zone, hosts }, ring),
      protect: platform.protect,
    },
    { providers: [provider] },
  );
  const { address, crossbar, websockets } = cluster.published;
  return [
    zone.name,
    {
      ...commonOutputs({ zone, cluster, hosts }, ring, image.reference),
      context: cluster.host,
      namespace: cluster.network,
      containers: [containerNames.kazoo, containerNames.alpha, containerNames.beta, containerNames.database],
      endpoints: {
        ...storeEndpoints(hosts),
        crossbar: `http://${address}:${crossbar}`,
        websockets: `ws://${address}:${websockets}`,
      },
    },
  ];
}

function deployKubernetes(
  { stack, awaitRoll, platform, image, ring, credentials, randomProvider }: RingContext,
  members: readonly Member<KubernetesCluster>[],
): DeployedZone[] {
  const databaseNodes = members.flatMap(({ zone, hosts }) =>
    hosts.databaseNodes.map((host) => ({ host, zone: zone.name })),
  );
  let databaseBefore: BigCouch | undefined;
  const datacenters = members.map(({ zone, cluster, provider }) => {
    const otherClusters = members
      .filter((other) => other.cluster !== cluster)
      .flatMap((other) => other.cluster.podNetwork ?? []);
    const datacenter = new Datacenter(
      zone.name,
      {
        stack,
        zone,
        cluster,
        ring,
        credentials,
        images: platform.images,
        databaseNodes,
        otherClusters: [...new Set(otherClusters)],
        ...(databaseBefore === undefined ? {} : { databaseBefore }),
        awaitRoll,
        protect: platform.protect,
      },
      { providers: [provider, randomProvider] },
    );
    databaseBefore = datacenter.database;
    return datacenter;
  });

  // All databases join before any Kazoo fills them, and the ring's first zone fills them alone; later it is the one that a change meets first.
  const stores = datacenters.flatMap((datacenter) => datacenter.stores);
  let first: Kazoo | undefined;
  return members.map((member, index) => {
    const { zone, hosts } = member;
    const datacenter = datacenters[index] as Datacenter;
    const kazoo = new Kazoo(
      `${zone.name}-kazoo`,
      {
        namespace: datacenter.namespace,
        suffix: hosts.suffix("kazoo-nodes"),
        image: image.reference,
        curlImage: platform.images.curl,
        ...(image.login === undefined ? {} : { registryLogin: image.login }),
        environment: environmentOf({ zone, hosts }, ring),
        otherZones: members.filter((other) => other !== member).map((other) => brokersOf(other, ring)),
        cookieSecret: datacenter.cookieSecret,
        brokerSecret: datacenter.brokerSecret,
        databaseSecret: datacenter.databaseSecret,
        size: zone.kazoo,
        cluster: member.cluster,
        awaitRoll,
      },
      { parent: datacenter, dependsOn: [...stores, ...(first?.rolled ?? [])] },
    );
    first ??= kazoo;
    const outputs = {
      ...commonOutputs(member, ring, image.reference),
      context: member.cluster.context,
      namespace: zone.namespace,
      endpoints: {
        ...storeEndpoints(hosts),
        crossbar: `http://${hosts.kazoo}:${kazooPorts.crossbar}`,
        websockets: `ws://${hosts.kazoo}:${kazooPorts.websockets}`,
      },
    };
    return { member, datacenter, kazoo, outputs: [zone.name, outputs] };
  });
}

/** The first boot of a ring, from its first zone. A ring that needs nothing gets no Job. */
function bootstrap(
  { platform, image, ring, credentials }: RingContext,
  { member: { zone, hosts }, datacenter, kazoo }: DeployedZone,
  after: readonly pulumi.Input<pulumi.Resource>[],
): void {
  const facts = ring.masterAccount;
  const password = credentials.masterAccount;
  if (facts === undefined && systemDatabases(ring.database).length === 0) return;
  new BootstrapJob(
    `ring-${ring.name}-bootstrap`,
    {
      namespace: datacenter.namespace,
      kind: ring.database,
      databaseHost: hosts.database,
      databaseSecret: datacenter.databaseSecret,
      curlImage: platform.images.curl,
      ...(facts === undefined || password === undefined
        ? {}
        : {
            account: {
              facts,
              password,
              image: image.reference,
              ...(kazoo.pullSecret === undefined ? {} : { pullSecret: kazoo.pullSecret }),
              node: { vm: zone.environment.ERLANG_VM ?? "", host: hosts.kazooNodes[0] ?? "" },
              cookieSecret: datacenter.cookieSecret,
            },
          }),
    },
    { parent: datacenter, dependsOn: [...after] },
  );
}

function masterAccountOf({ ring, credentials }: RingContext): [string, MasterAccountOutputs][] {
  if (ring.masterAccount === undefined || credentials.masterAccount === undefined) return [];
  const { name, realm, user } = ring.masterAccount;
  return [[ring.name, { name, realm, user, password: credentials.masterAccount }]];
}

/** The run environment of a zone, complete. */
const environmentOf = (
  { zone, hosts }: Pick<Member<KubernetesCluster | DockerCluster>, "zone" | "hosts">,
  ring: RingConfig,
): RunEnvironment => ({ ...hostEnvironment(hosts, ring), ...zone.environment });

/** A zone as the ring's others must know it. */
function brokersOf(member: Member<KubernetesCluster>, ring: RingConfig): ZoneBrokers {
  const { KAZOO_AMQP_HOST: alpha = "", KAZOO_SECONDARY_AMQP_HOST: beta = "" } = environmentOf(member, ring);
  return { zone: member.zone.name, alpha, beta };
}

/**
 * Hosts and ports of a zone's stores, for Kazoo. Fully qualified where the seed has bare names: to Kazoo a broker is its URI, and the URIs
 * of a ring's zones must differ. CouchDB 3 has no node-local port, so that Kazoo's master is sent to the usual one.
 */
function hostEnvironment(hosts: Hosts, ring: RingConfig): RunEnvironment {
  return {
    BIGCOUCH_HOST: hosts.database,
    BIGCOUCH_DATA_PORT: String(databasePort),
    BIGCOUCH_ADMIN_PORT: String(ring.database.adminPort ?? databasePort),
    KAZOO_AMQP_HOST: hosts.broker("alpha"),
    KAZOO_SECONDARY_AMQP_HOST: hosts.broker("beta"),
  };
}

function storeEndpoints(hosts: Hosts): Pick<ZoneOutputs["endpoints"], "database" | "brokers"> {
  return {
    database: `http://${hosts.database}:${databasePort}`,
    brokers: (["alpha", "beta"] as const).map((role) => `${hosts.broker(role)}:${rabbitmqPorts.amqp}`),
  };
}

function commonOutputs(
  { zone, cluster, hosts }: Pick<Member<KubernetesCluster | DockerCluster>, "zone" | "cluster" | "hosts">,
  ring: RingConfig,
  image: pulumi.Input<string>,
): Pick<ZoneOutputs, "region" | "datacenter" | "ring" | "cluster" | "nodes" | "image"> {
  return {
    region: zone.region,
    datacenter: zone.datacenter,
    ring: ring.name,
    cluster: cluster.name,
    nodes: {
      kazoo: hosts.kazooNodes.map((host) => `${zone.environment.ERLANG_VM}@${host}`),
      database: hosts.databaseNodes.map((host) => `${ring.database.nodeName}@${host}`),
    },
    image,
  };
}
