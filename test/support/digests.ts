import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type Path, difference } from "../../tools/report/difference";
import type { Digest, State, Step } from "../../tools/report/digest";
import type { Platform } from "../../config/platform";
import type { Registered } from "./mocks";

/** Options of a simulated preview. */
export interface DigestOptions {
  /** Leaves secrets in plain text, as no engine does, to test that reports do not rely on the engine. */
  readonly open?: boolean;
  /** Seed of the generated names, which differ from preview to preview. */
  readonly run?: number;
}

type Inputs = Record<string, unknown>;
type Resources = Map<string, { readonly type: string; readonly inputs: Inputs }>;

/**
 * What the engine would print for a stack deployed as `before` whose config is now `after`: the program's resources are compared, with
 * replacements where the Kubernetes provider makes them. `before` undefined: nothing is deployed.
 */
export async function digestOf(
  before: Platform | undefined,
  after: Platform,
  options: DigestOptions = {},
): Promise<Digest> {
  const old = before === undefined ? new Map<string, never>() : await deployed(before);
  const fresh = await deployed(after);
  const names = [...new Set([...old.keys(), ...fresh.keys()])];
  const replaced = new Set(names.filter((name) => replacedAtOnce(old.get(name), fresh.get(name))));
  const suffix = (name: string, isNew: boolean) => (isNew ? hex(name, options.run ?? 1) : hex(name, 0));
  const rename = (isAfter: boolean) => (text: string) =>
    text.replace(/^(.+)-autonamed$/, (_, name: string) => `${name}-${suffix(name, isAfter && replaced.has(name))}`);

  const steps = names.flatMap((name): Step[] => {
    const type = (fresh.get(name) ?? old.get(name))?.type ?? "";
    const state = (side: Resources, isAfter: boolean, protect: boolean): State | undefined => {
      const found = side.get(name);
      if (found === undefined) return undefined;
      const inputs = named(
        name,
        mapText(found.inputs, rename(isAfter)) as Inputs,
        suffix(name, isAfter && replaced.has(name)),
      );
      const shown = options.open === true ? inputs : closed(type, inputs);
      return { type, custom: true, protect: protect && isKept(type, name), inputs: shown, outputs: {} };
    };
    const [oldState, newState] = [state(old, false, before?.protect ?? false), state(fresh, true, after.protect)];
    const urn = `urn:pulumi:test::kazoo::kazoo:index:Datacenter$${type}::${name}`;
    if (oldState === undefined) return newState === undefined ? [] : [{ op: "create", urn, newState }];
    if (newState === undefined) return [{ op: "delete", urn, oldState }];
    const paths = differingPaths(
      old.get(name)?.inputs,
      fresh.get(name)?.inputs,
      oldState,
      newState,
      options.open === true,
    );
    const replaces = replaced.has(name);
    if (paths.length === 0) {
      return oldState.protect === newState.protect ? [] : [{ op: "same", urn, oldState, newState }];
    }
    const kind = replaces ? "update-replace" : "update";
    const detailedDiff = Object.fromEntries(paths.map((path) => [pathText(path), { kind }]));
    return [{ op: replaces ? "replace" : "update", urn, oldState, newState, detailedDiff }];
  });
  return { steps: [rootStep(before), ...steps], diagnostics: [] };
}

const deployedBefore = new WeakMap<Platform, Promise<Resources>>();

/** What a platform deploys. */
async function deployed(platform: Platform): Promise<Resources> {
  const known = deployedBefore.get(platform);
  if (known !== undefined) return known;
  const made = deployElsewhere(platform).then(
    (resources) =>
      new Map(
        resources.map(({ name, type, inputs }: Registered) => [name, { type, inputs: opened(inputs) as Inputs }]),
      ),
  );
  deployedBefore.set(platform, made);
  return made;
}

let worker: Worker | undefined;
const waiting = new Map<
  number,
  { readonly done: (resources: Registered[]) => void; readonly fail: (error: unknown) => void }
>();

/** {@link deployWithMocks} in a separate thread, because the test runner tracks every promise of its own thread, and there are millions. */
function deployElsewhere(platform: Platform): Promise<Registered[]> {
  if (worker === undefined) {
    const load = [join(__dirname, "../../tools/shared/typescript.js"), join(__dirname, "deployWorker.ts")];
    worker = new Worker(load.map((path) => `require(${JSON.stringify(path)});`).join(""), { eval: true, execArgv: [] });
    worker.on("message", ({ id, resources, error }: { id: number; resources?: Registered[]; error?: unknown }) => {
      const asker = waiting.get(id);
      waiting.delete(id);
      if (waiting.size === 0) worker?.unref();
      if (resources === undefined) asker?.fail(error);
      else asker?.done(resources);
    });
    worker.on("error", (error) => waiting.forEach(({ fail }) => fail(error)));
  }
  worker.ref();
  return new Promise((done, fail) => {
    const id = waiting.size === 0 ? 0 : Math.max(...waiting.keys()) + 1;
    waiting.set(id, { done, fail });
    worker?.postMessage({ id, platform });
  });
}

/** Without the SDK's wrapping of secrets. */
export function opened(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(opened);
  if (typeof value !== "object" || value === null) return value;
  if ("4dabf18193072939515e22adb298388d" in value && "value" in value) return opened(value.value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, opened(inner)]));
}

/** As the engine shows a Secret: its data as one secret. */
function closed(type: string, inputs: Inputs): Inputs {
  if (!type.endsWith(":Secret")) return inputs;
  const { stringData, ...rest } = inputs;
  return stringData === undefined ? rest : { ...rest, data: "[secret]" };
}

function named(name: string, inputs: Inputs, suffix: string): Inputs {
  const metadata = inputs.metadata as Inputs | undefined;
  if (metadata === undefined || metadata.name !== undefined) return inputs;
  const annotations = { ...(metadata.annotations as Inputs | undefined), "pulumi.com/autonamed": "true" };
  return { ...inputs, metadata: { ...metadata, annotations, name: `${name}-${suffix}` } };
}

const immutableKeys: [RegExp, string[]][] = [
  [/:ConfigMap$/, ["data"]],
  [/:Job$/, ["spec"]],
  [/:RandomId$/, ["keepers"]],
];

/** Whether the provider replaces a resource: immutable ones in Kubernetes, and changed random ones. */
function replacedAtOnce(
  old: { type: string; inputs: Inputs } | undefined,
  fresh: { inputs: Inputs } | undefined,
): boolean {
  if (old === undefined || fresh === undefined) return false;
  const [, immutable = []] = immutableKeys.find(([type]) => type.test(old.type)) ?? [];
  const claims = (inputs: Inputs) => (inputs.spec as Inputs | undefined)?.volumeClaimTemplates;
  return (
    immutable.some((key) => JSON.stringify(old.inputs[key]) !== JSON.stringify(fresh.inputs[key])) ||
    JSON.stringify(claims(old.inputs)) !== JSON.stringify(claims(fresh.inputs))
  );
}

function differingPaths(
  old: Inputs | undefined,
  fresh: Inputs | undefined,
  oldState: State,
  newState: State,
  open: boolean,
): Path[] {
  // Plain-text secrets are compared like any other value.
  const secrets = open
    ? []
    : difference(old?.stringData ?? {}, fresh?.stringData ?? {}).map(({ path }) => ["data", ...path]);
  const shown = difference(oldState.inputs, newState.inputs).map(({ path }) => path);
  return [...secrets, ...shown].filter(([first, second]) => !(first === "metadata" && second === "name"));
}

const pathText = (path: Path): string =>
  path
    .map((segment, index) =>
      typeof segment === "number"
        ? `[${segment}]`
        : /[^\w]/.test(segment)
          ? `[${JSON.stringify(segment)}]`
          : `${index === 0 ? "" : "."}${segment}`,
    )
    .join("");

const isKept = (type: string, name: string): boolean =>
  /:(Namespace|Secret)$|^random:/.test(type) || (type.endsWith(":StatefulSet") && !name.endsWith("-kazoo-nodes"));

/** The stack resource itself. */
export function rootStep(before: Platform | undefined): Step {
  const urn = "urn:pulumi:test::kazoo::pulumi:pulumi:Stack::kazoo-test";
  const type = "pulumi:pulumi:Stack";
  const zones = before?.zones.map(({ name, region, datacenter, namespace }) => [
    name,
    { region, datacenter, namespace },
  ]);
  return zones === undefined
    ? { op: "create", urn, newState: { type } }
    : { op: "same", urn, oldState: { type, outputs: { zones: Object.fromEntries(zones) } }, newState: { type } };
}

function mapText(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => mapText(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, mapText(inner, change)]));
}

/** Eight hexadecimal digits, derived from a name and a number. */
function hex(name: string, run: number): string {
  let hash = 2166136261 ^ run;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
