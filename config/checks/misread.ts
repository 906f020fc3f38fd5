import { z } from "zod";
import { fieldAt, unwrapped } from "../schema/fields";
import { isSecretKey, type Problem } from "../problem";
import { schema } from "../schema";
import type { Misread } from "../yaml";

/** Problems with plain scalars that YAML reads as something other than their text. */
export function misreadProblems(misread: readonly Misread[]): Problem[] {
  return misread.filter(isHarmful).map(({ path, isKey, text, value, line }) => {
    const [top = "", ...rest] = path;
    const key = [`kazoo:${top}`, ...rest].join(".");
    const shown = isSecretKey(key) ? { text: "[secret]", value: "something else" } : { text, value: asRead(value) };
    return {
      key,
      found: `${isKey ? "the key " : ""}${shown.text} (line ${line}), which YAML reads as ${shown.value}`,
      expected: `the ${isKey ? "key" : "text"} in quotes, or what is meant in the usual spelling`,
      example: isSecretKey(key) ? '"…"' : JSON.stringify(text),
    };
  });
}

const asRead = (value: Misread["value"]): string =>
  value instanceof Date
    ? "a date"
    : value === null
      ? "nothing"
      : `${typeof value === "number" ? "the number " : ""}${String(value)}`;

/** Whether the difference matters to the field: `4.0` is a valid version either way, but `010` is not the number that it looks like. */
function isHarmful({ path, isKey, text, value }: Misread): boolean {
  if (isKey) return true;
  const found = fieldAt(schema, path);
  const field = unwrapped(found.node);
  // An unknown key, or a value that should be a mapping, is reported elsewhere.
  if (field instanceof z.ZodObject || field instanceof z.ZodRecord) return false;
  if (found.path.length < path.length) return true;
  const ofText = z.safeParse(field, text);
  const ofValue = z.safeParse(field, value);
  if (!ofValue.success) return ofText.success;
  if (ofText.success) return ofText.data !== ofValue.data;
  return typeof value !== "boolean" && Number(text) !== value;
}
