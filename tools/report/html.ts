import type { Block, Detail, Document, PictureRegion, Span, Text } from "./document";

/** A document as a self-contained page, light or dark like the reader's system. */
export function toHtml(title: string, document: Document): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
${document.map(block).join("\n")}
</main>
</body>
</html>
`;
}

function block(part: Block): string {
  switch (part.kind) {
    case "heading":
      return `<h${part.level - 1}>${inline(part.text)}</h${part.level - 1}>`;
    case "paragraph":
      return `<p>${inline(part.text)}</p>`;
    case "list":
      return `<ul>\n${part.items.map((item) => `<li>${inline(item)}</li>`).join("\n")}\n</ul>`;
    case "table":
      return `<div class="wide"><table>\n<tr>${part.head.map((cell) => `<th>${escaped(cell)}</th>`).join("")}</tr>\n${part.rows
        .map((cells) => `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`)
        .join("\n")}\n</table></div>`;
    case "picture":
      return `<div class="regions">${part.regions.map(region).join("")}</div>`;
    case "details":
      return part.entries.length === 0 ? "" : `<h2>Details</h2>\n${part.entries.map(detail).join("\n")}`;
  }
}

const region = ({ name, zones }: PictureRegion): string =>
  `<section class="region"><b>${escaped(name)}</b>${zones
    .map(({ datacenter, mark, text }) => `<span class="zone ${mark}">${escaped(datacenter)}<br>${escaped(text)}</span>`)
    .join("")}</section>`;

function detail({ title, lines }: Detail): string {
  const heading = inline(title);
  if (lines.length === 0) return `<p class="detail">${heading}</p>`;
  const body = lines.map(({ sign, text }) => `<span class="${signs[sign]}">${sign} ${escaped(text)}</span>`).join("\n");
  return `<details><summary>${heading}</summary><pre>${body}</pre></details>`;
}

const signs = { "-": "gone", "+": "new", " ": "same", "!": "note" } as const;

const inline = (text: Text): string => text.map(span).join("");

function span(part: Span): string {
  if (typeof part === "string") return escaped(part);
  if ("strong" in part) return `<strong>${escaped(part.strong)}</strong>`;
  return part.code.trim() === "" ? "<em>(empty)</em>" : `<code>${escaped(part.code)}</code>`;
}

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? character);

const style = `
:root { --ink: #1f2328; --paper: #fff; --soft: #f3f4f6; --line: #d1d5db; --gone: #b42318; --new: #18794e; --note: #9a6700; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #16181c; --soft: #22252b; --line: #3a3f47; --gone: #ff8a80; --new: #7ddba3; --note: #e3b341; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
code, pre { font: .875em/1.5 ui-monospace, monospace; background: var(--soft); border-radius: 4px; }
code { padding: .1em .3em; overflow-wrap: anywhere; }
pre { padding: .6rem .8rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; }
th { background: var(--soft); } td:nth-child(n+3) { text-align: right; font-variant-numeric: tabular-nums; }
li { margin: .25rem 0; } details, .detail { border: 1px solid var(--line); border-radius: 6px; padding: .4rem .8rem; margin: .5rem 0; }
.regions { display: flex; flex-wrap: wrap; gap: .75rem; }
.region { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; border: 1px solid var(--line); border-radius: 6px; padding: .5rem; }
.zone { border: 2px solid var(--line); border-radius: 6px; padding: .3rem .6rem; text-align: center; background: var(--soft); }
.zone.removed { border: 3px dashed var(--gone); } .zone.replaced { border: 3px solid var(--gone); }
.zone.new { border: 3px solid var(--new); } .zone.restarts, .zone.changed { border-color: var(--note); }
summary { cursor: pointer; } .gone { color: var(--gone); } .new { color: var(--new); } .note { color: var(--note); }
`;
