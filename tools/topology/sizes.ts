import type { ClusterPart, Item, Region, WorkloadBox, ZoneBox } from "./graph";
import { lineHeight, widthOf } from "./text";

/** Sizes of drawn items, derived from their text. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Box extends Size {
  readonly x: number;
  readonly y: number;
}

/** Space between a box and its text. */
export const padding = 12;

const heightOf = ({ notes }: Item): number => lineHeight.title + notes.length * lineHeight.note;

const textWidth = ({ title, notes }: Item): number =>
  Math.max(widthOf(title, "title"), ...notes.map((note) => widthOf(note, "note")));

/** A box with only text. */
export const sizeOfText = (item: Item): Size => ({
  width: textWidth(item) + 2 * padding,
  height: heightOf(item) + 2 * padding,
});

export const badge = { text: "first zone", width: widthOf("first zone", "note") + 12, height: 18 } as const;

/** The text at the top of a zone. */
export const sizeOfZoneHead = (zone: ZoneBox): Size => ({
  width:
    Math.max(textWidth(zone), widthOf(zone.title, "title") + (zone.first ? badge.width + padding : 0)) + 2 * padding,
  height: heightOf(zone) + padding,
});

/** A cluster in one line. */
export const clusterLine = ({ title, notes }: ClusterPart): string => `cluster ${title}: ${notes.join(", ")}`;

export const sizeOfClusterHead = (cluster: ClusterPart): Size => ({
  width: widthOf(clusterLine(cluster), "note") + 2 * padding,
  height: lineHeight.note + padding,
});

/** Space for the sign that shows whether a region is open. */
export const foldSign = 20;

export const sizeOfRegionHead = (region: Region): Size => ({
  width: Math.max(widthOf(`region ${region.title}`, "title"), textWidth(region)) + foldSign + 2 * padding,
  height: heightOf(region) + padding,
});

/** The nodes of a workload, or the zones of a folded region, as small boxes in rows. */
export interface Chips extends Size {
  readonly boxes: readonly Box[];
}

const chip = { height: 24, gap: 6 } as const;

function chipsOf(widths: readonly number[], perRow: number): Chips {
  const width = Math.max(0, ...widths);
  const boxes = widths.map((_, index) => ({
    x: (index % perRow) * (width + chip.gap),
    y: Math.floor(index / perRow) * (chip.height + chip.gap),
    width,
    height: chip.height,
  }));
  const columns = Math.min(perRow, widths.length);
  const rows = Math.ceil(widths.length / perRow);
  return {
    boxes,
    width: Math.max(0, columns * (width + chip.gap) - chip.gap),
    height: Math.max(0, rows * (chip.height + chip.gap) - chip.gap),
  };
}

/** Space for the sign of a state. */
export const stateSign = 18;

export const chipsOfWorkload = ({ nodes, kind, states }: WorkloadBox): Chips =>
  chipsOf(
    nodes.map((name) => widthOf(name, "note") + 16 + (states === undefined ? 0 : stateSign)),
    kind === "kazoo" ? 3 : nodes.length > 3 ? 2 : 1,
  );

/** A workload's text, and its nodes below. */
export function sizeOfWorkload(workload: WorkloadBox): Size {
  const chips = chipsOfWorkload(workload);
  const text = sizeOfText(workload);
  return {
    width: Math.max(text.width, chips.width + 2 * padding),
    height: text.height + (chips.height === 0 ? 0 : chips.height + chip.gap),
  };
}

/** The star that marks the first zone if there is no space for words. */
export const star = 16;

export const zonesOf = (region: Region): readonly ZoneBox[] => region.clusters.flatMap(({ zones }) => zones);

export function chipsOfRegion(region: Region): Chips {
  const zones = zonesOf(region);
  const widths = zones.map(
    ({ title, first, state }) =>
      widthOf(title, "note") + 16 + (first ? star : 0) + (state === undefined ? 0 : stateSign),
  );
  return chipsOf(widths, zones.length > 3 ? 2 : 1);
}

/** A folded region: its text, and the names of its zones below. */
export function sizeOfFolded(region: Region): Size {
  const head = sizeOfRegionHead(region);
  const chips = chipsOfRegion(region);
  return { width: Math.max(head.width, chips.width + 2 * padding), height: head.height + chips.height + 2 * padding };
}
