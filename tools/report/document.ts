/** A text in a report: plain, or as code, or strong. */
export type Span = string | { readonly code: string } | { readonly strong: string };
export type Text = readonly Span[];

/** A line of a difference: removed, added, context, or a remark. */
export interface DiffLine {
  readonly sign: "-" | "+" | " " | "!";
  readonly text: string;
}

/** A resource, or equal ones in many places, with all differences. */
export interface Detail {
  readonly title: Text;
  readonly lines: readonly DiffLine[];
}

/** What a change does to a datacenter, the most serious first. */
export const marks = ["removed", "replaced", "new", "restarts", "changed", "unchanged"] as const;
export type Mark = (typeof marks)[number];

/** A datacenter in the picture of a change. */
export interface PictureZone {
  readonly datacenter: string;
  readonly mark: Mark;
  /** The change in words, because colour alone is not enough: `2 pods restart`. */
  readonly text: string;
}

/** A region in the picture. */
export interface PictureRegion {
  readonly name: string;
  readonly zones: readonly PictureZone[];
}

/**
 * A part of a report. Parts with an `importance` can be shortened, the least important first, each from its end. Others always stay.
 */
export type Block =
  | { readonly kind: "heading"; readonly level: 2 | 3; readonly text: Text }
  | { readonly kind: "paragraph"; readonly text: Text }
  | { readonly kind: "list"; readonly items: readonly Text[]; readonly importance: number }
  | {
      readonly kind: "table";
      readonly head: readonly string[];
      readonly rows: readonly (readonly string[])[];
      readonly importance: number;
    }
  | { readonly kind: "picture"; readonly regions: readonly PictureRegion[] }
  | { readonly kind: "details"; readonly entries: readonly Detail[]; readonly importance: number };

/** A report in reading order. */
export type Document = readonly Block[];

/** How many entries of a block can be omitted. */
export function entriesOf(block: Block): number {
  switch (block.kind) {
    case "list":
      return block.items.length;
    case "table":
      return block.rows.length;
    case "details":
      return block.entries.length;
    default:
      return 0;
  }
}

/** The block with only its first entries. */
export function shortened(block: Block, entries: number): Block {
  switch (block.kind) {
    case "list":
      return { ...block, items: block.items.slice(0, entries) };
    case "table":
      return { ...block, rows: block.rows.slice(0, entries) };
    case "details":
      return { ...block, entries: block.entries.slice(0, entries) };
    default:
      return block;
  }
}
