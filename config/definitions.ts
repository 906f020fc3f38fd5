import type { z } from "zod";

type Json = z.core.JSONSchema.BaseSchema;

/** A shorter part is easier to read where it is used. */
const shortest = 250;

/**
 * The same JSON Schema, with each repeated part written once below `definitions`, named after the last key of its path (with the previous key in
 * front if that name is taken).
 */
export function withDefinitions(root: Json): Json {
  const uses = new Map<string, number>();
  const count = (part: Json): Json => {
    const text = JSON.stringify(part);
    const before = uses.get(text) ?? 0;
    uses.set(text, before + 1);
    // The content of a repeated part does not count as repeated: it will be written once, with that part.
    return before === 0 ? mapParts(part, [], count) : part;
  };
  count(root);

  const names = new Map<string, string>();
  const definitions: Record<string, Json> = {};
  const refer = (part: Json, path: readonly string[]): Json => {
    const text = JSON.stringify(part);
    if (text.length < shortest || (uses.get(text) ?? 0) < 2) return mapParts(part, path, refer);
    let name = names.get(text);
    if (name === undefined) {
      name =
        [1, 2, 3].map((keys) => path.slice(-keys).join(".")).find((free) => !(free in definitions)) ?? path.join(".");
      names.set(text, name);
      definitions[name] = {};
      definitions[name] = mapParts(part, path, refer);
    }
    return { $ref: `#/definitions/${name}` };
  };
  const smaller = refer(root, []);
  return { ...smaller, definitions };
}

/** A JSON Schema with the schemas of its properties, other keys and items replaced. */
function mapParts(schema: Json, path: readonly string[], change: (part: Json, path: readonly string[]) => Json): Json {
  const changed = Object.entries(schema).map(([key, value]: [string, unknown]) => {
    if (key === "properties") {
      const properties = Object.entries(value as Record<string, Json>);
      return [
        key,
        Object.fromEntries(
          properties.map(([name, part]) => [name, change(part, [...path, name.replace(/^kazoo:/, "")])]),
        ),
      ];
    }
    const isPart = (key === "additionalProperties" || key === "items") && typeof value === "object";
    return [key, isPart ? change(value as Json, path) : value];
  });
  return Object.fromEntries(changed) as Json;
}
