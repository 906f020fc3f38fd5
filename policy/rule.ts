import type { Resource } from "./resource";

/** What a rule knows besides resources. */
export interface Context {
  /** Whether the stack is throw-away. */
  readonly throwAway: boolean;
}

/** A violation, at one of the stack's resources. */
export interface Finding {
  readonly urn: string;
  readonly message: string;
}

interface About {
  readonly name: string;
  /** One sentence, which the engine prints above each message. */
  readonly description: string;
  /** The default level: a violation is a warning, or the preview or update fails. */
  readonly level: "advisory" | "mandatory";
}

/** Checks each resource before it changes. Returns what is wrong with it, never a secret's value. */
export interface ResourceRule extends About {
  readonly resource: (resource: Resource, context: Context) => readonly string[];
}

/** Checks the whole stack at the end of a preview and of an update. */
export interface StackRule extends About {
  readonly stack: (resources: readonly Resource[], context: Context) => readonly Finding[];
}

export type Rule = ResourceRule | StackRule;

/** Whether a resource's logical name matches a pattern in which `*` matches anything. */
export const isNamed = ({ name }: Pick<Resource, "name">, pattern: string): boolean =>
  new RegExp(`^${pattern.split("*").map(escaped).join(".*")}$`).test(name);

const escaped = (part: string): string => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&");
