import { workloads } from "../../../components/names";
import type { Platform, Zone } from "../../../config/platform";
import { partOf, regionStack, regionsOf } from "../../../config/stackPart";
import { begin } from "../run/oneStack";
import * as fleet from "../run/fleet";
import { askInside } from "../cluster/insideNode";
import { unlessSimulated } from "../cluster/kubernetes";
import { deployedIn } from "../stack/deployed";
import { hostsIn, nodesOf, zonesOf } from "../cluster/nodes";
import { type Stack, openRegions, openStack, readPlatform } from "../stack/openStack";
import { UserError, reportToStderr } from "../../shared/terminal";

/** Shared by the runbooks that change a whole ring, with one update of its stack per step. */

/** All that a stack's file describes. @throws UserError for the stack of a region */
export function readWhole(name: string): Platform {
  const platform = readPlatform(name);
  const { whole } = partOf(platform, name);
  if (whole !== name) throw new UserError(`stack ${name} is a region of stack ${whole}`, `set STACK=${whole}`);
  return platform;
}

/**
 * Opens all that a stack's file describes. If regions have stacks of their own, it is the stack with what they share, but the platform has the
 * zones and clusters of all regions.
 * @throws UserError for the stack of a region
 */
export async function openWhole(name: string): Promise<Stack> {
  const platform = readWhole(name);
  return { ...(await openStack(name, reportToStderr, { shared: true })), platform };
}

/** Starts the clusters of a stack, and cleans up after killed runs on each Pulumi stack that holds its zones. */
export async function beginWhole({ name }: Stack): Promise<void> {
  for (const stack of await openRegions(name, reportToStderr)) await begin(stack);
}

/** @throws UserError if the user's own backend lacks the stack of a region; in the project's local backend, they are created */
export async function requireStacks({ name, pulumi, state }: Stack, platform: Platform): Promise<void> {
  if (state !== undefined) return;
  for (const region of regionsOf(platform)) await deployedIn({ name: regionStack(name, region), pulumi });
}

/** Refuses a ring on Docker. */
export function refuseDocker({ clusters }: Platform, ring: string, zones: readonly Zone[], command: string): void {
  if (zones.some(({ cluster }) => clusters[cluster]?.kind === "docker"))
    throw new UserError(`${command} is for Kubernetes, and ring ${ring} is on Docker`, "choose another ring: RING=");
}

/**
 * Refuses to start while the stack's file has unapplied changes: the first update would apply them too, and a preview after a move of states
 * could not tell them from the move's.
 * @param again the command to run once they are applied
 */
export async function requireNoChanges(stack: string, again: string): Promise<void> {
  const code = await fleet.preview({ stack }, ["--expect-no-changes", "--suppress-outputs"]).catch((error: unknown) => {
    if (!(error instanceof UserError)) throw error;
    reportToStderr(error.message);
    return error.exitCode;
  });
  if (code === 0) return;
  throw new UserError(
    "the stack has changes that are not applied, or its preview fails",
    `make up STACK=${stack} applies them; then ${again}`,
    code,
  );
}

/**
 * Updates a stack, with the stacks of its regions if they have some.
 * @param again the command that continues after a failure
 * @param args for Pulumi
 */
export async function upOrAgain(stack: string, again: string, args: readonly string[] = []): Promise<void> {
  try {
    await fleet.up({ stack, yes: true }, args);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const advice = error.next === undefined ? [] : [error.next];
    throw new UserError(error.message, [...advice, `${again} continues with this step`].join("\n"), error.exitCode);
  }
}

/**
 * Runs a shell script in each broker of a ring, one after the other; simulated brokers are skipped.
 * @param read receives the output and its origin: `rabbitmq-alpha-0 in namespace us-east-nyc`
 */
export async function inBrokers(
  stack: Stack,
  ring: string,
  script: string,
  read: (printed: string, where: string) => void = () => undefined,
): Promise<void> {
  for (const { zone, cluster } of (await zonesOf(stack)).filter((each) => each.zone.ring === ring)) {
    for (const { workload, place } of nodesOf(hostsIn(zone), cluster)) {
      if (workload !== workloads.rabbitmq || place.kind !== "pod") continue;
      await unlessSimulated(async () =>
        read(await askInside(place, script), `${place.pod} in namespace ${place.namespace}`),
      );
    }
  }
}
