/** A problem of a running stack. Its texts contain no secret. */
export interface Finding {
  /** Error: something does not work. Warning: something will soon stop working, or lacks protection. */
  readonly kind: "error" | "warning";
  /** The affected node, zone or ring: `us-east-nyc/kazoo-0`, `ring main`. */
  readonly where: string;
  readonly what: string;
  /** Why it matters. */
  readonly why: string;
  readonly fix: string;
}

/** A list of names for a message: the first three, and the number of others. */
export const some = (names: readonly string[]): string =>
  names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");

/** `1 message`, `2 messages`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Groups values by a key, in the order of first occurrence. */
export function groupedBy<T>(all: readonly T[], keyOf: (one: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return [...groups];
}
