import { readFileSync } from "node:fs";
import type { Platform, Zone } from "../../../config/platform";
import { differences, earlier, readUpdates, rollouts } from "../stack/history";
import { openStack, stackFile } from "../stack/openStack";
import { environmentFor, isBuilt, ownEnvironment, withImage, withOwnEnvironment } from "../stackFile/stackEdit";
import { table } from "../../shared/table";
import { UserError, reportToStderr } from "../../shared/terminal";
import { readZones } from "../stack/zones";
import { type DeployOptions, applyFile, zoneOfFile } from "../run/apply";

async function rolloutsOf(options: DeployOptions) {
  const stack = await openStack(options.stack, reportToStderr);
  const zone = await zoneOfFile(options);
  const { [zone.name]: view } = await readZones(stack);
  const updates = await readUpdates(stack);
  return { stack, zone, updates, all: rollouts(updates, zone.name, view?.image) };
}

/** `kube-deploy-rollback`. */
export async function rollback(options: DeployOptions): Promise<void> {
  const { stack, zone, all } = await rolloutsOf(options);
  const found = earlier(all, options.to === undefined ? undefined : Number(options.to));
  const [newest] = all;
  if (found === undefined || newest === undefined) {
    throw new UserError(
      options.to === undefined
        ? `zone ${zone.name} has no earlier state`
        : `zone ${zone.name} has no update ${options.to}`,
      `make kube-rollout-history STACK=${stack.name} lists the updates`,
    );
  }
  const text = readFileSync(stackFile(options.stack), "utf8");
  const { wanted: own, stuck } = environmentFor(found.environment, zone, ownEnvironment(text, zone));
  if (stuck.length > 0) {
    throw new UserError(
      `${stuck.join(", ")} was not set then, but is now set for the region or the whole stack`,
      `remove it there in Pulumi.${options.stack}.yaml, then make kube-deploy`,
    );
  }
  if (found.image === undefined)
    reportToStderr(`the image after update ${found.update.number} is unknown: the current one stays`);
  let wanted = withOwnEnvironment(text, zone, own);
  reportToStderr(
    `zone ${zone.name}, back to update ${found.update.number}: ${differences(newest, found).join(", ") || "no difference"}`,
  );
  if (found.image !== undefined && found.image !== newest.image) {
    wanted = withImage(wanted, stack.platform, found.image);
    imageNotes(stack.platform, zone, found.image).forEach(reportToStderr);
  }
  await applyFile(options, zone, wanted, `kube-deploy-rollback to ${found.update.number}`);
}

/** Further effects of going back to an earlier image: a stack has one image for all its zones. */
export function imageNotes({ image, zones }: Platform, zone: Zone, reference: string): string[] {
  const others = zones.filter(({ name }) => name !== zone.name).map(({ name }) => name);
  return [
    ...(others.length === 0 ? [] : [`a stack has one image: the next make up changes ${others.join(", ")} too`]),
    ...(image.kind === "build" && !isBuilt(image, reference)
      ? ["the stack's file now names this image instead of building one; its build settings stay as a comment"]
      : []),
  ];
}

/** `kube-rollout-history`. */
export async function history(options: DeployOptions): Promise<void> {
  const { updates, all } = await rolloutsOf(options);
  const rows = updates.map((update) => {
    const index = all.findIndex((rollout) => rollout.update === update);
    const [rollout, before] = [all[index], all[index + 1]];
    const changes =
      rollout === undefined ? "" : before === undefined ? "first" : differences(before, rollout).join(", ");
    return [String(update.number), update.time, update.result, changes || "-", update.message.split("\n")[0] ?? ""];
  });
  process.stdout.write(table([["UPDATE", "TIME", "RESULT", "CHANGED", "MESSAGE"], ...rows.reverse()]));
}
