import { type Block, type Document, entriesOf, shortened } from "./document";

/** The longest Markdown report; GitHub accepts 65536 characters in a comment. */
export const mostCharacters = 60_000;

/**
 * Renders a document in at most `limit` characters. The least important entries are omitted, with a note of how many.
 * @param render must not get shorter when entries are added
 * @param whole where the whole report is, for the note
 */
export function fit(document: Document, render: (document: Document) => string, limit: number, whole: string): string {
  const full = render(document);
  if (full.length <= limit) return full;
  let [low, high] = [0, document.reduce((sum, block) => sum + entriesOf(block), 0)];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (render(keep(document, middle, whole)).length <= limit) low = middle;
    else high = middle - 1;
  }
  return render(keep(document, low, whole));
}

/** The document with only its `count` most important entries. */
function keep(document: Document, count: number, whole: string): Document {
  const budgets = new Map<Block, number>();
  let left = count;
  for (const block of [...document].sort((a, b) => importanceOf(b) - importanceOf(a))) {
    const kept = Math.min(left, entriesOf(block));
    left -= kept;
    budgets.set(block, kept);
  }
  return document.flatMap((block): Block[] => {
    const cut = entriesOf(block) - (budgets.get(block) ?? 0);
    if (cut === 0) return [block];
    const what = `${cut} more ${nouns[block.kind] ?? "entries"} omitted for length; all are in ${whole}.`;
    return [shortened(block, budgets.get(block) ?? 0), { kind: "paragraph", text: [what] }];
  });
}

const nouns: Partial<Record<Block["kind"], string>> = { list: "lines", table: "rows", details: "details" };

const importanceOf = (block: Block): number => ("importance" in block ? block.importance : Infinity);
