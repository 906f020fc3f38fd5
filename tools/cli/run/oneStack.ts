import type { Cluster, KubernetesCluster } from "../../../config/platform";
import { imageMessage, lastRunFailed } from "../stack/history";
import {
  beforeRun,
  checkPassphrase,
  recreatedClusters,
  readSnapshot,
  recover,
  writeClusterIds,
} from "../pulumi/localState";
import { confirmed } from "../../shared/choose";
import { engineHosts, requireEngines } from "../docker/dockerEngines";
import { releaseUnrecorded } from "../cluster/leftBehind";
import { deployedIn, knownObjects, objectList } from "../stack/deployed";
import { missingIn } from "../cluster/missing";
import { readOutputs, runPulumi, stackInit } from "../pulumi/pulumi";
import { policyPack, runStack } from "./runStack";
import { beside } from "../../shared/beside";
import { unlessInterrupted } from "../../shared/interrupt";
import type { UnseenCluster } from "../../report/model";
import { type Stack, isThrowAway, openStack, kubeconfigOf, sandboxClusters, startClusters } from "../stack/openStack";
import { UserError, reportToStderr, colours } from "../../shared/terminal";
import { refuseOtherClusters } from "../cluster/otherCluster";
import { refuseStrangers } from "../cluster/strangers";
import { allUnseen, unseenClusters, unseenError, unseenLine } from "../cluster/unseen";
import { readZones, summary } from "../stack/zones";

export interface StackOptions {
  readonly stack: string;
  readonly yes?: boolean;
  /** Whether `up` takes back fields that others have changed in the cluster. */
  readonly force?: boolean;
}

/** Previews an `up`; returns Pulumi's exit code. */
export async function preview(options: StackOptions, args: readonly string[]): Promise<number> {
  const stack = await openStack(options.stack, reportToStderr, { shared: true });
  const { refresh } = await begin(stack);
  const unseen = await warnOfUnseen(stack);
  await refuseOtherClusters(stack, unseen, args);
  await refuseStrangers(stack, unseen);
  const code = await runStack(stack, ["preview", ...stack.selection, ...policyPack(stack), ...refresh, ...args]);
  if (code === 0 && unseen.length > 0) throw unseenError(unseen);
  return code;
}

/** Deploys a stack, with `args` for Pulumi, and prints its zones. Returns 0; throws UserError if Pulumi fails. */
export async function up(options: StackOptions, args: readonly string[]): Promise<number> {
  const stack = await openStack(options.stack, reportToStderr, { shared: true });
  await requireEngines(engineHosts(stack.platform));
  await requireShared(stack);
  const { ids, refresh, killed } = await begin(stack);
  const unseen = await warnOfUnseen(stack);
  await refuseOtherClusters(stack, unseen, args);
  await refuseStrangers(stack, unseen);
  const { force = false } = options;
  if (force && !(await confirmed("take back every field that others have changed?", options.yes === true))) return 0;
  await catchUp(stack, unseen, { killed, compares: force || refresh.length > 0 });
  const run = [
    "up",
    ...stack.selection,
    ...policyPack(stack),
    // Only a refresh shows what must be taken back or restored.
    ...(refresh.length === 0 && (force || (await lacksObjects(stack, unseen))) ? ["--refresh"] : []),
    // The datacenters of clusters that answer are still deployed.
    ...(unseen.length > 0 ? ["--continue-on-error"] : []),
    ...unasked(stack, options),
    ...refresh,
    ...(await message(stack)),
    ...args,
  ];
  const record = () => stack.state !== undefined && writeClusterIds(stack.state, stack.name, ids);
  // Before the first object: if this is an interrupted first up, the next one must know that its objects are in this cluster.
  if (refresh.length === 0) record();
  const code = await runStack(stack, run, { force });
  if (code !== 0) {
    throw new UserError(`pulumi up ended with exit code ${code}`, nextAfterFailure(stack), code);
  }
  if (unseen.length > 0) throw unseenError(unseen);
  // Not before a refresh that may be interrupted: the next up must repeat it.
  if (refresh.length > 0) record();
  // A run on several regions prints its own summary; the stack that they share has no zones.
  if (beside() === undefined && stack.platform.zones.length > 0)
    process.stdout.write(`\n${summary(stack.name, await readZones(stack), clusterHints(stack))}`);
  return 0;
}

/** Refuses to deploy a region before the stack with its credentials, because the program would wait for them forever. */
async function requireShared({ name, whole, pulumi }: Stack): Promise<void> {
  // A run on several regions has just deployed it.
  if (whole === name || beside() !== undefined) return;
  if ("credentials" in (await readOutputs<object>(pulumi, whole))) return;
  throw new UserError(
    `stack ${whole}, which stack ${name} takes its credentials from, is not deployed`,
    `make up STACK=${whole} deploys it, and then all regions`,
  );
}

/**
 * Reports which clusters do not answer, and continues with the others.
 * @throws UserError if none answers
 */
async function warnOfUnseen({ platform }: Stack): Promise<UnseenCluster[]> {
  const unseen = await unseenClusters(platform);
  if (allUnseen(platform, unseen)) throw unseenError(unseen);
  for (const cluster of unseen) reportToStderr(`${colours.yellow("warning:")} not seen: ${unseenLine(cluster)}`);
  return unseen;
}

/**
 * Makes up for what the last run did without a record in the state, if it failed or was killed: reads changes of objects into the state, and
 * releases objects that it created. A provider that is cancelled in the middle of a change may have finished it. Images are not read, because the
 * registry may be what failed.
 * @param run `killed`: whether Pulumi was killed in the middle of changes; their results have been read. `compares`: whether the update itself
 * compares the state with the clusters
 */
async function catchUp(
  stack: Stack,
  unseen: readonly UnseenCluster[],
  { killed, compares }: { readonly killed: boolean; readonly compares: boolean },
): Promise<void> {
  const onKubernetes = Object.values(stack.platform.clusters).some(({ kind }) => kind !== "docker");
  if (!onKubernetes) return;
  const failed = await lastRunFailed(stack);
  if (failed && !compares) {
    reportToStderr(`the last run on stack ${stack.name} failed: comparing its state with the cluster first`);
    const quietly = ["--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress"];
    const kubernetes = ["--target", "**$kubernetes:**"];
    const refresh = ["refresh", ...stack.selection, ...quietly, ...kubernetes];
    const code = await unlessInterrupted(() => runPulumi(stack.pulumi, refresh));
    if (code !== 0) reportToStderr(`${colours.yellow("warning:")} the state could not be compared; continuing`);
  }
  if (failed || killed) await releaseUnrecorded(stack, unseen);
}

/** Whether someone has deleted objects of the stack in a cluster. Without a refresh, Pulumi considers them unchanged. */
async function lacksObjects(stack: Stack, unseen: readonly UnseenCluster[]): Promise<boolean> {
  if (stack.state !== undefined && readSnapshot(stack.state, stack.name).resources === 0) return false;
  const seen = Object.values(stack.platform.clusters).filter(
    (cluster): cluster is KubernetesCluster =>
      cluster.kind !== "docker" && unseen.every((away) => away.cluster !== cluster.name),
  );
  const known = knownObjects(seen.length === 0 ? [] : await deployedIn(stack));
  const missing = (await Promise.all(seen.map((cluster) => missingIn(cluster, known)))).flat();
  if (missing.length === 0) return false;
  reportToStderr(`missing in the cluster: ${objectList(missing)}; restoring`);
  return true;
}

/** The update's message records the previous digest of a built image, for kube-deploy-rollback: nothing else does. */
async function message(stack: Stack): Promise<string[]> {
  if (stack.platform.image.kind !== "build") return [];
  const [zone] = Object.values(await readZones(stack));
  return zone === undefined ? [] : ["--message", imageMessage("up", zone.image)];
}

function nextAfterFailure({ name, state }: Stack): string {
  if (state !== undefined)
    return `make up STACK=${name} continues from here; make status STACK=${name} shows what is ready`;
  return `see pulumi's messages above; make up STACK=${name} continues from here; if the backend has no stack ${name} yet: ${stackInit(name)}`;
}

/** Removes everything that a stack created; returns Pulumi's exit code. */
export async function destroy(options: StackOptions, args: readonly string[]): Promise<number> {
  const stack = await openStack(options.stack, reportToStderr, { shared: true });
  await requireEngines(engineHosts(stack.platform));
  const { refresh } = await begin(stack);
  await refuseOtherClusters(stack, await unseenClusters(stack.platform), args);
  const code = await runPulumi(stack.pulumi, [
    ...["destroy", ...stack.selection, ...unasked(stack, options)],
    ...refresh,
    ...args,
  ]);
  if (code !== 0 && stack.state !== undefined) checkPassphrase(stack.state, stack.name);
  return code;
}

/**
 * Prepares a run of Pulumi: starts the clusters and cleans up after a killed Pulumi. A sandbox cluster that was recreated since
 * the last `up` has none of the objects in the state, so Pulumi must refresh first.
 * @returns the clusters' ids by name, options of Pulumi, and whether a Pulumi was killed in the middle of changes
 */
export async function begin(
  stack: Stack,
): Promise<{ readonly ids: Record<string, string>; readonly refresh: string[]; readonly killed: boolean }> {
  const ids = await startClusters(stack, reportToStderr);
  if (stack.state === undefined) return { ids, refresh: [], killed: false };
  beforeRun(stack.state, stack.name);
  const killed = await recover(stack, stack.state, reportToStderr);
  const recreated = recreatedClusters(stack.state, stack.name, ids);
  if (recreated.length === 0) return { ids, refresh: [], killed };
  reportToStderr(`sandbox cluster ${recreated.join(", ")} is new: checking what is left of stack ${stack.name}`);
  return { ids, refresh: ["--refresh"], killed };
}

/** Throw-away stacks are updated without asking: there is nothing to lose, and a preview doubles the time. */
function unasked(stack: Stack, options: StackOptions): string[] {
  if (isThrowAway(stack.platform)) return ["--yes", "--skip-preview", "--suppress-outputs"];
  return options.yes === true ? ["--yes"] : [];
}

/** Commands to look at a stack's clusters, and to remove the stack. */
export function clusterHints(stack: Stack): { look: string[]; stop: string[] } {
  const make = (target: string): string => `make ${target}${stack.name === "dev" ? "" : ` STACK=${stack.name}`}`;
  const look = Object.values(stack.platform.clusters).map(lookAt);
  const sandbox = sandboxClusters(stack.platform).length > 0;
  return { look: [make("status"), ...look], stop: [`${make("destroy")}${sandbox ? ", then make sandbox-down" : ""}`] };
}

function lookAt(cluster: Cluster): string {
  if (cluster.kind === "docker") return `docker --host ${cluster.host} ps --filter network=${cluster.network}`;
  const kubeconfig = kubeconfigOf(cluster);
  return `kubectl${kubeconfig === undefined ? "" : ` --kubeconfig ${kubeconfig}`} --context ${cluster.context} get pods -A`;
}
