import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { BigCouch, JoinJob, Kazoo, RabbitMQ, Ring } from "../../components";
import { ownedBy } from "./owner";

/** One ring of two datacenters, made of the components alone: no stack file of this project, no waiting for rollouts, nothing protected. */
const config = new pulumi.Config();
const provider = new k8s.Provider("cluster", { context: config.require("context") });
const protect = false;
const workload = { provider, transformations: [ownedBy("voice")] };

const { credentials } = new Ring("ring", { protect }, { providers: [new random.Provider("random")] });
const user = { username: "kazoo" };

const zones = ["us-east-nyc", "us-east-bos"].map((zone) => {
  const namespace = new k8s.core.v1.Namespace(zone, { metadata: { name: zone } }, { provider }).metadata.name;
  const secret = (name: string, stringData: Record<string, pulumi.Input<string>>) =>
    new k8s.core.v1.Secret(`${zone}-${name}`, { metadata: { name, namespace }, stringData }, { provider }).metadata
      .name;
  const brokerSecret = secret("rabbitmq", { ...user, password: credentials.rabbitmq });
  const databaseSecret = secret("bigcouch", {
    ...user,
    password: credentials.database,
    cookie: credentials.databaseCookie,
  });
  const [alpha, beta] = (["alpha", "beta"] as const).map(
    (role) => new RabbitMQ(`${zone}-${role}`, { namespace, role, credentials: brokerSecret, protect }, workload),
  ) as [RabbitMQ, RabbitMQ];
  const database = new BigCouch(`${zone}-bigcouch`, { namespace, credentials: databaseSecret, protect }, workload);
  const cookieSecret = secret("erlang-cookie", { cookie: credentials.cookie });
  return {
    zone,
    brokers: { zone, alpha: alpha.host, beta: beta.host },
    database,
    secrets: { cookieSecret, brokerSecret, databaseSecret },
    namespace,
  };
});

const nodes = zones.map(({ zone, database }) => ({ zone, nodes: database.nodes }));
const joins = zones.map(
  ({ zone, namespace, secrets }) =>
    new JoinJob(`${zone}-join`, { namespace, credentials: secrets.databaseSecret, zone, zones: nodes }, { provider }),
);

const kazoos = zones.map(
  ({ zone, namespace, brokers, database, secrets }) =>
    new Kazoo(
      `${zone}-kazoo`,
      {
        namespace,
        ...secrets,
        image: config.require("image"),
        brokers,
        otherZones: zones.filter((other) => other.zone !== zone).map((other) => other.brokers),
        database,
        environment: { KAZOO_ZONE: zone, KAZOO_LOG_LEVEL: "info" },
      },
      { ...workload, dependsOn: joins },
    ),
);

export const kazooNodes = kazoos.map(({ nodes }) => nodes);
