import { type Block, type Document, entriesOf, shortened } from "./document";

/** Most characters of a Markdown report; a comment on GitHub holds 65536. */
export const mostCharacters = 60_000;

/**
 * Renders a document in at most `limit` characters: what is least important is left out, with a word on how much that is.
 * @param render must not grow shorter when entries are added
 * @param whole where the whole report is to be found, for that word
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

/** The document with its `count` most important entries alone. */
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
    const what = `${cut} more ${nouns[block.kind] ?? "entries"} left out for length; all are in ${whole}.`;
    return [shortened(block, budgets.get(block) ?? 0), { kind: "paragraph", text: [what] }];
  });
}

const nouns: Partial<Record<Block["kind"], string>> = { list: "lines", table: "rows", details: "details" };

const importanceOf = (block: Block): number => ("importance" in block ? block.importance : Infinity);
