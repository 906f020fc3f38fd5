import { type Finding, groupedBy, some } from "./finding";

/** A node in Kazoo's own list (kz_nodes), which nodes exchange through the brokers. */
export interface KnownNode {
  readonly node: string;
  readonly version?: string;
  readonly zone?: string;
}

/** Reads what `sup kz_nodes status` prints, the same from Kazoo 4.0 to 4.3: blocks of `NAME : VALUE`, one for each node. */
export function readKnownNodes(printed: string): KnownNode[] {
  return printed.split(/^(?=Node +: )/m).flatMap((block) => {
    const row = (name: string): string | undefined => new RegExp(`^${name} *: (.+)$`, "m").exec(block)?.[1]?.trim();
    const node = row("Node");
    const [version, zone] = [row("Version"), row("Zone")?.replace(/ \(local\)$/, "")];
    return node === undefined
      ? []
      : [{ node, ...(version === undefined ? {} : { version }), ...(zone === undefined ? {} : { zone }) }];
  });
}

/** Kazoo's version alone: `4.3.12` of `4.3.12 - 21`, which ends with Erlang's. */
export const kazooVersion = (row: string): string => row.split(" ")[0] ?? row;

/** A Kazoo node that a ring should have. */
export interface ExpectedNode {
  /** Name of its Erlang node. */
  readonly name: string;
  readonly zone: string;
}

/** How a Kazoo node sees its ring. */
export interface KazooView {
  /** `ZONE/POD` of the node that was asked. */
  readonly from: string;
  readonly nodes: readonly KnownNode[];
}

/** Kazoo nodes that others do not know, and nodes that Kazoo assigns to another zone. */
export function kazooFindings(ring: string, expected: readonly ExpectedNode[], views: readonly KazooView[]): Finding[] {
  const where = `ring ${ring}`;
  return expected.flatMap(({ name, zone }): Finding[] => {
    const without = views.filter(({ nodes }) => !nodes.some(({ node }) => node === name)).map(({ from }) => from);
    const elsewhere = views.flatMap(({ from, nodes }) =>
      nodes.flatMap((one) =>
        one.node === name && one.zone !== undefined && one.zone !== zone ? [{ from, zone: one.zone }] : [],
      ),
    );
    return [
      ...(without.length === 0
        ? []
        : [
            {
              kind: "warning" as const,
              where,
              what: `the Kazoo node ${name} is not known to ${some(without)}`,
              why: "nodes announce themselves through the brokers every few seconds; the others do not share calls and events with a node that they do not hear",
              fix: "wait half a minute if the node has just started; otherwise the others cannot reach its broker: make doctor checks names, ports and credentials",
            },
          ]),
      ...groupedBy(elsewhere, (one) => one.zone).map(([found, seen]) => ({
        kind: "error" as const,
        where,
        what: `the Kazoo node ${name} is in zone ${found} according to ${some(seen.map(({ from }) => from))}, but in ${zone} in the stack`,
        why: "Kazoo prefers media servers and brokers of its own zone, so calls take detours, or fail",
        fix: "config.ini sets the zone: correct KAZOO_ZONE in the stack's file, then run make up",
      })),
    ];
  });
}
