import { basename } from "node:path";
import { kazooParts, workloads } from "../../../components/names";
import { services } from "../../../config/hosts";
import type { Zone } from "../../../config/platform";
import { chooseAmong, confirmed } from "../../shared/choose";
import { imageMessage, zoneMessage } from "../stack/history";
import type { Selection } from "../cluster/nodes";
import { refuseOtherClusters } from "../cluster/otherCluster";
import { runStack } from "./runStack";
import { type Stack, isThrowAway, openStack, readPlatform, stackFile } from "../stack/openStack";
import { UserError, reportToStderr } from "../../shared/terminal";
import { readZones } from "../stack/zones";
import { tryFile } from "../stackFile/tryFile";
import { begin } from "./oneStack";

/** Options of the commands on a zone's deployment. */
export interface DeployOptions extends Selection {
  readonly stack: string;
  readonly yes?: boolean;
  readonly to?: string;
  readonly timeout?: string;
}

/** A part of a zone's Kazoo: its logical name, and its kind in the API. */
export interface Part {
  /** The end of the logical name, after `ZONE-kazoo-`; `*` for all. */
  readonly suffix: string;
  readonly kind: "services" | "statefulsets";
  readonly object: string;
}
export const service: Part = { suffix: kazooParts.service, kind: "services", object: services.kazoo };
export const nodes: Part = { suffix: kazooParts.nodes, kind: "statefulsets", object: workloads.kazoo };
export const everything: Part = { suffix: "*", kind: "statefulsets", object: workloads.kazoo };

/** Arguments that limit Pulumi to a part of a zone. */
export const target = (zone: string, { suffix }: Part): string[] => ["--target", `**::${zone}-kazoo-${suffix}`];

/**
 * Previews, asks unless the stack is throw-away, then updates a part of a zone and waits until it is ready.
 * @param targets arguments that limit Pulumi to that part
 * @param start called right before the update starts: from then on the cluster may have changed
 * @returns whether it was updated; false if the answer was no
 */
export async function apply(
  stack: Stack,
  zone: string,
  targets: readonly string[],
  what: string,
  { yes = false }: { readonly yes?: boolean },
  start: () => void = () => undefined,
): Promise<boolean> {
  // Objects deleted in the cluster are still in the state: without a refresh, Pulumi would not restore them.
  const limited = [...targets, "--refresh"];
  const throwAway = isThrowAway(stack.platform);
  await refuseOtherClusters(stack);
  const preview = await runStack(stack, ["preview", ...stack.selection, ...limited]);
  if (preview !== 0)
    throw new UserError(`the preview ended with exit code ${preview}`, "see pulumi's messages above", preview);
  if (!(await confirmed("apply this?", yes || throwAway))) return false;
  const { [zone]: before } = await readZones(stack);
  const message = ["--message", imageMessage(zoneMessage(what, zone), before?.image)];
  start();
  const code = await runStack(stack, [
    ...["up", ...stack.selection, ...limited, ...message],
    ...["--yes", "--skip-preview", "--suppress-outputs"],
  ]);
  if (code !== 0) throw new UserError(`pulumi up ended with exit code ${code}`, "see pulumi's messages above", code);
  return true;
}

/**
 * Writes a stack's file and applies it to a part of a zone. The previous file is restored if the config is invalid or the update never starts,
 * also after Ctrl-C. Once the update has started the new file stays, because the cluster may have the change.
 * @param part arguments that limit Pulumi to the part, and the command that continues after a failure. @default the zone's Kazoo
 */
export async function applyFile(
  options: DeployOptions,
  zone: Zone,
  text: string,
  what: string,
  part = {
    targets: target(zone.name, everything),
    again: `make kube-deploy STACK=${options.stack} ZONE=${zone.name}`,
  },
): Promise<void> {
  const path = stackFile(options.stack);
  let started = false;
  try {
    const applied = await tryFile(path, text, async (keep) => {
      const stack = await openStack(options.stack, reportToStderr);
      await begin(stack);
      return apply(stack, zone.name, part.targets, what, options, () => {
        keep();
        started = true;
      });
    });
    reportToStderr(applied ? `the change is in ${basename(path)}` : "nothing was changed");
  } catch (error) {
    throw started && error instanceof UserError ? halfway(error, options.stack, part.again) : error;
  }
}

/** The error of an update that has started: the cluster may have some or all of the changes. */
function halfway({ message, exitCode }: UserError, stack: string, again: string): UserError {
  const file = basename(stackFile(stack));
  return new UserError(
    message,
    `${file} keeps the change: ${again} continues; to go back, undo it in ${file} first`,
    exitCode,
  );
}

/** The zone to act on, from the stack's file: it need not be deployed. */
export const zoneOfFile = ({ stack, zone }: DeployOptions): Promise<Zone> =>
  chooseAmong("zone", "ZONE", readPlatform(stack).zones, zone);
