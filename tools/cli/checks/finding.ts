/** What is wrong with a stack that runs. No text of it holds a secret. */
export interface Finding {
  /** With an error something does not work; with a warning it will not, or with less protection. */
  readonly kind: "error" | "warning";
  /** The node, zone or ring that it is about: `us-east-nyc/kazoo-0`, `ring main`. */
  readonly where: string;
  readonly what: string;
  /** Why it matters. */
  readonly why: string;
  readonly fix: string;
}

/** Names for people: the first three, and how many more. */
export const some = (names: readonly string[]): string =>
  names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");

/** `1 message`, `2 messages`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Things by a key, in the order in which the keys are first met. */
export function groupedBy<T>(all: readonly T[], keyOf: (one: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return [...groups];
}
