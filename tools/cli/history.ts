import { parsePlatform, structured } from "../../config/parse";
import { type Platform, builtReference } from "../../config/platform";
import { askPulumi } from "./pulumi";
import type { Stack } from "./openStack";

/** An update of a stack, as Pulumi's own history has it. */
export interface Update {
  /** Counted from the stack's first, which is 1. */
  readonly number: number;
  /** When it began, ISO 8601. */
  readonly time: string;
  readonly result: string;
  readonly message: string;
  /** The config that it ran with. Secrets are not among the values. */
  readonly config: Readonly<
    Record<string, { readonly value?: string; readonly objectValue?: unknown; readonly secret: boolean }>
  >;
}

/** What a zone's Kazoo ran with. */
export interface Rollout {
  readonly environment: Readonly<Record<string, string>>;
  /** The image's reference, if it is known: of one that is built, only what runs now tells it, or the message of the update after. */
  readonly image: string | undefined;
}

/** Reads the updates of a stack, newest first. */
export async function readUpdates(stack: Stack): Promise<Update[]> {
  const args = ["stack", "history", "--json", "--full-dates", "--page-size", "1000", "--stack", stack.name];
  const entries = JSON.parse(await askPulumi(stack.pulumi, args)) as (Omit<Update, "number" | "time"> & {
    kind: string;
    startTime: string;
  })[];
  return entries
    .map(({ kind, startTime, ...entry }, index) => ({
      ...entry,
      kind,
      time: startTime,
      number: entries.length - index,
    }))
    .filter(({ kind }) => kind === "update");
}

/**
 * The message of an update, with the image that ran before it: a built one's digest stands nowhere else in the history.
 * @param image its reference; left out, or not by digest: there is nothing to remember
 */
export const imageMessage = (what: string, image: string | undefined): string =>
  image === undefined || !image.includes("sha256:") ? what : `${what} (image before: ${image})`;

/** The message of an update of one zone's Kazoo alone; see {@link concerns}. */
export const zoneMessage = (what: string, zone: string): string => `${what} ZONE=${zone}`;

/** Whether an update was about a zone's Kazoo: not where its message names another zone, or a Service alone. */
function concerns({ message }: Update, zoneName: string): boolean {
  const { what, zone } = /^(?<what>kube-\S+).* ZONE=(?<zone>\S+)/.exec(message)?.groups ?? {};
  return zone === undefined || (zone === zoneName && what?.endsWith("-service") === false);
}

const recordedImage = (message: string): string | undefined => /\(image before: (\S+)\)$/.exec(message)?.[1];

/**
 * What a zone's Kazoo ran with after each update that succeeded, newest first; updates that were about something else, of which
 * the config has no such zone, or cannot be read any more, are left out.
 * @param current the reference of the image that runs now
 */
export function rollouts(
  updates: readonly Update[],
  zoneName: string,
  current: string | undefined,
): (Rollout & { readonly update: Update })[] {
  let built = current;
  return updates.flatMap((update) => {
    const platform = platformAt(update);
    const zone = platform?.zones.find(({ name }) => name === zoneName);
    const image = platform === undefined ? undefined : (namedImage(platform) ?? built);
    // Of the update before this one.
    built = recordedImage(update.message);
    return zone === undefined || update.result !== "succeeded" || !concerns(update, zoneName)
      ? []
      : [{ update, environment: zone.environment, image }];
  });
}

/** The reference of a stack's image, where its config names it. */
function namedImage({ image }: Platform): string | undefined {
  if (image.kind === "prebuilt") return image.reference;
  return image.digest === undefined ? undefined : builtReference(image, image.digest);
}

const placeholder = "encrypted-secret";

function platformAt({ config }: Update): Platform | undefined {
  const entries = Object.entries(config).filter(([key]) => key.startsWith("kazoo:"));
  const bare = entries.map(([key, entry]) => [key.slice("kazoo:".length), entry] as const);
  const input = Object.fromEntries(
    bare
      .filter(([name]) => name !== "credentials")
      .map(([name, { value, objectValue, secret }]) => [
        name,
        secret ? placeholder : (objectValue ?? structured(name, value)),
      ]),
  );
  try {
    return parsePlatform(input, new Set(bare.filter(([, { secret }]) => secret).map(([name]) => name)));
  } catch {
    return undefined; // a config that this version of the program would refuse
  }
}

/** The last rollout that differs from the newest one, or the one of the update with this number. */
export function earlier<R extends Rollout & { readonly update: Update }>(
  all: readonly R[],
  number?: number,
): R | undefined {
  if (number !== undefined) return all.find(({ update }) => update.number === number);
  const [newest] = all;
  return newest === undefined ? undefined : all.find((rollout) => differences(rollout, newest).length > 0);
}

/** What must change in the first to get the second: `VARIABLE before -> after`; variables first, then the image. */
export function differences(before: Rollout, after: Rollout): string[] {
  const names = [...new Set([...Object.keys(before.environment), ...Object.keys(after.environment)])].sort();
  const variables = names
    .filter((name) => before.environment[name] !== after.environment[name])
    .map((name) => `${name} ${before.environment[name] ?? "(unset)"} -> ${after.environment[name] ?? "(unset)"}`);
  const image =
    before.image === after.image || before.image === undefined || after.image === undefined
      ? []
      : [`image ${before.image} -> ${after.image}`];
  return [...variables, ...image];
}
