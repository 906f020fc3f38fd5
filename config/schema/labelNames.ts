import { field, text } from "./fields";

/** Names and values of labels, as the API server checks them (kubernetes.io/docs/concepts/overview/working-with-objects/labels). */

/** The name of a label, taint or annotation. */
export const qualifiedName = text(
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
).max(317);

/** What a {@link qualifiedName} is, in words. */
export const aName =
  "a name of at most 63 letters, digits, dashes, dots and _, with or without a DNS name and a slash in front";

/** A field with the name of a label, taint or annotation. */
export const nameOf = (what: string, example: string) =>
  field(qualifiedName, { description: `Name of ${what}.`, expected: aName, example });

/** The value of a label or taint. */
export const labelText = text(/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/);

/** What a {@link labelText} is, in words. */
export const aValue =
  "text of at most 63 letters, digits, dashes, dots and _, in quotes if YAML would read a number, true or false";

/** A field with the value of a label. */
export const labelValue = field(labelText, { description: "Value of a label.", expected: aValue, example: '"true"' });
