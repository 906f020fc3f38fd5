import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Span, Text } from "./document";
import { fit, mostCharacters } from "./fit";
import { toHtml } from "./html";
import { toMarkdown } from "./markdown";
import { type Report, exitCodeOf } from "./model";
import { documentOf } from "./summary";
import { verdictOf } from "./verdict";
import { colours } from "../shared/terminal";

/** A report in Markdown, below 60,000 characters. Its first line is how a comment with it is found again. */
export function markdownOf(report: Report): string {
  const marker = `<!-- kazoo ${report.purpose} of ${report.stack} -->\n`;
  return fit(documentOf(report), (document) => marker + toMarkdown(document), mostCharacters, "report.html");
}

/** A report as a page, whole. */
export const htmlOf = (report: Report): string =>
  toHtml(`${report.purpose === "drift" ? "Drift" : "Preview"} of ${report.stack}`, documentOf(report));

/** Writes `report.md` and `report.html` into a folder, which is made. */
export function writeReport(report: Report, directory: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "report.md"), markdownOf(report));
  writeFileSync(join(directory, "report.html"), htmlOf(report));
}

/** The verdict and what it rests on, for a terminal. */
export function terminalText(report: Report): string {
  const { headline, counts } = verdictOf(report);
  const colour = [colours.green, colours.red, colours.yellow, colours.red][exitCodeOf(report)] ?? colours.red;
  const lists = documentOf(report).flatMap((block, index, all) => {
    if (block.kind === "list") return linesOf(block.items);
    const title = block.kind === "heading" && all[index + 1]?.kind === "list";
    return title ? ["", colours.bold(block.text.map(plain).join(""))] : [];
  });
  return [colours.bold(colour(headline)), ...(counts === "" ? [] : [counts]), ...lists, ""]
    .map((line) => `${line}\n`)
    .join("");
}

const mostLines = 12;

function linesOf(items: readonly Text[]): string[] {
  const rest = items.length - mostLines;
  const shown = items.slice(0, mostLines).map((item) => `  ${item.map(plain).join("")}`);
  return rest > 0 ? [...shown, `  … ${rest} more`] : shown;
}

function plain(span: Span): string {
  if (typeof span === "string") return span;
  return "code" in span ? span.code : colours.bold(span.strong);
}
