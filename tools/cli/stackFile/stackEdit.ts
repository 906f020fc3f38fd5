import { isDeepStrictEqual } from "node:util";
import { Document, isMap, parseDocument, stringify } from "yaml";
import type { Rotated, Rotation } from "../../../config/credentials";
import { variables } from "../../../config/schema/environment";
import { type ImageBuild, type Platform, type Zone, builtReference } from "../../../config/platform";
import { imageFolder } from "../../../config/schema/build";
import { UserError } from "../../shared/terminal";

/** Values of a run environment in a stack's file. */
export type Variables = Readonly<Record<string, string | number | boolean>>;

/** The run environment that a datacenter itself sets. */
export interface OwnEnvironment {
  /** The known variables. */
  readonly environment: Variables;
  /** Other variables. */
  readonly extraEnvironment: Variables;
}

const datacenterPath = ({ region, datacenter }: Zone): string[] => [
  "config",
  "kazoo:regions",
  region,
  "datacenters",
  datacenter,
];

/** The variables that a datacenter itself sets. */
export function ownEnvironment(text: string, zone: Zone): OwnEnvironment {
  const own = parseDocument(text).getIn(datacenterPath(zone));
  const { environment = {}, extraEnvironment = {} } = (isMap(own) ? own.toJSON() : {}) as Partial<OwnEnvironment>;
  return { environment, extraEnvironment };
}

/** A stack's file in which a datacenter sets exactly these variables; everything else stays, including comments. */
export function withOwnEnvironment(text: string, zone: Zone, wanted: OwnEnvironment): string {
  return edited(text, (document) => {
    const path = datacenterPath(zone);
    if (!isMap(document.getIn(path))) document.setIn(path, document.createNode({}));
    for (const level of ["environment", "extraEnvironment"] as const) {
      if (Object.keys(wanted[level]).length === 0) document.deleteIn([...path, level]);
      else document.setIn([...path, level], document.createNode(wanted[level]));
    }
  });
}

/** A stack's file in which a datacenter has this value at a path of its keys; undefined removes it. */
export function withSetting(text: string, zone: Zone, path: readonly string[], value: unknown): string {
  return edited(text, (document) => {
    const datacenter = datacenterPath(zone);
    if (!isMap(document.getIn(datacenter))) document.setIn(datacenter, document.createNode({}));
    const whole = [...datacenter, ...path];
    if (value === undefined) document.deleteIn(whole);
    else document.setIn(whole, document.createNode(value, { flow: true }));
  });
}

/** A stack's file in which a ring has this value at a path of its keys; undefined removes it. */
export function withRing(text: string, ring: string, path: readonly string[], value: unknown): string {
  return edited(text, (document) => {
    const own = ["config", "kazoo:rings", ring];
    if (value === undefined) {
      if (document.hasIn([...own, ...path])) document.deleteIn([...own, ...path]);
      return;
    }
    if (!isMap(document.getIn(own))) document.setIn(own, document.createNode({}));
    // A plain value keeps the comment after it.
    const node = typeof value === "object" ? document.createNode(value, { flow: true }) : value;
    document.setIn([...own, ...path], node);
  });
}

/** A datacenter that is to be added to a stack's file. */
export interface NewDatacenter {
  readonly region: string;
  readonly datacenter: string;
  readonly ring: string;
  readonly cluster: string;
  /** Of the kubeconfig, for a cluster that the file does not have. */
  readonly context?: string | undefined;
}

/** A stack's file with another datacenter, and its ring and its cluster where nothing names them yet. */
export const withDatacenter = (text: string, { region, datacenter, ring, cluster, context }: NewDatacenter): string =>
  edited(text, (document) => {
    const flow = (value: object) => document.createNode(value, { flow: true });
    document.setIn(["config", "kazoo:regions", region, "datacenters", datacenter], flow({ cluster, ring }));
    if (!document.hasIn(["config", "kazoo:rings", ring])) document.setIn(["config", "kazoo:rings", ring], flow({}));
    if (context !== undefined) document.setIn(["config", "kazoo:clusters", cluster], flow({ context }));
  });

/** A stack's file without a datacenter, and without its region and its cluster if it was the last one in them. */
export function withoutDatacenter(text: string, zone: Zone, { zones }: Platform): string {
  const others = zones.filter(({ name }) => name !== zone.name);
  return edited(text, (document) => {
    const isLast = others.every(({ region }) => region !== zone.region);
    document.deleteIn(isLast ? ["config", "kazoo:regions", zone.region] : datacenterPath(zone));
    if (others.every(({ cluster }) => cluster !== zone.cluster))
      document.deleteIn(["config", "kazoo:clusters", zone.cluster]);
  });
}

/** A stack's file in which a ring has this placement. */
export const withPlacement = (text: string, ring: string, placement: Readonly<Record<string, number>>): string =>
  withRing(text, ring, ["placement"], placement);

/** A stack's file in which a credential of a ring has this state of rotation. */
export const withRotation = (text: string, ring: string, what: Rotated, rotation: Rotation): string =>
  withRing(text, ring, ["rotations", what], rotation);

/** The image that a stack's file names for its brokers or its database, if it does. */
export const namedImage = (text: string, key: "rabbitmq" | "database"): string | undefined =>
  parseDocument(text).getIn(["config", "kazoo:images", key]) as string | undefined;

/** A stack's file that names this image for its brokers or its database. */
export const withNamedImage = (text: string, key: "rabbitmq" | "database", reference: string): string =>
  edited(text, (document) => document.setIn(["config", "kazoo:images", key], reference));

/** A stack's file that runs an image of this version of Kazoo: an existing image, or one built from a branch or tag if the build has that setting. */
export function withKazoo(
  text: string,
  { image }: Platform,
  version: { readonly reference: string } | { readonly sources: string },
): string {
  return edited(text, (document) => {
    if ("reference" in version) {
      document.setIn(["config", "kazoo:image", "prebuilt"], version.reference);
      return;
    }
    const build = ["config", "kazoo:image", "build"];
    document.deleteIn([...build, "digest"]);
    const argument = [...build, "args", "KAZOO_VERSION"];
    if (image.kind === "build" && (image.context === imageFolder || document.hasIn(argument)))
      document.setIn(argument, version.sources);
  });
}

/** A stack's file without a credential of a ring, and without mappings that this leaves empty. */
export function withoutCredential(text: string, ring: string, key: string): string {
  return edited(text, (document) => {
    const path = ["config", "kazoo:credentials", ring, key];
    if (!document.hasIn(path)) return;
    document.deleteIn(path);
    for (const parent of [path.slice(0, -1), path.slice(0, -2)]) {
      const left = document.getIn(parent);
      if (isMap(left) && left.items.length === 0) document.deleteIn(parent);
    }
  });
}

/** A stack's file that describes a stack per region; undefined: one stack. */
export const withStacks = (text: string, stacks: "region" | undefined): string =>
  edited(text, (document) => {
    if (stacks === undefined) document.deleteIn(["config", "kazoo:stacks"]);
    else document.setIn(["config", "kazoo:stacks"], stacks);
  });

/** A stack's file in which a cluster has this context, and this kubeconfig if one is given. */
export const withContext = (text: string, cluster: string, context: string, kubeconfig?: string): string =>
  edited(text, (document) => {
    const own = ["config", "kazoo:clusters", cluster];
    document.setIn([...own, "context"], context);
    if (kubeconfig !== undefined) document.setIn([...own, "kubeconfig"], kubeconfig);
  });

/** A stack's file whose objects keep this stack name in their labels. */
export const withStackLabel = (text: string, label: string): string =>
  edited(text, (document) => document.setIn(["config", "kazoo:stackLabel"], label));

/** Whether the stack built an image, judging by its build's current name. */
export const isBuilt = (image: ImageBuild, reference: string): boolean =>
  builtReference(image, digestOf(reference) ?? "") === reference;

const digestOf = (reference: string): string | undefined => /sha256:[a-f0-9]{64}$/.exec(reference)?.[0];

/** A stack's file that runs an earlier image: by digest if the stack built it, otherwise by name, with the build as a comment. */
export function withImage(text: string, { image }: Platform, reference: string): string {
  return edited(text, (document) => {
    const path = ["config", "kazoo:image"];
    if (image.kind === "build" && isBuilt(image, reference)) {
      document.setIn([...path, "build", "digest"], digestOf(reference));
      return;
    }
    const prebuilt = document.createNode({ prebuilt: reference });
    const before: unknown = document.getIn(path);
    // A comment keeps the mapping on several lines.
    if (image.kind === "build" && isMap(before)) prebuilt.commentBefore = commented(before.toJSON());
    document.setIn(path, prebuilt);
  });
}

const commented = (value: unknown): string => stringify(value, { lineWidth: 0 }).trimEnd().replaceAll(/^/gm, " ");

/**
 * The variables that a datacenter must set to return its zone to an earlier environment.
 * @param now the zone in the stack's file
 * @param own the variables that the datacenter sets now
 * @returns also the variables that now come from the region or the stack but were not set then: only an edit there removes them
 */
export function environmentFor(
  before: Readonly<Record<string, string>>,
  now: Zone,
  own: OwnEnvironment,
): { readonly wanted: OwnEnvironment; readonly stuck: readonly string[] } {
  const wanted = { environment: { ...own.environment }, extraEnvironment: { ...own.extraEnvironment } };
  const stuck: string[] = [];
  for (const name of new Set([...Object.keys(before), ...Object.keys(now.environment)])) {
    const value = before[name];
    if (value === now.environment[name] || topology.includes(name)) continue;
    const level: Record<string, string | number | boolean> =
      wanted[name in variables ? "environment" : "extraEnvironment"];
    if (value !== undefined) level[name] = typed(name, value);
    else if (name in level) delete level[name];
    else stuck.push(name);
  }
  return { wanted, stuck };
}

/** Variables that are derived from names. */
const topology = ["REGION", "DATACENTER", "KAZOO_ZONE"];

/** A variable's value as the config expects it: typed if it is known, otherwise text. */
function typed(name: string, text: string): string | number | boolean {
  const schema = (variables as Record<string, { safeParse: (value: unknown) => { success: boolean } }>)[name];
  const candidates = [text, Number(text), text === "true"];
  return schema === undefined ? text : (candidates.find((candidate) => schema.safeParse(candidate).success) ?? text);
}

/**
 * A stack's file with a change; everything else stays, including comments.
 * @throws UserError if the change would have another effect, because anchors or merge keys share the changed settings with others
 */
export function edited(text: string, change: (document: Document) => void): string {
  const result = (): string => {
    const document = parseDocument(text);
    change(document);
    return document.toString({ lineWidth: 0, flowCollectionPadding: true });
  };
  if (!/&|<</.test(text)) return result();
  // The same change where every setting is written out.
  const plain = new Document(valueOf(text), { aliasDuplicateObjects: false });
  change(plain);
  try {
    const changed = result();
    if (isDeepStrictEqual(valueOf(changed), plain.toJS())) return changed;
  } catch {
    // The path leads into an alias, or an anchor is gone that another alias needs.
  }
  throw new UserError(
    "the settings to change are shared through YAML anchors or merge keys (&, *, <<): the change would reach other settings, or hide some",
    "write these settings out in the stack's file, then run the same command again",
  );
}

const valueOf = (text: string): unknown => parseDocument(text, { merge: true }).toJS({ maxAliasCount: -1 });
