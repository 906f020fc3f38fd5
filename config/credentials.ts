import type { Platform } from "./platform";

/**
 * What Kazoo, its brokers and its database can carry as a credential. The image's entrypoint (image/lib/checks.sh) has the same rules; a test
 * throws the same values at both.
 */

/** An Erlang cookie, as config.ini can write it. */
export const isCookie = (text: string): boolean => /^[!#-~]{1,255}$/.test(text);

/** A password that config.ini can write: Kazoo encodes the brokers' in their URIs. */
export const isCredential = (text: string): boolean =>
  text !== "" && Buffer.byteLength(text) <= 255 && !/[\x00-\x1f\x7f"]/.test(text);

/** A broker's password: `guest` is the one that everyone knows. */
export const isBrokerPassword = (text: string): boolean => isCredential(text) && text !== "guest";

/** A password of the database: from 4.3.45 on Kazoo puts it as it is into `http://USER:PASS@HOST:PORT`, and reads `true` as a boolean. */
export const isDatabasePassword = (text: string): boolean =>
  isCredential(text) && !/[@/]/.test(text) && text !== "true" && text !== "false";

/** Parts of a ring's credentials that may lie in existing Secrets, and the keys that such a Secret must have. */
export const storedKeys = {
  cookie: ["cookie"],
  rabbitmq: ["username", "password"],
  database: ["username", "password", "cookie", "ring.ini"],
} as const;

type StoredKeys = typeof storedKeys;

/** Names of existing Secrets, in the namespaces of all zones of a ring. */
export type ExistingSecrets = { readonly [part in keyof StoredKeys]?: string };

/** The keys of such Secrets that have other names than {@link storedKeys}. */
export type SecretKeys = {
  readonly [part in keyof StoredKeys]?: { readonly [key in StoredKeys[part][number]]?: string };
};

/** Whether a part of the credentials names an existing Secret. */
export const namesSecret = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.hasOwn(value, "secretName");

/** Whether credentials hold no value, but only names of Secrets. */
export const namesSecretsAlone = (value: unknown): boolean =>
  namesSecret(value) || (typeof value === "object" && value !== null && Object.values(value).every(namesSecretsAlone));

/** Stores whose user can be rotated. */
export const rotatedStores = ["rabbitmq", "database"] as const;

export type RotatedStore = (typeof rotatedStores)[number];

/** The steps of a rotation, in their order: see `kazoo:rings.NAME.rotations`. */
export const rotationSteps = ["add", "move", "remove"] as const;

/** How far the user of a store was rotated. */
export interface Rotation {
  /** Number of the user that Kazoo uses, or is to use. */
  readonly user: number;
  /** Where the rotation to it is; undefined: it is done. */
  readonly step?: (typeof rotationSteps)[number];
}

/** How far the users of a ring's stores were rotated; a store that is missing has its first one. */
export type Rotations = { readonly [store in RotatedStore]?: Rotation };

/** Name of a store's user, by its number. */
export const storeUser = (number: number): string => (number === 1 ? "kazoo" : `kazoo-${number}`);

/** Numbers of the users that a store knows; the first is the one that Kazoo uses. */
export function storeUsers({ user, step }: Rotation = { user: 1 }): readonly [used: number, ...others: number[]] {
  if (step === "add") return [user - 1, user];
  return step === "move" ? [user, user - 1] : [user];
}

/** Whether a credential is short or a well-known default, as live systems have them. */
export const isWeak = (text: string): boolean => text.length < 12 || /change_?me|password|insecure/i.test(text);

/** A warning for each given credential that is weak: taking over a live system needs it, and keeping it is a risk. */
export const weaknesses = ({ rings }: Platform): string[] =>
  Object.values(rings).flatMap(({ name, credentials }) =>
    (["cookie", "rabbitmq", "database"] as const)
      .filter((key) => credentials[key] !== undefined && isWeak(credentials[key]))
      .map(
        (key) =>
          `kazoo:credentials.${name}.${key} is weak: short, or a well-known default. Once the system has moved, set a long random one: ` +
          (isRotated(key)
            ? `make rotate RING=${name} WHAT=${key}`
            : `pulumi config set --secret --path kazoo:credentials.${name}.${key}`),
      ),
  );

const isRotated = (key: string): key is RotatedStore => (rotatedStores as readonly string[]).includes(key);
