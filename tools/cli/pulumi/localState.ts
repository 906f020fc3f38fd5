import { createDecipheriv, pbkdf2Sync, randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stackFilePath } from "../../../config/stackFile";
import { quoted } from "../../shared/shell";
import { processName } from "../../shared/processes";
import { type PulumiContext, askPulumi, runPulumi } from "./pulumi";
import { type Report, UserError } from "../../shared/terminal";

/** Name of the Pulumi project, as in Pulumi.yaml. */
const pulumiProject = "kazoo";

/**
 * The Pulumi state of stacks that run on this machine, on the sandbox or on its Docker Engine: a file backend in the project's folder, with a
 * passphrase in a file.
 */
export interface LocalState {
  readonly backendUrl: string;
  readonly passphraseFile: string;
  /** Copies of the stacks' files, to which Pulumi can add its own settings. */
  readonly configs: string;
  readonly directory: string;
}

/** Creates the folders and the passphrase of the local state unless they exist. */
export function ensureLocalState(project: string): LocalState {
  const directory = join(project, ".state");
  const state: LocalState = {
    directory,
    // Without the attributes that the backend would keep beside each file: nothing needs them, and their checksums are a seventh of the
    // engine's work.
    backendUrl: `file://${directory}?metadata=skip`,
    passphraseFile: join(directory, "passphrase"),
    configs: join(directory, "configs"),
  };
  mkdirSync(state.configs, { recursive: true, mode: 0o700 });
  if (!existsSync(state.passphraseFile)) replace(state.passphraseFile, randomBytes(32).toString("base64url"));
  return state;
}

/** The variables that make Pulumi use this state. */
export const localStateEnvironment = (state: LocalState): Record<string, string> => ({
  PULUMI_BACKEND_URL: state.backendUrl,
  PULUMI_CONFIG_PASSPHRASE_FILE: state.passphraseFile,
  // The salt is in the state, so Pulumi does not need it in the stack's file.
  PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
  // Pulumi records every backend it logs in to; keep this one apart from the user's logins.
  PULUMI_CREDENTIALS_PATH: state.directory,
});

/**
 * Ensures that the stack exists in the backend, and returns the path of a copy of its file for `--config-file`: Pulumi
 * writes the salt of its encryption into that file, and the one under version control must not change.
 */
export async function ensureStack(context: PulumiContext, state: LocalState, stack: string): Promise<string> {
  const copy = join(state.configs, `Pulumi.${stack}.yaml`);
  if (!existsSync(stateFile(state, stack))) {
    writeFileSync(join(state.configs, "Pulumi.yaml"), `name: ${pulumiProject}\nruntime: nodejs\n`);
    const inside = { ...context, directory: state.configs };
    await askPulumi(inside, ["stack", "init", stack, "--secrets-provider", "passphrase", "--no-select"]);
  }
  copyFileSync(stackFilePath(context.directory, stack), copy);
  return copy;
}

/** Renames a stack in the backend, and what else is kept by its name. */
export async function renameStack(context: PulumiContext, state: LocalState, from: string, to: string): Promise<void> {
  // Beside the copies of the stacks' files, which Pulumi renames, too; each run recreates them.
  for (const stack of [from, to]) rmSync(join(state.configs, `Pulumi.${stack}.yaml`), { force: true });
  // First, while the stack still has its name: an interruption must not lose them.
  for (const file of [clusterIdsFile, copyFile])
    if (existsSync(file(state, from))) copyFileSync(file(state, from), file(state, to));
  await askPulumi({ ...context, directory: state.configs }, ["stack", "rename", to, "--stack", from]);
  for (const file of [clusterIdsFile, copyFile]) rmSync(file(state, from), { force: true });
}

/** The part of a stack's state that commands use. */
export interface Snapshot {
  readonly resources: number;
  /** Operations that were running when Pulumi was killed. */
  readonly pending: number;
}

/** Reads the state of a stack. */
export function readSnapshot(state: LocalState, stack: string): Snapshot {
  const path = stateFile(state, stack);
  if (!existsSync(path)) return { resources: 0, pending: 0 };
  const checkpoint = readCheckpoint(path);
  if (checkpoint === undefined) throw unreadable(state, stack);
  return {
    resources: checkpoint.latest?.resources?.length ?? 0,
    pending: checkpoint.latest?.pending_operations?.length ?? 0,
  };
}

interface Checkpoint {
  readonly latest?: {
    readonly resources?: unknown[];
    readonly pending_operations?: unknown[];
    readonly secrets_providers?: { readonly state?: { readonly salt?: string } };
  };
}

/** A stack's state; undefined if the file is truncated or not a state. */
function readCheckpoint(path: string): Checkpoint | undefined {
  try {
    return (JSON.parse(readFileSync(path, "utf8")) as { checkpoint?: Checkpoint } | null)?.checkpoint;
  } catch {
    return undefined;
  }
}

/** The error for an unreadable state; it names a readable copy, if there is one. */
function unreadable(state: LocalState, stack: string): UserError {
  const path = stateFile(state, stack);
  const copies = [copyFile(state, stack), `${path}.bak`].filter((copy) => readCheckpoint(copy) !== undefined);
  const [newest] = copies.sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  return new UserError(
    `the state of stack ${stack} cannot be read: ${path} is truncated or damaged`,
    newest === undefined
      ? `make restore STACK=${stack} FROM=FILE restores it from a backup; without one, the passwords of the running stack are lost`
      : `restore the copy of ${statSync(newest).mtime.toISOString()}: cp ${quoted(newest)} ${quoted(path)}, then make up STACK=${stack}`,
  );
}

/**
 * After a failed run, checks whether the passphrase is the one that the state was encrypted with: Pulumi does not report that, or not the file
 * with the passphrase. Deriving the key takes half a second, so this is checked only after a failure.
 * @throws UserError if it is another passphrase
 */
export function checkPassphrase(state: LocalState, stack: string): void {
  const { salt } = readCheckpoint(stateFile(state, stack))?.latest?.secrets_providers?.state ?? {};
  if (salt === undefined || opensWith(readFileSync(state.passphraseFile, "utf8").trim(), salt)) return;
  throw new UserError(
    `the state of stack ${stack} was encrypted with another passphrase than the one in ${state.passphraseFile}`,
    `restore that file, or restore the state from a backup: make restore STACK=${stack} FROM=FILE`,
  );
}

/** Whether a passphrase is right: Pulumi's salt, `v1:SALT:v1:NONCE:TEXT`, contains a known text encrypted with it. */
function opensWith(passphrase: string, salt: string): boolean {
  const [bytes, nonce, text] = [1, 3, 4].map((part) => Buffer.from(salt.split(":")[part] ?? "", "base64"));
  if (bytes === undefined || nonce === undefined || text === undefined) return true;
  try {
    const key = pbkdf2Sync(passphrase, bytes, 1_000_000, 32, "sha256");
    const opener = createDecipheriv("aes-256-gcm", key, nonce).setAuthTag(text.subarray(-16));
    opener.update(text.subarray(0, -16));
    opener.final();
    return true;
  } catch {
    return false;
  }
}

/** Renames the state of a stack if it cannot be read, so that a backup can replace it. */
export function setAsideUnreadable(state: LocalState, stack: string, report: Report): void {
  const path = stateFile(state, stack);
  if (!existsSync(path) || readCheckpoint(path) !== undefined) return;
  renameSync(path, `${path}.damaged`);
  report(`the state of stack ${stack} cannot be read: it is kept as ${path}.damaged`);
}

/** Least free space for a run that changes a stack: Pulumi writes the state twice at each step. */
const leastRoom = 64 * 1024 ** 2;

/** Free bytes on the file system of a path. */
type Room = (path: string) => number;

/**
 * Makes sure that a run will be able to write its state, and keeps a copy of the previous state.
 * @throws UserError if there is too little space, or the state cannot be read
 */
export function beforeRun(state: LocalState, stack: string, room: Room = freeBytes): void {
  const lack = lackOfRoom(state, stack, 1, room);
  if (lack !== undefined)
    throw new UserError(
      lack,
      "free some space first: if the state cannot be written, the passwords of new objects are lost",
    );
  const path = stateFile(state, stack);
  if (!existsSync(path)) return;
  if (readCheckpoint(path) === undefined) throw unreadable(state, stack);
  replace(copyFile(state, stack), readFileSync(path, "utf8"));
}

/** Why a run must stop now, while there is still space to write its state; undefined if there is enough space. */
export const stopForRoom = (state: LocalState, stack: string, room: Room = freeBytes): string | undefined =>
  lackOfRoom(state, stack, 1 / 4, room);

/** @param share fraction of the space that a whole run may need */
function lackOfRoom(state: LocalState, stack: string, share: number, room: Room): string | undefined {
  const size = statSync(stateFile(state, stack), { throwIfNoEntry: false })?.size ?? 0;
  const needed = share * (leastRoom + 4 * size);
  for (const [folder, what] of [
    [state.directory, "the state"],
    [tmpdir(), "temporary files"],
  ] as const) {
    const free = room(folder);
    const megabytes = (bytes: number) => `${Math.floor(bytes / 1024 ** 2)} MiB`;
    if (free < needed)
      return `only ${megabytes(free)} are free for ${what} in ${folder}, but a run may need ${megabytes(needed)}`;
  }
  return undefined;
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** A stack, with what Pulumi needs to run on it. */
export interface SelectedStack {
  readonly name: string;
  readonly pulumi: PulumiContext;
  /** `--stack`, and with local state `--config-file`. */
  readonly selection: readonly string[];
}

/**
 * Cleans up after a killed Pulumi: its lock, a half-written file, and operations whose result it did not see.
 * @returns whether there were such operations
 * @throws UserError if another Pulumi is working on the stack
 */
export async function recover(
  { name: stack, pulumi: context, selection }: SelectedStack,
  state: LocalState,
  report: Report,
): Promise<boolean> {
  const holders = lockHolders(state, stack);
  const alive = holders.find((pid) => processName(pid)?.startsWith("pulumi"));
  if (alive !== undefined) {
    throw new UserError(
      `another pulumi (process ${alive}) is working on stack ${stack}`,
      `wait for it to finish, or stop it: kill -INT ${alive}`,
    );
  }
  removeTornAttributes(stateFile(state, stack));
  if (holders.length > 0) {
    report(`stack ${stack}: removing the lock of a pulumi that was killed`);
    await askPulumi(context, ["cancel", "--yes", "--stack", stack]);
  }
  const { pending } = readSnapshot(state, stack);
  if (pending === 0) return false;
  report(`stack ${stack}: ${pending} operations were interrupted; checking their results in the cluster`);
  const args = ["refresh", ...selection, "--yes", "--skip-preview", "--suppress-outputs"];
  const code = await runPulumi(context, [...args, "--clear-pending-creates"]);
  if (code !== 0) throw new UserError(`stack ${stack} could not be refreshed`, "see pulumi's messages above");
  return true;
}

/**
 * Removes truncated attributes. Earlier versions let the file backend keep attributes beside a state. It does not need them, but cannot read the
 * state if they are truncated ("failed to load checkpoint: EOF").
 */
function removeTornAttributes(path: string): void {
  const attributes = `${path}.attrs`;
  if (!existsSync(attributes)) return;
  try {
    JSON.parse(readFileSync(attributes, "utf8"));
  } catch {
    rmSync(attributes, { force: true });
  }
}

/** Ids of the sandbox clusters that a stack was last deployed to, by name. */
export function readClusterIds(state: LocalState, stack: string): Record<string, string> {
  const path = clusterIdsFile(state, stack);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, string>) : {};
}

/**
 * The sandbox clusters that were recreated since a stack was deployed to them: they have none of the objects in its state.
 * @param ids of the clusters that run now, by name
 * @throws UserError if the state cannot be read
 */
export function recreatedClusters(state: LocalState, stack: string, ids: Readonly<Record<string, string>>): string[] {
  if (readSnapshot(state, stack).resources === 0) return [];
  const before = readClusterIds(state, stack);
  return Object.keys(ids).filter((name) => before[name] !== ids[name]);
}

/** Records the sandbox clusters that a stack is deployed to. */
export function writeClusterIds(state: LocalState, stack: string, ids: Readonly<Record<string, string>>): void {
  replace(clusterIdsFile(state, stack), JSON.stringify(ids));
}

const clusterIdsFile = (state: LocalState, stack: string): string => join(state.configs, `${stack}.clusters.json`);

const copyFile = (state: LocalState, stack: string): string => join(state.configs, `${stack}.before.json`);

const stateFile = (state: LocalState, stack: string): string =>
  join(state.directory, ".pulumi", "stacks", pulumiProject, `${stack}.json`);

/** Process ids in the locks that Pulumi's file backend keeps for a stack. */
function lockHolders(state: LocalState, stack: string): number[] {
  const directory = join(state.directory, ".pulumi", "locks", "organization", pulumiProject, stack);
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    try {
      return [(JSON.parse(readFileSync(path, "utf8")) as { pid: number }).pid];
    } catch {
      // Half-written by a Pulumi that ran out of space or was killed; a file that is being written now is younger than this.
      if (Date.now() - statSync(path).mtimeMs > 10_000) rmSync(path, { force: true });
      return [];
    }
  });
}

function replace(path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
