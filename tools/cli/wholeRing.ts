import { workloads } from "../../components/names";
import type { Platform, Zone } from "../../config/platform";
import { up } from "./commands/lifecycle";
import { askInside } from "./insideNode";
import { unlessSimulated } from "./kubernetes";
import { hostsIn, nodesOf, zonesOf } from "./nodes";
import { type Stack, openStack } from "./openStack";
import { runStack } from "./runStack";
import { UserError, reportToStderr } from "../shared/terminal";

/** Shared by the runbooks that change a whole ring, with one update of its stack per step. */

/** Opens a stack that holds whole rings. @throws UserError if each region has a stack of its own */
export async function openWhole(name: string, command: string): Promise<Stack> {
  const stack = await openStack(name, reportToStderr);
  if (stack.platform.stacks === "region") throw notWhole(command, stack.whole, "docs/regions.md#limits");
  return stack;
}

/** The error of a command that changes a whole ring, if each region has a stack of its own. @param page has the steps by hand */
export const notWhole = (command: string, whole: string, page: string): UserError =>
  new UserError(
    `${command} needs a stack that holds its whole ring, but Pulumi.${whole}.yaml gives each region a stack of its own`,
    `${page} has the steps by hand`,
  );

/** Refuses a ring on Docker. */
export function refuseDocker({ clusters }: Platform, ring: string, zones: readonly Zone[], command: string): void {
  if (zones.some(({ cluster }) => clusters[cluster]?.kind === "docker"))
    throw new UserError(`${command} is for Kubernetes, and ring ${ring} is on Docker`, "choose another ring: RING=");
}

/** Refuses to start while the stack's file has unapplied changes, because the first step would apply them too. */
export async function requireNoChanges(stack: Stack): Promise<void> {
  const code = await runStack(stack, ["preview", ...stack.selection, "--expect-no-changes"]);
  if (code === 0) return;
  throw new UserError(
    "the stack has changes that are not applied, or its preview fails",
    `first run make up STACK=${stack.name}; nothing was changed`,
    code,
  );
}

/** Updates the whole stack. @param again the command that continues after a failure */
export async function upOrAgain(stack: string, again: string): Promise<void> {
  try {
    await up({ stack, yes: true }, []);
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
