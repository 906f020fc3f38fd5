import type { DrainedWorkload, Platform, Zone } from "../../../config/platform";
import { UserError, reportToStderr } from "../../shared/terminal";
import { requireHealthy } from "../cluster/health";
import { askInside } from "../cluster/insideNode";
import { SimulatedPodError } from "../cluster/kubernetes";
import { type SelectedZone, hostsIn, nodesOf, zonesOf } from "../cluster/nodes";
import { type LiveZone, liveZone } from "../runbook/liveZone";
import { type RunbookOptions, follow } from "../runbook/runbook";
import { onlyThere, readShardMaps, shardMapsScript } from "../runbook/shards/copies";
import { callsStop, start, stop, drainable } from "../runbook/zoneSteps";
import { isThrowAway } from "../stack/openStack";

/** Takes a zone out of service: its Kazoo nodes, its brokers and, if the ring stays complete without them, its database nodes. */
export async function drain(options: RunbookOptions): Promise<void> {
  const live = await liveZone(options);
  const { stack, zone, selected } = live;
  const others = (await zonesOf(stack)).filter(({ name, zone: { ring } }) => ring === zone.ring && name !== zone.name);
  const away = others.filter(({ name }) => drainedIn(stack.platform, name).length > 0);
  const staying = others.filter((other) => !away.includes(other));
  await requireHealthy(stack, staying);
  const storing = others.filter(({ name }) => !drainedIn(stack.platform, name).includes("database"));
  const gone = [selected, ...others.filter((other) => !storing.includes(other))].flatMap(
    ({ zone: { nodes } }) => nodes.database,
  );
  const obstacle = zone.drained.includes("database")
    ? undefined
    : (copiesElsewhere(stack.platform, zone, storing) ?? (await shardsElsewhere(live, staying, gone)));
  const wanted = drainable.filter((workload) => workload !== "database" || obstacle === undefined);

  await follow(
    {
      name: `drain zone ${zone.name}`,
      notes: [
        staying.length === 0
          ? "no other zone of its ring is in service: there are no calls until the zone returns"
          : `new calls go to ${staying.map(({ name }) => name).join(", ")}`,
        ...(obstacle === undefined ? [] : [`the database nodes keep running: ${obstacle}`]),
      ],
      steps: [callsStop(live), stop(options, live, wanted, "drain")],
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(stack.platform) },
    reportToStderr,
  );
}

/** Returns a drained zone to service. */
export async function returnZone(options: RunbookOptions): Promise<void> {
  const live = await liveZone(options);
  const { stack, zone } = live;
  await follow(
    { name: `return zone ${zone.name}`, notes: [], steps: [start(options, live)] },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(stack.platform) },
    reportToStderr,
  );
}

const drainedIn = ({ zones }: Platform, name: string): readonly DrainedWorkload[] =>
  zones.find((zone) => zone.name === name)?.drained ?? [];

/** Why, according to the config, other zones lack copies of some documents; undefined if they have all. */
function copiesElsewhere(platform: Platform, zone: Zone, others: readonly SelectedZone[]): string | undefined {
  const placement = platform.rings[zone.ring]?.placement;
  const places = others.filter(({ name }) => placement === undefined || (placement[name] ?? 0) > 0);
  return places.length > 0 ? undefined : "no other zone that runs its database has copies";
}

/** Why, according to the database itself, the ring would be incomplete: older databases keep the number of copies they were created with. */
async function shardsElsewhere(
  { stack, zone }: LiveZone,
  staying: readonly SelectedZone[],
  gone: readonly string[],
): Promise<string | undefined> {
  const [asked] = staying;
  const [node] = asked === undefined ? [] : nodesOf(hostsIn(asked.zone), asked.cluster);
  const kind = stack.platform.rings[zone.ring]?.database;
  if (kind === undefined) return undefined;
  if (asked === undefined || node?.place.kind !== "pod")
    return "no Kazoo node of another zone can tell where the copies are";
  try {
    const lost = onlyThere(
      readShardMaps(await askInside(node.place, shardMapsScript(kind, asked.zone.endpoints.database))),
      gone,
    );
    const some = lost.length > 3 ? `${lost.slice(0, 3).join(", ")} and ${lost.length - 3} more` : lost.join(", ");
    return lost.length === 0 ? undefined : `this zone has all copies of ${some}`;
  } catch (error) {
    if (error instanceof SimulatedPodError) return undefined;
    if (error instanceof UserError) return `could not find out where the copies are: ${error.message}`;
    throw error;
  }
}
