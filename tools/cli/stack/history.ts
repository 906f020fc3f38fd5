import { parsePlatform, structured } from "../../../config/parse";
import { type Platform, builtReference } from "../../../config/platform";
import { askPulumi } from "../pulumi/pulumi";
import type { Stack } from "./openStack";

/** An update in Pulumi's history of a stack. */
export interface Update {
  /** The stack's first update is 1. */
  readonly number: number;
  /** When it began, ISO 8601. */
  readonly time: string;
  readonly result: string;
  readonly message: string;
  /** The config of the update, without secret values. */
  readonly config: Readonly<
    Record<string, { readonly value?: string; readonly objectValue?: unknown; readonly secret: boolean }>
  >;
}

/** Environment and image of a zone's Kazoo. */
export interface Rollout {
  readonly environment: Readonly<Record<string, string>>;
  /** The image's reference, if known. For a built image, only the running nodes or the message of the next update have it. */
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
 * Whether the last run that changed a stack's clusters failed or was interrupted. The state may then lack changes that a cancelled provider had
 * already made in a cluster. A refresh changes no cluster, and so cannot make up for that.
 */
export async function lastRunFailed({ name, pulumi }: Pick<Stack, "name" | "pulumi">): Promise<boolean> {
  const printed = await askPulumi(pulumi, ["stack", "history", "--json", "--page-size", "10", "--stack", name]);
  const runs = JSON.parse(printed) as { readonly kind: string; readonly result: string }[];
  const last = runs.find(({ kind }) => kind !== "refresh");
  return last !== undefined && last.result !== "succeeded";
}

/**
 * The message of an update, with the previous image: the digest of a built one is recorded nowhere else in the history.
 * @param image its reference; undefined or without digest: nothing is recorded
 */
export const imageMessage = (what: string, image: string | undefined): string =>
  image === undefined || !image.includes("sha256:") ? what : `${what} (image before: ${image})`;

/** The message of an update that only concerns one zone's Kazoo; see {@link concerns}. */
export const zoneMessage = (what: string, zone: string): string => `${what} ZONE=${zone}`;

/** Whether an update concerns a zone's Kazoo: not if its message names another zone, or only a Service. */
function concerns({ message }: Update, zoneName: string): boolean {
  const { what, zone } = /^(?<what>kube-\S+).* ZONE=(?<zone>\S+)/.exec(message)?.groups ?? {};
  return zone === undefined || (zone === zoneName && what?.endsWith("-service") === false);
}

const recordedImage = (message: string): string | undefined => /\(image before: (\S+)\)$/.exec(message)?.[1];

/**
 * Environment and image of a zone's Kazoo after each successful update, newest first. Updates that concern something else, or whose config
 * lacks the zone or can no longer be read, are skipped.
 * @param current reference of the running image
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
    // The image of the update before this one.
    built = recordedImage(update.message);
    return zone === undefined || update.result !== "succeeded" || !concerns(update, zoneName)
      ? []
      : [{ update, environment: zone.environment, image }];
  });
}

/** The reference of a stack's image, if its config names one. */
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
    return undefined; // a config that this version of the program refuses
  }
}

/** The last rollout that differs from the newest one, or the rollout of the given update. */
export function earlier<R extends Rollout & { readonly update: Update }>(
  all: readonly R[],
  number?: number,
): R | undefined {
  if (number !== undefined) return all.find(({ update }) => update.number === number);
  const [newest] = all;
  return newest === undefined ? undefined : all.find((rollout) => differences(rollout, newest).length > 0);
}

/** The differences between two rollouts, `VARIABLE before -> after`: first variables, then the image. */
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
