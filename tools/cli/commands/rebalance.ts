import type { Ring } from "../../../config/platform";
import { choose } from "../../shared/choose";
import { liveRing, requireNodes, shardPlan, shardStep, wantedCopies, givenCopies } from "../runbook/liveRing";
import { zonesOf } from "../cluster/nodes";
import { isThrowAway } from "../stack/openStack";
import { type RunbookOptions, follow } from "../runbook/runbook";
import { beginWhole, openWhole } from "../runbook/wholeRing";
import { UserError, reportToStderr } from "../../shared/terminal";

export interface RebalanceOptions extends RunbookOptions {
  readonly ring?: string;
  readonly copies?: string;
  /** A zone whose database nodes give away all their copies. */
  readonly without?: string;
}

/** Copies and moves existing shards to the zones where the stack's file wants copies, evenly over the nodes of each zone. */
export async function rebalance(options: RebalanceOptions): Promise<void> {
  const stack = await openWhole(options.stack);
  const { platform } = stack;
  const name = await choose("ring", "RING", Object.keys(platform.rings), options.ring);
  const ring = platform.rings[name] as Ring;
  if (options.dryRun !== true) await beginWhole(stack);
  const zones = (await zonesOf(stack)).filter(({ zone }) => zone.ring === name);
  const away = platform.zones.find((zone) => zone.ring === name && zone.drained.includes("database"));
  if (away !== undefined)
    throw new UserError(
      `the database nodes of zone ${away.name} are drained, so their copies cannot be compared`,
      `first run make return STACK=${stack.name} ZONE=${away.name}`,
    );
  const without =
    options.without === undefined ? undefined : await choose("zone", "WITHOUT", ring.zones, options.without);
  if (without !== undefined && without in (ring.placement ?? {}))
    throw new UserError(
      `the ring's placement names ${without}, so new databases would get copies there`,
      `set kazoo:rings.${name}.placement to the remaining zones, and run make up STACK=${stack.name}`,
    );
  const leaving = zones.flatMap((zone) => (zone.name === without ? zone.zone.nodes.database : []));
  const wanted = { ...wantedCopies(ring), even: without === undefined, ...givenCopies(options.copies) };
  const live = liveRing(stack, ring, zones, leaving);
  const plan = await shardPlan(live, wanted);
  if (plan !== undefined) requireNodes(plan, "first give the remaining zones more database nodes (replicas)");
  const places = Object.entries(wanted.placement ?? {}).map(([zone, copies]) => `${copies} in ${zone}`);
  await follow(
    {
      name: `rebalance ring ${name}${without === undefined ? "" : ` without zone ${without}`}`,
      notes: [
        `each shard gets ${wanted.copies} copies${places.length === 0 ? "" : `, ${places.join(", ")}`}${wanted.fewer === true ? "" : "; databases that have more keep theirs"}`,
        "while a zone's only database node gets copies, the zone has no database, and its Kazoo waits",
      ],
      steps: [shardStep(live, wanted, "Shards are copied to their new nodes, then surplus copies are removed", plan)],
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(platform) },
    reportToStderr,
  );
}
