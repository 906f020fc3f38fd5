import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Ring as RingConfig } from "../config/platform";
import { ringConfig } from "./bigcouch";
import { ErlangCookie } from "./erlangCookie";

export interface RingArgs {
  /** The ring, with the credentials that the operator gave. */
  readonly ring: RingConfig;
  /** Whether Pulumi refuses to delete or replace the random credentials. */
  readonly protect: boolean;
}

/** What the zones of a ring share; all values secret. */
export interface RingCredentials {
  /** Erlang cookie of the Kazoo nodes. */
  readonly cookie: pulumi.Output<string>;
  /** Password of the brokers' user. The same on all brokers of a zone: Kazoo takes the first URI in the order of text as its primary. */
  readonly rabbitmq: pulumi.Output<string>;
  /** Password of the database's administrator. */
  readonly database: pulumi.Output<string>;
  /** Erlang cookie of the database's nodes; not Kazoo's, so that neither can enter the other. */
  readonly databaseCookie: pulumi.Output<string>;
  /** Identity of the database as a whole: replication between systems starts over where it changes. 32 hexadecimal digits. */
  readonly databaseUuid: pulumi.Output<string>;
  /** What the database's nodes sign sessions with. */
  readonly databaseAuthSecret: pulumi.Output<string>;
  /** Password of the master account's administrator, where the config has such an account. */
  readonly masterAccount?: pulumi.Output<string>;
}

/** Name of the user of brokers and database. */
export const userName = "kazoo";

/** What all database nodes of a ring are configured with alike; secret. */
export const databaseRingConfig = (
  { database: kind }: Pick<RingConfig, "database">,
  { database, databaseUuid, databaseAuthSecret }: RingCredentials,
): pulumi.Output<string> =>
  pulumi
    .all([database, databaseUuid, databaseAuthSecret])
    .apply(([password, uuid, authSecret]) => ringConfig({ kind, user: userName, password, uuid, authSecret }));

/** A ring: one Kazoo system over one or more datacenters. Holds the credentials that its zones share. */
export class Ring extends pulumi.ComponentResource {
  readonly credentials: RingCredentials;

  constructor(name: string, args: RingArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:Ring", name, {}, opts);
    const { cookie, rabbitmq, database, masterAccount } = args.ring.credentials;
    // A credential that changes here changes in Secrets alone, and each pod that starts anew is shut out by those that have not. So where
    // stores are protected the engine refuses it: README, "Changing a credential".
    for (const [role, value] of Object.entries(args.ring.credentials)) {
      new random.RandomId(
        `${name}-given-${role}`,
        { byteLength: 4, keepers: { value: pulumi.secret(value as string) } },
        { parent: this, protect: args.protect },
      );
    }
    const password = (role: string, given?: string) =>
      given === undefined
        ? // Letters and digits alone go unescaped through AMQP URIs, ini files and shells.
          new random.RandomPassword(
            `${name}-${role}`,
            { length: 32, special: false },
            { parent: this, protect: args.protect },
          ).result
        : pulumi.secret(given);
    this.credentials = {
      cookie: new ErlangCookie(
        `${name}-erlang-cookie`,
        { ...(cookie === undefined ? {} : { value: cookie }), protect: args.protect },
        { parent: this },
      ).value,
      rabbitmq: password("rabbitmq-password", rabbitmq),
      database: password("database-password", database),
      databaseCookie: password("database-cookie"),
      databaseUuid: pulumi.secret(
        new random.RandomId(`${name}-database-uuid`, { byteLength: 16 }, { parent: this, protect: args.protect }).hex,
      ),
      databaseAuthSecret: password("database-auth-secret"),
      ...(args.ring.masterAccount === undefined
        ? {}
        : { masterAccount: password("master-account-password", masterAccount) }),
    };
    this.registerOutputs({ credentials: this.credentials });
  }
}
