import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { type Ring, copiesOf } from "../../../config/platform";
import { parseUrn } from "../../report/digest";
import { counted } from "../doctor/checks/finding";
import { judged } from "../stackFile/judged";
import { unlessSimulated } from "../cluster/kubernetes";
import {
  forgetStep,
  liveRing,
  maintenanceIn,
  movesShards,
  requireNodes,
  shardPlan,
  shardStep,
  wantedCopies,
} from "../runbook/liveRing";
import { type LiveZone, liveZone, dataClaimsOf } from "../runbook/liveZone";
import { type SelectedZone, zonesOf } from "../cluster/nodes";
import { isThrowAway, stackFile } from "../stack/openStack";
import { type RunbookOptions, type RunbookStep, follow } from "../runbook/runbook";
import { withSetting } from "../stackFile/stackEdit";
import { unprotect } from "../stack/stateMove";
import { requireNoChanges, upOrAgain } from "../runbook/wholeRing";
import { UserError, reportToStderr } from "../../shared/terminal";
import { rebalance } from "./rebalance";
import { requireHealthy } from "../cluster/health";

interface ScaleOptions extends RunbookOptions {
  readonly to: string;
}

/** Changes the number of a zone's database nodes: shards move to the new nodes, or away from those that are removed. */
export async function scale(options: ScaleOptions): Promise<void> {
  const to = wantedNodes(options.to);
  const live = await liveZone(options);
  const { stack, own, zone, selected } = live;
  refuse(live);
  const ring = stack.platform.rings[zone.ring] as Ring;
  const path = stackFile(stack.name);
  const file = basename(path);
  const edited = () => withSetting(readFileSync(path, "utf8"), zone, ["workloads", "database", "replicas"], to);
  const after = judged(edited(), file, `with ${counted(to, "database node")} in ${zone.name}`).rings[ring.name] as Ring;
  if (copiesOf(after) < copiesOf(ring))
    throw new UserError(
      `with ${counted(to, "database node")} in ${zone.name}, ring ${ring.name} would make ${copiesOf(after)} copies of new databases instead of ${copiesOf(ring)}`,
      "give other zones more database nodes first",
    );
  const zones = (await zonesOf(stack)).filter((each) => each.zone.ring === ring.name);
  const isEdited = zone.database.replicas === to;
  // An interrupted run may have left this zone half changed, and only this command finishes that.
  await requireHealthy(
    stack,
    isEdited ? zones.filter(({ name }) => name !== zone.name) : zones,
    movesShards(ring.database) ? maintenanceIn(liveRing(stack, ring, zones, [])) : undefined,
  );

  const again = `make scale STACK=${stack.name} ZONE=${zone.name} TO=${to}`;
  /** The step in which Pulumi changes the number. */
  const update = (title: string, touches: readonly string[], before = () => Promise.resolve()): RunbookStep => ({
    title,
    touches: [
      `Pulumi.${stack.whole}.yaml: workloads.database.replicas of datacenter ${zone.region}/${zone.datacenter}: ${to}`,
      ...touches,
    ],
    // An interrupted update has left the outputs of a finished one, so they do not tell. An update without changes is quick.
    isDone: () => Promise.resolve(false),
    run: async () => {
      await before();
      writeFileSync(path, edited());
      await upOrAgain(stack.name, again);
    },
  });
  const all = movesShards(ring.database) ? await nodesIn(live, ring, zones) : selected.zone.nodes.database;
  const leaving = all.filter((name) => ordinal(name) >= to);
  let steps: RunbookStep[];
  if (leaving.length > 0) {
    const known = zones.map((each) => (each.name === zone.name ? withNodes(each, all) : each));
    const database = liveRing(stack, ring, known, leaving);
    const wanted = { ...wantedCopies(after), even: false };
    const plan = await shardPlan(database, wanted);
    if (plan !== undefined) requireNodes(plan, "give other zones more database nodes first (replicas)");
    steps = [
      shardStep(database, wanted, "Shards move to the nodes that stay", plan),
      update(
        "The database nodes stop",
        leaving.map((name) => `${name}: its claim data-bigcouch-${ordinal(name)} stays until you delete it`),
        async () => {
          await unprotect(stack.pulumi, own, (resources) => guardsFrom(zone.name, to, resources));
        },
      ),
      forgetStep(database),
    ];
  } else {
    if (!isEdited) await refuseOldClaims(live, selected.zone.nodes.database.length, to);
    steps = [
      update("The new database nodes start and join the ring", [
        "the database's nodes of the ring restart, zone by zone, if the number of copies changes",
      ]),
      ...(movesShards(ring.database)
        ? [
            {
              title: "Existing shards move to the new nodes",
              touches: [`as make rebalance STACK=${stack.name} RING=${ring.name} does`],
              isDone: () => Promise.resolve(false),
              run: () => rebalance({ stack: stack.name, ring: ring.name, yes: true }),
            },
          ]
        : []),
    ];
  }
  // Before the first step, because the update would apply them too.
  if (options.dryRun !== true && !isEdited) await requireNoChanges(stack.name, again);
  await follow(
    {
      name: `change the number of database nodes in zone ${zone.name} to ${to}`,
      notes: movesShards(ring.database)
        ? []
        : [`existing databases of ${ring.database.version} stay where they are; docs/runbooks.md#move-shards by hand`],
      steps,
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(stack.platform) },
    reportToStderr,
  );
}

/** @throws UserError unless it is a number from 1 to 99 */
export function wantedNodes(given: string): number {
  if (/^[1-9]\d?$/.test(given)) return Number(given);
  throw new UserError(`${JSON.stringify(given)} is not a number of database nodes`, "give one from 1 to 99: TO=3");
}

/** Number of a database node in its StatefulSet: 2 for `couchdb@bigcouch-2.bigcouch.us-east-nyc.svc.cluster.local`. */
export const ordinal = (node: string): number => Number(/@[^.]*-(\d+)\./.exec(node)?.[1] ?? 0);

function refuse({ stack: { platform }, zone }: LiveZone): void {
  const away = platform.zones.find((each) => each.ring === zone.ring && each.drained.includes("database"));
  if (away !== undefined)
    throw new UserError(`the database nodes of zone ${away.name} are drained`, `make return ZONE=${away.name} first`);
}

/** All database nodes of a zone, also those that an interrupted run has stopped but that the ring still lists. */
async function nodesIn({ stack, selected }: LiveZone, ring: Ring, zones: readonly SelectedZone[]): Promise<string[]> {
  const own = selected.zone.nodes.database;
  const domain = own[0]?.replace(/^[^.]*/, "") ?? "";
  const { database } = liveRing(stack, ring, zones, []);
  const members = (await unlessSimulated(() => database.members())) ?? [];
  return [...new Set([...own, ...members.filter((name) => name.endsWith(domain))])].sort();
}

const withNodes = (zone: SelectedZone, database: readonly string[]): SelectedZone => ({
  ...zone,
  zone: { ...zone.zone, nodes: { ...zone.zone.nodes, database: [...database] } },
});

/** Refuses new nodes that would start with the volume of an earlier one, whose data is out of date. */
async function refuseOldClaims(live: LiveZone, from: number, to: number): Promise<void> {
  const names = Array.from({ length: Math.max(0, to - from) }, (_, index) => `data-bigcouch-${from + index}`);
  const left = (await dataClaimsOf(live, "database")).flatMap(({ metadata }) => metadata?.name ?? []);
  const old = names.filter((name) => left.includes(name));
  if (old.length > 0)
    throw new UserError(
      `claim ${old.join(", ")} of an earlier node still exists, with data that is out of date`,
      `kubectl --context ${live.cluster.context} -n ${live.zone.namespace} delete pvc ${old.join(" ")}`,
    );
}

/** URNs of the guard resources of a zone's nodes from this ordinal on. */
function guardsFrom(zone: string, from: number, resources: readonly { readonly urn: string }[]): Set<string> {
  const guard = new RegExp(`^${zone}-database-node-(\\d+)$`);
  const number = (urn: string) => Number(guard.exec(parseUrn(urn).name)?.[1] ?? -1);
  return new Set(resources.map(({ urn }) => urn).filter((urn) => number(urn) >= from));
}
