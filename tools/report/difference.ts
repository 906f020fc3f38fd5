import { secret } from "../../config/secrets";
import { unknown } from "./mask";

/** A place in a resource's inputs; list elements by their number. */
export type Path = readonly (string | number)[];

/** One property that changes. */
export interface PropertyChange {
  readonly path: Path;
  /** The path as text; list elements by their `name` if they have one, `containers[kazoo].image`. */
  readonly label: string;
  /** What is removed: the value, or the affected lines or words of a longer text. */
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

/** The differences between two inputs of a resource, leaf by leaf, sorted by label. */
export function difference(before: unknown, after: unknown): PropertyChange[] {
  return sorted(compare([], [], before, after));
}

/** Changes sorted by label. */
export const sorted = (changes: readonly PropertyChange[]): PropertyChange[] =>
  [...changes].sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : 0));

/** Segments of a path as providers write it: `spec.containers[0].env`, `data["kazoo.ini"]`. */
export function parsePath(text: string): Path {
  return [...text.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(([, quoted, index, plain]) =>
    index !== undefined ? Number(index) : (quoted ?? plain ?? ""),
  );
}

/** Whether one of two paths lies within the other. */
export function overlap(a: Path, b: Path): boolean {
  return a.slice(0, b.length).every((segment, index) => segment === b[index]);
}

/** A path as text. */
export function labelOf(path: readonly (string | number)[]): string {
  return path
    .map((segment, index) =>
      typeof segment === "number" || /^[^[]*\./.test(segment) ? `[${segment}]` : `${index === 0 ? "" : "."}${segment}`,
    )
    .join("");
}

/** The value at a path; undefined if there is none. */
export function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (inner, segment) => (typeof inner === "object" && inner !== null ? own(inner, segment) : undefined),
    value,
  );
}

/** A property, unless it is inherited: keys may be called `constructor`. */
const own = (object: object, key: string | number): unknown =>
  Object.hasOwn(object, key) ? (object as Record<string | number, unknown>)[key] : undefined;

/** A change of a property's value as a whole. */
export function changeOf(path: Path, before: unknown, after: unknown, label = labelOf(path)): PropertyChange {
  if (typeof before === "string" && typeof after === "string" && ![before, after].some(isRemark)) {
    const separator = [before, after].some((text) => text.includes("\n")) ? /\n/ : /\s+/;
    const [old, fresh] = [before.split(separator), after.split(separator)];
    if (old.length > wordsOfAValue || fresh.length > wordsOfAValue) {
      const [removed, added] = [without(old, fresh), without(fresh, old)];
      const reordered = removed.length === 0 && added.length === 0;
      return { path, label, removed: reordered ? ["(another order)"] : removed, added };
    }
  }
  return {
    path,
    label,
    removed: before === undefined ? [] : [show(before)],
    added: after === undefined ? [] : [show(after)],
  };
}

/** The placeholder for a value that is not shown. */
const isRemark = (text: string): boolean => text === secret || text === unknown;

/** Longer texts are compared word by word or line by line, and only the differences are shown. */
const wordsOfAValue = 2;

/** The elements of one list that are missing in the other, with repetitions. */
function without(list: readonly string[], other: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const item of other) left.set(item, (left.get(item) ?? 0) + 1);
  return list.filter((item) => {
    const count = left.get(item) ?? 0;
    left.set(item, count - 1);
    return count <= 0;
  });
}

const show = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

function compare(path: Path, shown: Path, before: unknown, after: unknown): PropertyChange[] {
  if (Array.isArray(before) && Array.isArray(after)) return compareLists(path, shown, before, after);
  if (isObject(before) && isObject(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
      compare([...path, key], [...shown, key], own(before, key), own(after, key)),
    );
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [changeOf(path, before, after, labelOf(shown))];
}

function compareLists(path: Path, shown: Path, before: unknown[], after: unknown[]): PropertyChange[] {
  const [oldSettings, settings] = [settingsOf(before), settingsOf(after)];
  if (oldSettings !== undefined && settings !== undefined) {
    return difference(oldSettings, settings).map((change) => ({ ...change, path }));
  }
  const [old, fresh] = [names(before), names(after)];
  if (old !== undefined && fresh !== undefined) {
    return [...new Set([...old, ...fresh])].flatMap((name) => {
      const index = fresh.includes(name) ? fresh.indexOf(name) : old.indexOf(name);
      const at = (list: unknown[], known: string[]) => (known.includes(name) ? list[known.indexOf(name)] : undefined);
      // A name in a path is written like a number: in brackets.
      return compare([...path, index], bracket(shown, name), at(before, old), at(after, fresh));
    });
  }
  if (before.length === after.length) {
    return after.flatMap((item, index) => compare([...path, index], [...shown, index], before[index], item));
  }
  const [removed, added] = [without(before.map(show), after.map(show)), without(after.map(show), before.map(show))];
  return [{ path, label: labelOf(shown), removed, added }];
}

const bracket = (shown: Path, name: string): Path => [...shown.slice(0, -1), `${shown.at(-1) ?? ""}[${name}]`];

/** Names of a list's elements, if all are different: in the Kubernetes API such a list is a mapping. */
function names(list: readonly unknown[]): string[] | undefined {
  const found = list.map((item) => {
    if (!isObject(item)) return undefined;
    const name = item.name ?? (isObject(item.metadata) ? item.metadata.name : undefined);
    return typeof name === "string" ? name : undefined;
  });
  const known = found.filter((name) => name !== undefined);
  return known.length === list.length && new Set(known).size === list.length ? known : undefined;
}

/** Docker writes a mapping as a list of `NAME=value`. */
function settingsOf(list: readonly unknown[]): Record<string, string> | undefined {
  const settings = list.map((item) => (typeof item === "string" ? /^([A-Z_][A-Z0-9_]*)=(.*)$/s.exec(item) : null));
  if (list.length === 0 || settings.some((setting) => setting === null)) return undefined;
  return Object.fromEntries(settings.map((setting) => [setting?.[1] ?? "", setting?.[2] ?? ""]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
