import type { ClusterPart, Item, Link, Outside, Region, Topology, WorkloadBox, ZoneBox } from "./graph";
import { type Drawing, type Line, type Plan, type Point, linkId } from "./layout";
import {
  type Box,
  type Chips,
  type Size,
  badge,
  chipsOfRegion,
  chipsOfWorkload,
  clusterLine,
  foldSign,
  padding,
  sizeOfText,
  sizeOfRegionHead,
  star,
  stateSign,
  zonesOf,
} from "./sizes";
import type { State } from "./states";
import { pictureStyle } from "./theme";
import { escaped, lineHeight, widthOf } from "./text";

/** The picture of a stack as a standalone file. */
export function svgOf(topology: Topology, drawing: Drawing): string {
  const { stack, regions } = topology;
  const arrangement = drawing.arrangements[drawing.initial];
  if (arrangement === undefined) return "";
  const { width, height, places, lines } = arrangement;
  const open = isOpen(drawing.initial);
  const at = (id: string, content: string) => group(places[id] as Point, content);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${round(height)}" width="${round(width)}" height="${round(height)}" role="img" aria-labelledby="title description">
<title id="title">Stack ${escaped(stack)}</title>
<desc id="description">${escaped(inWords(topology))}</desc>
<style>${pictureStyle}</style>
${tips}
<rect class="paper" width="100%" height="100%" rx="10"/>
${topology.links.map((link) => linkPath(link, lines[linkId(link)])).join("\n")}
${loose(topology, drawing, at)}
${regions.map((region, index) => at(region.id, open(index) ? openRegion(region, planOf(drawing, region)) : foldedRegion(region, drawing))).join("\n")}
</svg>
`;
}

/** The picture's inside for a page that opens and folds regions itself: each region once folded and once open, without a position. */
export function pictureOf(topology: Topology, drawing: Drawing): string {
  const { regions, links } = topology;
  const at = (id: string, content: string) => `<g data-place="${escaped(id)}">${content}</g>`;
  return [
    tips,
    ...links.map((link) => linkPath(link, undefined)),
    loose(topology, drawing, at),
    ...regions.map((region) =>
      at(
        region.id,
        `<g data-fold="folded">${foldedRegion(region, drawing)}</g>\n<g data-fold="open">${openRegion(region, planOf(drawing, region))}</g>`,
      ),
    ),
  ].join("\n");
}

const isOpen = (key: string) => {
  const open = key.split(" ");
  return (index: number): boolean => open.includes(String(index));
};

const planOf = (drawing: Drawing, { id }: Region): Plan => drawing.open[id] as Plan;

const loose = ({ outside, rings }: Topology, drawing: Drawing, at: (id: string, content: string) => string): string =>
  [...outside.map((one) => [one, "outside"] as const), ...rings.map((ring) => [ring, "ring"] as const)]
    .map(([one, kind]: readonly [Item | Outside, string]) =>
      at(one.id, item(one, kind, { x: 0, y: 0, ...(drawing.loose[one.id] as Size) })),
    )
    .join("\n");

/** The stack in a sentence or two, for people who cannot see the picture. */
export function inWords({ regions, rings, outside }: Topology): string {
  const zones = regions.map(
    (region) =>
      `${region.title} with ${zonesOf(region)
        .map(({ title }) => title)
        .join(", ")}`,
  );
  return [
    `Regions with their zones: ${zones.join("; ")}.`,
    ...rings.map(({ title, notes }) => `${title}: ${notes.join("; ")}.`),
    ...outside.map(({ title, notes }) => `${title}, ${notes.join("; ")}.`),
  ].join(" ");
}

const round = (value: number): number => Math.round(value * 10) / 10;

const group = ({ x, y }: Point, content: string): string =>
  `<g transform="translate(${round(x)} ${round(y)})">${content}</g>`;

const tips = `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="tip" d="M0 0L8 4L0 8Z"/></marker></defs>`;

const tipsOf: Readonly<Record<Link["arrow"], string>> = {
  to: ' marker-end="url(#tip)"',
  both: ' marker-start="url(#tip)" marker-end="url(#tip)"',
  none: "",
};

/** The `d` of a path along a line. */
export const along = ({ points }: Line): string =>
  points.map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${round(x)} ${round(y)}`).join("");

const linkPath = (link: Link, line: Line | undefined): string =>
  `<path class="link ${link.kind}" data-link="${escaped(linkId(link))}" d="${line === undefined ? "" : along(line)}"${tipsOf[link.arrow]}/>`;

const rect = ({ x, y, width, height }: Box, kind: string, radius: number): string =>
  `<rect class="${kind}" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="${radius}"/>`;

const text = (content: string, x: number, y: number, kind: string, anchor = "start"): string =>
  `<text class="${kind}" x="${round(x)}" y="${round(y)}"${anchor === "start" ? "" : ` text-anchor="${anchor}"`}>${escaped(content)}</text>`;

/** A title with notes below, from a corner; `gap` is the space before the title. */
const lines = (title: string, notes: readonly string[], { x, y }: Point, gap = 0): string =>
  [
    text(title, x + padding + gap, y + padding + 12, "title"),
    ...notes.map((note, index) =>
      text(note, x + padding + gap, y + padding + lineHeight.title + index * lineHeight.note + 11, "note"),
    ),
  ].join("");

/** An item that can be selected on a page. */
const choosable = ({ id, title, notes }: Item, kind: string, content: string): string =>
  `<g class="item ${kind}" data-id="${escaped(id)}" aria-label="${escaped([title, ...notes].join(", "))}">${content}</g>`;

const item = (one: Item, kind: string, box: Box): string =>
  choosable(one, kind, `${rect(box, "box", 8)}${lines(one.title, one.notes, box)}`);

const chips = ({ boxes }: Chips, { x, y }: Point, draw: (box: Box, index: number) => string): string =>
  boxes.map((box, index) => draw({ ...box, x: x + box.x, y: y + box.y }, index)).join("");

function regionHead(region: Region, size: Size, open: boolean): string {
  const sign = open ? "M0 2L10 2L5 9Z" : "M2 0L9 5L2 10Z";
  return choosable(
    region,
    `region ${open ? "isOpen" : "isFolded"}`,
    `${rect({ x: 0, y: 0, ...size }, "box", 10)}<g transform="translate(${padding} ${padding + 2})"><path class="badge fold" d="${sign}"/></g>${lines(`region ${region.title}`, region.notes, { x: 0, y: 0 }, foldSign)}`,
  );
}

function foldedRegion(region: Region, drawing: Drawing): string {
  const zones = zonesOf(region);
  const corner = { x: padding, y: sizeOfRegionHead(region).height + padding };
  const zone = (box: Box, index: number): string => {
    const one = zones[index] as ZoneBox;
    const mark = one.first ? group({ x: box.x + box.width - star - 4, y: box.y + 5 }, starPath) : "";
    return choosable(one, "chipped", `${named(one.title, box, one.state)}${mark}`);
  };
  return `${regionHead(region, drawing.folded[region.id] as Size, false)}${chips(chipsOfRegion(region), corner, zone)}`;
}

/** A small box with a name, and the sign of a state before it. */
function named(name: string, box: Box, state?: State): string {
  const sign = state === undefined ? "" : group({ x: box.x + 7, y: box.y + 6 }, signOf(state));
  return `${rect(box, "chip", 5)}${sign}${text(name, box.x + 8 + (state === undefined ? 0 : stateSign), box.y + 16, "name")}`;
}

const signOf = (state: State): string =>
  `<path class="sign ${state}" d="${signs[state]}"><title>${state}</title></path>`;

/** Each state has a shape of its own: a tick, an arrow that turns, three dots, a cross, a question mark. */
const signs: Readonly<Record<State, string>> = {
  ready: "M1.5 6.5L4.5 9.5L10.5 2.5",
  rolling: "M10 6A4 4 0 1 1 8.5 2.9M9.2 0.8V3.6H6.4",
  starting: "M1.5 6H1.6M6 6H6.1M10.5 6H10.6",
  away: "M2 2L10 10M10 2L2 10",
  unknown: "M3.8 3.8A2.2 2.2 0 1 1 6 6V7.6M6 10.6V10.7",
};

const starPath = `<path class="badge" d="M7 0L9.1 4.6L14 5.2L10.4 8.6L11.3 13.5L7 11.1L2.7 13.5L3.6 8.6L0 5.2L4.9 4.6Z"><title>first zone of its ring</title></path>`;

const openRegion = (region: Region, plan: Plan): string =>
  [regionHead(region, plan, true), ...region.clusters.map((cluster) => clusterOf(cluster, plan))].join("\n");

function clusterOf(cluster: ClusterPart, plan: Plan): string {
  const box = plan.boxes[cluster.id] as Box;
  const head = `${rect(box, "box", 8)}${text(clusterLine(cluster), box.x + padding, box.y + padding + 10, "note")}`;
  return [choosable(cluster, "cluster", head), ...cluster.zones.map((zone) => zoneOf(zone, plan))].join("\n");
}

function zoneOf(zone: ZoneBox, plan: Plan): string {
  const box = plan.boxes[zone.id] as Box;
  const mark = zone.first
    ? firstBadge({ x: box.x + padding * 2 + widthOf(zone.title, "title"), y: box.y + padding - 3 })
    : "";
  return [
    choosable(zone, "zone", `${rect(box, "box", 8)}${lines(zone.title, zone.notes, box)}${mark}`),
    ...zone.links.map((link) => linkPath(link, plan.lines[linkId(link)])),
    ...zone.links.map((link) => linkLabel(link, plan.lines[linkId(link)])),
    ...zone.workloads.map((workload) => workloadOf(workload, plan.boxes[workload.id] as Box)),
  ].join("\n");
}

const firstBadge = ({ x, y }: Point): string =>
  `${rect({ x, y, width: badge.width, height: badge.height }, "badge", 9)}${text(badge.text, x + badge.width / 2, y + 13, "onBadge", "middle")}`;

function linkLabel({ label }: Link, line: Line | undefined): string {
  const box = line?.label;
  if (box === undefined) return "";
  return `${rect({ ...box, y: box.y + 1 }, "onLine", 0)}${label
    .map((words, index) => text(words, box.x + box.width / 2, box.y + index * lineHeight.note + 12, "label", "middle"))
    .join("")}`;
}

function workloadOf(workload: WorkloadBox, box: Box): string {
  const corner = { x: box.x + padding, y: box.y + sizeOfText(workload).height - 6 };
  const node = (place: Box, index: number): string => {
    const name = workload.nodes[index] ?? "";
    return named(name, place, workload.states?.[name]?.state);
  };
  return choosable(
    workload,
    workload.kind,
    `${rect(box, "box", 8)}${lines(workload.title, workload.notes, box)}${chips(chipsOfWorkload(workload), corner, node)}`,
  );
}
