import { type Document, isMap, parseDocument, stringify } from "yaml";
import { variables } from "../../config/environment";
import { type ImageBuild, type Platform, type Zone, builtReference } from "../../config/platform";

/** Values of a run environment as a stack's file has them. */
export type Variables = Readonly<Record<string, string | number | boolean>>;

/** What a datacenter itself says of its run environment. */
export interface OwnEnvironment {
  /** Variables of the list. */
  readonly environment: Variables;
  /** Others. */
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

/** A stack's file in which a datacenter sets exactly these variables; everything else in it stays as it is, comments too. */
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

/** Whether an image is one that the stack's own build has made, in the place where it would make it today. */
export const isBuilt = (image: ImageBuild, reference: string): boolean =>
  builtReference(image, digestOf(reference) ?? "") === reference;

const digestOf = (reference: string): string | undefined => /sha256:[a-f0-9]{64}$/.exec(reference)?.[0];

/** A stack's file that runs an image of before: by digest where its own build has made it, by name otherwise, with the build as a comment. */
export function withImage(text: string, { image }: Platform, reference: string): string {
  return edited(text, (document) => {
    const path = ["config", "kazoo:image"];
    if (image.kind === "build" && isBuilt(image, reference)) {
      document.setIn([...path, "build", "digest"], digestOf(reference));
      return;
    }
    const prebuilt = document.createNode({ prebuilt: reference });
    const before: unknown = document.getIn(path);
    // A comment inside keeps the mapping in lines of its own.
    if (image.kind === "build" && isMap(before)) prebuilt.commentBefore = commented(before.toJSON());
    document.setIn(path, prebuilt);
  });
}

const commented = (value: unknown): string => stringify(value, { lineWidth: 0 }).trimEnd().replaceAll(/^/gm, " ");

/**
 * What a datacenter must set itself so that its zone has the environment of before.
 * @param now the zone as the stack's file has it
 * @param own what the datacenter sets itself now
 * @returns also the variables that come from a farther level and were not set before: only an edit there takes them away
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

/** What follows from names. */
const topology = ["REGION", "DATACENTER", "KAZOO_ZONE"];

/** Text as the config takes it for a variable: the list's have types, others are text. */
function typed(name: string, text: string): string | number | boolean {
  const schema = (variables as Record<string, { safeParse: (value: unknown) => { success: boolean } }>)[name];
  const candidates = [text, Number(text), text === "true"];
  return schema === undefined ? text : (candidates.find((candidate) => schema.safeParse(candidate).success) ?? text);
}

function edited(text: string, change: (document: Document) => void): string {
  const document = parseDocument(text);
  change(document);
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}
