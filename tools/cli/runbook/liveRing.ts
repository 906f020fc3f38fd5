import { workloads } from "../../../components/names";
import type { DatabaseKind } from "../../../config/compatibility";
import { type Ring, copiesOf } from "../../../config/platform";
import { unlessSimulated } from "../cluster/kubernetes";
import { hostsIn, nodesOf, type SelectedZone } from "../cluster/nodes";
import type { Stack } from "../stack/openStack";
import type { RunbookStep } from "./runbook";
import { moveShards, unfinished } from "./shards/moveShards";
import { type RingNode, type ShardPlan, type WantedCopies, planMoves } from "./shards/plan";
import { RingDatabase, askThrough } from "./shards/ringDatabase";
import type { Move, ShardDocument } from "./shards/shardMap";
import { UserError, reportToStderr } from "../../shared/terminal";

/** A ring whose database nodes can be asked. */
export interface LiveRing {
  readonly ring: Ring;
  /** All its database nodes, from the stack's outputs. */
  readonly places: readonly RingNode[];
  readonly database: RingDatabase;
}

/**
 * A ring's database, queried through a Kazoo pod in a zone that stays.
 * @param zones of the ring, as deployed
 * @param leaving names of database nodes that give away all their copies
 */
export function liveRing(
  { platform }: Stack,
  ring: Ring,
  zones: readonly SelectedZone[],
  leaving: readonly string[],
): LiveRing {
  requireShards(ring.database);
  if (zones.some(({ cluster }) => cluster.kind === "docker"))
    throw new UserError(`ring ${ring.name} is on Docker, where it has one database node and no shards to move`);
  const places = zones.flatMap(({ name: zone, zone: { nodes } }) =>
    nodes.database.map((name): RingNode => ({ name, zone, leaving: leaving.includes(name) })),
  );
  const isAway = (name: string, workload: "kazoo" | "database") =>
    platform.zones.find((zone) => zone.name === name)?.drained.includes(workload) === true;
  const speaker = places.find((place) => !place.leaving && !isAway(place.zone, "database"));
  const [pod] = [...zones]
    .filter(({ name }) => !isAway(name, "kazoo"))
    // The Kazoo of a zone that is removed stops on the way.
    .sort((a, b) => Number(staysIn(places, b.name)) - Number(staysIn(places, a.name)))
    .flatMap(({ zone, cluster }) => nodesOf(hostsIn(zone), cluster))
    .flatMap(({ workload, place }) => (workload === workloads.kazoo && place.kind === "pod" ? [place] : []));
  if (speaker === undefined || pod === undefined)
    throw new UserError(
      `ring ${ring.name} has no remaining Kazoo node and database node that can tell where copies are`,
      "if its zones are drained, run make return first; docs/runbooks.md has the steps by hand",
    );
  return { ring, places, database: new RingDatabase(ring.database, speaker.name, askThrough(ring.database, pod)) };
}

const staysIn = (places: readonly RingNode[], zone: string): boolean =>
  places.some((place) => place.zone === zone && !place.leaving);

/** Whether a database can synchronise copies on request. */
export const movesShards = ({ engine, version }: DatabaseKind): boolean =>
  engine !== "bigcouch" && !/^couchdb-2\.([0-2](\.|$)|3\.0$)/.test(version);

/** @throws UserError for databases whose shards cannot be moved */
function requireShards(kind: DatabaseKind): void {
  if (!movesShards(kind))
    throw new UserError(
      `${kind.version} cannot complete a copy on request; CouchDB 2.3.1 and newer can`,
      "docs/runbooks.md#move-shards has the steps by hand",
    );
}

/** Where a ring's config wants copies. */
export const wantedCopies = (ring: Ring): Pick<WantedCopies, "placement" | "copies"> => ({
  copies: copiesOf(ring),
  ...(ring.placement === undefined ? {} : { placement: ring.placement }),
});

/** The value of `--copies`: the number of copies, even for databases that have more. */
export function givenCopies(given: string | undefined): { copies?: number; fewer?: true } {
  if (given === undefined) return {};
  const copies = Number(given);
  if (!Number.isInteger(copies) || copies < 1)
    throw new UserError(`${JSON.stringify(given)} is not a number of copies`, "expected: 1 or more, e.g. COPIES=2");
  return { copies, fewer: true };
}

/** What to move; undefined if pods are simulated, because they hold no shards. */
export const shardPlan = (live: LiveRing, wanted: WantedCopies): Promise<ShardPlan | undefined> =>
  unlessSimulated(async () => planMoves(await live.database.maps(), live.places, wanted));

/** Tells which of some nodes of a ring are in maintenance mode; none if one of them does not answer, or if pods are simulated. */
export const maintenanceIn =
  ({ database }: LiveRing) =>
  async (nodes: readonly string[]): Promise<readonly string[]> => {
    try {
      return await database.inMaintenance(nodes);
    } catch (error) {
      if (error instanceof UserError) return [];
      throw error;
    }
  };

/**
 * The step in which shards are moved.
 * @param shown the current plan, to show; the step makes a new plan when it starts
 */
export function shardStep(
  live: LiveRing,
  wanted: WantedCopies,
  title: string,
  shown: ShardPlan | undefined,
): RunbookStep {
  const { database } = live;
  const staying = live.places.filter(({ leaving }) => !leaving).map(({ name }) => name);
  const leaving = live.places.filter((place) => place.leaving).map(({ name }) => name);
  return {
    title,
    touches: shown === undefined ? ["the pods are simulated: they hold no shards"] : movesText(shown.moves),
    isDone: async () => {
      const plan = await shardPlan(live, wanted);
      if (plan === undefined) return true;
      if (plan.moves.length > 0) return false;
      const { inMaintenance, databases } = await unfinished(database, staying, await database.maps());
      return inMaintenance.length === 0 && databases.length === 0 && (await database.retired(staying)).length === 0;
    },
    run: async () => {
      const plan = await shardPlan(live, wanted);
      if (plan === undefined) return;
      await database.setRetired(leaving, true);
      // An earlier command may have been given up whose nodes were to leave.
      await database.setRetired(staying, false);
      const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 5000));
      await moveShards(database, staying, plan.moves, { pause, report: reportToStderr });
    },
  };
}

/** The first database with copies on some nodes. */
const heldBy = (names: readonly string[], maps: readonly ShardDocument[]): ShardDocument | undefined =>
  maps.find(({ by_range: ranges }) =>
    Object.values(ranges).some((nodes) => nodes.some((name) => names.includes(name))),
  );

/** The first database with copies on nodes that leave; undefined if there is none, or if pods are simulated. */
export async function databaseOnLeaving({ database, places }: LiveRing): Promise<string | undefined> {
  const leaving = places.filter((place) => place.leaving).map(({ name }) => name);
  return heldBy(leaving, (await unlessSimulated(() => database.maps())) ?? [])?._id;
}

/** The step that removes nodes without copies from the ring's list. */
export function forgetStep({ database, places }: LiveRing): RunbookStep {
  const of = (isLeaving: boolean) => places.filter(({ leaving }) => leaving === isLeaving).map(({ name }) => name);
  const [leaving, staying] = [of(true), of(false)];
  const left = () => unlessSimulated(async () => (await database.members()).filter((name) => leaving.includes(name)));
  return {
    title: "The ring forgets the zone's database nodes",
    touches: leaving.map((node) => `document ${node} of _nodes: deleted`),
    isDone: async () => ((await left()) ?? []).length === 0,
    run: async () => {
      for (const node of staying) {
        const held = heldBy(leaving, await database.maps(node));
        if (held !== undefined)
          throw new UserError(
            `${node} still lists copies of ${held._id} on nodes that are being removed`,
            "its shard maps are updated within seconds; run the same command again to continue",
          );
      }
      await database.forget(leaving);
    },
  };
}

/** A summary of moves: how many copies each node gets and loses. */
export function movesText(moves: readonly Move[]): string[] {
  const databases = (some: readonly Move[]) => {
    const names = [...new Set(some.map(({ database }) => database))];
    return names.length > 3
      ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more databases`
      : names.join(", ");
  };
  const each = (end: "to" | "from", what: (node: string, some: readonly Move[]) => string) =>
    [...new Set(moves.flatMap((move) => move[end] ?? []))].sort().map((node) => {
      const some = moves.filter((move) => move[end] === node);
      return `${what(node, some)}: ${databases(some)}`;
    });
  const copies = (some: readonly Move[]) => `${some.length} ${some.length === 1 ? "copy" : "copies"}`;
  return [
    ...each("to", (node, some) => `${node} gets ${copies(some)}, and serves no requests meanwhile`),
    ...each("from", (node, some) => `${node} loses ${copies(some)}, each once all others are complete`),
    ...(moves.length === 0 ? ["no copies move"] : []),
  ];
}

/** Refuses a plan that leaves databases with fewer copies than they have. @param way a way out, for the message */
export function requireNodes({ shortages }: ShardPlan, way: string): void {
  const [first] = shortages;
  if (first === undefined) return;
  const { database, copies, nodes } = first;
  throw new UserError(
    `${shortages.length === 1 ? `database ${database} has` : `${shortages.length} databases such as ${database} have`} ${copies} copies, but only ${nodes} database nodes would remain`,
    `${way}; or set COPIES=${nodes} if that is enough`,
  );
}
