import * as pulumi from "@pulumi/pulumi";
import { applyPatch, type Operation } from "fast-json-patch";
import type { Patch } from "../config/schema/patches";
import { ConfigError, problem } from "../config/problem";
import { patchesAnnotation } from "./names";

/** The patches of a stack, and which of them have matched an object. */
export class Patches {
  private readonly used = new Set<Patch>();

  /** @param patches in the order in which they are applied */
  constructor(private readonly patches: readonly Patch[]) {}

  /** Changes the objects of a zone before they are deployed, each with an annotation that names its patches. */
  in(zone: string, namespace: string): pulumi.ResourceTransformation {
    return ({ type, name, props, opts }) => {
      const object = props as PatchedObject;
      const kind = kindOf(type);
      const given = object.metadata?.name;
      // If Kubernetes generates the name, the logical name identifies the object. A Namespace's name is only known after a look at the cluster.
      const ownName = kind === "Namespace" ? namespace : typeof given === "string" ? given : name;
      const found = this.patches.filter(({ target }) => matches(target, zone, kind, ownName, object));
      if (found.length === 0) return undefined;
      for (const patch of found) this.used.add(patch);
      return { props: patched(object, found, `${kind} of ${zone}`), opts };
    };
  }

  /**
   * @param part of the platform; a patch may match objects of another part
   * @throws RunError that names the patches without a matching object
   */
  requireMatches(part: { readonly split: boolean; readonly zones: readonly { readonly name: string }[] }): void {
    const isFor = ({ target }: Patch) => !part.split || part.zones.some(({ name }) => name === target.zone);
    const unused = this.patches.filter((patch) => !this.used.has(patch) && isFor(patch));
    if (unused.length === 0) return;
    const problems = unused.map(({ name, target }) =>
      problem(
        `kazoo:patches.${name}.target`,
        target,
        "a target that matches an object of the stack (test/golden/manifests shows what stacks deploy)",
        "{ kind: StatefulSet, name: kazoo }",
      ),
    );
    throw new pulumi.RunError(new ConfigError(problems).message);
  }
}

interface PatchedObject extends Record<string, unknown> {
  readonly metadata?: { readonly name?: unknown; readonly labels?: Readonly<Record<string, unknown>> };
}

/** `StatefulSet` of `kubernetes:apps/v1:StatefulSet`; empty for anything but a Kubernetes object. */
const kindOf = (type: string): string => /^kubernetes:.*:([^:]+)$/.exec(type)?.[1] ?? "";

function matches(
  { kind, name, zone: only, labels = {} }: Patch["target"],
  zone: string,
  objectKind: string,
  ownName: string,
  { metadata }: PatchedObject,
): boolean {
  return (
    kind === objectKind &&
    (name ?? ownName) === ownName &&
    (only ?? zone) === zone &&
    Object.entries(labels).every(([key, value]) => metadata?.labels?.[key] === value)
  );
}

/** Only the parts that a patch changes become computed values, so that a preview still shows the others. */
function patched(object: PatchedObject, patches: readonly Patch[], where: string): PatchedObject {
  const changed = new Set([
    "metadata",
    ...patches.flatMap(({ operations }) =>
      operations.flatMap((operation) =>
        [operation.path, "from" in operation ? operation.from : operation.path].map((path) => path.split("/")[1] ?? ""),
      ),
    ),
  ]);
  const parts = Object.fromEntries([...changed].map((key) => [key, object[key]]));
  const result = pulumi.output(parts).apply((resolved) => patchedParts(resolved, patches, where));
  return { ...object, ...Object.fromEntries([...changed].map((key) => [key, result.apply((all) => all[key])])) };
}

/**
 * An object, or parts of it, with patches applied and named in an annotation.
 * @param where for the error: which object it is
 * @throws RunError if a patch does not fit
 */
export function patchedParts(
  parts: Readonly<Record<string, unknown>>,
  patches: readonly Patch[],
  where: string,
): Record<string, unknown> {
  let object = Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
  for (const { name, operations } of patches) {
    try {
      object = applyPatch(object, operations as readonly Operation[], true, false).newDocument;
    } catch (error) {
      const { name: reason, operation } = error as { name: string; operation?: { op?: string; path?: string } };
      throw new pulumi.RunError(
        `kazoo:patches.${name}.operations: ${operation?.op} ${operation?.path} does not fit ${where}: ${reason.toLowerCase().replaceAll("_", " ")}`,
      );
    }
  }
  const metadata = object.metadata as { annotations?: object } | undefined;
  const names = patches.map(({ name }) => name).join(",");
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...metadata?.annotations, [patchesAnnotation]: names } },
  };
}
