import type { ShardMap } from "./copies";

/** A shard map as stored in the database (docs.couchdb.org, "Shard Management"). */
export interface ShardDocument extends ShardMap {
  readonly by_range: Readonly<Record<string, readonly string[]>>;
  /** Ranges by node. It must agree with `by_range`. */
  readonly by_node: Readonly<Record<string, readonly string[]>>;
  /** Past changes: `["add", range, node]`. */
  readonly changelog: readonly (readonly string[])[];
  /** The suffix of the database's shard names, as character codes. */
  readonly shard_suffix: readonly number[];
  /**
   * Our own field, which the database ignores. By range: nodes whose copy is removed once all others are complete. It is written together with
   * the replacement, so that after an interruption the replacement does not count as an additional copy.
   */
  readonly moving?: Readonly<Record<string, readonly string[]>>;
}

/** A new copy of a shard (`to`), a copy to remove (`from`), or both: one copy replaces another. */
export interface Move {
  readonly database: string;
  readonly range: string;
  readonly to?: string;
  readonly from?: string;
}

/** Nodes whose copy of a range is marked for removal. */
export const leavingCopies = ({ moving = {} }: Pick<ShardDocument, "moving">, range: string): readonly string[] =>
  moving[range] ?? [];

/** The nodes that hold a range once all moves in progress are finished. */
export const lastingCopies = (map: Pick<ShardDocument, "moving" | "by_range">, range: string): string[] =>
  (map.by_range[range] ?? []).filter((node) => !leavingCopies(map, range).includes(node));

/** A shard map in which moves have started: new copies are added, and the copies they replace are marked. */
export function begun(map: ShardDocument, moves: readonly Move[]): ShardDocument {
  let [ranges, moving, changelog] = [map.by_range, map.moving ?? {}, map.changelog];
  for (const { range, to, from } of moves) {
    const nodes = ranges[range] ?? [];
    if (to !== undefined && !nodes.includes(to)) {
      ranges = { ...ranges, [range]: [...nodes, to] };
      changelog = [...changelog, ["add", range, to]];
    }
    const marked = moving[range] ?? [];
    // A marked copy that is wanted again stays.
    const left = marked.filter((node) => node !== to);
    const leaving = from === undefined || !nodes.includes(from) || left.includes(from) ? left : [...left, from];
    moving = { ...moving, [range]: leaving };
  }
  return consistent({ ...map, by_range: ranges, moving, changelog });
}

/** A shard map without the marked copies. */
export function ended(map: ShardDocument): ShardDocument {
  const gone = Object.entries(map.moving ?? {}).flatMap(([range, nodes]) => nodes.map((node) => ({ range, node })));
  const ranges = Object.keys(map.by_range).map((range) => [range, lastingCopies(map, range)] as const);
  return consistent({
    ...map,
    by_range: Object.fromEntries(ranges),
    moving: {},
    changelog: [...map.changelog, ...gone.map(({ range, node }) => ["remove", range, node])],
  });
}

/** A map whose `by_node` agrees with `by_range`, without empty lists in `moving`. */
function consistent({ moving: all = {}, ...map }: ShardDocument): ShardDocument {
  const moving = Object.fromEntries(Object.entries(all).filter(([, nodes]) => nodes.length > 0));
  const nodes = [...new Set(Object.values(map.by_range).flat())];
  const rangesOf = (node: string) => Object.keys(map.by_range).filter((range) => map.by_range[range]?.includes(node));
  return {
    ...map,
    by_node: Object.fromEntries(nodes.map((node) => [node, rangesOf(node)])),
    ...(Object.keys(moving).length === 0 ? {} : { moving }),
  };
}

/** Name of a range's shard, the same on all nodes. */
export const shardName = ({ _id: database, shard_suffix: suffix }: ShardDocument, range: string): string =>
  `shards/${range}/${database}${String.fromCharCode(...suffix)}`;
