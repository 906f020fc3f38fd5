import type { KubernetesObject } from "@kubernetes/client-node";
import { secret } from "../../config/secrets";

/**
 * Fields that someone else added to an object. Server-side apply ignores fields that the program does not own, so neither a preview nor a refresh
 * shows them; the object's `managedFields` do (Kubernetes documentation, "Server-Side Apply").
 */

/**
 * Field managers that write fields as part of their work: Pulumi itself, the parts of Kubernetes, and common add-ons. Neither kubectl nor any
 * name that a person chose is one of them.
 */
const working =
  /^(pulumi|kubelet|kwok|istio|linkerd|rancher|cert-manager|external-secrets|kube-)|controller|operator|webhook|injector|autoscaler/;

/** Fields that the API server sets or removes when someone changes the type of a Service. */
const assigned = new Set(["nodePort", "healthCheckNodePort", "clusterIP", "clusterIPs", "externalTrafficPolicy"]);

/** A key of a mapping, or what identifies an element of a list. */
type Segment = string | Inputs;

/** Whether someone created an object by hand. Objects of controllers have only managers such as those above, or an owner. */
export const isHandmade = ({ metadata }: KubernetesObject): boolean =>
  metadata?.ownerReferences === undefined &&
  (metadata?.managedFields ?? []).some(({ manager = "" }) => !working.test(manager)) &&
  !(metadata?.managedFields ?? []).some(({ manager = "" }) => manager.startsWith("pulumi"));

type Inputs = Readonly<Record<string, unknown>>;

/**
 * A resource's object in the cluster, if someone has added fields to it. A refresh then misreads its lists, because it compares elements by
 * position.
 * @param inputs of the resource in the state
 * @param live the object in the cluster, with its managedFields
 * @returns the inputs with the values in the cluster, without and with the additions; undefined if there are none. Values of a Secret become a
 * placeholder.
 */
export function foreignFields(
  inputs: Inputs,
  live: KubernetesObject,
): { readonly own: Inputs; readonly all: Inputs } | undefined {
  const entries = (live.metadata?.managedFields ?? [])
    .filter(({ subresource }) => subresource !== "status")
    .map(({ manager = "", fieldsV1 = {} }) => ({ isOurs: working.test(manager), fields: fieldsV1 as Fields }));
  const pathsOf = (ours: boolean) =>
    entries.filter(({ isOurs }) => isOurs === ours).flatMap(({ fields }) => leaves(fields));
  const owned = new Set(pathsOf(true).map((path) => JSON.stringify(path)));
  const shown = live.kind === "Secret" ? withoutValues(live) : live;
  const trees = entries.map(({ fields }) => fields);
  const own: Inputs = { ...(asLive(inputs, shown, trees) as Inputs), metadata: inputs.metadata };
  const all = pathsOf(false)
    .filter((path) => !owned.has(JSON.stringify(path)) && isOurBusiness(path))
    .reduce<Inputs>((result, path) => insert(result, shown, path) as Inputs, own);
  return JSON.stringify(all) === JSON.stringify(own) ? undefined : { own, all };
}

/** Anyone may set labels and annotations of an object; `kubectl rollout restart` leaves an annotation in the pod template. */
const isOurBusiness = (path: readonly Segment[]): boolean =>
  path.length > 0 &&
  path[0] !== "metadata" &&
  !path.includes("kubectl.kubernetes.io/restartedAt") &&
  !path.some((segment) => typeof segment === "string" && assigned.has(segment));

/** Fields in the format FieldsV1: `f:` a key, `k:` an element of a list by its keys, `.` the element itself. */
interface Fields {
  readonly [key: string]: Fields;
}

function leaves(fields: Fields, path: readonly Segment[] = []): (readonly Segment[])[] {
  const inner = Object.entries(fields).filter(([key]) => key !== ".");
  // Elements by value or position: treat the list as a whole.
  if (inner.length === 0 || inner.some(([key]) => !/^[fk]:/.test(key))) return [path];
  return inner.flatMap(([key, content]) => {
    return leaves(content, [...path, key.startsWith("f:") ? key.slice(2) : selector(key)]);
  });
}

/** The live object's values of all fields that the inputs set. Elements of lists are matched by their keys in `managedFields`. */
function asLive(inputs: unknown, live: unknown, trees: readonly Fields[]): unknown {
  if (Array.isArray(inputs) && Array.isArray(live)) {
    const keys = trees.flatMap((tree) => Object.keys(tree).filter((key) => key.startsWith("k:")));
    if (keys.length === 0 && inputs.length !== live.length) return live;
    return inputs.flatMap((item: unknown, index): unknown[] => {
      if (keys.length === 0) return [asLive(item, live[index], [])];
      const key = keys.find((candidate) => isAt(selector(candidate), item));
      const found: unknown = key === undefined ? undefined : live.find((other) => isAt(selector(key), other));
      return key === undefined || found === undefined ? [] : [asLive(item, found, within(trees, key))];
    });
  }
  if (!isMapping(inputs) || !isMapping(live)) return live;
  return Object.fromEntries(
    Object.keys(inputs)
      .filter((key) => live[key] !== undefined)
      .map((key) => [key, asLive(inputs[key], live[key], within(trees, `f:${key}`))]),
  );
}

const isMapping = (value: unknown): value is Inputs =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const within = (trees: readonly Fields[], key: string): Fields[] => trees.flatMap((tree) => tree[key] ?? []);

const selector = (key: string): Inputs => JSON.parse(key.slice(2)) as Inputs;

/** The target with the live value at a path; unchanged if the live object has none. */
function insert(target: unknown, live: unknown, [segment, ...rest]: readonly Segment[]): unknown {
  if (segment === undefined) return live;
  if (typeof segment === "string") {
    const found = live as Inputs | undefined;
    if (found?.[segment] === undefined) return target;
    const object = (target ?? {}) as Inputs;
    return { ...object, [segment]: insert(object[segment], found[segment], rest) };
  }
  const found = (live as unknown[] | undefined)?.find((item) => isAt(segment, item));
  if (found === undefined) return target;
  const list = (target ?? []) as readonly unknown[];
  const index = list.findIndex((item) => isAt(segment, item));
  if (index < 0) return [...list, insert(segment, found, rest)];
  return list.map((item, at) => (at === index ? insert(item, found, rest) : item));
}

/** Whether an element of a list has these keys. Inputs may omit a port's protocol. */
const isAt = (keys: Inputs, item: unknown): boolean =>
  Object.entries(keys).every(([key, value]) => {
    const own = (item as Inputs)[key];
    return (own ?? (key === "protocol" ? "TCP" : undefined)) === value;
  });

const withoutValues = (object: KubernetesObject): KubernetesObject => {
  const { data = {} } = object as { data?: Record<string, string> };
  return { ...object, data: Object.fromEntries(Object.keys(data).map((key) => [key, secret])) } as KubernetesObject;
};
