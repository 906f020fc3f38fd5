import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { databaseFormat, requireDatabaseKind, upgradesTo } from "../config/compatibility";
import { type ExistingSecrets, numbersOf, type Rotated, type Rotations, storeUser } from "../config/credentials";
import { ringConfig } from "./bigcouch";
import { ErlangCookie } from "./erlangCookie";
import { refuseChange, refuseLoss, refuseSteps } from "./guard";
import { guards, ringType } from "./names";

/** Credentials of an existing system, each instead of a random one. Secret. */
export interface GivenCredentials {
  /** 16 to 255 letters, digits, `_`, `.`, `-`. */
  readonly cookie?: string;
  readonly rabbitmq?: string;
  readonly database?: string;
  readonly masterAccount?: string;
}

type Kept = pulumi.CustomResourceOptions & { readonly protect: boolean };

/** Facts about the stores of a ring that cannot always be undone. */
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
  /** Existing Secrets in the zones' namespaces; the ring creates nothing that they contain. @default none */
  readonly secrets?: ExistingSecrets;
  /** How far credentials were rotated. @default each is the first */
  readonly rotations?: Rotations;
  /** Whether the ring has a master account, and so a password for it. @default false */
  readonly masterAccount?: boolean;
  /** The stores of the ring's zones. @default unknown, and any change of them is allowed */
  readonly stores?: StoreFacts;
  /** Whether Pulumi refuses to delete or replace the random credentials, to take another given one, and to lose what stores hold. @default true */
  readonly protect?: boolean;
}

/** A user of brokers or database. */
export interface StoreUser {
  readonly name: string;
  /** Secret. */
  readonly password: pulumi.Output<string>;
}

/** Credentials that the zones of a ring share; all values are secret, and empty if an existing Secret holds them. */
export interface RingCredentials {
  /** Erlang cookie of the Kazoo nodes. */
  readonly cookie: pulumi.Output<string>;
  /**
   * Password of the brokers' user of Kazoo. The same on all brokers of a zone: Kazoo's primary broker is the first URI in alphabetical order.
   */
  readonly rabbitmq: pulumi.Output<string>;
  /** The brokers' users, that of Kazoo first; more than one while they are rotated. */
  readonly rabbitmqUsers: readonly [StoreUser, ...StoreUser[]];
  /** Password of the database's administrator of Kazoo. */
  readonly database: pulumi.Output<string>;
  /** The database's administrators, that of Kazoo first; more than one while they are rotated. */
  readonly databaseUsers: readonly [StoreUser, ...StoreUser[]];
  /** Erlang cookie of the database's nodes; not Kazoo's, so that neither can connect to the other. */
  readonly databaseCookie: pulumi.Output<string>;
  /** Identity of the database as a whole, 32 hexadecimal digits. If it changes, replication between systems starts over. */
  readonly databaseUuid: pulumi.Output<string>;
  /** The secret with which the database's nodes sign sessions. */
  readonly databaseAuthSecret: pulumi.Output<string>;
  /** Password of the master account's administrator, if the ring has a master account. */
  readonly masterAccount?: pulumi.Output<string>;
  /** The password before it, while it is rotated: Kazoo may still have it. */
  readonly masterAccountBefore?: pulumi.Output<string>;
}

/** The file `ring.ini` that all database nodes of a ring get; secret. @param version of the database, such as `couchdb-2.3.1` */
export const databaseRingConfig = (
  version: string,
  { databaseUsers, databaseUuid, databaseAuthSecret }: RingCredentials,
): pulumi.Output<string> =>
  pulumi.all([pulumi.all(byAge(databaseUsers)), databaseUuid, databaseAuthSecret]).apply(([users, uuid, authSecret]) =>
    // A run with targets leaves the values of resources that it does not create undefined, and creates nothing of them.
    [...users.map(({ password }) => password), uuid, authSecret].some(
      (value) => (value as string | undefined) === undefined,
    )
      ? ""
      : ringConfig({ kind: requireDatabaseKind(version), users, uuid, authSecret }),
  );

/** Users in the order of their creation, which does not change when Kazoo moves from one to the next. */
export const byAge = (users: readonly StoreUser[]): StoreUser[] =>
  [...users].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));

/**
 * A ring: one Kazoo system over one or more datacenters. Holds the credentials that its zones share: an Erlang cookie and random passwords.
 * @example
 * const { credentials } = new Ring("ring-main", {}, { providers: [new random.Provider("random")] });
 */
export class Ring extends pulumi.ComponentResource {
  readonly credentials: RingCredentials;

  constructor(name: string, args: RingArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super(ringType, name, {}, opts);
    const { credentials = {}, secrets = {}, rotations = {}, protect = true } = args;
    const options = { parent: this, protect };
    // A changed credential would only reach the Secrets: pods that start later could not log in to stores that still have the old one. A
    // rotation leaves it behind unprotected. See docs/rings.md#changing-a-ring.
    for (const [role, value] of Object.entries(credentials)) {
      const [used] = numbersOf(rotations[role as Rotated]);
      const isKept = protect && used === 1;
      refuseChange(`${name}-given-${role}`, { value: pulumi.secret(value as string) }, { ...options, protect: isKept });
    }
    /** A credential by its numbers, the current one first. Previous ones have other names, and may be deleted. */
    const numbered = <T>(
      what: Rotated,
      role: string,
      make: (number: number, name: string, opts: Kept) => T,
    ): [T, ...T[]] => {
      const [used, ...others] = numbersOf(rotations[what]);
      const one = (number: number): T => {
        const own = `${name}-${role}${number === 1 ? "" : `-${number}`}`;
        const left = `${own}-replaced`;
        if (number < used) return make(number, left, { ...options, protect: false, aliases: [{ name: own }] });
        return make(number, own, { ...options, ...(others.length === 0 ? {} : { aliases: [{ name: left }] }) });
      };
      return [one(used), ...others.map(one)];
    };
    // Letters and digits need no escaping in AMQP URIs, ini files and shells.
    const random32 = (name: string, opts: Kept = options) =>
      new random.RandomPassword(name, { length: 32, special: false }, opts).result;
    const password = (what: keyof GivenCredentials, number: number, name: string, opts: Kept) => {
      const given = number === 1 ? credentials[what] : undefined;
      return given === undefined ? random32(name, opts) : pulumi.secret(given);
    };
    const users = (store: "rabbitmq" | "database") =>
      numbered(store, `${store}-password`, (number, name, opts): StoreUser => ({
        name: storeUser(number),
        password: password(store, number, name, opts),
      }));
    const cookie = () =>
      numbered("cookie", "erlang-cookie", (number, name, { protect, ...opts }) => {
        const given = number === 1 ? credentials.cookie : undefined;
        return new ErlangCookie(name, { ...(given === undefined ? {} : { value: given }), protect }, opts).value;
      })[0];
    const databaseCookie = () =>
      numbered("databaseCookie", "database-cookie", (_, name, opts) => random32(name, opts))[0];
    const masterAccount = () => {
      const [used, before] = numbered("masterAccount", "master-account-password", (...one) =>
        password("masterAccount", ...one),
      );
      return { masterAccount: used, ...(before === undefined ? {} : { masterAccountBefore: before }) };
    };
    const uuid = () => pulumi.secret(new random.RandomId(`${name}-database-uuid`, { byteLength: 16 }, options).hex);
    const unlessIn = (existing: string | undefined, make: () => pulumi.Output<string>) =>
      existing === undefined ? make() : pulumi.secret("");
    if (args.stores !== undefined) refuseSetbacks(name, args.stores, options);
    const usersUnlessIn = (
      existing: string | undefined,
      store: "rabbitmq" | "database",
    ): [StoreUser, ...StoreUser[]] =>
      existing === undefined ? users(store) : [{ name: storeUser(1), password: pulumi.secret("") }];
    const rabbitmqUsers = usersUnlessIn(secrets.rabbitmq, "rabbitmq");
    const databaseUsers = usersUnlessIn(secrets.database, "database");
    const shared = {
      cookie: unlessIn(secrets.cookie, cookie),
      rabbitmq: rabbitmqUsers[0].password,
      database: databaseUsers[0].password,
      databaseCookie: unlessIn(secrets.database, databaseCookie),
      databaseUuid: unlessIn(secrets.database, uuid),
      databaseAuthSecret: unlessIn(secrets.database, () => random32(`${name}-database-auth-secret`)),
      ...(args.masterAccount === true ? masterAccount() : {}),
    };
    this.credentials = { ...shared, rabbitmqUsers, databaseUsers };
    this.registerOutputs({ credentials: shared });
  }
}

/** Refuses, on a protected stack, changes that would leave a store with data that it cannot read, or make uploads hang. */
function refuseSetbacks(
  name: string,
  { database, copies, rabbitmq }: StoreFacts,
  opts: pulumi.CustomResourceOptions & { readonly protect: boolean },
): void {
  const kind = requireDatabaseKind(database);
  refuseSteps({ name: `${name}-${guards.format}`, ...databaseFormat(kind) }, opts);
  refuseSteps({ name: `${name}-${guards.series}`, state: rabbitmq, from: upgradesTo(rabbitmq) }, opts);
  // Fewer copies than older databases have are harmless from CouchDB 3.2 on, so a newer version must not require what an older one did.
  const level = kind.uploadsWaitForConfiguredCopies ? copies : Math.max(4, copies);
  refuseLoss(
    Array.from({ length: level - 1 }, (_, index) => `${name}-database-copies-${index + 2}`),
    opts,
  );
}
