import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { partOf } from "../../../config/stackPart";
import { type Backup, type ExportedState, type Keys, opened, sealed } from "../stack/backupFile";
import { confirmed } from "../../shared/choose";
import { ensureLocalState, recover, setAsideUnreadable } from "../pulumi/localState";
import { type Stack, isOfThisMachine, openStack, projectDirectory, readPlatform } from "../stack/openStack";
import { askPulumi } from "../pulumi/pulumi";
import { renamedState } from "../stack/stateMove";
import { quoted } from "../../shared/shell";
import { UserError, colours, reportToStderr } from "../../shared/terminal";

export interface BackupOptions {
  readonly stack: string;
  /** File to write; default: `kazoo-STACK-TIME.age` in the current folder. */
  readonly out?: string;
  readonly passphraseFile?: string;
  /** Public keys of age. */
  readonly recipient?: readonly string[];
}

/** Writes a stack's state, with its secrets, to an encrypted file. An existing file is never overwritten. */
export async function backup({ stack: name, out, passphraseFile, recipient = [] }: BackupOptions): Promise<void> {
  const locks = recipient.length > 0 ? { recipients: recipient } : { passphrase: passphraseIn(passphraseFile) };
  const time = new Date().toISOString();
  const path = resolve(out ?? `kazoo-${name}-${time.replace(/[-:]|\.\d+/g, "")}.age`);
  if (existsSync(path)) throw new UserError(`${path} exists`, "name another file with OUT=");
  if (!existsSync(dirname(path))) throw new UserError(`the folder ${dirname(path)} does not exist`, "create it first");
  const stack = await openStack(name, reportToStderr, { shared: true });
  const state = await exported(stack, "--show-secrets");
  const count = resourcesOf(state);
  if (count === 0) throw new UserError(`stack ${name} has no resources: there is nothing to back up`);
  // Written completely or not at all, because a truncated file must not look like a backup.
  const firstName = firstNameOf(name);
  const content = { stack: name, ...(firstName === name ? {} : { firstName }), time, state };
  writeFileSync(`${path}.new`, await sealed(content, locks), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  process.stdout.write(`${path}: the state of stack ${name}, ${count} resources\n`);
  reportToStderr(
    `${colours.cyan("next:")} store it on another machine, separate from its passphrase or key; it does not contain databases and volumes`,
  );
}

export interface RestoreOptions {
  readonly stack: string;
  readonly from: string;
  readonly passphraseFile?: string;
  /** File with secret keys of age. */
  readonly identity?: string;
  readonly yes?: boolean;
}

/** Restores a stack's state from a backup into the stack's current backend. Clusters are not touched. */
export async function restore(options: RestoreOptions): Promise<void> {
  const { stack: name, from, identity, passphraseFile, yes = false } = options;
  const keys: Keys =
    identity === undefined
      ? { passphrase: passphraseIn(passphraseFile) }
      : { identities: contentOf(identity).toString("utf8") };
  // Everything that can be wrong with the file is found before anything changes.
  const found = await opened(contentOf(from), keys, name, firstNameOf(name));
  if (isOfThisMachine(readPlatform(name))) setAsideUnreadable(ensureLocalState(projectDirectory), name, reportToStderr);
  const stack = await openStack(name, reportToStderr, { shared: true });
  if (stack.state !== undefined) await recover(stack, stack.state, reportToStderr);
  const current = await exported(stack);
  if (!(await confirmed(question(name, found, current), yes || resourcesOf(current) === 0))) {
    throw new UserError("nothing was changed");
  }
  await askPulumi(
    stack.pulumi,
    ["stack", "import", "--stack", name],
    JSON.stringify(renamedState(encryptedAs(current, found.state), found.stack, name)),
  );
  process.stdout.write(`stack ${name}: restored the state of ${found.time}, ${resourcesOf(found.state)} resources\n`);
  reportToStderr(
    `${colours.cyan("next:")} npx kazoo up -s ${quoted(name)} -- --refresh compares it with the clusters and deploys the differences`,
  );
}

/** The name that a stack was deployed with, which its labels keep. */
function firstNameOf(stack: string): string {
  const { whole, label } = partOf(readPlatform(stack), stack);
  return `${label}${stack.slice(whole.length)}`;
}

const question = (stack: string, { time, state }: Backup, current: ExportedState): string =>
  `replace the state of stack ${stack}, ${resourcesOf(current)} resources, with that of ${time}, ${resourcesOf(state)} resources?`;

/** A state whose secrets the backend encrypts for the target stack, without the original stack's passphrase. */
const encryptedAs = ({ deployment: { secrets_providers } }: ExportedState, state: ExportedState): ExportedState => ({
  ...state,
  deployment: { ...state.deployment, secrets_providers },
});

const resourcesOf = ({ deployment }: ExportedState): number => deployment.resources?.length ?? 0;

const exported = async ({ name, pulumi }: Stack, ...options: string[]): Promise<ExportedState> =>
  JSON.parse(await askPulumi(pulumi, ["stack", "export", "--stack", name, ...options])) as ExportedState;

/** Shortest accepted passphrase, because anyone with the file can try many. */
const leastPassphrase = 12;

function passphraseIn(file: string | undefined): string {
  if (file === undefined) {
    throw new UserError(
      "a backup is encrypted, but neither a passphrase nor a key was given",
      "set PASSPHRASE_FILE=FILE; or, with a key of age, RECIPIENT=age1… to write and IDENTITY=FILE to read",
    );
  }
  const passphrase = contentOf(file).toString("utf8").trim();
  if (passphrase.length < leastPassphrase) {
    throw new UserError(
      `the passphrase in ${file} has ${passphrase.length} characters, but needs at least ${leastPassphrase}`,
      `for instance: openssl rand -hex 32 > ${quoted(file)}`,
    );
  }
  return passphrase;
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${(error as Error).message.replace(/^\w+: |, \w+ .*/g, "")}`);
  }
}
