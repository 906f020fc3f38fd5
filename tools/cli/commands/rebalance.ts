import type { Ring } from "../../../config/platform";
import { choose } from "../choose";
import { liveRing, shardPlan, shardStep, wantedCopies } from "../liveRing";
import { zonesOf } from "../nodes";
import { isThrowAway, openStack } from "../openStack";
import { type RunbookOptions, follow } from "../runbook";
import { UserError, reportToStderr } from "../../shared/terminal";
import { begin } from "./lifecycle";

export interface RebalanceOptions extends RunbookOptions {
  readonly ring?: string;
  readonly copies?: string;
}

/** Moves and copies existing shards to where the stack's file wants copies, evenly over the nodes of each zone. */
export async function rebalance(options: RebalanceOptions): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  const { platform } = stack;
  const name = await choose("ring", "RING", Object.keys(platform.rings), options.ring);
  const ring = platform.rings[name] as Ring;
  if (options.dryRun !== true) await begin(stack);
  const zones = (await zonesOf(stack)).filter(({ zone }) => zone.ring === name);
  const away = platform.zones.find((zone) => zone.ring === name && zone.drained.includes("database"));
  if (away !== undefined)
    throw new UserError(
      `the database nodes of zone ${away.name} are drained, and their copies cannot be compared`,
      `make return STACK=${stack.name} ZONE=${away.name} first`,
    );
  const wanted = { ...wantedCopies(ring), even: true, ...givenCopies(options.copies) };
  const live = liveRing(stack, ring, zones, []);
  const plan = await shardPlan(live, wanted);
  const places = Object.entries(wanted.placement ?? {}).map(([zone, copies]) => `${copies} in ${zone}`);
  await follow(
    {
      name: `rebalance ring ${name}`,
      notes: [
        `each shard gets ${wanted.copies} copies${places.length === 0 ? "" : `, ${places.join(", ")}`}${wanted.fewer === true ? "" : "; databases that have more keep as many"}`,
        "a zone whose only database node gets copies has no database meanwhile: its Kazoo waits",
      ],
      steps: [shardStep(live, wanted, "Shards are copied, and copies that are too many or elsewhere go", plan)],
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(platform) },
    reportToStderr,
  );
}

/** What `--copies` says: so many, also where there are more. */
export function givenCopies(given: string | undefined): { copies?: number; fewer?: true } {
  if (given === undefined) return {};
  const copies = Number(given);
  if (!Number.isInteger(copies) || copies < 1)
    throw new UserError(`${JSON.stringify(given)} is no number of copies`, "give one from 1 on: COPIES=2");
  return { copies, fewer: true };
}
