import type { Resource } from "./resource";

/** What a rule may know besides resources. */
export interface Context {
  /** Whether the stack holds nothing that is worth keeping. */
  readonly throwAway: boolean;
}

/** A fault of a stack, at one of its resources. */
export interface Finding {
  readonly urn: string;
  readonly message: string;
}

interface About {
  readonly name: string;
  /** One sentence, which the engine prints above each message. */
  readonly description: string;
  /** What happens unless the pack's config says otherwise: a warning, or the preview or update fails. */
  readonly level: "advisory" | "mandatory";
}

/** Judges each resource before anything is done to it. Returns what is wrong with it; never a secret's value. */
export interface ResourceRule extends About {
  readonly resource: (resource: Resource, context: Context) => readonly string[];
}

/** Judges the stack as a whole, once all of it is known: at the end of a preview, and of an update. */
export interface StackRule extends About {
  readonly stack: (resources: readonly Resource[], context: Context) => readonly Finding[];
}

export type Rule = ResourceRule | StackRule;

/** Whether a pattern, in which `*` stands for anything, is a resource's logical name. */
export const isNamed = ({ name }: Pick<Resource, "name">, pattern: string): boolean =>
  new RegExp(`^${pattern.split("*").map(escaped).join(".*")}$`).test(name);

const escaped = (part: string): string => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&");
