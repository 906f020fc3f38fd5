/**
 * The credentials that Kazoo, its brokers and its database accept. The image's entrypoint (image/lib/checks.sh) has the same rules; a test
 * throws the same values at both.
 */

/** An Erlang cookie that config.ini can represent. */
export const isCookie = (text: string): boolean => /^[!#-~]{1,255}$/.test(text);

/** A password that config.ini can represent. Kazoo encodes the brokers' passwords in their URIs. */
export const isCredential = (text: string): boolean =>
  text !== "" && Buffer.byteLength(text) <= 255 && !/[\x00-\x1f\x7f"]/.test(text);

/** A broker's password: `guest` is the one that everyone knows. */
export const isBrokerPassword = (text: string): boolean => isCredential(text) && text !== "guest";

/** A password of the database: from 4.3.45 on Kazoo puts it unencoded into `http://USER:PASS@HOST:PORT`, and reads `true` as a boolean. */
export const isDatabasePassword = (text: string): boolean =>
  isCredential(text) && !/[@/]/.test(text) && text !== "true" && text !== "false";

/** Parts of a ring's credentials that existing Secrets may hold, and the keys that such a Secret must have. */
export const storedKeys = {
  cookie: ["cookie"],
  rabbitmq: ["username", "password"],
  database: ["username", "password", "cookie", "ring.ini"],
} as const;

type StoredKeys = typeof storedKeys;

/** Names of existing Secrets, in the namespaces of all zones of a ring. */
export type ExistingSecrets = { readonly [part in keyof StoredKeys]?: string };

/** The keys of such Secrets, if their names differ from {@link storedKeys}. */
export type SecretKeys = {
  readonly [part in keyof StoredKeys]?: { readonly [key in StoredKeys[part][number]]?: string };
};

/** Whether a part of the credentials names an existing Secret. */
export const namesSecret = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.hasOwn(value, "secretName");

/** Whether credentials contain only names of Secrets, and no values. */
export const namesSecretsAlone = (value: unknown): boolean =>
  namesSecret(value) || (typeof value === "object" && value !== null && Object.values(value).every(namesSecretsAlone));

/** What can be rotated: the user of a store, the cookie of Erlang nodes, or the password of the master account's administrator. */
export const rotated = ["rabbitmq", "database", "cookie", "databaseCookie", "masterAccount"] as const;

export type Rotated = (typeof rotated)[number];

/** The steps of a rotation, in their order: see `kazoo:rings.NAME.rotations`. An Erlang node has only one cookie, and a Kazoo user one password, so they have no step `add`. */
export const rotationSteps = {
  rabbitmq: ["add", "move", "remove"],
  database: ["add", "move", "remove"],
  cookie: ["move", "remove"],
  databaseCookie: ["move", "remove"],
  masterAccount: ["move", "remove"],
} as const;

/** How far a credential was rotated. */
export interface Rotation {
  /** Number of the current or next user, cookie or password. */
  readonly number: number;
  /** The rotation's current step; undefined once it is finished. */
  readonly step?: (typeof rotationSteps)[Rotated][number];
}

/** How far the credentials of a ring were rotated; a missing one was never rotated. */
export type Rotations = { readonly [what in Rotated]?: Rotation };

/** Name of a store's user, by its number. */
export const storeUser = (number: number): string => (number === 1 ? "kazoo" : `kazoo-${number}`);

/** Numbers of a store's users, or of the kept cookies or passwords; the first one is in use. */
export function numbersOf({ number, step }: Rotation = { number: 1 }): readonly [used: number, ...others: number[]] {
  if (step === "add") return [number - 1, number];
  return step === "move" ? [number, number - 1] : [number];
}
