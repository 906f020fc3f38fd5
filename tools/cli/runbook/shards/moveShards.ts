import { UserError } from "../../../shared/terminal";
import type { Request, RingDatabase } from "./ringDatabase";
import { type Move, type ShardDocument, begun, ended, lastingCopies, shardName } from "./shardMap";

/** How to wait between checks, and where to report progress. */
export interface Waiting {
  readonly pause: () => Promise<void>;
  readonly report: (line: string) => void;
}

/** Number of checks without progress before giving up: ten minutes with pauses of five seconds. */
const triesWithoutProgress = 120;
/** Number of checks between requests to synchronise: a copy may not exist yet at the first request. */
const roundsBetweenSyncs = 6;

/** What an interrupted run left to do. */
export interface Unfinished {
  /** Nodes still in maintenance mode, in which they serve no requests. */
  readonly inMaintenance: readonly string[];
  /** Databases with copies that are marked for removal. */
  readonly databases: readonly string[];
}

/** @param nodes those that may be in maintenance mode */
export async function unfinished(
  database: RingDatabase,
  nodes: readonly string[],
  maps: readonly ShardDocument[],
): Promise<Unfinished> {
  return {
    inMaintenance: await database.inMaintenance(nodes),
    databases: maps.filter(({ moving }) => moving !== undefined).map(({ _id }) => _id),
  };
}

/**
 * Carries out moves as described in CouchDB's guide on shard management, one target node after the other. A node serves no requests while it
 * gets copies, so nobody reads incomplete ones. A copy is removed only once all other copies of its shard are complete, so there are never
 * fewer complete copies than before. After an interruption at any point, it starts again with a new plan.
 * @param nodes those that remain in the ring
 */
export async function moveShards(
  database: RingDatabase,
  nodes: readonly string[],
  moves: readonly Move[],
  waiting: Waiting,
): Promise<void> {
  const before = await unfinished(database, nodes, await database.maps());
  const targets = new Set([...before.inMaintenance, ...moves.flatMap(({ to }) => to ?? [])]);
  for (const target of [...targets].sort()) {
    const own = moves.filter(({ to }) => to === target);
    const names = [...new Set(own.map((move) => move.database))];
    if (own.length > 0) {
      waiting.report(`${target}: getting ${own.length} copies; it serves no requests until they are complete`);
      await database.setMaintenance(target, true);
      await database.changeMaps(names, (map) => begun(map, movesIn(own, map)));
    }
    // After an interruption, it is unknown which of its copies are new.
    const ranges = before.inMaintenance.includes(target) ? undefined : own;
    await complete(database, { node: target, ...(ranges === undefined ? {} : { ranges }) }, waiting);
    await database.setMaintenance(target, false);
    await finish(database, names, waiting);
  }
  const rest = moves.filter(({ to }) => to === undefined);
  const names = [...new Set([...before.databases, ...rest.map((move) => move.database)])];
  await database.changeMaps(names, (map) => begun(map, movesIn(rest, map)));
  await finish(database, names, waiting);
}

const movesIn = (moves: readonly Move[], { _id }: ShardDocument): Move[] =>
  moves.filter((move) => move.database === _id);

/** Removes the marked copies once all others are complete. */
async function finish(database: RingDatabase, names: readonly string[], waiting: Waiting): Promise<void> {
  if (names.length === 0) return;
  await complete(database, { databases: names }, waiting);
  await database.changeMaps(names, ended);
}

/** Which copies to wait for: those of a node, or the remaining ones of databases. */
interface Which {
  readonly node?: string;
  readonly ranges?: readonly Move[];
  readonly databases?: readonly string[];
}

/** A shard, with the copies that must be complete. */
interface Watched {
  readonly map: ShardDocument;
  readonly range: string;
  readonly copies: readonly string[];
}

/** Waits until copies have all documents of their shards, and their nodes no longer send each other documents. */
async function complete(database: RingDatabase, which: Which, { pause, report }: Waiting): Promise<void> {
  let watched = watchedIn(await database.maps(), which);
  const nodes = [...new Set(watched.flatMap(({ map, range }) => map.by_range[range] ?? []))];
  let [known, tries] = [-1, 0];
  for (let round = 0; ; round += 1) {
    const { behind, documents } = await lagging(database, watched);
    // A complete copy stays complete, because writes go to all copies.
    watched = watched.filter((one) => behind.includes(one));
    if (watched.length === 0 && !(await areSending(database, nodes))) return;
    tries = documents > known && watched.length > 0 ? 0 : tries + 1;
    known = Math.max(known, documents);
    const [first] = watched;
    const one = first === undefined ? "internal replication" : `${first.map._id} ${first.range}`;
    if (tries > triesWithoutProgress)
      throw new UserError(
        `${watched.length} shards have made no progress for 10 minutes: ${one}`,
        "see the logs of the database nodes; no copy was removed; run the same command again to continue",
      );
    if (round % roundsBetweenSyncs === 0) {
      report(`${watched.length} shards are not complete yet: ${one}`);
      await sync(database, [...new Set(watched.map(({ map }) => map._id))]);
    }
    await pause();
  }
}

function watchedIn(maps: readonly ShardDocument[], { node, ranges, databases }: Which): Watched[] {
  return maps.flatMap((map) =>
    Object.keys(map.by_range).flatMap((range): Watched[] => {
      if (node === undefined)
        return databases?.includes(map._id) === true && map.moving?.[range] !== undefined
          ? [{ map, range, copies: lastingCopies(map, range) }]
          : [];
      const isMeant =
        map.by_range[range]?.includes(node) === true &&
        (ranges === undefined || ranges.some((move) => move.database === map._id && move.range === range));
      return isMeant ? [{ map, range, copies: [node] }] : [];
    }),
  );
}

/** Makes the copies of databases synchronise. */
async function sync(database: RingDatabase, names: readonly string[]): Promise<void> {
  const path = (name: string) => `/${encodeURIComponent(name)}/_sync_shards`;
  await database.bodies(
    names.map((name): Request => ({ method: "POST", node: database.speaker, path: path(name), body: {} })),
    true,
  );
}

/** Whether a node still sends documents to others. */
async function areSending(database: RingDatabase, nodes: readonly string[]): Promise<boolean> {
  const systems = await database.bodies<{ internal_replication_jobs?: number }>(
    nodes.map((node) => ({ method: "GET", node, path: "/_node/_local/_system" })),
  );
  return systems.some((system) => (system?.internal_replication_jobs ?? 0) > 0);
}

/** Shards with copies that lack documents, and how many documents all copies have. */
async function lagging(database: RingDatabase, watched: readonly Watched[]) {
  const asks = watched.flatMap(({ map, range, copies }) => {
    const path = `/${encodeURIComponent(shardName(map, range))}`;
    const all = map.by_range[range] ?? [];
    // The watched copies come last, because the others may get more documents in the meantime.
    return [...all, ...copies].map((node): Request => ({ method: "GET", node, local: true, path }));
  });
  const counts = (await database.bodies<Counts>(asks, true)).map(total);
  let next = 0;
  const behind = watched.filter(({ map, range, copies }) => {
    const all = counts.slice(next, (next += map.by_range[range]?.length ?? 0));
    const own = counts.slice(next, (next += copies.length));
    const most = Math.max(...all);
    // A shard without any copy belongs to a deleted database.
    return most >= 0 && own.some((count) => count < most);
  });
  return { behind, documents: counts.reduce((sum, count) => sum + Math.max(count, 0), 0) };
}

interface Counts {
  readonly doc_count: number;
  readonly doc_del_count: number;
}

/** Deleted documents count too, because the database keeps them. A copy that does not exist yet counts as -1. */
const total = (counts: Counts | null): number => (counts === null ? -1 : counts.doc_count + counts.doc_del_count);
