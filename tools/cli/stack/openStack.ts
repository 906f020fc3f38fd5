import { accessSync, constants } from "node:fs";
import { basename, join, resolve } from "node:path";
import { readStackFile, stackFilePath } from "../../../config/stackFile";
import { type StackPart, partOf, regionStack, regionsOf } from "../../../config/stackPart";
import type { KubernetesCluster, Platform } from "../../../config/platform";
import { requestLimits } from "../../../config/schema/cluster";
import { ConfigError, UnknownStackError } from "../../../config/problem";
import { kubeconfigPath, requireSandboxHost, sandboxParts, sandboxUp } from "../../sandbox";
import { type Part, type Toolchain, ensureToolchain } from "../../toolchain";
import {
  type LocalState,
  type SelectedStack,
  ensureLocalState,
  ensureStack,
  localStateEnvironment,
  stopForRoom,
} from "../pulumi/localState";
import type { PulumiContext } from "../pulumi/pulumi";
import { withoutLoopbackProxy } from "../../shared/proxy";
import { clearDeadRuns, runFolder } from "../pulumi/runFolder";
import { type Report, UserError } from "../../shared/terminal";

/** The project's folder, wherever the command is called from. */
export const projectDirectory = resolve(__dirname, "../../..");

/** Path of a stack's file. */
export const stackFile = (stack: string): string => stackFilePath(projectDirectory, stack);

/** A stack with everything that Pulumi needs to run on it. */
export interface Stack extends SelectedStack {
  /** The part of the platform that the stack deploys. */
  readonly platform: Platform;
  /** Name of the stack's file: `prod` for `prod.us-east`. */
  readonly whole: string;
  /** The stack's name in the labels of its objects. */
  readonly label: string;
  readonly toolchain: Toolchain;
  /** Its Pulumi state in the project's folder; undefined: the user's own backend and secrets provider. */
  readonly state: LocalState | undefined;
}

/** Whether a stack is a throw-away stack, for which commands do not ask for confirmation: unprotected, and only on the sandbox or Docker. */
export const isThrowAway = ({ protect, clusters }: Platform): boolean =>
  !protect && Object.values(clusters).every(({ kind }) => kind !== "kubernetes");

/** Whether a stack's Pulumi state is in the project's folder: if all its clusters are on this machine. */
export const isOfThisMachine = ({ clusters }: Platform): boolean =>
  Object.values(clusters).every(
    (cluster) => cluster.kind === "sandbox" || (cluster.kind === "docker" && localEngine.test(cluster.host)),
  );

const localEngine = /^(unix:|npipe:|tcp:\/\/(localhost|127\.[\d.]+|\[::1\])(:|$))/;

/** Names of the sandbox clusters that a stack runs on. */
export const sandboxClusters = (platform: Platform): string[] =>
  Object.values(platform.clusters)
    .filter(({ kind }) => kind === "sandbox")
    .map(({ name }) => name);

/** Path of the kubeconfig with a cluster's context; undefined: the caller's own. */
export const kubeconfigOf = (cluster: KubernetesCluster): string | undefined =>
  cluster.kind === "sandbox"
    ? kubeconfigPath(projectDirectory)
    : cluster.kubeconfig && resolve(projectDirectory, cluster.kubeconfig);

/** The parts of the toolchain that a stack needs, and no others: each can take minutes to build. */
export function partsFor(platform: Platform): Part[] {
  const kinds = new Set(Object.values(platform.clusters).map(({ kind }) => kind));
  return [
    "pulumi",
    "language",
    "random",
    ...(kinds.has("sandbox") || kinds.has("kubernetes") ? ["kubernetes" as const] : []),
    ...(kinds.has("docker") || platform.image.kind === "build" ? ["docker" as const] : []),
    ...(kinds.has("sandbox") ? sandboxParts : []),
  ];
}

/** The part of a platform that a stack deploys. */
function narrowed(platform: Platform, { zones, clusters }: StackPart): Platform {
  const own = Object.entries(platform.clusters).filter(([name]) => clusters.includes(name));
  return { ...platform, zones, clusters: Object.fromEntries(own) };
}

/** Reads a stack's whole file, even for the stack of a region. */
function readWhole(name: string): Platform {
  try {
    return readStackFile(projectDirectory, name);
  } catch (error) {
    throw error instanceof UnknownStackError
      ? new UserError(error.message, `choose one of ${error.known.join(", ")} with STACK=, or create that file`)
      : error;
  }
}

/**
 * Reads a stack's file; for the stack of a region, only that region's part.
 * @throws UserError if the stack does not exist, ConfigError with all problems of its config
 */
export function readConfig(name: string): Platform {
  const whole = readWhole(name);
  const part = partOf(whole, name);
  return part.shared ? whole : narrowed(whole, part);
}

/** Reads a stack's file; mistakes in it become a UserError. */
export const readPlatform = (name: string): Platform => advised(name, readConfig);

function advised(name: string, read: (name: string) => Platform): Platform {
  try {
    return read(name);
  } catch (error) {
    throw error instanceof ConfigError ? new UserError(error.message, `edit ${basename(stackFile(name))}`) : error;
  }
}

/**
 * The regions of a stack whose regions have stacks of their own; undefined for any other stack, and for a region's.
 * @param platform from the stack's file. @default the file is read
 */
export function regionsIn(name: string, platform = readPlatform(name)): string[] | undefined {
  const part = partOf(platform, name);
  return part.split && part.shared ? regionsOf(platform) : undefined;
}

/**
 * Reads a stack's file, prepares its toolchain and, if the state is in the project's folder, its state.
 * @param shared whether it may be the shared stack of regions with stacks of their own. @default false
 * @throws UserError if it is a shared stack and may not be
 */
export async function openStack(name: string, report: Report, { shared = false } = {}): Promise<Stack> {
  // All clusters of the file decide where the state is.
  const whole = advised(name, readWhole);
  const regions = regionsIn(name, whole);
  if (regions !== undefined && !shared)
    throw new UserError(
      `stack ${name} has a stack per region, but this command works on only one of them`,
      `choose one: ${regions.map((region) => `STACK=${regionStack(name, region)}`).join(" or ")}`,
    );
  const part = partOf(whole, name);
  const platform = narrowed(whole, part);
  const { toolchain, state, pulumi } = await backendOf(name, whole, report);
  // A region's stack refers to the shared one.
  if (state !== undefined && !part.shared) await ensureStack(pulumi, state, part.whole);
  const configFile =
    state !== undefined ? await ensureStack(pulumi, state, name) : part.shared ? undefined : stackFile(name);
  const selection = ["--stack", name, ...(configFile === undefined ? [] : ["--config-file", configFile])];
  return { name, platform, whole: part.whole, label: part.label, toolchain, pulumi, state, selection };
}

/** What Pulumi needs to reach the backend of a stack, which need not have it. @param whole all of its file */
export async function backendOf(
  name: string,
  whole: Platform,
  report: Report,
): Promise<Pick<Stack, "toolchain" | "state" | "pulumi">> {
  // Before the toolchain, which can take minutes to build.
  if (sandboxClusters(whole).length > 0) requireSandboxHost(projectDirectory);
  await clearDeadRuns(report);
  const toolchain = await ensureToolchain(partsFor(whole), report);
  const state = isOfThisMachine(whole) ? ensureLocalState(projectDirectory) : undefined;
  const pulumi: PulumiContext = {
    binary: toolchain.binary("pulumi"),
    directory: projectDirectory,
    env: stackEnvironment(toolchain, state, process.env),
    program: { path: join(projectDirectory, "index.ts"), directory: projectDirectory },
    ...(state === undefined ? {} : { mustStop: () => stopForRoom(state, name) }),
  };
  return { toolchain, state, pulumi };
}

/** The stacks of all of a stack's regions, or the stack itself. */
export async function openRegions(name: string, report: Report): Promise<Stack[]> {
  const regions = regionsIn(name);
  if (regions === undefined) return [await openStack(name, report)];
  const stacks: Stack[] = [];
  for (const region of regions) stacks.push(await openStack(regionStack(name, region), report));
  return stacks;
}

/** Pulumi's whole environment for a stack. */
export function stackEnvironment(
  toolchain: Toolchain,
  state: LocalState | undefined,
  caller: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const common = {
    ...speed(),
    // Pulumi needs a name for a user without an account, as containers run under.
    USER: String(process.getuid?.() ?? ""),
    ...caller,
    ...toolchain.env,
    TMPDIR: runFolder(),
  };
  if (state === undefined) return common;
  // A passphrase in the caller's environment belongs to other stacks, and would take precedence.
  return { ...common, ...localStateEnvironment(state), PULUMI_CONFIG_PASSPHRASE: undefined };
}

/** Variables that make Pulumi faster. The caller's own values come first. */
function speed(): Record<string, string> {
  return {
    // The engine spends a quarter of its time on garbage collection; less of it makes an update of many datacenters 15 to 25 % faster.
    GOGC: "400",
    // Not in the config: each live stack would preview a changed provider.
    PULUMI_K8S_CLIENT_QPS: String(requestLimits.qps),
    PULUMI_K8S_CLIENT_BURST: String(requestLimits.burst),
    // The tests check types; plain Pulumi would take a quarter of a minute for it.
    PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    ...compileCache(),
  };
}

/** Keeps the program's compiled code next to the packages, if that is writable; in the temporary folder it would be lost. */
function compileCache(): Record<string, string> {
  const packages = join(projectDirectory, "node_modules");
  try {
    accessSync(packages, constants.W_OK);
    return { TS_NODE_CACHE_DIRECTORY: join(packages, ".cache", "ts-node") };
  } catch {
    return {};
  }
}

/** The variables with which plain `pulumi` and `kubectl` work on a stack as the command does; null: must not be set. */
export function exportedEnvironment(stack: Stack): Record<string, string | null> {
  const faster = Object.fromEntries(Object.entries(speed()).filter(([name]) => process.env[name] === undefined));
  const local =
    stack.state === undefined ? {} : { PULUMI_CONFIG_PASSPHRASE: null, ...localStateEnvironment(stack.state) };
  const sandbox = sandboxClusters(stack.platform).length === 0 ? {} : { KUBECONFIG: kubeconfigPath(projectDirectory) };
  return { ...faster, ...stack.toolchain.env, ...local, ...sandbox, ...withoutLoopbackProxy(process.env) };
}

/** Starts the stack's sandbox clusters and returns the id of each by name. */
export async function startClusters(stack: Stack, report: Report): Promise<Record<string, string>> {
  const clusters = sandboxClusters(stack.platform);
  if (clusters.length === 0) return {};
  const { toolchain } = stack;
  const running = await sandboxUp({ directory: projectDirectory, clusters, toolchain, report });
  return Object.fromEntries(running.map(({ name, id }) => [name, id]));
}
