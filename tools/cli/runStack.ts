import { join } from "node:path";
import type { KubernetesObject } from "@kubernetes/client-node";
import { UserError } from "../shared/terminal";
import { type Conflict, conflictLine, conflictsIn, valueAt } from "./conflicts";
import { readEvents } from "./eventLog";
import { asking, clientsOf } from "./kubernetes";
import type { Stack } from "./openStack";
import { runPulumi } from "./pulumi";
import { runFolder } from "./runFolder";

/** Options with which Pulumi holds a stack to the rules of `policy/`, where its config asks for that. */
export const policyPack = ({ platform }: Stack): string[] => (platform.policy ? ["--policy-pack", "policy"] : []);

/** Environment in which Pulumi accepts `--event-log`: it is an option for its developers; the Automation API uses it in the same way. */
export const withEventLog = { PULUMI_DEBUG_COMMANDS: "true" };

/**
 * Runs `preview`, `up` or `refresh` on a stack and returns Pulumi's exit code.
 * @param force takes back the fields that others have taken over in the cluster
 * @throws UserError where it failed over such fields: it names each with who set it, what is there and what the program wants
 */
export async function runStack(stack: Stack, args: readonly string[], { force = false } = {}): Promise<number> {
  const log = join(runFolder(), "events");
  const { env } = stack.pulumi;
  const code = await runPulumi(
    {
      ...stack.pulumi,
      env: { ...env, ...withEventLog, ...(force ? { PULUMI_K8S_ENABLE_PATCH_FORCE: "true" } : {}) },
    },
    [...args, "--event-log", log],
  );
  const conflicts = code === 0 ? [] : conflictsIn(readEvents(log));
  if (conflicts.length === 0) return code;
  const lines = await Promise.all(conflicts.map(async (one) => conflictLine(one, await there(stack, one))));
  throw new UserError(
    `fields were changed in the cluster by others, who own them now:\n${lines.map((line) => `  ${line}`).join("\n")}`,
    `make up STACK=${stack.name} FORCE=1 takes them back; to keep what is there, set it in Pulumi.${stack.name}.yaml`,
    code,
  );
}

/** What the cluster has in a field; undefined where it cannot be read. */
async function there({ platform }: Stack, { place, field }: Conflict): Promise<unknown> {
  const cluster = platform.clusters[place.cluster];
  if (cluster === undefined || cluster.kind === "docker") return undefined;
  const { apiVersion, kind, name, namespace } = place;
  try {
    const { objects } = await clientsOf(cluster);
    const object = await asking<KubernetesObject>(cluster, () =>
      objects.read({ apiVersion, kind, metadata: { name, ...(namespace === "" ? {} : { namespace }) } }),
    );
    return valueAt(object, field);
  } catch {
    return undefined;
  }
}
