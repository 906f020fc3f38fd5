import { z } from "zod";
import { docs } from "./fields";
import { everyLevel, schema } from "./schema";

type Node = z.core.$ZodType;

const levelNames = Object.keys(everyLevel);

/** The config reference of the README, made from the schema; `npm run reference` writes it, a test checks that it is current. */
export function configReference(): string {
  return [
    "### The stack",
    table(rowsOf(schema, "", true)),
    `### The platform, a region or a datacenter: ${levelNames.map((name) => `\`${name}\``).join(", ")}`,
    "These keys stand directly below `kazoo:`, in a region or in a datacenter; the nearest wins, key by key.",
    table(levelNames.flatMap((name) => rowsOf(everyLevel[name as keyof typeof everyLevel], name, false))),
  ].join("\n\n");
}

function table(rows: readonly string[]): string {
  return ["| key | what it is | expected | default |", "|---|---|---|---|", ...rows].join("\n");
}

/** A row for each field below a schema; without the keys of every level where `top` is set, since they have a table of their own. */
function rowsOf(node: Node, key: string, top: boolean): string[] {
  const inner = unwrapped(node);
  const about = docs.get(inner);
  if (about === undefined) return [];
  if (inner instanceof z.ZodObject) {
    const children = Object.entries(inner.shape as Record<string, Node>).filter(
      ([name]) => !top || !levelNames.includes(name),
    );
    return [
      ...heading(key, about.description),
      ...children.flatMap(([name, child]) =>
        rowsOf(child, key === "" ? (top ? `kazoo:${name}` : name) : `${key}.${name}`, top),
      ),
    ];
  }
  const children = inner instanceof z.ZodRecord ? rowsOf(inner.valueType, `${key}.NAME`, top) : [];
  const isMapping = children.length > 1;
  return isMapping
    ? [...heading(key, about.description), ...children]
    : [row(key, about.description, `${about.expected}, e.g. \`${about.example}\``, about.default ?? "")];
}

const heading = (key: string, description: string): string[] =>
  key === "" || key.endsWith(".NAME") ? [] : [row(key, description, "", "")];

function unwrapped(node: Node): Node {
  return node instanceof z.ZodOptional ? unwrapped(node.unwrap()) : node;
}

function row(...cells: readonly [string, string, string, string]): string {
  const [key, ...others] = cells;
  return `| \`${key}\` | ${others.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

const begin = "<!-- config reference: begin -->";
const end = "<!-- config reference: end -->";

/** A README with the reference put between its markers. */
export function withReference(readme: string): string {
  const [before, rest = ""] = readme.split(begin);
  const after = rest.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`README.md lacks the markers ${begin} and ${end}`);
  return `${before}${begin}\n\n${configReference()}\n\n${end}${after}`;
}
