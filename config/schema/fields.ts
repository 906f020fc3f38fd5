import { closest } from "fastest-levenshtein";
import { z } from "zod";

/** What the config reference, the JSON Schema and the error messages say about a field. */
export interface FieldDocs {
  /** What the field does, in one sentence. */
  readonly description: string;
  /** What is accepted, as a noun phrase that follows "expected". */
  readonly expected: string;
  /** A correct value, written as in YAML. Omit it if the default is a good example. */
  readonly example?: string;
  /** The default in words, for a field whose default depends on other keys. */
  readonly default?: string;
  /** Whether the value is a Pulumi secret, `{ secure: … }` in the stack's file. */
  readonly secret?: true;
}

/** The docs of each field, mapping and list of the schema. */
export const docs = z.registry<FieldDocs>();

/** Documents a value. `inner` checks the value and may normalise it; normalising twice must give the same result. */
export function field<S extends z.ZodType>(inner: S, about: FieldDocs): S {
  const documented = inner.clone();
  docs.add(documented, about);
  return documented;
}

/** A mapping with the given keys and no others. */
export function mapping<S extends z.ZodRawShape>(shape: S, description: string, example: string) {
  const expected = `a mapping with the keys ${Object.keys(shape).join(", ")}`;
  return z.strictObject(shape).register(docs, { description, expected, example });
}

/** A mapping from names that the operator chooses to values of one shape. `name` checks the names. */
export function named<T extends z.ZodType>(name: z.ZodType<string, string>, value: T, about: FieldDocs) {
  return z.record(name, value).register(docs, about);
}

/** A schema without `.optional()`, `.exactOptional()`, `.default()` and `.prefault()`. */
export function unwrapped(node: z.core.$ZodType): z.core.$ZodType {
  return isWrapper(node) ? unwrapped(node.unwrap()) : node;
}

const isWrapper = (node: z.core.$ZodType) =>
  node instanceof z.ZodOptional ||
  node instanceof z.ZodExactOptional ||
  node instanceof z.ZodDefault ||
  node instanceof z.ZodPrefault;

/** The default of a field as one writes it in YAML, or in words; undefined: it has none. */
export function defaultText(node: z.core.$ZodType): string | undefined {
  const inWords = docs.get(unwrapped(node))?.default;
  return inWords ?? (node instanceof z.ZodDefault ? asYaml(node.def.defaultValue) : undefined);
}

/** A correct value for a field, as one writes it in YAML. */
export const exampleOf = (node: z.core.$ZodType): string =>
  docs.get(unwrapped(node))?.example ?? (node instanceof z.ZodDefault ? asYaml(node.def.defaultValue) : "");

/** A default as YAML, without quotes if YAML reads it as text anyway. Written by hand, because loading a YAML library takes a tenth of a second. */
const asYaml = (value: unknown): string =>
  Array.isArray(value)
    ? `[${value.map(asYaml).join(", ")}]`
    : typeof value === "string" && /^(?!(true|false|yes|no|on|off|null)$)[a-z][\w./:-]*$/i.test(value)
      ? value
      : JSON.stringify(value);

/** The schema at the end of `path` or, if the path leads into a field, that field; with the path to it. Items of a list are fields if they are documented. */
export function fieldAt(
  root: z.core.$ZodType,
  path: readonly PropertyKey[],
): { readonly node: z.core.$ZodType; readonly path: readonly PropertyKey[] } {
  let node = root;
  for (const [depth, key] of path.entries()) {
    const inner = unwrapped(node);
    if (inner instanceof z.ZodObject) node = (inner.shape as z.core.$ZodShape)[String(key)] ?? node;
    else if (inner instanceof z.ZodRecord) node = inner.valueType;
    else if (inner instanceof z.ZodArray && docs.has(inner.element)) node = inner.element;
    else return { node, path: path.slice(0, depth) };
  }
  return { node, path };
}

/** The type of a schema whose keys with defaults are optional instead. */
export type Unset<S> =
  S extends z.ZodOptional<infer I>
    ? z.ZodOptional<Unset<I>>
    : S extends z.ZodDefault<infer I>
      ? z.ZodOptional<Unset<I>>
      : S extends z.ZodPrefault<infer I>
        ? z.ZodOptional<Unset<I>>
        : S extends z.ZodObject<infer Shape, infer Config>
          ? z.ZodObject<{ -readonly [K in keyof Shape]: Unset<Shape[K]> }, Config>
          : S extends z.ZodRecord<infer K, infer V>
            ? z.ZodRecord<K, Unset<V>>
            : S;

/** The same schema without its defaults: its output holds exactly what the input holds. */
export function unset<S extends z.core.$ZodType>(schema: S): Unset<S> {
  return withoutDefaults(schema) as Unset<S>;
}

function withoutDefaults(node: z.core.$ZodType): z.core.$ZodType {
  if (isWrapper(node)) return z.optional(withoutDefaults(node.unwrap()));
  if (node instanceof z.ZodObject) {
    const shape = Object.entries(node.shape as z.core.$ZodShape);
    return z.strictObject(Object.fromEntries(shape.map(([key, value]) => [key, withoutDefaults(value)])));
  }
  if (node instanceof z.ZodRecord) return z.record(node.keyType as z.ZodType<string>, withoutDefaults(node.valueType));
  return node;
}

/** The text "one of a, b, c", with the most likely one at the end if `found` looks like a misspelling. */
export function oneOf(names: readonly string[], found?: string): string {
  if (names.length === 0) return "a name, but none is defined";
  const list = names.length === 1 ? String(names[0]) : `one of ${names.join(", ")}`;
  return found === undefined || names.length === 1 ? list : `${list} (did you mean ${closest(found, names)}?)`;
}

/** A whole number within bounds, both inclusive. */
export function wholeNumber(minimum: number, maximum: number) {
  return z.int().min(minimum).max(maximum);
}

/** Text of the given form. */
export const text = (pattern: RegExp) => z.string().regex(pattern);

/** A DNS label (RFC 1123), which Kubernetes accepts as an object's name and Kazoo as a zone. */
export const dnsLabel = text(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/).max(63);

/** A DNS name of one or more labels. */
export const dnsName = text(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/).max(253);

/** A network in CIDR notation. */
export const cidr = z.union([z.cidrv4(), z.cidrv6()]);

/**
 * A host that Kazoo can reach: a name or an IPv4 address, returned in the spelling by which Kazoo compares brokers and Erlang compares nodes. The
 * image's entrypoint (image/lib/checks.sh) has the same rule; a test throws the same values at both.
 */
export const host = z
  .string()
  .transform((found) => found.toLowerCase().replace(/\.$/, ""))
  .refine(isHost);

function isHost(name: string): boolean {
  // DNS allows no underscores, but Docker's names can contain them.
  const label = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?";
  if (name.length > 253 || !new RegExp(`^${label}(\\.${label})*$`).test(name)) return false;
  // Numbers alone are an address: resolvers read 1.2.3 as 1.2.0.3, 010.0.0.1 as 8.0.0.1 and 0x7f.1 as 127.0.0.1.
  const isNumeric = /^(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*$/.test(name);
  return !isNumeric || z.ipv4().safeParse(name).success;
}

/** A zone's name; Kazoo silently drops a zone called `undefined`. */
export const zoneName = dnsLabel.refine((name) => name !== "undefined");

/** A registry's host, with a dot, a port or as `localhost`: Docker and Kubernetes would look for any other name at Docker Hub. */
const registryPattern = String.raw`(?:localhost|(?=[^/]*[.:])[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)(?::[0-9]{1,5})?`;

const pathPattern = String.raw`(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*`;

/** A registry as it appears in an image's name: `host` or `host:port`. */
export const registryHost = text(new RegExp(`^${registryPattern}$`)).max(253);

/** What comes before the name of an image: `registry[:port][/path]`. */
export const imagePrefix = text(new RegExp(`^${registryPattern}${pathPattern}$`));

/** An image reference: `[registry[:port]/]repository[:tag][@sha256:digest]` (grammar: distribution/reference). */
export const imageReference = text(
  /^([a-zA-Z0-9][-a-zA-Z0-9.]*(:[0-9]+)?\/)?[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][-.A-Za-z0-9_]{0,127})?(@sha256:[a-f0-9]{64})?$/,
);

/** What {@link dnsLabel} accepts, in words. */
export const dnsLabelWords = "a name of lower-case letters, digits and dashes, at most 63 characters";

/** What a boolean is, in words. */
export const yesOrNo = "true or false, without quotes";

/** A value that a store or a container gets as text. */
export const scalar = (description: string, example: string) =>
  field(z.union([z.string(), z.number().transform(String), z.boolean().transform(String)]), {
    description,
    expected: "text, a number, true or false",
    example,
  });
