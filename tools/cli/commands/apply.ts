import { readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { basename } from "node:path";
import { kazooParts, workloads } from "../../../components/names";
import { services } from "../../../config/hosts";
import type { Zone } from "../../../config/platform";
import { stackFilePath } from "../../../config/stackFile";
import { chooseAmong, confirmed } from "../choose";
import { imageMessage, zoneMessage } from "../history";
import { type Selection } from "../nodes";
import { runPulumi } from "../pulumi";
import { type Stack, isThrowAway, openStack, projectDirectory, readPlatform } from "../openStack";
import { UserError, reportToStderr } from "../../shared/terminal";
import { readZones } from "../zones";
import { begin } from "./lifecycle";

/** What the commands on a zone's deployment are told. */
export interface DeployOptions extends Selection {
  readonly stack: string;
  readonly yes?: boolean;
  readonly to?: string;
  readonly timeout?: string;
}

/** Resources of a zone's Kazoo: logical name, and as the API server has it. */
export interface Part {
  /** Of the zone's logical names, behind `ZONE-kazoo-`; `*` for all. */
  readonly suffix: string;
  readonly kind: "services" | "statefulsets";
  readonly object: string;
}
export const service: Part = { suffix: kazooParts.service, kind: "services", object: services.kazoo };
export const nodes: Part = { suffix: kazooParts.nodes, kind: "statefulsets", object: workloads.kazoo };
export const everything: Part = { suffix: "*", kind: "statefulsets", object: workloads.kazoo };

/** What Pulumi is told to keep to a part of a zone. */
export const target = (zone: string, { suffix }: Part): string[] => ["--target", `**::${zone}-kazoo-${suffix}`];

/**
 * Previews and asks, unless there is nothing to lose; then updates a part of a zone and waits until it is ready.
 * @param start called right before the update starts: from then on what is there may have changed
 * @returns whether it was updated; false where the answer was no
 */
export async function apply(
  stack: Stack,
  zone: string,
  part: Part,
  what: string,
  { yes = false }: { readonly yes?: boolean },
  start: () => void = () => undefined,
): Promise<boolean> {
  // What was deleted in the cluster is still in the state: without looking first nothing would bring it back.
  const targets = [...target(zone, part), "--refresh"];
  const throwAway = isThrowAway(stack.platform);
  const preview = await runPulumi(stack.pulumi, ["preview", ...stack.selection, ...targets]);
  if (preview !== 0)
    throw new UserError(`the preview ended with exit code ${preview}`, "read what pulumi says above", preview);
  if (!(await confirmed("apply this?", yes || throwAway))) return false;
  const { [zone]: before } = await readZones(stack);
  const message = ["--message", imageMessage(zoneMessage(what, zone), before?.image)];
  start();
  const code = await runPulumi(stack.pulumi, [
    ...["up", ...stack.selection, ...targets, ...message],
    ...["--yes", "--skip-preview", "--suppress-outputs"],
  ]);
  if (code !== 0) throw new UserError(`pulumi up ended with exit code ${code}`, "read what pulumi says above", code);
  return true;
}

/** Path of a stack's file. */
export const stackFile = (stack: string): string => stackFilePath(projectDirectory, stack);

/**
 * Writes a stack's file and applies it to a zone's Kazoo. A file that is no right config, and one whose update never starts, is put back, by
 * Ctrl-C and its like too; from then on it stays, since the cluster may have the change.
 */
export async function applyFile(options: DeployOptions, zone: Zone, text: string, what: string): Promise<void> {
  const path = stackFile(options.stack);
  const before = readFileSync(path, "utf8");
  const update = { started: false, interrupted: false };
  const onSignal = (signal: NodeJS.Signals): void => {
    writeFileSync(path, before);
    update.interrupted = true;
    // A preview that runs hears it too, and we go on to its end; where nobody else listens it ends us, as it would have.
    if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
  };
  const deaf = (): void => signals.forEach((signal) => process.off(signal, onSignal));
  signals.forEach((signal) => process.on(signal, onSignal));
  writeFileSync(path, text);
  try {
    const stack = await openStack(options.stack, reportToStderr);
    await begin(stack);
    const applied = await apply(stack, zone.name, everything, what, options, () => {
      if (update.interrupted) throw new UserError("interrupted", "nothing was changed", 130);
      update.started = true;
      deaf();
    });
    reportToStderr(applied ? `${basename(path)} has the change` : "nothing was changed");
  } catch (error) {
    throw update.started && error instanceof UserError ? halfway(error, options.stack, zone) : error;
  } finally {
    deaf();
    if (!update.started) writeFileSync(path, before);
  }
}

/** The error of an update that has started: the cluster may have a part of what the stack's file says, or all of it. */
function halfway({ message, exitCode }: UserError, stack: string, zone: Zone): UserError {
  const file = basename(stackFile(stack));
  return new UserError(
    message,
    `${file} keeps the change: make kube-deploy STACK=${stack} ZONE=${zone.name} goes on; to go back, undo it in ${file} first`,
    exitCode,
  );
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The zone that is meant, of those in the stack's file: it need not be up. */
export const zoneOfFile = ({ stack, zone }: DeployOptions): Promise<Zone> =>
  chooseAmong("zone", "ZONE", readPlatform(stack).zones, zone);
