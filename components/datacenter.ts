import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { brokerPlugins } from "../config/compatibility";
import type { RunEnvironment } from "../config/environment";
import { hostsOf, type Platform, type Ring, type Zone } from "../config/platform";
import { BigCouch, databasePort } from "./bigcouch";
import { secrets } from "./names";
import { JoinJob } from "./joinJob";
import { namespaceLabels, workloadLabels } from "./labels";
import { NetworkPolicies } from "./networkPolicies";
import { RabbitMQ, rabbitmqPorts } from "./rabbitmq";
import type { Waiting } from "./rollout";
import { databaseRingConfig, userName, type RingCredentials } from "./ring";

export interface DatacenterArgs extends Waiting {
  /** Name of the stack. */
  readonly stack: string;
  readonly zone: Zone;
  readonly ring: Ring;
  readonly credentials: RingCredentials;
  readonly images: Platform["images"];
  /** All database nodes of the ring, with their zones. */
  readonly databaseNodes: readonly { readonly host: string; readonly zone: string }[];
  /** Networks of the pods of the ring's other clusters, in CIDR notation. */
  readonly otherClusters: readonly string[];
  /** The database of the ring's zone before this one, which must be ready before this one starts or changes; left out: there is none. */
  readonly databaseBefore?: BigCouch;
  /** Whether Pulumi refuses to delete or replace what holds data. */
  readonly protect: boolean;
}

/** A datacenter: a namespace with its credentials, policies, two brokers and database nodes that have joined their ring. Kazoo comes on top. */
export class Datacenter extends pulumi.ComponentResource {
  readonly namespace: pulumi.Output<string>;
  /** Secret `erlang-cookie`, key `cookie`. */
  readonly cookieSecret: pulumi.Output<string>;
  /** Secret `rabbitmq`, keys `username` and `password`. */
  readonly brokerSecret: pulumi.Output<string>;
  /** Secret `bigcouch`, keys `username`, `password` and `cookie`. */
  readonly databaseSecret: pulumi.Output<string>;
  readonly database: BigCouch;
  /** What must be ready before the zone's Kazoo starts. */
  readonly stores: readonly pulumi.Input<pulumi.Resource>[];

  constructor(name: string, args: DatacenterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:Datacenter", name, {}, opts);
    const { zone, cluster, ring, credentials, images, protect } = args;
    const waiting = { cluster, awaitRoll: args.awaitRoll };
    const parent = { parent: this };
    const hosts = hostsOf(zone, cluster);

    // Database nodes are known by names that hold namespace and domain: other ones would leave the data behind. Where stores are protected,
    // the engine refuses the replacement that a change asks for here.
    const names = new random.RandomId(
      `${name}-database-names`,
      { byteLength: 4, keepers: { suffix: hosts.suffix("bigcouch"), node: ring.database.nodeName } },
      { ...parent, protect },
    );
    // Likewise a datacenter in another ring: it would bring its old ring's databases along, under a new cookie.
    const membership = new random.RandomId(
      `${name}-ring-membership`,
      { byteLength: 4, keepers: { ring: ring.name } },
      { ...parent, protect },
    );
    this.namespace = new k8s.core.v1.Namespace(
      `${name}-namespace`,
      { metadata: { name: zone.namespace, labels: { ...namespaceLabels(args.stack, zone), ...podSecurityLabels } } },
      { ...parent, protect, dependsOn: [names, membership] },
    ).metadata.name;

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
    this.cookieSecret = secret("erlang-cookie", { cookie: credentials.cookie });
    this.brokerSecret = secret("rabbitmq", { username: userName, password: credentials.rabbitmq });
    this.databaseSecret = secret("bigcouch", {
      username: userName,
      password: credentials.database,
      cookie: credentials.databaseCookie,
    });
    const databaseRingSecret = secret(secrets.databaseRing, { "ring.ini": databaseRingConfig(ring, credentials) });

    new NetworkPolicies(
      `${name}-network`,
      {
        namespace: this.namespace,
        stack: args.stack,
        ring: ring.name,
        otherClusters: args.otherClusters,
        mediaNetworks: zone.mediaNetworks,
        outsideStores: outsideStores(zone.environment),
        database: ring.database,
      },
      parent,
    );

    const broker = (role: "alpha" | "beta", after: RabbitMQ["rolled"]) =>
      new RabbitMQ(
        `${name}-rabbitmq-${role}`,
        {
          namespace: this.namespace,
          role,
          image: images.rabbitmq ?? `rabbitmq:${ring.rabbitmq}-management`,
          plugins: brokerPlugins(ring.kazoo),
          permitTransientQueues: ring.permitTransientQueues,
          credentialsSecret: this.brokerSecret,
          size: zone.rabbitmq,
          protect,
          ...waiting,
        },
        { ...parent, dependsOn: [...after] },
      );
    // Never both at a time: neither by a change, which beta waits with until alpha is ready, nor by a drain.
    const alpha = broker("alpha", []);
    const beta = broker("beta", alpha.rolled);
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-rabbitmq-disruption`,
      {
        metadata: { name: "rabbitmq", namespace: this.namespace, labels: workloadLabels("rabbitmq") },
        spec: {
          maxUnavailable: 1,
          unhealthyPodEvictionPolicy: "AlwaysAllow",
          selector: { matchLabels: { "app.kubernetes.io/name": "rabbitmq" } },
        },
      },
      parent,
    );

    this.database = new BigCouch(
      `${name}-bigcouch`,
      {
        namespace: this.namespace,
        suffix: hosts.suffix("bigcouch"),
        image: images.database ?? ring.database.version.replace("-", ":"),
        kind: ring.database,
        quorum: ring.quorum,
        ...(ring.placement === undefined ? {} : { placement: ring.placement }),
        credentialsSecret: this.databaseSecret,
        ringSecret: databaseRingSecret,
        size: zone.database,
        protect,
        ...waiting,
      },
      // Zone by zone: with a zone's copies gone the others still have a quorum.
      { ...parent, dependsOn: [...(args.databaseBefore?.rolled ?? [])] },
    );
    const join = new JoinJob(
      `${name}-bigcouch-join`,
      {
        namespace: this.namespace,
        image: images.curl,
        kind: ring.database,
        host: hosts.databaseNodes[0] ?? hosts.database,
        nodes: args.databaseNodes.map((node) => ({ ...node, own: node.zone === zone.name })),
        credentialsSecret: this.databaseSecret,
      },
      { ...parent, dependsOn: this.database },
    );
    this.stores = [...beta.rolled, ...this.database.rolled, join];
    this.registerOutputs({ namespace: this.namespace });
  }
}

/** TCP ports of the stores that a run environment names in the place of the zone's own. */
function outsideStores(environment: RunEnvironment): number[] {
  const names = (...variables: string[]) => variables.some((variable) => environment[variable] !== undefined);
  const port = (variable: string, otherwise: number) => Number(environment[variable] ?? otherwise);
  return [
    ...(names("KAZOO_AMQP_HOST", "KAZOO_SECONDARY_AMQP_HOST") ? [rabbitmqPorts.amqp] : []),
    ...(names("BIGCOUCH_HOST", "BIGCOUCH_DATA_PORT", "BIGCOUCH_ADMIN_PORT")
      ? [port("BIGCOUCH_DATA_PORT", databasePort), port("BIGCOUCH_ADMIN_PORT", 5986)]
      : []),
  ];
}

/** Pods that the level `restricted` forbids are refused, and what a later version of it would forbid is told. */
const podSecurityLabels = Object.fromEntries(
  ["enforce", "audit", "warn"].map((mode) => [`pod-security.kubernetes.io/${mode}`, "restricted"]),
);
