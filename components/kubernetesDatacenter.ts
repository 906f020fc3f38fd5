import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { brokerPlugins, requireDatabaseKind } from "../config/compatibility";
import { numbersOf, type Rotation, storeUser } from "../config/credentials";
import { serviceHost, services } from "../config/hosts";
import { databaseMetricsPort } from "../config/schema/monitoring";
import { BigCouch, type DatabaseNode } from "./bigcouch";
import { BootstrapJob, systemDatabases } from "./bootstrapJob";
import type { Datacenter, DatacenterArgs, FirstBoot, ImageReference, KazooNodes, RingMember } from "./datacenter";
import { refuseChange, refuseLoss } from "./guard";
import type { DashboardZone } from "./dashboard";
import { GatewayRoutes } from "./gatewayRoutes";
import { Ingress } from "./ingress";
import { JoinJob } from "./joinJob";
import { Kazoo, type ZoneBrokers } from "./kazoo";
import { workloadLabels } from "./labels";
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
import { nameIfThere, ownNamespace } from "./ownNamespace";
import type { PodSettings } from "./pods";
import { RabbitMQ } from "./rabbitmq";
import type { Registries } from "./registries";
import { byAge, type StoreUser } from "./ring";
import type { Rollouts } from "./rollout";
import { oneAtATime, type WorkloadArgs } from "./workload";
import { type ZoneSecrets, zoneSecrets } from "./zoneSecrets";

export interface KubernetesDatacenterArgs extends DatacenterArgs {
  /** DNS domain of the cluster. */
  readonly clusterDomain: string;
  /** Networks of the pods of the ring's other clusters, in CIDR notation. */
  readonly otherClusters: readonly string[];
  /** TCP ports of external brokers and databases that the zone connects to. */
  readonly outsideStores: readonly number[];
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
  readonly secrets: Pick<ZoneSecrets, "cookie" | "rabbitmq" | "database">;
  private readonly namespaceObject: k8s.core.v1.Namespace;
  private readonly pullSecrets: readonly string[];
  /** Where Prometheus reads the database's metrics, if it does. */
  private readonly databaseMetrics: number | undefined;
  private readonly database: BigCouch;
  private readonly brokerEndpoints: readonly pulumi.Output<string>[];
  private kazoo: Kazoo | undefined;

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
    const { zone, ring, protect, stack, rollouts } = args;
    const parent = { parent: this };

    this.namespaceObject = ownNamespace(
      `${name}-namespace`,
      { zone, ring: ring.name, stack, rollouts },
      { ...parent, protect, dependsOn: this.createGuards() },
    );
    this.namespace = nameIfThere(this.namespaceObject, rollouts);
    const secrets = zoneSecrets(name, { ...args, namespace: this.namespace }, parent);
    const { cookie, rabbitmq, database } = secrets;
    this.secrets = { cookie, rabbitmq, database };
    this.pullSecrets = secrets.pull;
    const { podMonitors = false, annotations = false } = zone.monitoring ?? {};
    const kind = requireDatabaseKind(ring.database.version);
    this.databaseMetrics = databaseMetricsPort({ podMonitors, annotations }, kind);
    this.closeNetwork();

    const [alpha, beta] = this.runBrokers(secrets);
    const { KAZOO_AMQP_HOST = alpha.host, KAZOO_SECONDARY_AMQP_HOST = beta.host } = zone.environment;
    this.brokers = { zone: zone.name, alpha: KAZOO_AMQP_HOST, beta: KAZOO_SECONDARY_AMQP_HOST };
    this.brokerEndpoints = [alpha.endpoint, beta.endpoint];
    this.database = this.runDatabase(secrets);
    this.databaseNodes = this.database.nodes;
    this.monitor();
    this.registerOutputs({ namespace: this.namespace, databaseNodes: this.databaseNodes, secrets: this.secrets });
  }

  /** Creates guards of what must not change; returns those that come before the namespace. */
  private createGuards(): pulumi.Resource[] {
    const { zone, ring, protect, clusterDomain } = this.args;
    const opts = { parent: this, protect };
    // A removed node takes its shards along. The first one exists as long as the zone.
    refuseLoss(
      Array.from({ length: zone.database.replicas - 1 }, (_, index) => `${this.name}-database-node-${index + 1}`),
      opts,
    );
    const suffix = serviceHost(services.databaseNodes, zone.namespace, clusterDomain);
    return [
      // Namespace and domain are part of every database node's name: with other ones the nodes would not find their data.
      refuseChange(`${this.name}-${guards.names}`, { suffix, node: ring.database.nodeName }, opts),
      // A datacenter that changes rings would bring its old ring's databases along, under a new cookie.
      refuseChange(`${this.name}-${guards.ring}`, { ring: ring.name }, opts),
    ];
  }

  /** Admits only the connections that the zone needs. */
  private closeNetwork(): void {
    const { zone, ring, stack, otherClusters, outsideStores } = this.args;
    const clientNamespace = (zone.ingress ?? zone.gateway)?.controllerNamespace;
    new NetworkPolicies(
      `${this.name}-network`,
      {
        namespace: this.namespace,
        stack,
        ring: ring.name,
        otherClusters,
        mediaNetworks: zone.mediaNetworks,
        ...(zone.monitoring?.namespace === undefined ? {} : { monitoringNamespace: zone.monitoring.namespace }),
        ...(clientNamespace === undefined ? {} : { clientNamespace }),
        outsideStores,
        databaseVersion: ring.database.version,
        databaseMetrics: this.databaseMetrics !== undefined,
      },
      { parent: this },
    );
  }

  private runBrokers({ rabbitmq, brokerUsers, beforePods }: ZoneSecrets): [alpha: RabbitMQ, beta: RabbitMQ] {
    const { zone, ring, order, protect } = this.args;
    const run = (role: "alpha" | "beta"): RabbitMQ => {
      const broker = new RabbitMQ(
        `${this.name}-rabbitmq-${role}`,
        {
          ...this.workload("rabbitmq"),
          ...this.scraped(zone.rabbitmq, "broker", rabbitmqPorts.metrics),
          role,
          image: ring.images.rabbitmq,
          plugins: [...brokerPlugins(ring.kazoo), ...ring.brokerPlugins],
          permitTransientQueues: ring.permitTransientQueues,
          settings: ring.brokerSettings,
          credentials: rabbitmq,
          ...(brokerUsers === undefined ? {} : { definitions: brokerUsers }),
          protect,
        },
        { parent: this, dependsOn: this.before(role, beforePods) },
      );
      order.add(this.step(role), broker.rolled);
      return broker;
    };
    const brokers: [RabbitMQ, RabbitMQ] = [run("alpha"), run("beta")];
    new k8s.policy.v1.PodDisruptionBudget(
      `${this.name}-rabbitmq-disruption`,
      {
        metadata: { name: workloads.rabbitmq, namespace: this.namespace, labels: workloadLabels(workloads.rabbitmq) },
        // One budget for both brokers, so that a drain never takes both.
        spec: oneAtATime({ [workloadLabel]: workloads.rabbitmq }),
      },
      { parent: this },
    );
    return brokers;
  }

  private runDatabase({ database: login, databaseRing, beforePods }: ZoneSecrets): BigCouch {
    const { zone, ring, credentials, order, protect } = this.args;
    const port = this.databaseMetrics;
    const database = new BigCouch(
      `${this.name}-bigcouch`,
      {
        ...this.workload("database"),
        ...annotated(port === undefined ? zone.database : this.scraped(zone.database, "database", port), {
          [credentialAnnotations.administrators]: users(byAge(credentials.databaseUsers)),
          [credentialAnnotations.cookie]: cookie(ring.rotations?.databaseCookie),
        }),
        metrics: port !== undefined,
        version: ring.database.version,
        image: ring.images.database,
        quorum: ring.quorum,
        ...(ring.placement === undefined ? {} : { placement: ring.placement }),
        settings: ring.databaseSettings,
        credentials: login,
        ringSecret: databaseRing,
        protect,
      },
      { parent: this, dependsOn: this.before("database", beforePods) },
    );
    order.add(this.step("database"), database.rolled);
    return database;
  }

  /** Creates what Prometheus and Grafana read, if anything. */
  private monitor(): void {
    const { zone, ring, stack, dashboardZones: zones = [] } = this.args;
    const { podMonitors = false, rules = false } = zone.monitoring ?? {};
    if (!podMonitors && !rules && zones.length === 0) return;
    const { issuer, clusterIssuer, secretName } = zone.ingress?.tls ?? {};
    // Cert-manager names the Certificate after the Secret.
    const certificate = issuer === undefined && clusterIssuer === undefined ? undefined : secretName;
    new Monitoring(
      `${this.name}-monitoring`,
      {
        ...zone.monitoring,
        namespace: this.namespace,
        zone: zone.name,
        databaseMetrics: this.databaseMetrics !== undefined,
        ...(certificate === undefined ? {} : { certificate }),
        ...(zones.length === 0 ? {} : { dashboard: { stack, ring: ring.name, zones } }),
      },
      { parent: this },
    );
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
    const { zone, ring, credentials, order } = this.args;
    this.kazoo = new Kazoo(
      `${this.name}-kazoo`,
      {
        ...this.workload("kazoo"),
        ...annotated(zone.kazoo, {
          [credentialAnnotations.broker]: users([credentials.rabbitmqUsers[0]]),
          [credentialAnnotations.database]: users([credentials.databaseUsers[0]]),
          [credentialAnnotations.cookie]: cookie(ring.rotations?.cookie),
        }),
        image: image.reference,
        ...(image.login === undefined ? {} : { registryLogin: image.login }),
        brokers: this.brokers,
        database: this.database,
        otherZones: zones.filter((other) => other !== this).map(({ brokers }) => brokers),
        environment: zone.environment,
        cookieSecret: this.secrets.cookie,
        brokerSecret: this.secrets.rabbitmq,
        databaseSecret: this.secrets.database,
        curlImage: ring.images.curl,
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

  /** Arguments of all workloads. */
  private workload(workload: "kazoo" | "rabbitmq" | "database"): WorkloadArgs {
    const { clusterDomain, rollouts, ring } = this.args;
    return {
      namespace: this.namespace,
      clusterDomain,
      rollouts,
      pullSecrets: this.pullSecrets,
      secretKeys: ring.secretKeys,
      drained: this.isDrained(workload),
    };
  }

  /** A workload whose pods Prometheus also finds by annotations, if it looks for them; the operator's settings win. */
  private scraped<W extends PodSettings>(workload: W, ...of: Parameters<typeof scrapeAnnotations>): W {
    if (this.args.zone.monitoring?.annotations !== true) return workload;
    return { ...workload, annotations: { ...scrapeAnnotations(...of), ...workload.annotations } };
  }

  /** What must exist and have rolled before a workload. */
  private async before(workload: Step["workload"], secrets: readonly pulumi.Resource[]) {
    return [...secrets, ...(await this.args.order.before(this.step(workload)))];
  }

  /** Whether a workload currently runs no pods. */
  private isDrained(workload: "kazoo" | "rabbitmq" | "database"): boolean {
    return this.args.zone.drained?.includes(workload) ?? false;
  }

  private step<W extends Step["workload"]>(workload: W): Step & { readonly workload: W } {
    return { zone: this.args.zone.name, workload };
  }
}

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
