import type { Block, Detail, DiffLine, Document, Span, Text } from "./document";
import { toMermaid } from "./picture";
import { cut } from "./wording";

/** A document as GitHub's Markdown, with short details. */
export function toMarkdown(document: Document): string {
  return `${document
    .map(block)
    .filter((text) => text !== "")
    .join("\n\n")}\n`;
}

function block(part: Block): string {
  switch (part.kind) {
    case "heading":
      return `${"#".repeat(part.level)} ${inline(part.text)}`;
    case "paragraph":
      return inline(part.text);
    case "list":
      return part.items.map((item) => `- ${inline(item)}`).join("\n");
    case "table":
      return [part.head, part.head.map(() => "---"), ...part.rows]
        .map((cells, index) => `| ${cells.map((cell) => (index === 1 ? cell : escaped(cell))).join(" | ")} |`)
        .join("\n");
    case "picture":
      return ["```mermaid", toMermaid(part.regions), "```"].join("\n");
    case "details":
      if (part.entries.length === 0) return "";
      // GitHub reads Markdown inside HTML only after an empty line.
      return ["<details><summary>Details</summary>", ...part.entries.map(detail), "</details>"].join("\n\n");
  }
}

function detail({ title, lines }: Detail): string {
  if (lines.length === 0) return `**${inline(title)}**`;
  const body = short(lines)
    .map(({ sign, text }) => `${sign} ${text.replace(/\s*\n\s*/g, " ")}`)
    .join("\n");
  const fence = "`".repeat(Math.max(3, longestRun(body) + 1));
  return `**${inline(title)}**\n${fence}diff\n${body}\n${fence}`;
}

const longestLine = 600;
const mostLines = 40;

function short(lines: readonly DiffLine[]): DiffLine[] {
  const rest = lines.length - mostLines;
  const first = lines.slice(0, mostLines).map(({ sign, text }): DiffLine => ({ sign, text: cut(text, longestLine) }));
  return rest > 0 ? [...first, { sign: "!", text: `… ${rest} more lines` }] : first;
}

const inline = (text: Text): string => text.map(span).join("");

function span(part: Span): string {
  if (typeof part === "string") return escaped(part);
  if ("strong" in part) return `**${escaped(part.strong)}**`;
  const text = part.code.replace(/\s+/g, " ");
  if (text.trim() === "") return "*(empty)*";
  const ticks = "`".repeat(longestRun(text) + 1);
  // Markdown removes one space inside the backticks, so add one where the text starts or ends with a space or backtick.
  const pad = /^[` ]|[` ]$/.test(text) ? " " : "";
  return `${ticks}${pad}${text}${pad}${ticks}`;
}

const longestRun = (text: string): number => Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));

/** Escapes everything that Markdown or HTML could read as markup. */
const escaped = (text: string): string => text.replace(/[\\`*_{}[\]<>#|~&]/g, "\\$&").replace(/\s+/g, " ");
