import type { Platform } from "../platform";
import { problem, type Problem } from "../problem";

/** Paths that no patch may touch; `*` is any element. Without kinds, they apply to all objects. */
const fixed: readonly { readonly kinds?: readonly string[]; readonly path: string; readonly why: string }[] = [
  ...["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"].map((path) => ({
    path,
    why: "other objects refer to it",
  })),
  { kinds: ["Secret"], path: "/data", why: "secrets come from kazoo:credentials" },
  { kinds: ["Secret"], path: "/stringData", why: "secrets come from kazoo:credentials" },
  { path: "/spec/selector", why: "it says which pods belong to the object" },
  { kinds: ["NetworkPolicy"], path: "/spec/podSelector", why: "it says which pods belong to the object" },
  ...["/spec/serviceName", "/spec/volumeClaimTemplates"].map((path) => ({
    kinds: ["StatefulSet"],
    path,
    why: "Kubernetes cannot change it on an existing StatefulSet",
  })),
  ...["securityContext", "hostNetwork", "hostPID", "hostIPC", "containers/*/securityContext"].map((end) => ({
    kinds: ["StatefulSet", "Job"],
    path: `/spec/template/spec/${end}`,
    why: "pods keep the security level `restricted`",
  })),
];

/** Labels that the program and its policies use. */
const ownLabel = /^\/(metadata|spec\/template\/metadata)\/labels(\/(kazoo~1|app\.kubernetes\.io~1|pod-security\.).*)?$/;

/** Why a patch may not change what is at a path of a kind of object; undefined: it may. */
export function refusedPath(kind: string, path: string, isAppend: boolean): string | undefined {
  if (ownLabel.test(path)) return "the stack finds its objects by its own labels";
  return fixed.find(
    (rule) => (rule.kinds?.includes(kind) ?? true) && overlaps(rule.path.split("/"), path.split("/"), isAppend),
  )?.why;
}

/** Whether one path leads into the other. An element that is appended to a list replaces nothing. */
function overlaps(rule: readonly string[], path: readonly string[], isAppend: boolean): boolean {
  if (isAppend && path.length < rule.length) return false;
  const common = Math.min(rule.length, path.length);
  return rule.slice(0, common).every((part, index) => part === "*" || part === path[index]);
}

/** Patches of zones that are not on Kubernetes, and patches that break what the stack relies on. */
export function patchProblems({ patches, zones, clusters }: Platform): Problem[] {
  const known = zones.filter(({ cluster }) => clusters[cluster]?.kind !== "docker").map(({ name }) => name);
  return patches.flatMap(({ name, target: { zone, kind }, operations }) => {
    const key = `kazoo:patches.${name}`;
    const strange =
      known.length === 0 || (zone !== undefined && !known.includes(zone))
        ? [
            problem(
              `${key}.target.zone`,
              zone,
              `a zone on Kubernetes${known.length === 0 ? ", but the stack has none" : `: ${known.join(", ")}`}`,
              known[0] ?? "us-east-nyc",
            ),
          ]
        : [];
    const refused = operations.flatMap((operation) => {
      if (operation.op === "test") return [];
      const paths = operation.op === "move" ? [operation.from, operation.path] : [operation.path];
      return paths.flatMap((path) => {
        const why = refusedPath(kind, path, operation.op === "add" && path.endsWith("/-"));
        if (why === undefined) return [];
        const expected = `a path that a patch may change: ${why}`;
        const example = "/metadata/annotations/example.com~1team";
        return [{ key: `${key}.operations`, found: `${operation.op} ${path} of a ${kind}`, expected, example }];
      });
    });
    return [...strange, ...refused];
  });
}
