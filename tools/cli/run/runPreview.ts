import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { brokenRules, readEvents } from "../pulumi/eventLog";
import { recreatedClusters } from "../pulumi/localState";
import { handmadeIn, previewWith, refreshWith } from "../cluster/handmade";
import { deployedIn } from "../stack/deployed";
import { type Stack, startClusters } from "../stack/openStack";
import { withProgram } from "../pulumi/program";
import { runFolder } from "../pulumi/runFolder";
import { policyPack, withEventLog } from "./runStack";
import { type Report, UserError } from "../../shared/terminal";
import { type Diagnostic, type Digest, parseDigest } from "../../report/digest";
import type { Findings, UnseenCluster } from "../../report/model";
import { refuseOtherClusters } from "../cluster/otherCluster";
import { refuseStrangers } from "../cluster/strangers";
import { isDeletionRefused, isError } from "../../report/refusals";

/** The engine's findings; nothing here writes a stack's state. */
type Found = Pick<Findings, "preview" | "refused" | "deployed" | "refresh" | "failed">;

/**
 * Previews a stack. If that fails, previews it again without asking the clusters whether they would accept the changes: the first preview stops
 * at the first refused resource, but a reviewer must see all changes.
 * @param unseen clusters that do not answer
 * @throws UserError if the stack would take over what someone else created
 */
export async function previewStack(
  stack: Stack,
  report: Report,
  signal: AbortSignal,
  unseen: readonly UnseenCluster[],
): Promise<Found> {
  const args = ["preview", ...policyPack(stack), ...(await refreshArgs(stack, report))];
  await refuseOtherClusters(stack, unseen);
  await refuseStrangers(stack, unseen);
  report(`previewing stack ${stack.name}`);
  const first = await ask(stack, args, {}, signal);
  if (!first.failed || !first.digest.diagnostics.some(isOfResource))
    return { preview: first.digest, failed: first.failed };
  report("the preview was refused; listing all changes");
  const patient = { PULUMI_DISABLE_PROVIDER_PREVIEW: "true" };
  const second = await ask(stack, [...args, "--show-sames"], patient, signal);
  const errors = second.digest.diagnostics.filter(isError);
  const found = { preview: second.digest, refused: first.digest, failed: true };
  return errors.length > 0 && errors.every(isDeletionRefused) ? { ...found, deployed: await deployedIn(stack) } : found;
}

/**
 * Compares a stack's state with its clusters, and previews what the program would do about the differences.
 * @param unseen clusters that do not answer
 */
export async function lookForDrift(
  stack: Stack,
  report: Report,
  signal: AbortSignal,
  unseen: readonly UnseenCluster[],
): Promise<Found> {
  await startClusters(stack, report);
  report(`comparing stack ${stack.name} with its clusters`);
  const refresh = await ask(stack, ["refresh", "--preview-only"], {}, signal);
  if (refresh.failed) return { preview: { steps: [], diagnostics: [] }, refresh: refresh.digest, failed: true };
  report("previewing what the program would undo");
  // Someone who changes a field by hand becomes its owner; Kubernetes returns it only by force.
  const preview = await ask(stack, ["preview", "--refresh"], { PULUMI_K8S_ENABLE_PATCH_FORCE: "true" }, signal);
  const handmade = await handmadeIn(stack, refresh.digest, unseen);
  return {
    preview: previewWith(handmade, preview.digest),
    refresh: refreshWith(handmade, refresh.digest),
    failed: preview.failed,
  };
}

/** If a sandbox cluster was recreated, Pulumi must refresh first. */
async function refreshArgs(stack: Stack, report: Report): Promise<string[]> {
  const ids = await startClusters(stack, report);
  return stack.state !== undefined && recreatedClusters(stack.state, stack.name, ids).length > 0 ? ["--refresh"] : [];
}

const isOfResource = ({ urn, message, severity, policy }: Diagnostic): boolean =>
  policy === undefined &&
  severity === "error" &&
  (urn ?? message).includes("urn:pulumi:") &&
  !(urn ?? "").includes("::pulumi:pulumi:Stack::");

/** The most output that is read from Pulumi, in bytes; a refresh of 64 datacenters prints 75 MB. */
const mostOutput = 500 * 1024 * 1024;

async function ask(
  stack: Stack,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<{ readonly digest: Digest; readonly failed: boolean }> {
  const { binary, directory, env, program } = stack.pulumi;
  const log = join(runFolder(), `preview-events-${stack.name.replaceAll("/", "-")}`);
  rmSync(log, { force: true });
  const parsed = (text: string): Digest => {
    const digest = parseDigest(text, "the output of pulumi");
    return { ...digest, diagnostics: [...digest.diagnostics, ...brokenRules(readEvents(log))] };
  };
  const options = {
    cwd: directory,
    // A digest, not a stream of events.
    env: { ...env, ...environment, ...withEventLog, PULUMI_ENABLE_STREAMING_JSON_PREVIEW: undefined },
    maxBuffer: mostOutput,
    signal,
  };
  const all = ["--non-interactive", "--color", "never", ...args, "--json", "--event-log", log, ...stack.selection];
  try {
    const { stdout } = await withProgram(program, args, (client) =>
      promisify(execFile)(binary, [...all, ...client], options),
    );
    return { digest: parsed(stdout), failed: false };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UserError) throw error;
    const { stdout = "", stderr = "", message } = error as { stdout?: string; stderr?: string; message: string };
    if (stdout.trimStart().startsWith("{")) return { digest: parsed(stdout), failed: true };
    const said = (stderr.trim() || stdout.trim()).replace(/^error: /, "");
    throw new UserError(`pulumi ${args[0]}: ${said === "" ? message : said}`);
  }
}
