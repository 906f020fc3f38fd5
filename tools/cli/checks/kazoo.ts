import { type Finding, groupedBy, some } from "./finding";

/** A node in Kazoo's own list, which brokers carry from node to node (kz_nodes). */
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

/** Kazoo nodes that others do not know, and those that Kazoo has in another zone. */
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
              why: "nodes announce themselves over the brokers every few seconds; calls and events are not shared with one that is not heard of",
              fix: "a node that has just started needs half a minute; otherwise its broker cannot be reached from there: make doctor asks for names, ports and credentials",
            },
          ]),
      ...groupedBy(elsewhere, (one) => one.zone).map(([found, seen]) => ({
        kind: "error" as const,
        where,
        what: `the Kazoo node ${name} is in zone ${found} for ${some(seen.map(({ from }) => from))}, and in ${zone} here`,
        why: "Kazoo prefers its own zone's media and brokers, so that calls go the long way, or nowhere",
        fix: "the zone comes from config.ini: see KAZOO_ZONE in the stack's file, then make up",
      })),
    ];
  });
}
