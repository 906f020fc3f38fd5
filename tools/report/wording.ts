import type { Change } from "./changes";
import type { PropertyChange } from "./difference";
import type { Span, Text } from "./document";

/** `1 pod`, `2 pods`. */
export const plural = (count: number, noun: string, several = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : several}`;

/** The first of a list, and how many more there are. */
export function firstOf(items: readonly string[], most: number): string {
  const rest = items.length - most;
  return rest > 0 ? `${items.slice(0, most).join(", ")} and ${rest} more` : items.join(", ");
}

/** Titles, StatefulSets first. */
export const workloadsFirst = (titles: readonly string[]): string[] =>
  [...titles].sort((a, b) => Number(b.startsWith("StatefulSet")) - Number(a.startsWith("StatefulSet")));

/** The shortest clear form of a property's path: a ConfigMap's key, or the path within the pod. */
export function shortLabel(kind: string, label: string): string {
  if (kind === "ConfigMap") return label.replace(/^data\[(.+)\]$/, "$1").replace(/^data\./, "");
  return label.replace(/^spec\.template\.spec\./, "");
}

/** `LABEL old → new` on one line; longer lists are cut. */
export function changed(label: string, { removed, added }: Pick<PropertyChange, "removed" | "added">): Text {
  const name: Text = [{ code: label }, " "];
  if (removed.length === 0 && added.length === 0) return [...name, "changes"];
  if (removed.join() === "[secret]" && added.join() === "[secret]") return [...name, "changes (secret)"];
  if (removed.length === 1 && added.length === 1) return [...name, value(removed[0]), " → ", value(added[0])];
  return [...name, ...joined([...some("−", removed), ...some("+", added)])];
}

/** Texts separated by commas. */
export const joined = (texts: readonly Text[]): Text =>
  texts.flatMap((text, index) => (index === 0 ? text : [", ", ...text]));

function some(sign: string, values: readonly string[]): Span[][] {
  const shown = values.slice(0, mostValues).map((text) => [`${sign} `, value(text)]);
  const rest = values.length - mostValues;
  return rest > 0 ? [...shown, [`${sign} ${rest} more`]] : shown;
}

const mostValues = 2;
const longestValue = 120;

/** A value, cut if it is long. Text in parentheses is a remark, not a value. */
function value(text = ""): Span {
  if (/^\(.*\)$/.test(text)) return text;
  return { code: cut(text, longestValue) };
}

/** A text of at most `most` characters. */
export const cut = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most)}… (${text.length} characters)` : text;

/** The words for each effect. */
export const effectWords: Record<Change["effect"], string> = {
  create: "created",
  change: "changed in place",
  renew: "renewed",
  replace: "replaced",
  delete: "deleted",
  protect: "now protected",
  unprotect: "no longer protected",
};
