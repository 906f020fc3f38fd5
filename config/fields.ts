import { closest } from "fastest-levenshtein";
import { z } from "zod";

/** What the config reference and the error messages say of a field. */
export interface FieldDocs {
  /** What the field does, in one sentence. */
  readonly description: string;
  /** What is accepted, as a noun phrase that follows "expected". */
  readonly expected: string;
  /** A value that is right, as one would write it in YAML. */
  readonly example: string;
  /** What holds where the field is left out, for readers. */
  readonly default?: string;
}

/** The docs of each field, mapping and list of the schema. */
export const docs = z.registry<FieldDocs>();

/** What an issue of ours carries beside zod's own fields. */
export interface IssueParams {
  readonly expected: string;
  readonly example: string;
}

/** A value that `inner` checks (and may normalise); whatever is wrong with it, the message says what was expected. */
export function field<T>(inner: z.ZodType<T>, about: FieldDocs) {
  const schema = z.unknown().transform((input, context): T => {
    const result = inner.safeParse(input);
    if (result.success) return result.data;
    const params: IssueParams = { expected: about.expected, example: about.example };
    context.issues.push({ code: "custom", message: about.expected, params, input });
    return z.NEVER;
  });
  return schema.register(docs, about);
}

/** A mapping with the given keys and no others. */
export function mapping<S extends z.ZodRawShape>(shape: S, description: string, example: string) {
  const keys = Object.keys(shape);
  const schema = z.strictObject(shape, { error: () => `a mapping with the keys ${keys.join(", ")}` });
  return schema.register(docs, { description, expected: `a mapping with the keys ${keys.join(", ")}`, example });
}

/** A mapping from names that the operator chooses to values of one shape. Names are checked by `name`. */
export function named<T extends z.ZodType>(name: z.ZodType<string, string>, value: T, about: FieldDocs) {
  return z.record(name, value, { error: () => about.expected }).register(docs, about);
}

/** The text "one of a, b, c", with the likeliest one first where `found` looks like a misspelling. */
export function oneOf(names: readonly string[], found?: string): string {
  if (names.length === 0) return "a name, but none is defined";
  const list = names.length === 1 ? String(names[0]) : `one of ${names.join(", ")}`;
  return found === undefined || names.length === 1 ? list : `${list} (did you mean ${closest(found, names)}?)`;
}

/** A whole number within bounds, both inclusive. */
export function wholeNumber(minimum: number, maximum: number) {
  return z.int().min(minimum).max(maximum);
}

/** A DNS label (RFC 1123): what Kubernetes takes for names of objects and what Kazoo takes for a zone. */
export const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
  .max(63);

/** A DNS name of one or more labels. */
export const dnsName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
  .max(253);

/** A host as Kazoo can write it into its configuration: a DNS name or an IPv4 address. */
export const host = z
  .string()
  .regex(/^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?)*$/)
  .max(253);

/** An image reference: `[registry[:port]/]repository[:tag][@sha256:digest]` (grammar: distribution/reference). */
export const imageReference = z
  .string()
  .regex(
    /^([a-zA-Z0-9][-a-zA-Z0-9.]*(:[0-9]+)?\/)?[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][-.A-Za-z0-9_]{0,127})?(@sha256:[a-f0-9]{64})?$/,
  );
