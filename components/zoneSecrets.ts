import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { secrets } from "../config/hosts";
import type { DatacenterArgs } from "./datacenter";
import { brokerDefinitions } from "./rabbitmq";
import { pullSecret, type Registries } from "./registries";
import { databaseRingConfig } from "./ring";

export interface ZoneSecretsArgs extends Pick<DatacenterArgs, "ring" | "credentials" | "protect"> {
  /** The datacenter's. */
  readonly namespace: pulumi.Output<string>;
  /** @default images are pulled without a login */
  readonly registries?: Registries | undefined;
}

/** Names of the Secrets of a datacenter: its own, or existing ones. */
export interface ZoneSecrets {
  readonly cookie: pulumi.Output<string>;
  readonly rabbitmq: pulumi.Output<string>;
  readonly database: pulumi.Output<string>;
  /** The part of the database's configuration that the nodes of the ring share. */
  readonly databaseRing: pulumi.Output<string>;
  /** The users that a starting broker creates, even on an empty volume; undefined: only the one in `rabbitmq`. */
  readonly brokerUsers: pulumi.Output<string> | undefined;
  /** For pulling images. Literal names: a reference to the Secret's output would replace the pods' owners with it. */
  readonly pull: readonly string[];
  /** What must exist before pods that pull images. */
  readonly beforePods: readonly pulumi.Resource[];
}

/** Creates the Secrets of a datacenter, except for existing ones. @param name prefix of their logical names */
export function zoneSecrets(
  name: string,
  { ring, credentials, protect, namespace, registries }: ZoneSecretsArgs,
  opts: pulumi.CustomResourceOptions,
): ZoneSecrets {
  const metadata = (secretName: string) => ({
    name: secretName,
    namespace,
    labels: { "app.kubernetes.io/part-of": "kazoo" },
  });
  const secret = (
    secretName: string,
    stringData: Record<string, pulumi.Input<string>>,
    own: pulumi.CustomResourceOptions = { ...opts, protect },
  ) =>
    new k8s.core.v1.Secret(`${name}-${secretName}`, { metadata: metadata(secretName), type: "Opaque", stringData }, own)
      .metadata.name;
  const unlessIn = (existing: string | undefined, make: () => pulumi.Output<string>) =>
    existing === undefined ? make() : pulumi.output(existing);

  const [user, ...otherUsers] = credentials.rabbitmqUsers;
  const { logins = [], secretNames = [] } = registries ?? {};
  const registryLogins =
    logins.length === 0 ? [] : [pullSecret(`${name}-registries`, metadata(secrets.registries), logins, opts)];
  return {
    cookie: unlessIn(ring.secrets.cookie, () => secret(secrets.cookie, { cookie: credentials.cookie })),
    rabbitmq: unlessIn(ring.secrets.rabbitmq, () =>
      secret(secrets.rabbitmq, { username: user.name, password: user.password }),
    ),
    database: unlessIn(ring.secrets.database, () =>
      secret(secrets.database, {
        username: credentials.databaseUsers[0].name,
        password: credentials.database,
        cookie: credentials.databaseCookie,
      }),
    ),
    databaseRing: unlessIn(ring.secrets.database, () =>
      secret(secrets.databaseRing, { "ring.ini": databaseRingConfig(ring.database.version, credentials) }),
    ),
    brokerUsers:
      otherUsers.length === 0
        ? undefined
        : secret(secrets.brokerUsers, { "definitions.json": brokerDefinitions(credentials.rabbitmqUsers) }, opts),
    pull: [...(registryLogins.length === 0 ? [] : [secrets.registries]), ...secretNames],
    beforePods: registryLogins,
  };
}
