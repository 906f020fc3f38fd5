import type { DatabaseKind } from "../../../../config/compatibility";
import type { ShardMap } from "../../runbook/shards/copies";
import { counted, type Finding, groupedBy, some } from "./finding";

/** The answer to `/_membership`: the nodes that a node is connected to, and those of the ring. */
export interface Membership {
  readonly all_nodes: readonly string[];
  readonly cluster_nodes: readonly string[];
}

/** How a database node sees its ring. */
export interface RingView {
  /** `ZONE/POD` of the node that was asked. */
  readonly from: string;
  readonly membership: Membership;
}

/** A database node that a ring should have. */
export interface Member {
  /** Name of its Erlang node. */
  readonly name: string;
  readonly zone: string;
  /** Whether it is drained, and so has no pod. */
  readonly drained: boolean;
}

/** Members that nodes of a ring do not list or are not connected to, and nodes that they list but that the ring does not have. */
export function memberFindings(
  ring: string,
  kind: DatabaseKind,
  members: readonly Member[],
  views: readonly RingView[],
): Finding[] {
  const where = `ring ${ring}`;
  const list = { "couchdb-3": "/_node/_local/_nodes", "couchdb-2": ":5986/_nodes", bigcouch: ":5986/nodes" }[
    kind.engine
  ];
  const without = (holds: (membership: Membership) => boolean) =>
    views.filter(({ membership }) => holds(membership)).map(({ from }) => from);
  const own = members.flatMap(({ name, zone, drained }): Finding[] => {
    const unlisted = without(({ cluster_nodes: nodes }) => !nodes.includes(name));
    const unseen = without(({ all_nodes: all, cluster_nodes: nodes }) => nodes.includes(name) && !all.includes(name));
    return [
      ...(unlisted.length === 0
        ? []
        : [
            {
              kind: "error" as const,
              where,
              what: `the database node ${name} is not a member of the ring according to ${some(unlisted)}`,
              why: "those nodes copy no documents to it, and do not find the documents that it holds",
              fix: `see JOIN in make status; if the Job is done, add the node again: PUT {"zone":"${zone}"} to ${list}/${name}`,
            },
          ]),
      ...(unseen.length === 0 || drained
        ? []
        : [
            {
              kind: "error" as const,
              where,
              what: `the database node ${name} is not connected to ${some(unseen)}`,
              why: "its copies miss all writes until it is connected again; without a majority of copies, Kazoo cannot write",
              fix: "check whether its pod runs (make status); if it does, port 4369 and Erlang's ports must be open between the zones (docs/networking.md)",
            },
          ]),
    ];
  });
  const known = new Set(members.map(({ name }) => name));
  const others = new Set(
    views.flatMap(({ membership }) => membership.cluster_nodes.filter((name) => !known.has(name))),
  );
  return [
    ...own,
    ...[...others].map((name): Finding => ({
      kind: "warning",
      where,
      what: `the database lists ${name} as a member, but the stack has no such node`,
      why: "copies placed there are lost, and writes that need them fail",
      fix: `when no shard map names it any more, DELETE it from ${list}/${name}`,
    })),
  ];
}

/** Databases with fewer copies than the ring is configured for, or with copies on nodes that are not members. */
export function copyFindings(
  ring: string,
  wanted: number,
  members: readonly string[],
  maps: readonly ShardMap[],
): Finding[] {
  const copies = ({ by_range: ranges = {} }: ShardMap): number =>
    Math.min(wanted, ...Object.values(ranges).map((nodes) => nodes.filter((node) => members.includes(node)).length));
  const few = maps.filter((map) => copies(map) < wanted);
  return groupedBy(few, (map) => String(copies(map))).map(([found, databases]) => ({
    kind: found === "0" ? "error" : "warning",
    where: `ring ${ring}`,
    what: `${counted(databases.length, "database")} with shards of ${found} instead of ${wanted} copies: ${some(databases.map(({ _id }) => _id))}`,
    why:
      found === "0"
        ? "these shards are on no node of the ring: their documents cannot be read"
        : "a database keeps the number of copies that it was created with; if a node or zone is lost, so are documents that only it has",
    fix: "make rebalance adds the missing copies (docs/runbooks.md#move-shards)",
  }));
}
