import { z } from "zod";
import { defaultText, docs, exampleOf, unwrapped } from "./schema/fields";
import { withGenerated } from "./generated";
import { schema } from "./schema";
import { everyLevel } from "./schema/region";

type Node = z.core.$ZodType;

/** The keys that are allowed at the top, in a region and in a datacenter. */
const levelKeys = Object.keys(everyLevel);

/**
 * The config reference, generated from the schema: a section for each key below `kazoo:`, in it a list entry for each key below that one.
 * `npm run reference` writes it into docs/configuration.md; a unit test fails if the page is out of date.
 */
export function configReference(): string {
  const sections = Object.entries(schema.shape as Record<string, Node>);
  const index = sections.map(([key]) => `[\`${key}\`](#${anchor(key)})`).join(", ");
  return [index, ...sections.map(([key, node]) => section(key, node))].join("\n\n");
}

const anchor = (key: string): string => `kazoo${key}`.toLowerCase();

function section(key: string, node: Node): string {
  const about = docs.get(unwrapped(node));
  if (about === undefined)
    throw new Error(`kazoo:${key} has no documentation: register it with field(), mapping() or named()`);
  const inner = entries(unwrapped(node), "");
  const isLevelKey = levelKeys.includes(key);
  return [
    `### \`kazoo:${key}\``,
    inner.length === 0 ? about.description : `${about.description} For example \`kazoo:${key}: ${exampleOf(node)}\`.`,
    ...(isLevelKey
      ? ["Allowed at the top of the config, in a region and in a datacenter; the nearest one wins, key by key."]
      : []),
    inner.length === 0 ? facts(node).join("\n") : inner.join("\n"),
  ].join("\n\n");
}

/**
 * List entries for the keys below a node; none for a single value. `prefix` is what comes before them, relative to the section. Keys that are
 * the same as another of the section, by `written`, refer to that one.
 */
function entries(node: Node, prefix: string, written = new Map<Node, string>()): string[] {
  if (node instanceof z.ZodRecord) {
    const value = unwrapped(node.valueType);
    return value instanceof z.ZodObject ? entries(value, `${prefix}NAME.`, written) : [];
  }
  if (!(node instanceof z.ZodObject)) return [];
  return Object.entries(node.shape as Record<string, Node>)
    .filter(([name]) => !levelKeys.includes(name))
    .flatMap(([name, child]) => {
      const inner = unwrapped(child);
      const about = docs.get(inner);
      if (about === undefined) return [];
      const key = `${prefix}${name}`;
      const same = written.get(inner);
      if (same !== undefined) return [`- **\`${key}\`**: like \`${same}\`.`];
      written.set(inner, key);
      const below = entries(inner, `${key}.`, written);
      const required = child === inner ? " Required." : "";
      return [
        `- **\`${key}\`**: ${about.description}${required}`,
        ...(below.length === 0 ? facts(child).map(indented) : []),
        ...below,
      ];
    });
}

/** What is expected, an example and the default, as list entries. */
function facts(node: Node): string[] {
  const expected = docs.get(unwrapped(node))?.expected ?? "";
  const fallback = defaultText(node);
  return [
    `- expected: ${expected}, e.g. \`${exampleOf(node)}\``,
    ...(fallback === undefined ? [] : [`- default: ${isValue(fallback) ? `\`${fallback}\`` : fallback}`]),
  ];
}

/** Whether a default is a value as one would write it, and not a description such as "the cluster's default class". */
const isValue = (text: string): boolean => /^[^\s`]+$/.test(text) && !["none", "random"].includes(text);

const indented = (line: string): string => `  ${line}`;

/**
 * A page with the reference inserted between its markers.
 * @throws Error if the page has no markers
 */
export const withReference = (page: string): string => withGenerated(page, "config reference", configReference());
