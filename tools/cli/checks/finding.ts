/** A problem of a running stack. Its texts contain no secret. */
export interface Finding {
  /** Error: something does not work. Warning: it soon will not, or it has less protection. */
  readonly kind: "error" | "warning";
  /** The node, zone or ring that it is about: `us-east-nyc/kazoo-0`, `ring main`. */
  readonly where: string;
  readonly what: string;
  /** Why it matters. */
  readonly why: string;
  readonly fix: string;
}

/** Names for people: the first three, and the number of others. */
export const some = (names: readonly string[]): string =>
  names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");

/** `1 message`, `2 messages`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Things grouped by a key, in the order of first occurrence. */
export function groupedBy<T>(all: readonly T[], keyOf: (one: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return [...groups];
}
