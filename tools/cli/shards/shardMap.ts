import type { ShardMap } from "../copies";

/** A shard map as the database keeps it (docs.couchdb.org, "Shard Management"). */
export interface ShardDocument extends ShardMap {
  readonly by_range: Readonly<Record<string, readonly string[]>>;
  /** Ranges by name of node. It must agree with `by_range`. */
  readonly by_node: Readonly<Record<string, readonly string[]>>;
  /** What was done to copies: `["add", range, node]`. */
  readonly changelog: readonly (readonly string[])[];
  /** The end of the names of the database's shards, as character codes. */
  readonly shard_suffix: readonly number[];
  /**
   * Ours, by range: nodes whose copy goes when all others are complete. It is written together with the copy that replaces it, so that a
   * move that is interrupted is not taken for a copy more. The database does not read it.
   */
  readonly moving?: Readonly<Record<string, readonly string[]>>;
}

/** A copy of a shard that is made (`to`), that goes (`from`), or that goes when another is made in its place. */
export interface Move {
  readonly database: string;
  readonly range: string;
  readonly to?: string;
  readonly from?: string;
}

/** Nodes whose copy of a range is on its way out. */
export const leavingCopies = ({ moving = {} }: Pick<ShardDocument, "moving">, range: string): readonly string[] =>
  moving[range] ?? [];

/** The nodes that hold a range when all that was begun is done. */
export const lastingCopies = (map: Pick<ShardDocument, "moving" | "by_range">, range: string): string[] =>
  (map.by_range[range] ?? []).filter((node) => !leavingCopies(map, range).includes(node));

/** A shard map in which the moves have begun: copies are added, and those in whose place they are, are marked. */
export function begun(map: ShardDocument, moves: readonly Move[]): ShardDocument {
  let [ranges, moving, changelog] = [map.by_range, map.moving ?? {}, map.changelog];
  for (const { range, to, from } of moves) {
    const nodes = ranges[range] ?? [];
    if (to !== undefined && !nodes.includes(to)) {
      ranges = { ...ranges, [range]: [...nodes, to] };
      changelog = [...changelog, ["add", range, to]];
    }
    const marked = moving[range] ?? [];
    // A copy on its way out that is wanted again stays.
    const left = marked.filter((node) => node !== to);
    const leaving = from === undefined || !nodes.includes(from) || left.includes(from) ? left : [...left, from];
    moving = { ...moving, [range]: leaving };
  }
  return consistent({ ...map, by_range: ranges, moving, changelog });
}

/** A shard map without the copies that are on their way out. */
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

/** With `by_node` as `by_range` has it, and nothing empty in `moving`. */
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
