import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { brokerPlugins, requireDatabaseKind } from "../config/compatibility";
import { numbersOf, type Rotation, storeUser } from "../config/credentials";
import { secrets, serviceHost, services } from "../config/hosts";
import { databaseMetricsPort } from "../config/monitoring";
import { BigCouch, type DatabaseNode } from "./bigcouch";
import { BootstrapJob, systemDatabases } from "./bootstrapJob";
import type { Datacenter, DatacenterArgs, FirstBoot, ImageReference, KazooNodes, RingMember } from "./datacenter";
import { refuseChange, refuseLoss } from "./guard";
import type { DashboardZone } from "./dashboard";
import { GatewayRoutes } from "./gatewayRoutes";
import { Ingress } from "./ingress";
import { JoinJob } from "./joinJob";
import { type Environment, Kazoo, type ZoneBrokers } from "./kazoo";
import { namespaceLabels, workloadLabels } from "./labels";
import {
  databasePort,
  datacenterTypes,
  guards,
  kazooPorts,
  rabbitmqPorts,
  credentialAnnotations,
  workloadLabel,
  workloads,
} from "./names";
import { Monitoring, scrapeAnnotations } from "./monitoring";
import { NetworkPolicies } from "./networkPolicies";
import type { Step } from "./order";
import { nameIfThere, nameUnlessForeign } from "./ownNamespace";
import type { PodSettings } from "./pods";
import { brokerDefinitions, RabbitMQ } from "./rabbitmq";
import { pullSecret, type Registries } from "./registries";
import { byAge, databaseRingConfig, type StoreUser } from "./ring";
import type { Rollouts } from "./rollout";
import { oneAtATime } from "./workload";

export interface KubernetesDatacenterArgs extends DatacenterArgs {
  /** DNS domain of the cluster. */
  readonly clusterDomain: string;
  /** Networks of the pods of the ring's other clusters, in CIDR notation. */
  readonly otherClusters: readonly string[];
  /** The zones on the dashboard of its ring, if it has the dashboard. @default no dashboard */
  readonly dashboardZones?: readonly DashboardZone[];
  /** @default images are pulled without a login */
  readonly registries?: Registries;
  readonly rollouts: Rollouts;
}

/**
 * A datacenter on Kubernetes: a namespace with credentials, policies, two brokers, and database nodes that join their ring. Kazoo and the
 * Job of the first boot are added later.
 */
export class KubernetesDatacenter extends pulumi.ComponentResource implements Datacenter {
  readonly namespace: pulumi.Output<string>;
  readonly brokers: ZoneBrokers;
  readonly databaseNodes: pulumi.Output<DatabaseNode[]>;
  /** Names of the Secrets: `erlang-cookie`, `rabbitmq` and `bigcouch`, or existing ones. */
  readonly secrets: { readonly [S in "cookie" | "rabbitmq" | "database"]: pulumi.Output<string> };
  private readonly pullSecrets: readonly string[];
  private readonly namespaceObject: k8s.core.v1.Namespace;
  private readonly database: BigCouch;
  private readonly brokerEndpoints: readonly pulumi.Output<string>[];
  private kazoo: Kazoo | undefined;
  /** Whether a workload currently runs no pods. */
  private readonly isDrained: (workload: "kazoo" | "rabbitmq" | "database") => boolean;

  constructor(
    private readonly name: string,
    private readonly args: KubernetesDatacenterArgs,
    opts?: pulumi.ComponentResourceOptions,
  ) {
    // Deleting the namespace deletes its contents, so a destroy need not delete dozens of objects one by one. An adopted namespace stays.
    const withNamespace: pulumi.ResourceTransformation = ({ type, props, opts: own }) =>
      type.startsWith("kubernetes:") && type !== namespaceType && args.zone.adopt !== true
        ? { props, opts: { ...own, deletedWith: this.namespaceObject } }
        : undefined;
    super(datacenterTypes.kubernetes, name, {}, pulumi.mergeOptions(opts, { transformations: [withNamespace] }));
    const { zone, ring, credentials, protect, clusterDomain, rollouts } = args;
    const parent = { parent: this };
    this.isDrained = (workload) => zone.drained?.includes(workload) ?? false;

    // Namespace and domain are part of every database node's name: with other ones the nodes would not find their data.
    const names = refuseChange(
      `${name}-${guards.names}`,
      { suffix: serviceHost(services.databaseNodes, zone.namespace, clusterDomain), node: ring.database.nodeName },
      { ...parent, protect },
    );
    // A datacenter that changes rings would bring its old ring's databases along, under a new cookie.
    const membership = refuseChange(`${name}-${guards.ring}`, { ring: ring.name }, { ...parent, protect });
    // A removed node takes its shards along. The first one exists as long as the zone.
    refuseLoss(
      Array.from({ length: zone.database.replicas - 1 }, (_, index) => `${name}-database-node-${index + 1}`),
      { ...parent, protect },
    );
    this.namespaceObject = new k8s.core.v1.Namespace(
      `${name}-namespace`,
      {
        metadata: {
          name: nameUnlessForeign({
            namespace: zone.namespace,
            adopt: zone.adopt === true,
            stack: args.stack,
            rollouts,
          }),
          labels: { ...namespaceLabels(args.stack, { ...zone, ring: ring.name }), ...podSecurityLabels },
        },
      },
      { ...parent, protect, dependsOn: [names, membership], ...(zone.adopt === true ? { retainOnDelete: true } : {}) },
    );
    this.namespace = nameIfThere(this.namespaceObject, rollouts);

    const secret = (secretName: string, stringData: Record<string, pulumi.Input<string>>) =>
      new k8s.core.v1.Secret(
        `${name}-${secretName}`,
        {
          metadata: { name: secretName, namespace: this.namespace, labels: { "app.kubernetes.io/part-of": "kazoo" } },
          type: "Opaque",
          stringData,
        },
        { ...parent, protect },
      ).metadata.name;
    const existing = ring.secrets;
    const [user, ...otherUsers] = credentials.rabbitmqUsers;
    const unlessIn = (name: string | undefined, make: () => pulumi.Output<string>) =>
      name === undefined ? make() : pulumi.output(name);
    this.secrets = {
      cookie: unlessIn(existing.cookie, () => secret(secrets.cookie, { cookie: credentials.cookie })),
      rabbitmq: unlessIn(existing.rabbitmq, () =>
        secret(secrets.rabbitmq, { username: user.name, password: user.password }),
      ),
      database: unlessIn(existing.database, () =>
        secret(secrets.database, {
          username: credentials.databaseUsers[0].name,
          password: credentials.database,
          cookie: credentials.databaseCookie,
        }),
      ),
    };
    const ringSecret = unlessIn(existing.database, () =>
      secret(secrets.databaseRing, { "ring.ini": databaseRingConfig(ring.database.version, credentials) }),
    );

    // A starting broker creates the users in it, even on an empty volume.
    const definitions =
      otherUsers.length === 0
        ? undefined
        : new k8s.core.v1.Secret(
            `${name}-${secrets.brokerUsers}`,
            {
              metadata: {
                name: secrets.brokerUsers,
                namespace: this.namespace,
                labels: { "app.kubernetes.io/part-of": "kazoo" },
              },
              type: "Opaque",
              stringData: { "definitions.json": brokerDefinitions(credentials.rabbitmqUsers) },
            },
            parent,
          ).metadata.name;

    const { logins = [], secretNames = [] } = args.registries ?? {};
    const pull =
      logins.length === 0
        ? []
        : [
            pullSecret(
              `${name}-registries`,
              {
                name: secrets.registries,
                namespace: this.namespace,
                labels: { "app.kubernetes.io/part-of": "kazoo" },
              },
              logins,
              parent,
            ),
          ];
    // Literal names: a reference to the Secret's output would replace the pods' owners with it.
    this.pullSecrets = [...(pull.length === 0 ? [] : [secrets.registries]), ...secretNames];
    const before = async (workload: Step["workload"]) => [...pull, ...(await args.order.before(this.step(workload)))];

    const { annotations = false, podMonitors = false, rules = false } = zone.monitoring ?? {};
    const metricsPort = databaseMetricsPort({ podMonitors, annotations }, requireDatabaseKind(ring.database.version));
    const databaseMetrics = metricsPort !== undefined;
    const clientNamespace = (zone.ingress ?? zone.gateway)?.controllerNamespace;
    new NetworkPolicies(
      `${name}-network`,
      {
        namespace: this.namespace,
        stack: args.stack,
        ring: ring.name,
        otherClusters: args.otherClusters,
        mediaNetworks: zone.mediaNetworks,
        ...(zone.monitoring?.namespace === undefined ? {} : { monitoringNamespace: zone.monitoring.namespace }),
        ...(clientNamespace === undefined ? {} : { clientNamespace }),
        outsideStores: outsideStores(zone.environment),
        databaseVersion: ring.database.version,
        databaseMetrics,
      },
      parent,
    );

    const { secretKeys } = ring;
    const workload = { namespace: this.namespace, clusterDomain, rollouts, pullSecrets: this.pullSecrets, secretKeys };
    const [alpha, beta] = (["alpha", "beta"] as const).map((role) => {
      const broker = new RabbitMQ(
        `${name}-rabbitmq-${role}`,
        {
          ...workload,
          ...(annotations ? scraped(zone.rabbitmq, "broker", rabbitmqPorts.metrics) : zone.rabbitmq),
          role,
          image: ring.images.rabbitmq,
          plugins: [...brokerPlugins(ring.kazoo), ...ring.brokerPlugins],
          permitTransientQueues: ring.permitTransientQueues,
          settings: ring.brokerSettings,
          drained: this.isDrained("rabbitmq"),
          credentials: this.secrets.rabbitmq,
          ...(definitions === undefined ? {} : { definitions }),
          protect,
        },
        { ...parent, dependsOn: before(role) },
      );
      args.order.add(this.step(role), broker.rolled);
      return broker;
    }) as [RabbitMQ, RabbitMQ];
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-rabbitmq-disruption`,
      {
        metadata: { name: workloads.rabbitmq, namespace: this.namespace, labels: workloadLabels(workloads.rabbitmq) },
        // One budget for both brokers, so that a drain never takes both.
        spec: oneAtATime({ [workloadLabel]: workloads.rabbitmq }),
      },
      parent,
    );
    const { KAZOO_AMQP_HOST = alpha.host, KAZOO_SECONDARY_AMQP_HOST = beta.host } = zone.environment;
    this.brokers = { zone: zone.name, alpha: KAZOO_AMQP_HOST, beta: KAZOO_SECONDARY_AMQP_HOST };
    this.brokerEndpoints = [alpha.endpoint, beta.endpoint];

    const { dashboardZones: zones = [] } = args;
    if (podMonitors || rules || zones.length > 0) {
      const { issuer, clusterIssuer, secretName } = zone.ingress?.tls ?? {};
      // Cert-manager names the Certificate after the Secret.
      const certificate = issuer === undefined && clusterIssuer === undefined ? undefined : secretName;
      new Monitoring(
        `${name}-monitoring`,
        {
          ...zone.monitoring,
          namespace: this.namespace,
          zone: zone.name,
          databaseMetrics,
          ...(certificate === undefined ? {} : { certificate }),
          ...(zones.length === 0 ? {} : { dashboard: { stack: args.stack, ring: ring.name, zones } }),
        },
        parent,
      );
    }

    this.database = new BigCouch(
      `${name}-bigcouch`,
      {
        ...workload,
        ...annotated(
          annotations && metricsPort !== undefined ? scraped(zone.database, "database", metricsPort) : zone.database,
          {
            [credentialAnnotations.administrators]: users(byAge(credentials.databaseUsers)),
            [credentialAnnotations.cookie]: cookie(ring.rotations?.databaseCookie),
          },
        ),
        metrics: databaseMetrics,
        version: ring.database.version,
        image: ring.images.database,
        quorum: ring.quorum,
        ...(ring.placement === undefined ? {} : { placement: ring.placement }),
        settings: ring.databaseSettings,
        drained: this.isDrained("database"),
        credentials: this.secrets.database,
        ringSecret,
        protect,
      },
      { ...parent, dependsOn: before("database") },
    );
    args.order.add(this.step("database"), this.database.rolled);
    this.databaseNodes = this.database.nodes;
    this.registerOutputs({ namespace: this.namespace, databaseNodes: this.databaseNodes, secrets: this.secrets });
  }

  joinRing(zones: readonly RingMember[]): void {
    const { zone, ring, order } = this.args;
    const join = new JoinJob(
      `${this.name}-bigcouch-join`,
      {
        ...zone.jobs,
        namespace: this.namespace,
        credentials: this.secrets.database,
        secretKeys: ring.secretKeys,
        version: ring.database.version,
        zone: this.brokers.zone,
        zones: zones.map(({ brokers, databaseNodes }) => ({ zone: brokers.zone, nodes: databaseNodes })),
        image: ring.images.curl,
        pullSecrets: this.pullSecrets,
        drained: this.isDrained("database"),
      },
      { parent: this, dependsOn: order.before(this.step("join")) },
    );
    order.add(this.step("join"), [join]);
  }

  runKazoo(image: ImageReference, zones: readonly RingMember[]): KazooNodes {
    const { zone, ring, credentials, order, clusterDomain, rollouts } = this.args;
    this.kazoo = new Kazoo(
      `${this.name}-kazoo`,
      {
        ...annotated(zone.kazoo, {
          [credentialAnnotations.broker]: users([credentials.rabbitmqUsers[0]]),
          [credentialAnnotations.database]: users([credentials.databaseUsers[0]]),
          [credentialAnnotations.cookie]: cookie(ring.rotations?.cookie),
        }),
        namespace: this.namespace,
        clusterDomain,
        rollouts,
        pullSecrets: this.pullSecrets,
        image: image.reference,
        ...(image.login === undefined ? {} : { registryLogin: image.login }),
        brokers: this.brokers,
        database: this.database,
        otherZones: zones.filter((other) => other !== this).map(({ brokers }) => brokers),
        environment: zone.environment,
        cookieSecret: this.secrets.cookie,
        brokerSecret: this.secrets.rabbitmq,
        databaseSecret: this.secrets.database,
        secretKeys: ring.secretKeys,
        curlImage: ring.images.curl,
        drained: this.isDrained("kazoo"),
      },
      { parent: this, dependsOn: order.before(this.step("kazoo")) },
    );
    order.add(this.step("kazoo"), this.kazoo.rolled);
    const urls = this.wayIn();
    return {
      ...(urls === undefined ? {} : { urls }),
      nodes: this.kazoo.nodes,
      endpoints: {
        crossbar: pulumi.interpolate`http://${this.kazoo.host}:${kazooPorts.crossbar}`,
        websockets: pulumi.interpolate`ws://${this.kazoo.host}:${kazooPorts.websockets}`,
        database: pulumi.interpolate`http://${this.database.host}:${databasePort}`,
        brokers: this.brokerEndpoints,
      },
    };
  }

  /** Creates the routes for clients outside the cluster, if configured; returns their URLs. */
  private wayIn(): KazooNodes["urls"] {
    const { ingress, gateway } = this.args.zone;
    const common = { namespace: this.namespace };
    const parent = { parent: this };
    if (ingress !== undefined) return new Ingress(`${this.name}-ingress`, { ...ingress, ...common }, parent).urls;
    if (gateway === undefined) return undefined;
    return new GatewayRoutes(`${this.name}-gateway`, { ...gateway, ...common }, parent).urls;
  }

  firstBoot({ image, account, password, after }: FirstBoot): void {
    const { zone, ring } = this.args;
    const { version } = ring.database;
    if (account === undefined && systemDatabases(version).length === 0) return;
    new BootstrapJob(
      `ring-${ring.name}-bootstrap`,
      {
        ...zone.jobs,
        namespace: this.namespace,
        databaseVersion: version,
        databaseHost: this.database.host,
        databaseSecret: this.secrets.database,
        secretKeys: ring.secretKeys,
        curlImage: ring.images.curl,
        drained: this.isDrained("kazoo"),
        pullSecrets: account === undefined ? this.pullSecrets : (this.kazoo?.pullSecrets ?? []),
        ...(account === undefined || password === undefined || this.kazoo === undefined
          ? {}
          : {
              account: {
                ...account,
                password,
                image: image.reference,
                node: this.kazoo.nodes.apply(([first = ""]) => first),
                cookieSecret: this.secrets.cookie,
              },
            }),
      },
      { parent: this, dependsOn: [...after] },
    );
  }

  private step<W extends Step["workload"]>(workload: W): Step & { readonly workload: W } {
    return { zone: this.args.zone.name, workload };
  }
}

/** TCP ports of stores outside the zone that a run environment names. */
function outsideStores(environment: Environment): number[] {
  const names = (...variables: string[]) => variables.some((variable) => environment[variable] !== undefined);
  const port = (variable: string, otherwise: number) => Number(environment[variable] ?? otherwise);
  return [
    ...(names("KAZOO_AMQP_HOST", "KAZOO_SECONDARY_AMQP_HOST") ? [rabbitmqPorts.amqp] : []),
    ...(names("BIGCOUCH_HOST", "BIGCOUCH_DATA_PORT", "BIGCOUCH_ADMIN_PORT")
      ? [port("BIGCOUCH_DATA_PORT", databasePort), port("BIGCOUCH_ADMIN_PORT", 5986)]
      : []),
  ];
}

/** A workload whose pods Prometheus also finds; the operator's settings win. */
const scraped = <W extends PodSettings>(workload: W, ...of: Parameters<typeof scrapeAnnotations>): W => ({
  ...workload,
  annotations: { ...scrapeAnnotations(...of), ...workload.annotations },
});

/** A workload with annotations of its pods, without those that are undefined. */
function annotated<W extends PodSettings>(workload: W, annotations: Readonly<Record<string, string | undefined>>): W {
  const given = Object.entries(annotations).filter(([, value]) => value !== undefined);
  if (given.length === 0) return workload;
  return {
    ...workload,
    annotations: { ...workload.annotations, ...(Object.fromEntries(given) as Record<string, string>) },
  };
}

/** Names of users, unless there is only the first one. */
function users(all: readonly StoreUser[]): string | undefined {
  const names = all.map(({ name }) => name).join(",");
  return names === storeUser(1) ? undefined : names;
}

/** Number of the current cookie, unless it is the first one. */
function cookie(rotation: Rotation | undefined): string | undefined {
  const [used] = numbersOf(rotation);
  return used === 1 ? undefined : String(used);
}

const namespaceType = "kubernetes:core/v1:Namespace";

/** Refuses pods that violate the level `restricted`, and logs those that would violate later versions of it. */
const podSecurityLabels = Object.fromEntries(
  ["enforce", "audit", "warn"].map((mode) => [`pod-security.kubernetes.io/${mode}`, "restricted"]),
);
