import type { Text } from "./document";
import { fit, mostCharacters } from "./fit";
import { toHtml } from "./html";
import { toMarkdown } from "./markdown";
import { type ChangeReport, exitCodeOf } from "./model";
import { documentOf } from "./summary";
import { verdictOf } from "./verdict";
import type { Colours } from "../shared/terminal";

/** A report in Markdown, below 60,000 characters. Its first line identifies the comment that contains it. */
export function markdownOf(report: ChangeReport): string {
  const marker = `<!-- kazoo ${report.purpose} of ${report.stack} -->\n`;
  return fit(documentOf(report), (document) => marker + toMarkdown(document), mostCharacters, "report.html");
}

/** A complete report as a page. */
export const htmlOf = (report: ChangeReport): string =>
  toHtml(`${report.purpose === "drift" ? "Drift" : "Preview"} of ${report.stack}`, documentOf(report));

/** The verdict and its reasons, for a terminal. */
export function terminalText(report: ChangeReport, colours: Colours): string {
  const { headline, counts } = verdictOf(report);
  const colour = [colours.green, colours.red, colours.yellow, colours.red][exitCodeOf(report)] ?? colours.red;
  const lists = documentOf(report).flatMap((block, index, all) => {
    if (block.kind === "list") return linesOf(block.items, colours);
    const title = block.kind === "heading" && all[index + 1]?.kind === "list";
    return title ? ["", colours.bold(plain(block.text, colours))] : [];
  });
  return [colours.bold(colour(headline)), ...(counts === "" ? [] : [counts]), ...lists, ""]
    .map((line) => `${line}\n`)
    .join("");
}

const mostLines = 12;

function linesOf(items: readonly Text[], colours: Colours): string[] {
  const rest = items.length - mostLines;
  const shown = items.slice(0, mostLines).map((item) => `  ${plain(item, colours)}`);
  return rest > 0 ? [...shown, `  … ${rest} more`] : shown;
}

const plain = (text: Text, { bold }: Colours): string =>
  text.map((span) => (typeof span === "string" ? span : "code" in span ? span.code : bold(span.strong))).join("");
