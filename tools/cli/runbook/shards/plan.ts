import { type Move, type ShardDocument, lastingCopies } from "./shardMap";

/** A database node of a ring, as a place for copies. */
export interface RingNode {
  /** Name of its Erlang node. */
  readonly name: string;
  readonly zone: string;
  /** Whether it gives away all its copies. */
  readonly leaving: boolean;
}

/** Where copies should be. */
export interface WantedCopies {
  /** Copies by zone; without it, they are spread over zones. */
  readonly placement?: Readonly<Record<string, number>>;
  /** Copies of each shard; a database that has more keeps them. */
  readonly copies: number;
  /** Whether databases that have more copies lose the surplus. @default false */
  readonly fewer?: boolean;
  /** Whether to distribute shards evenly over the nodes of a zone, or to move only what must move. */
  readonly even: boolean;
}

/** A database that has more copies than nodes remain. */
export interface Shortage {
  readonly database: string;
  readonly copies: number;
  readonly nodes: number;
}

export interface ShardPlan {
  readonly moves: readonly Move[];
  readonly shortages: readonly Shortage[];
}

/** A range of a database, with the nodes that hold it now, and those that should. */
interface Range {
  readonly map: ShardDocument;
  readonly range: string;
  readonly now: readonly string[];
  readonly then: Set<string>;
}

/**
 * Plans the fewest moves that put copies where they are wanted. The result depends only on the shard maps, so it also tells what is left to do
 * after an interruption. Copies on nodes that are not in `places` stay, and do not count.
 */
export function planMoves(
  maps: readonly ShardDocument[],
  places: readonly RingNode[],
  wanted: WantedCopies,
): ShardPlan {
  const staying = places.filter(({ leaving }) => !leaving).sort(byName);
  const known = new Map(places.map((place) => [place.name, place]));
  const ranges = maps.flatMap((map) =>
    Object.keys(map.by_range).map((range): Range => {
      const now = lastingCopies(map, range).filter((node) => known.has(node));
      return { map, range, now, then: new Set(now.filter((node) => known.get(node)?.leaving === false)) };
    }),
  );
  const loads = new Map(staying.map(({ name }) => [name, 0]));
  const count = (node: string, change: number) => loads.set(node, (loads.get(node) ?? 0) + change);
  for (const { then } of ranges) for (const node of then) count(node, 1);

  const shortages = new Map<string, Shortage>();
  for (const { map, now, then } of ranges) {
    const placed = Object.entries(wanted.placement ?? {});
    const least = Math.max(
      wanted.copies,
      placed.reduce((sum, [, copies]) => sum + copies, 0),
    );
    const copies = wanted.fewer === true ? least : Math.max(least, now.length);
    if (now.length > staying.length && (wanted.fewer !== true || staying.length === 0))
      shortages.set(map._id, { database: map._id, copies: now.length, nodes: staying.length });
    const inZone = (zone: string) => [...then].filter((node) => known.get(node)?.zone === zone).length;
    const lighter = (a: RingNode, b: RingNode) => (loads.get(a.name) ?? 0) - (loads.get(b.name) ?? 0) || byName(a, b);
    const free = (zone?: string) =>
      staying.filter((place) => !then.has(place.name) && (zone === undefined || place.zone === zone)).sort(lighter);
    const add = (place: RingNode | undefined): boolean => {
      if (place === undefined) return false;
      then.add(place.name);
      count(place.name, 1);
      return true;
    };
    for (const [zone, copies] of placed) while (inZone(zone) < copies && add(free(zone)[0]));
    // Further copies go to the zone with the fewest; zones of the placement come first.
    const surplus = (zone: string) => inZone(zone) - (wanted.placement?.[zone] ?? 0);
    const isPlaced = ({ zone }: RingNode) => Number(zone in (wanted.placement ?? {}));
    while (
      then.size < copies &&
      add(free().sort((a, b) => isPlaced(b) - isPlaced(a) || surplus(a.zone) - surplus(b.zone) || lighter(a, b))[0])
    );
    while (then.size > copies) {
      const [most] = staying
        .filter(({ name }) => then.has(name))
        .sort((a, b) => surplus(b.zone) - surplus(a.zone) || lighter(b, a));
      if (most === undefined) break;
      then.delete(most.name);
      count(most.name, -1);
    }
  }
  if (wanted.even) for (const zone of new Set(staying.map((place) => place.zone))) level(ranges, staying, zone, loads);
  return { moves: ranges.flatMap((range) => movesOf(range)), shortages: [...shortages.values()] };
}

const byName = (a: RingNode, b: RingNode) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** Moves copies within a zone until the numbers of its nodes differ by one at most. */
function level(ranges: readonly Range[], staying: readonly RingNode[], zone: string, loads: Map<string, number>): void {
  const nodes = staying.filter((place) => place.zone === zone).map(({ name }) => name);
  const load = (node: string) => loads.get(node) ?? 0;
  for (;;) {
    nodes.sort((a, b) => load(a) - load(b) || (a < b ? -1 : 1));
    const pairs = nodes.flatMap((to) => [...nodes].reverse().map((from) => ({ to, from })));
    const pair = pairs.find(
      ({ to, from }) => load(from) - load(to) > 1 && ranges.some(({ then }) => then.has(from) && !then.has(to)),
    );
    if (pair === undefined) return;
    for (const { then } of ranges) {
      if (load(pair.from) - load(pair.to) <= 1) break;
      if (!then.has(pair.from) || then.has(pair.to)) continue;
      then.delete(pair.from);
      then.add(pair.to);
      loads.set(pair.from, load(pair.from) - 1);
      loads.set(pair.to, load(pair.to) + 1);
    }
  }
}

/** The moves of a range: each removed copy is paired with a new one, as long as there are any. */
function movesOf({ map, range, now, then }: Range): Move[] {
  const made = [...then].filter((node) => !now.includes(node)).sort();
  const going = now.filter((node) => !then.has(node)).sort();
  return Array.from({ length: Math.max(made.length, going.length) }, (_, index): Move => {
    const [to, from] = [made[index], going[index]];
    return {
      database: map._id,
      range,
      ...(to === undefined ? {} : { to }),
      ...(from === undefined ? {} : { from }),
    };
  });
}
