import { rmSync } from "node:fs";
import { join } from "node:path";
import type { KubernetesObject } from "@kubernetes/client-node";
import type { KubernetesCluster } from "../../../config/platform";
import { UserError, reportToStderr } from "../../shared/terminal";
import { type Conflict, conflictLine, conflictsIn, valueAt } from "../cluster/conflicts";
import { type EngineEvent, readEvents } from "../pulumi/eventLog";
import { readObject } from "../cluster/kubernetes";
import { isFromRun, release } from "../cluster/leftBehind";
import { checkPassphrase } from "../pulumi/localState";
import type { Stack } from "../stack/openStack";
import { runPulumi } from "../pulumi/pulumi";
import { adviceOn } from "../cluster/refusedBy";
import { runFolder } from "../pulumi/runFolder";

/** Options with which Pulumi enforces the rules of `policy/` on a stack, if its config enables them. */
export const policyPack = ({ platform }: Stack): string[] => (platform.policy ? ["--policy-pack", "policy"] : []);

/** Environment in which Pulumi accepts `--event-log`: it is an option for its developers; the Automation API uses it in the same way. */
export const withEventLog = { PULUMI_DEBUG_COMMANDS: "true" };

/**
 * Runs `preview`, `up` or `refresh` on a stack and returns Pulumi's exit code. An `up` adopts objects that an interrupted run has created
 * without a record in the state.
 * @param force takes back the fields that others have changed in the cluster
 * @throws UserError if it failed because of such fields, naming each with its owner, its current value and the program's value; or if a cluster
 * refused something for a reason that a user can act on
 */
export async function runStack(stack: Stack, args: readonly string[], { force = false } = {}): Promise<number> {
  for (;;) {
    const { code, events } = await runLogged(stack, args, force);
    if (code === 0) return code;
    if (stack.state !== undefined) checkPassphrase(stack.state, stack.name);
    const conflicts = await withObjects(stack, conflictsIn(events));
    if (conflicts.length === 0) return withAdvice(code, args, adviceOn(events));
    if (!conflicts.every(({ there, manager }) => there !== undefined && isFromRun(there, manager)))
      throw conflictsError(stack, conflicts, code);
    const left = [...new Set(conflicts.map(({ object }) => object))].join(", ");
    if (args[0] !== "up")
      throw new UserError(
        `an interrupted run left ${left} behind`,
        `make up STACK=${stack.name} adopts these objects`,
        code,
      );
    reportToStderr(`an interrupted run left ${left} behind; adopting these objects`);
    const runs = new Map(conflicts.map((conflict) => [`${conflict.object} ${conflict.manager}`, conflict]));
    for (const { place, manager } of runs.values())
      await release(stack.platform.clusters[place.cluster] as KubernetesCluster, place, manager);
  }
}

/** Conflicts with their objects in the clusters; without, if one cannot be read. */
function withObjects({ platform }: Stack, conflicts: readonly Conflict[]) {
  const read = new Map<string, Promise<KubernetesObject | undefined>>();
  return Promise.all(
    conflicts.map(async (conflict) => {
      const { object, place } = conflict;
      const cluster = platform.clusters[place.cluster];
      if (cluster === undefined || cluster.kind === "docker") return { ...conflict, there: undefined };
      const key = `${place.cluster} ${object}`;
      const there = read.get(key) ?? readObject(cluster, place).catch(() => undefined);
      read.set(key, there);
      return { ...conflict, there: await there };
    }),
  );
}

/** Runs Pulumi, and returns its exit code, and the events of a run that failed. */
async function runLogged(
  stack: Stack,
  args: readonly string[],
  force: boolean,
): Promise<{ readonly code: number; readonly events: readonly EngineEvent[] }> {
  const log = join(runFolder(), "events");
  rmSync(log, { force: true });
  const { env } = stack.pulumi;
  const code = await runPulumi(
    {
      ...stack.pulumi,
      env: { ...env, ...withEventLog, ...(force ? { PULUMI_K8S_ENABLE_PATCH_FORCE: "true" } : {}) },
    },
    [...args, "--event-log", log],
  );
  return { code, events: code === 0 ? [] : readEvents(log) };
}

/** @returns the exit code, if there is no advice */
function withAdvice(code: number, [command]: readonly string[], advice: readonly string[]): number {
  if (advice.length === 0) return code;
  const next = [...advice, "then run the same command again: it continues from here"].join("\n");
  throw new UserError(`pulumi ${command} ended with exit code ${code}`, next, code);
}

function conflictsError(
  stack: Stack,
  conflicts: readonly (Conflict & { readonly there: unknown })[],
  code: number,
): UserError {
  const lines = conflicts.map((conflict) => conflictLine(conflict, valueAt(conflict.there, conflict.field)));
  return new UserError(
    `fields were changed in the cluster by others, who own them now:\n${lines.map((line) => `  ${line}`).join("\n")}`,
    `make up STACK=${stack.name} FORCE=1 takes them back; to keep what is there, set it in Pulumi.${stack.whole}.yaml`,
    code,
  );
}
