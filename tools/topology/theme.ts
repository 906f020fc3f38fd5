import { fontSize } from "./text";

/** The colours of a scheme. Texts are drawn in `ink` and `soft` on any of the fills. */
export interface Colours {
  readonly ink: string;
  readonly soft: string;
  readonly paper: string;
  readonly field: string;
  /** Outlines of boxes and lines between them. */
  readonly line: string;
  readonly kazoo: Pair;
  readonly broker: Pair;
  readonly database: Pair;
  readonly ring: Pair;
  /** Signs of nodes that are ready, in transition, or missing. */
  readonly good: string;
  readonly busy: string;
  readonly bad: string;
  /** The item that has the keyboard focus or was found. */
  readonly focus: string;
}

interface Pair {
  readonly fill: string;
  readonly stroke: string;
}

export const light: Colours = {
  ink: "#1f2328",
  soft: "#4d5561",
  paper: "#ffffff",
  field: "#f3f5f7",
  line: "#6e7781",
  kazoo: { fill: "#ddf4ff", stroke: "#0969da" },
  broker: { fill: "#fff1e5", stroke: "#bc4c00" },
  database: { fill: "#dafbe1", stroke: "#1a7f37" },
  ring: { fill: "#fbefff", stroke: "#8250df" },
  good: "#1a7f37",
  busy: "#bc4c00",
  bad: "#cf222e",
  focus: "#0550ae",
};

export const dark: Colours = {
  ink: "#e6edf3",
  soft: "#b1bac4",
  paper: "#0d1117",
  field: "#1c2128",
  line: "#8b949e",
  kazoo: { fill: "#0c2d6b", stroke: "#58a6ff" },
  broker: { fill: "#5a1e02", stroke: "#ffa657" },
  database: { fill: "#033a16", stroke: "#56d364" },
  ring: { fill: "#3c1e70", stroke: "#d2a8ff" },
  good: "#56d364",
  busy: "#ffa657",
  bad: "#ff7b72",
  focus: "#79c0ff",
};

/** The picture's style, light or dark like the reader's system; without variables, because not all SVG viewers support them. */
export const pictureStyle = `
text { font: ${fontSize.note}px system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif }
.title { font-size: ${fontSize.title}px; font-weight: 600 }
.box { stroke-width: 1.2 }
.zone .box, .elsewhere .box { stroke-dasharray: 5 4 }
.link { fill: none; stroke-width: 1.5 }
.sign { fill: none; stroke-width: 2.4; stroke-linecap: round; stroke-linejoin: round }
.failover { stroke-dasharray: 6 4 }
.member { stroke-width: 2; stroke-dasharray: 2 4; stroke-linecap: round }
${coloured(light)}
@media (prefers-color-scheme: dark) {
${coloured(dark)}
}
@media print {
${coloured(light)}
}
`;

function coloured(colours: Colours): string {
  const pair = (kind: "kazoo" | "broker" | "database" | "ring") =>
    `.${kind} .box { fill: ${colours[kind].fill}; stroke: ${colours[kind].stroke} }`;
  return `.paper { fill: ${colours.paper} }
text { fill: ${colours.ink} }
.note { fill: ${colours.soft} }
.box { fill: ${colours.paper}; stroke: ${colours.line} }
.zone .box, .cluster .box { fill: ${colours.field} }
.region .box, .chip { fill: ${colours.paper}; stroke: ${colours.line} }
${(["kazoo", "broker", "database", "ring"] as const).map(pair).join("\n")}
.badge { fill: ${colours.ink} }
.onBadge { fill: ${colours.paper} }
.link { stroke: ${colours.line} }
.member { stroke: ${colours.ring.stroke} }
.ready { stroke: ${colours.good} }
.rolling, .starting { stroke: ${colours.busy} }
.away, .unknown { stroke: ${colours.bad} }
.tip { fill: ${colours.line} }
.onLine { fill: ${colours.field} }`;
}
