import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

/** The project's folder. */
export const project = resolve(__dirname, "../..");

/** A Markdown page of the project. */
export interface Page {
  /** Path from the project's folder. */
  readonly path: string;
  readonly text: string;
}

/** The documentation: the pages at the top and in docs/, and GitHub's templates. */
export function pages(): Page[] {
  return ["", "docs", ".github", ".github/ISSUE_TEMPLATE"].flatMap((folder) =>
    readdirSync(join(project, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => page(join(folder, name))),
  );
}

export const page = (path: string): Page => ({ path, text: readFileSync(join(project, path), "utf8") });

/** A fenced code block. Its info string is the language, followed by words that say what tests do with it. */
export interface CodeBlock {
  readonly language: string;
  readonly words: readonly string[];
  readonly code: string;
  /** Line of the page on which the block begins, counted from 1. */
  readonly line: number;
}

export function codeBlocks(text: string): CodeBlock[] {
  return [...text.matchAll(/^ *```(\S+)([^\n]*)\n([\s\S]*?)^ *```$/gm)].map((found) => {
    const [, language = "", info = "", code = ""] = found;
    const line = text.slice(0, found.index).split("\n").length;
    return { language, words: info.split(" ").filter(Boolean), code, line };
  });
}

/** A page's text without its fenced code blocks. */
export const prose = (text: string): string => text.replace(/^ *```[\s\S]*?^ *```$/gm, "");

/** Text between single backticks, outside of code blocks; it may span lines. */
export const inlineCode = (text: string): string[] =>
  [...prose(text).matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code.replace(/\s+/g, " "));

/** Targets of the links and pictures of a page. */
export const links = (text: string): string[] =>
  [...prose(text).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target = ""]) => target);

/** The anchors that GitHub gives a page's headings. */
export function anchors(text: string): Set<string> {
  const all = new Set<string>();
  for (const [, heading = ""] of prose(text).matchAll(/^#{1,6} (.+)$/gm)) {
    const slug = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    for (let anchor = slug, count = 1; ; anchor = `${slug}-${count++}`) {
      if (all.has(anchor)) continue;
      all.add(anchor);
      break;
    }
  }
  return all;
}
