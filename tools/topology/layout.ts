import type { ElkExtendedEdge, ElkNode, LayoutOptions } from "elkjs/lib/elk-api";
import type { ClusterPart, Link, Region, Topology, ZoneBox } from "./graph";
import {
  type Box,
  type Size,
  padding,
  sizeOfClusterHead,
  sizeOfFolded,
  sizeOfRegionHead,
  sizeOfText,
  sizeOfWorkload,
  sizeOfZoneHead,
  zonesOf,
} from "./sizes";
import { lineHeight, widthOf } from "./text";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A drawn link: the corners of its line, and the position of its label. */
export interface Line {
  readonly points: readonly Point[];
  readonly label?: Box;
}

/** Positions in an open region, relative to its corner. */
export interface Plan extends Size {
  readonly boxes: Readonly<Record<string, Box>>;
  readonly lines: Readonly<Record<string, Line>>;
}

/** Positions in the whole picture, for one choice of open regions. */
export interface Arrangement extends Size {
  readonly places: Readonly<Record<string, Point>>;
  readonly lines: Readonly<Record<string, Line>>;
}

/** The positions of everything. */
export interface Drawing {
  readonly folded: Readonly<Record<string, Size>>;
  readonly open: Readonly<Record<string, Plan>>;
  /** Sizes of items outside regions. */
  readonly loose: Readonly<Record<string, Size>>;
  /** By the open regions, see {@link keyOf}. */
  readonly arrangements: Readonly<Record<string, Arrangement>>;
  /** Key of the initial arrangement. */
  readonly initial: string;
}

/** Key of the arrangement in which these regions are open, by their number. */
export const keyOf = (open: readonly number[]): string => [...open].sort((a, b) => a - b).join(" ");

/** Id of a link; unique, because there is at most one from one item to another. */
export const linkId = ({ from, to }: Pick<Link, "from" | "to">): string => `${from} > ${to}`;

/** With more zones than this, a picture starts with folded regions. */
const mostOpenZones = 6;
/** With up to this many regions, each choice of open ones has an arrangement; with more: none, each alone, and all. */
const mostChoices = 4;

type Layout = (graph: ElkNode) => Promise<ElkNode>;

/** Lays out a topology with the Eclipse Layout Kernel. */
export async function layOut(topology: Topology): Promise<Drawing> {
  // Loaded here: it is large.
  const { default: ELK } = await import("elkjs/lib/elk.bundled.js");
  const elk = new ELK.default();
  const layout: Layout = (graph) => elk.layout(graph);
  const { regions } = topology;
  const folded = Object.fromEntries(regions.map((region) => [region.id, sizeOfFolded(region)]));
  const plans = await Promise.all(
    regions.map(async (region) => [region.id, await openRegion(region, regions.length, layout)] as const),
  );
  const open = Object.fromEntries(plans);
  const loose = Object.fromEntries([...topology.outside, ...topology.rings].map((item) => [item.id, sizeOfText(item)]));
  const arrangements: Record<string, Arrangement> = {};
  for (const choice of choicesOf(regions.length)) {
    const sizes = regions.map(({ id }, index): [string, Size] => [
      id,
      (choice.includes(index) ? open[id] : folded[id]) as Size,
    ]);
    arrangements[keyOf(choice)] = await arrange(topology, { ...loose, ...Object.fromEntries(sizes) }, layout);
  }
  const zones = regions.flatMap(zonesOf);
  const initial = keyOf(zones.length > mostOpenZones ? [] : [...regions.keys()]);
  return { folded, open, loose, arrangements, initial };
}

/** The choices of open regions that have an arrangement. */
function choicesOf(count: number): number[][] {
  const all = [...Array(count).keys()];
  if (count > mostChoices) return [[], ...all.map((index) => [index]), all];
  return all.reduce<number[][]>((choices, index) => [...choices, ...choices.map((choice) => [...choice, index])], [[]]);
}

const below = ({ height }: Size, rest = padding): string =>
  `[top=${height + rest},left=${rest},bottom=${rest},right=${rest}]`;

/** Boxes in rows, below a head. */
const packed = (head: Size, aspectRatio: number): LayoutOptions => ({
  "elk.algorithm": "rectpacking",
  "elk.aspectRatio": String(aspectRatio),
  "elk.padding": below(head),
  "elk.spacing.nodeNode": "14",
  "elk.nodeSize.constraints": "MINIMUM_SIZE",
  "elk.nodeSize.minimum": `(${head.width},${head.height})`,
});

async function openRegion(region: Region, regions: number, layout: Layout): Promise<Plan> {
  // Regions are side by side: the more there are, the narrower each is.
  const aspectRatio = Math.max(0.5, 1.8 / regions);
  const laidOut = await layout({
    id: region.id,
    layoutOptions: packed(sizeOfRegionHead(region), aspectRatio),
    children: region.clusters.map((cluster) => clusterNode(cluster, aspectRatio)),
  });
  const boxes: Record<string, Box> = {};
  const lines: Record<string, Line> = {};
  const collect = (node: ElkNode, x: number, y: number): void => {
    for (const edge of node.edges ?? []) lines[edge.id] = lineOf(edge, x, y);
    for (const child of node.children ?? []) {
      const box = { x: x + (child.x ?? 0), y: y + (child.y ?? 0), width: child.width ?? 0, height: child.height ?? 0 };
      boxes[child.id] = box;
      collect(child, box.x, box.y);
    }
  };
  collect(laidOut, 0, 0);
  return { width: laidOut.width ?? 0, height: laidOut.height ?? 0, boxes, lines };
}

const clusterNode = (cluster: ClusterPart, aspectRatio: number): ElkNode => ({
  id: cluster.id,
  layoutOptions: packed(sizeOfClusterHead(cluster), aspectRatio),
  children: cluster.zones.map(zoneNode),
});

function zoneNode(zone: ZoneBox): ElkNode {
  const head = sizeOfZoneHead(zone);
  return {
    id: zone.id,
    layoutOptions: {
      ...layered,
      "elk.padding": below(head),
      "elk.nodeSize.constraints": "MINIMUM_SIZE",
      "elk.nodeSize.minimum": `(${head.width},${head.height})`,
    },
    children: zone.workloads.map((workload) => ({ id: workload.id, ...sizeOfWorkload(workload) })),
    edges: zone.links.map((link) => ({ ...edge(link), labels: [labelOf(link)] })),
  };
}

const layered: LayoutOptions = {
  "elk.algorithm": "layered",
  "elk.direction": "DOWN",
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.spacing.nodeNode": "14",
  "elk.layered.spacing.nodeNodeBetweenLayers": "22",
  "elk.edgeLabels.placement": "CENTER",
  // In the order of the topology.
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.crossingMinimization.forceNodeModelOrder": "true",
  "elk.layered.nodePlacement.bk.fixedAlignment": "BALANCED",
};

const edge = ({ from, to }: Pick<Link, "from" | "to">, id = linkId({ from, to })): ElkExtendedEdge => ({
  id,
  sources: [from],
  targets: [to],
});

const labelOf = ({ label }: Link) => ({
  text: label.join("\n"),
  width: Math.max(...label.map((line) => widthOf(line, "note"))),
  height: label.length * lineHeight.note,
  // A label beside its line would take more space, and could belong to another line.
  layoutOptions: { "elk.edgeLabels.inline": "true" },
});

function lineOf({ sections = [], labels = [] }: ElkExtendedEdge, x: number, y: number): Line {
  const points = sections
    .flatMap(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint])
    .map((point) => ({ x: x + point.x, y: y + point.y }));
  const [label] = labels;
  return label === undefined
    ? { points }
    : {
        points,
        label: { x: x + (label.x ?? 0), y: y + (label.y ?? 0), width: label.width ?? 0, height: label.height ?? 0 },
      };
}

/** Regions with their clients above, and their servers and rings below. */
async function arrange(
  { outside, regions, rings, links }: Topology,
  sizes: Readonly<Record<string, Size>>,
  layout: Layout,
): Promise<Arrangement> {
  const shared = [...outside, ...rings];
  const port = (id: string) => `${id} port`;
  // All lines of an item that several regions share start at one port, so that they run together as far as possible; they end apart at a region.
  const end = (id: string) => (shared.some((item) => item.id === id) ? port(id) : id);
  const laidOut = await layout({
    id: "stack",
    layoutOptions: {
      ...layered,
      "elk.padding": below({ width: 0, height: 0 }, 16),
      "elk.spacing.nodeNode": "28",
      "elk.layered.spacing.nodeNodeBetweenLayers": "44",
    },
    children: [
      ...regions.map(({ id }) => ({ id, ...(sizes[id] as Size) })),
      ...shared.map(({ id }) => ({ id, ...(sizes[id] as Size), ports: [{ id: port(id) }] })),
    ],
    edges: links.map(({ from, to }) => edge({ from: end(from), to: end(to) }, linkId({ from, to }))),
  });
  const children = laidOut.children ?? [];
  return {
    width: laidOut.width ?? 0,
    height: laidOut.height ?? 0,
    places: Object.fromEntries(children.map(({ id, x = 0, y = 0 }) => [id, { x, y }])),
    lines: Object.fromEntries((laidOut.edges ?? []).map((line) => [line.id, lineOf(line, 0, 0)])),
  };
}
