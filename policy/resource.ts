/** A resource as plain data, independent of how it reached the policy pack. */

export type Tree = Readonly<Record<string, unknown>>;

export interface Resource {
  /** Type token, such as `kubernetes:apps/v1:StatefulSet`. */
  readonly type: string;
  /** Logical name. */
  readonly name: string;
  readonly urn: string;
  /** Before an update its inputs; for a rule about the whole stack its outputs. */
  readonly props: Tree;
  readonly protect: boolean;
  /** URN of its parent. */
  readonly parent?: string;
}

/** Replaces a value that is unknown in a preview. Rules must not report it. */
export const later = "(known after the update)";

/** Copies a value of the policy SDK, which throws on access to an unknown value. */
export function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const known = (key: string | number): unknown => {
    try {
      return plain((value as Record<string | number, unknown>)[key]);
    } catch {
      return later;
    }
  };
  if (Array.isArray(value)) return Array.from({ length: value.length }, (_, index) => known(index));
  return Object.fromEntries(Object.keys(value).map((key) => [key, known(key)]));
}

/** The value at a path; undefined if there is none. */
export const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (node, key) => (typeof node === "object" && node !== null ? (node as Tree)[key] : undefined),
    value,
  );

/** A list of mappings; anything else is an empty one. */
export const list = (value: unknown): readonly Tree[] => (Array.isArray(value) ? value.filter(isTree) : []);

/** A mapping; anything else is an empty one. */
export const tree = (value: unknown): Tree => (isTree(value) ? value : {});

/** Text; anything else is empty. */
export const text = (value: unknown): string => (typeof value === "string" ? value : "");

const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null && !Array.isArray(value);

/** Kind of a Kubernetes object, such as `StatefulSet`; undefined for any other resource. */
export const kindOf = ({ type }: Resource): string | undefined => /^kubernetes:[\w.]+\/v\w+:(\w+)$/.exec(type)?.[1];

/** Namespace of a Kubernetes object. */
export const namespaceOf = ({ props }: Resource): string => text(at(props, "metadata", "namespace"));

export const isContainer = ({ type }: Resource): boolean => type === "docker:index/container:Container";
