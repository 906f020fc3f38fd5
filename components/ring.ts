import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { databaseFormat, requireDatabaseKind, upgradesTo } from "../config/compatibility";
import type { ExistingSecrets } from "../config/credentials";
import { ringConfig } from "./bigcouch";
import { ErlangCookie } from "./erlangCookie";
import { refuseChange, refuseLoss, refuseSteps } from "./guard";
import { guards, ringType, userName } from "./names";

/** Credentials of an existing system, each instead of a random one. Secret. */
export interface GivenCredentials {
  /** 16 to 255 letters, digits, `_`, `.`, `-`. */
  readonly cookie?: string;
  readonly rabbitmq?: string;
  readonly database?: string;
  readonly masterAccount?: string;
}

/** What the stores of a ring can't always go back from. */
export interface StoreFacts {
  /** Version of the database, such as `couchdb-2.3.1`. */
  readonly database: string;
  /** Copies that the database is configured with: `[cluster] n`. */
  readonly copies: number;
  /** RabbitMQ's series, such as `3.13`. */
  readonly rabbitmq: string;
}

export interface RingArgs {
  /** @default all random */
  readonly credentials?: GivenCredentials;
  /** Existing Secrets of the zones' namespaces; the ring makes nothing of what they hold. @default none */
  readonly secrets?: ExistingSecrets;
  /** Whether the ring has a master account, and so a password for it. @default false */
  readonly masterAccount?: boolean;
  /** What the stores of the ring's zones are. @default unknown, and any change of them goes through */
  readonly stores?: StoreFacts;
  /** Whether Pulumi refuses to delete or replace the random credentials, to take another given one, and to lose what stores hold. @default true */
  readonly protect?: boolean;
}

/** What the zones of a ring share; all values secret, and empty where they lie in an existing Secret. */
export interface RingCredentials {
  /** Erlang cookie of the Kazoo nodes. */
  readonly cookie: pulumi.Output<string>;
  /** Password of the brokers' user. The same on all brokers of a zone: Kazoo's primary broker is the first URI in alphabetical order. */
  readonly rabbitmq: pulumi.Output<string>;
  /** Password of the database's administrator. */
  readonly database: pulumi.Output<string>;
  /** Erlang cookie of the database's nodes; not Kazoo's, so that neither can connect to the other. */
  readonly databaseCookie: pulumi.Output<string>;
  /** Identity of the database as a whole, 32 hexadecimal digits. If it changes, replication between systems starts over. */
  readonly databaseUuid: pulumi.Output<string>;
  /** The secret with which the database's nodes sign sessions. */
  readonly databaseAuthSecret: pulumi.Output<string>;
  /** Password of the master account's administrator, where the ring has a master account. */
  readonly masterAccount?: pulumi.Output<string>;
}

/** The file `ring.ini` that all database nodes of a ring get; secret. @param version of the database, such as `couchdb-2.3.1` */
export const databaseRingConfig = (
  version: string,
  { database, databaseUuid, databaseAuthSecret }: RingCredentials,
): pulumi.Output<string> =>
  pulumi.all([database, databaseUuid, databaseAuthSecret]).apply(([password, uuid, authSecret]) =>
    // A run with targets leaves the values of resources that it does not create undefined, and creates nothing of them.
    [password, uuid, authSecret].some((value) => (value as string | undefined) === undefined)
      ? ""
      : ringConfig({ kind: requireDatabaseKind(version), user: userName, password, uuid, authSecret }),
  );

/**
 * A ring: one Kazoo system over one or more datacenters. Holds the credentials that its zones share: an Erlang cookie and random passwords.
 * @example
 * const { credentials } = new Ring("ring-main", {}, { providers: [new random.Provider("random")] });
 */
export class Ring extends pulumi.ComponentResource {
  readonly credentials: RingCredentials;

  constructor(name: string, args: RingArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super(ringType, name, {}, opts);
    const { credentials = {}, secrets = {}, protect = true } = args;
    const options = { parent: this, protect };
    // A changed credential would only reach the Secrets: pods that start later could not log in to stores that still have the old one. See
    // docs/rings.md#changing-a-ring.
    for (const [role, value] of Object.entries(credentials)) {
      refuseChange(`${name}-given-${role}`, { value: pulumi.secret(value as string) }, options);
    }
    const password = (role: string, given?: string) =>
      given === undefined
        ? // Letters and digits need no escaping in AMQP URIs, ini files and shells.
          new random.RandomPassword(`${name}-${role}`, { length: 32, special: false }, options).result
        : pulumi.secret(given);
    const cookie = () =>
      new ErlangCookie(
        `${name}-erlang-cookie`,
        { ...(credentials.cookie === undefined ? {} : { value: credentials.cookie }), protect },
        { parent: this },
      ).value;
    const uuid = () => pulumi.secret(new random.RandomId(`${name}-database-uuid`, { byteLength: 16 }, options).hex);
    const unlessIn = (existing: string | undefined, make: () => pulumi.Output<string>) =>
      existing === undefined ? make() : pulumi.secret("");
    if (args.stores !== undefined) refuseSetbacks(name, args.stores, options);
    this.credentials = {
      cookie: unlessIn(secrets.cookie, cookie),
      rabbitmq: unlessIn(secrets.rabbitmq, () => password("rabbitmq-password", credentials.rabbitmq)),
      database: unlessIn(secrets.database, () => password("database-password", credentials.database)),
      databaseCookie: unlessIn(secrets.database, () => password("database-cookie")),
      databaseUuid: unlessIn(secrets.database, uuid),
      databaseAuthSecret: unlessIn(secrets.database, () => password("database-auth-secret")),
      ...(args.masterAccount === true
        ? { masterAccount: password("master-account-password", credentials.masterAccount) }
        : {}),
    };
    this.registerOutputs({ credentials: this.credentials });
  }
}

/** Refuses, on a protected stack, what would leave a store with data that it can't read, or uploads that hang. */
function refuseSetbacks(
  name: string,
  { database, copies, rabbitmq }: StoreFacts,
  opts: pulumi.CustomResourceOptions & { readonly protect: boolean },
): void {
  const kind = requireDatabaseKind(database);
  refuseSteps({ name: `${name}-${guards.format}`, ...databaseFormat(kind) }, opts);
  refuseSteps({ name: `${name}-${guards.series}`, state: rabbitmq, from: upgradesTo(rabbitmq) }, opts);
  // Fewer than older databases have; harmless from CouchDB 3.2 on, which must not need what an older one has built up.
  const level = kind.uploadsWaitForConfiguredCopies ? copies : Math.max(4, copies);
  refuseLoss(
    Array.from({ length: level - 1 }, (_, index) => `${name}-database-copies-${index + 2}`),
    opts,
  );
}
