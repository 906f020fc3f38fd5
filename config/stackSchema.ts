import { z } from "zod";
import { withDefinitions } from "./definitions";
import { defaultText, docs, exampleOf, unwrapped } from "./schema/fields";
import { schema } from "./schema";

type Json = z.core.JSONSchema.BaseSchema;

/** A value that `pulumi config set --secret` has encrypted. */
const encrypted: Json = {
  type: "object",
  properties: { secure: { type: "string" } },
  required: ["secure"],
  additionalProperties: false,
};

/**
 * The JSON Schema of a stack's file, for editors: each key with its type, description and default. Generated from the config's schema;
 * `npx kazoo schema` writes it to config/stack.schema.json, and a unit test fails if that file is out of date.
 */
export function stackFileSchema(): Json {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    override: ({ zodSchema, jsonSchema }) => documentNode(zodSchema, jsonSchema),
  });
  return withDefinitions({
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "A stack of this program: Pulumi.NAME.yaml",
    type: "object",
    properties: {
      config: {
        type: "object",
        description: "The stack's config: its own keys begin with `kazoo:`.",
        properties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [`kazoo:${key}`, value])),
        // Other keys are Pulumi's own, or those of other programs.
        patternProperties: { "^(?!kazoo:)": {} },
        additionalProperties: false,
        required: required.map((key) => `kazoo:${key}`),
      },
    },
    required: ["config"],
  });
}

/** The text of config/stack.schema.json. */
export const stackFileSchemaText = (): string => `${JSON.stringify(stackFileSchema(), null, 2)}\n`;

/** Adds what the docs say about a node; the form of an encrypted value replaces a secret's own. */
function documentNode(node: z.core.$ZodType, json: Json): void {
  const inner = unwrapped(node);
  const about = docs.get(inner);
  if (about === undefined) return;
  const isMapping = inner instanceof z.ZodObject || inner instanceof z.ZodRecord;
  // Called first for the content of a wrapper, then for the wrapper.
  if (about.secret === true && node === inner) {
    const form = { ...json };
    for (const key of Object.keys(json)) Reflect.deleteProperty(json, key);
    // In a union, the encrypted form replaces only the plain text.
    const others = isMapping ? [form] : (form.anyOf ?? []).filter(({ type }) => type === "object");
    Object.assign(json, others.length === 0 ? encrypted : { anyOf: [...others, encrypted] });
  }
  // The default of a mapping is that of its keys.
  if (isMapping) delete json.default;
  else if (node instanceof z.ZodDefault) json.default = node.def.defaultValue as never;
  json.description = isMapping ? about.description : `${about.description}\n${leafText(node, about.expected)}`;
}

function leafText(node: z.core.$ZodType, expected: string): string {
  const fallback = defaultText(node);
  return [
    `Expected: ${expected}, e.g. ${exampleOf(node)}`,
    ...(fallback === undefined ? [] : [`Default: ${fallback}`]),
  ].join("\n");
}
