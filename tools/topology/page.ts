import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Fact, Item, Region, Topology, ZoneBox } from "./graph";
import { type Arrangement, type Drawing } from "./layout";
import { zonesOf } from "./sizes";
import { along, inWords, pictureOf } from "./svg";
import { type Colours, dark, light, pictureStyle } from "./theme";
import { escaped } from "./text";

/** A stack as one page that needs nothing else: no script, style or font from elsewhere, and a policy that forbids loading any. */
export function pageOf(topology: Topology, drawing: Drawing): string {
  const style = `${variables}\n${pictureStyle}\n${file("page.css")}`;
  const script = file("page.js");
  const policy = `default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'; base-uri 'none'; form-action 'none'`;
  const stack = escaped(topology.stack);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Stack ${stack}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>Stack ${stack}</h1>
<div class="controls" role="search"><label for="search">Find a zone</label> <input id="search" type="search" autocomplete="off" spellcheck="false"> <output id="matches" for="search"></output></div>
<div class="controls" role="toolbar" aria-label="View">
<button id="closer" type="button" title="key +">Zoom in</button>
<button id="farther" type="button" title="key -">Zoom out</button>
<button id="whole" type="button" title="key 0">Show all</button>
<button id="unfold" type="button">Unfold regions</button>
<button id="fold" type="button">Fold regions</button>
<button id="print" type="button">Print</button>
</div>
</header>
<p class="legend">${escaped(topology.facts.map(([label, value]) => `${label}: ${value}`).join(" · "))}. An arrow points from client to server, with the TCP ports; dashed: used if the first does not answer; dotted: member of a ring. A star or “first zone”: each change reaches it first. <span class="controls">Click, or Tab, arrow keys and Enter: unfold a region, show details. Keys: / finds, + − 0 zoom.</span></p>
<div class="stage">
<main id="view" aria-label="Picture of the stack">
<svg xmlns="http://www.w3.org/2000/svg" role="group" aria-label="${escaped(inWords(topology))}">
${pictureOf(topology, drawing)}
</svg>
</main>
<aside id="details" aria-live="polite" hidden><button id="close" type="button" title="key Esc">Close</button><h2></h2><p></p><dl></dl></aside>
</div>
<section class="all">
<h2>All zones</h2>
${tableOf(topology)}
</section>
<script type="application/json" id="data">${json(dataOf(topology, drawing))}</script>
<script>${script}</script>
</body>
</html>
`;
}

const file = (name: string): string => readFileSync(join(__dirname, name), "utf8");

const hashOf = (content: string): string => `sha256-${createHash("sha256").update(content).digest("base64")}`;

/** JSON that cannot end the element that holds it. */
const json = (value: unknown): string => JSON.stringify(value).replace(/</g, "\\u003c");

const variables = `:root { ${declared(light)} }
@media (prefers-color-scheme: dark) { :root { ${declared(dark)} } }
@media print { :root { ${declared(light)} } }`;

function declared({ ink, soft, paper, field, line, focus }: Colours): string {
  return Object.entries({ ink, soft, paper, field, line, focus })
    .map(([name, colour]) => `--${name}: ${colour};`)
    .join(" ");
}

interface Described {
  readonly title: string;
  readonly kind: string;
  /** Its parent item. */
  readonly where?: string;
  readonly facts: readonly Fact[];
}

/** The data for the page's script. */
function dataOf(topology: Topology, { arrangements, initial }: Drawing): object {
  const { regions, rings, outside } = topology;
  const described =
    (kind: string, where?: string) =>
    ({ id, title, facts }: Item): [string, Described] => [
      id,
      { title, kind, facts, ...(where === undefined ? {} : { where }) },
    ];
  const items = [
    ...outside.map(described("outside of the stack")),
    ...rings.map(described("ring")),
    ...regions.flatMap((region) => [
      described("region")(region),
      ...region.clusters.flatMap((cluster) => [
        described("cluster", `region ${region.title}`)(cluster),
        ...cluster.zones.flatMap((zone) => [
          described("zone", `cluster ${cluster.title}`)(zone),
          ...zone.workloads.map((workload) => described(kinds[workload.kind], `zone ${zone.title}`)(workload)),
        ]),
      ]),
    ]),
  ];
  return {
    items: Object.fromEntries(items),
    regions: regions.map((region) => ({ id: region.id, inside: insideOf(region) })),
    arrangements: Object.fromEntries(Object.entries(arrangements).map(([key, one]) => [key, drawable(one)])),
    initial,
  };
}

const kinds = { kazoo: "Kazoo", broker: "broker", database: "database", elsewhere: "store elsewhere, used" } as const;

const insideOf = (region: Region): string[] =>
  region.clusters.flatMap((cluster) => [
    cluster.id,
    ...cluster.zones.flatMap((zone) => [zone.id, ...zone.workloads.map(({ id }) => id)]),
  ]);

const drawable = ({ lines, ...rest }: Arrangement) => ({
  ...rest,
  lines: Object.fromEntries(Object.entries(lines).map(([id, line]) => [id, along(line)])),
});

/** The zones as a table, for people who cannot see the picture or have printed it. */
function tableOf({ regions }: Topology): string {
  const head = ["Zone", "Region", "Cluster", "Place", "Ring", "Kazoo nodes", "Brokers", "Database nodes", "Copies"];
  const isLive = regions.some((region) => zonesOf(region).some(({ state }) => state !== undefined));
  const count = ({ workloads }: ZoneBox, kind: string): string =>
    String(workloads.filter((one) => one.kind === kind).reduce((sum, { nodes }) => sum + nodes.length, 0));
  const fact = ({ facts }: Item, label: string): string => facts.find(([name]) => name === label)?.[1] ?? "";
  const rows = regions.flatMap((region) =>
    zonesOf(region).map((zone) => [
      `${zone.title}${zone.first ? " (first)" : ""}`,
      region.title,
      fact(zone, "cluster"),
      zone.notes[0] ?? "",
      fact(zone, "ring"),
      count(zone, "kazoo"),
      count(zone, "broker"),
      count(zone, "database"),
      fact(zone, "copies"),
      ...(isLive ? [fact(zone, "state")] : []),
    ]),
  );
  const row = (cells: readonly string[], tag: "th" | "td"): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join("")}</tr>`;
  return `<table>\n${row([...head, ...(isLive ? ["State"] : [])], "th")}\n${rows.map((cells) => row(cells, "td")).join("\n")}\n</table>`;
}
