import { UserError } from "../../shared/terminal";

/**
 * A file with a stack's state and all its secrets, encrypted in age's format (https://age-encryption.org/v1), which `age --decrypt` reads as
 * well. Inside is JSON.
 */
export interface Backup {
  readonly stack: string;
  /** The stack's first name, if it was renamed. */
  readonly firstName?: string;
  /** When it was written, ISO 8601. */
  readonly time: string;
  readonly state: ExportedState;
}

/** What `pulumi stack export` writes; secrets are in plain text if it ran with `--show-secrets`. */
export interface ExportedState {
  readonly version: number;
  readonly deployment: {
    /** How a backend encrypts the secrets of this stack. */
    readonly secrets_providers?: unknown;
    readonly resources?: readonly unknown[];
  };
}

/** What a backup is encrypted with: a passphrase, or age's public keys (`age1…`). */
export type Locks = { readonly passphrase: string } | { readonly recipients: readonly string[] };

/** What decrypts it: the passphrase, or the text of a file with age's secret keys (`AGE-SECRET-KEY-1…`). */
export type Keys = { readonly passphrase: string } | { readonly identities: string };

const format = "kazoo-backup-1";

/**
 * Encrypts a backup.
 * @throws UserError if a recipient is not a public key of age
 */
export async function sealed(backup: Backup, locks: Locks): Promise<Uint8Array> {
  const { Encrypter } = await import("age-encryption");
  const encrypter = new Encrypter();
  if ("passphrase" in locks) encrypter.setPassphrase(locks.passphrase);
  else {
    for (const recipient of locks.recipients) {
      try {
        encrypter.addRecipient(recipient);
      } catch {
        throw new UserError(
          `${recipient.slice(0, 20)} is not a public key of age`,
          "expected: age1 and 58 letters and digits, as age-keygen prints it",
        );
      }
    }
  }
  return encrypter.encrypt(JSON.stringify({ format, ...backup }));
}

/**
 * Decrypts a backup and checks that it is complete and belongs to this stack, under its current or an earlier name.
 * @param firstName of the stack, if it was renamed
 * @throws UserError if it does not; the message contains none of the content
 */
export async function opened(file: Uint8Array, keys: Keys, stack: string, firstName = stack): Promise<Backup> {
  const { format: found, ...backup } = parsed(await decrypted(file, keys));
  if (found !== format || !isState(backup.state)) {
    throw new UserError("this file is not a backup of a stack", "choose a file that make backup wrote");
  }
  const original = String(backup.firstName ?? backup.stack);
  if (original !== firstName) {
    const also = original === backup.stack ? "" : `, which was first named ${original}`;
    throw new UserError(
      `this is a backup of stack ${String(backup.stack)}${also}, not of ${stack}`,
      `restore it with STACK=${String(backup.stack)}; if ${stack} is the same stack under another name, its file has kazoo:stackLabel with the first name`,
    );
  }
  return backup as Backup;
}

async function decrypted(file: Uint8Array, keys: Keys): Promise<string> {
  const { Decrypter } = await import("age-encryption");
  const decrypter = new Decrypter();
  if ("passphrase" in keys) decrypter.addPassphrase(keys.passphrase);
  else {
    try {
      for (const identity of identitiesIn(keys.identities)) decrypter.addIdentity(identity);
    } catch {
      // The library's message repeats the key.
      throw new UserError("the key file has no complete secret key of age", "expected: a line AGE-SECRET-KEY-1…");
    }
  }
  try {
    return await decrypter.decrypt(file, "text");
  } catch {
    throw new UserError(
      "the backup cannot be decrypted: it was encrypted with another passphrase or key, or the file is truncated or damaged",
      "use the passphrase or key that the backup was encrypted with; if it is the right one, use another copy of the file",
    );
  }
}

/** The secret keys in a file from age-keygen, which also contains comments. */
function identitiesIn(text: string): string[] {
  const identities = text.split(/\r?\n/).filter((line) => line.startsWith("AGE-SECRET-KEY-1"));
  if (identities.length === 0) throw new Error("there is none");
  return identities;
}

type Content = { readonly format?: unknown } & { readonly [Field in keyof Backup]?: unknown };

function parsed(text: string): Content {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

const isState = (state: unknown): state is ExportedState =>
  typeof (state as ExportedState | undefined)?.version === "number" &&
  typeof (state as ExportedState).deployment === "object" &&
  (state as ExportedState).deployment !== null;
