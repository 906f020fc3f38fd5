import type { Ring } from "../../../config/platform";
import { choose } from "../choose";
import { liveRing, requireNodes, shardPlan, shardStep, wantedCopies } from "../liveRing";
import { zonesOf } from "../nodes";
import { isThrowAway, openStack } from "../openStack";
import { type RunbookOptions, follow } from "../runbook";
import { UserError, reportToStderr } from "../../shared/terminal";
import { begin } from "./lifecycle";

export interface RebalanceOptions extends RunbookOptions {
  readonly ring?: string;
  readonly copies?: string;
  /** A zone whose database nodes are to hold no copies any more. */
  readonly without?: string;
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
  const without =
    options.without === undefined ? undefined : await choose("zone", "WITHOUT", ring.zones, options.without);
  if (without !== undefined && without in (ring.placement ?? {}))
    throw new UserError(
      `the ring's placement has copies in ${without}, and new databases would get them there`,
      `set kazoo:rings.${name}.placement to the zones that stay, and run make up STACK=${stack.name}`,
    );
  const leaving = zones.flatMap((zone) => (zone.name === without ? zone.zone.nodes.database : []));
  const wanted = { ...wantedCopies(ring), even: without === undefined, ...givenCopies(options.copies) };
  const live = liveRing(stack, ring, zones, leaving);
  const plan = await shardPlan(live, wanted);
  if (plan !== undefined) requireNodes(plan, "give the zones that stay more database nodes first (replicas)");
  const places = Object.entries(wanted.placement ?? {}).map(([zone, copies]) => `${copies} in ${zone}`);
  await follow(
    {
      name: `rebalance ring ${name}${without === undefined ? "" : ` without zone ${without}`}`,
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
