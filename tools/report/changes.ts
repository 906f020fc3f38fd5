import { type PropertyChange, changeOf, difference, overlap, parsePath, sorted, valueAt } from "./difference";
import { type Digest, type Step, parseUrn, stackType } from "./digest";
import { secret } from "../../config/secrets";
import { unknown } from "./mask";
import { type Place, byPlace, locate } from "./place";
import { type Subject, subjectOf } from "./subject";

/** What happens to a resource. `renew` is a replacement that loses nothing. */
export type Effect = "delete" | "replace" | "unprotect" | "change" | "renew" | "create" | "protect";

/** What happens to one resource, and why. */
export interface Change {
  readonly urn: string;
  readonly effect: Effect;
  readonly subject: Subject;
  /** Its datacenter; undefined for resources of a ring or of the whole stack. */
  readonly place: Place | undefined;
  /** Whether the engine refuses to delete or replace it. It does not if the same change lifts the protection. */
  readonly protected: boolean;
  readonly properties: readonly PropertyChange[];
  /** Labels of the properties that force a replacement, or titles of the replaced resources that it depends on. */
  readonly forcedBy: { readonly properties: readonly string[]; readonly resources: readonly string[] };
  /** Titles of renewed resources whose new name it uses. */
  readonly follows: readonly string[];
  /** Whether its pods restart. */
  readonly rolls: boolean;
}

/** Whether a change creates or deletes a whole datacenter: all of it is in its namespace, or on its network. */
export const isWhole = ({ effect, place, subject: { kind } }: Change): boolean =>
  (effect === "create" || effect === "delete") && place !== undefined && (kind === "Namespace" || kind === "Network");

/** The changes in a masked digest, by place and title, without components, which are only groups. */
export function changesOf(digest: Digest, places: readonly Place[]): Change[] {
  const found = [...merge(digest.steps)].flatMap(([urn, { effect, step }]) => {
    const { type, name } = parseUrn(urn);
    const { place, role } = locate(name, places);
    const subject = subjectOf(type, role, step.newState ?? step.oldState, place);
    return [
      { urn, step, place, subject, effect: effect === "replace" && subject.renewable ? "renew" : effect },
    ] as const;
  });
  const names = new Map(
    found.flatMap(({ step, subject }) =>
      [step.oldState, step.newState].flatMap((state) => {
        const made = (state?.inputs?.metadata as { name?: unknown } | undefined)?.name;
        return subject.madeUpName !== undefined && typeof made === "string" ? [[made, subject.title] as const] : [];
      }),
    ),
  );
  const replaced = new Map(
    found.filter(({ effect }) => effect === "replace").map(({ urn, subject }) => [urn, subject.title]),
  );
  return found
    .map((resource) => {
      const { urn, effect, subject, place, step } = resource;
      const differs = effect === "change" || effect === "replace" || effect === "renew";
      const raw = differs ? propertiesOf(step, subject) : [];
      const titled = raw.map((property) => withTitles(property, names));
      const follows = titled.filter(isFollowing);
      const properties = titled.filter((property) => !isFollowing(property));
      const forced = effect === "replace" ? forcedBy(step, properties, replaced) : { properties: [], resources: [] };
      return {
        urn,
        effect,
        subject,
        place,
        protected: step.oldState?.protect === true && step.newState?.protect !== false,
        properties,
        forcedBy: forced,
        follows: [...new Set(follows.flatMap(({ removed }) => removed))]
          .filter((title) => title !== subject.title)
          .sort(),
        rolls: subject.pods > 0 && rolls(effect, raw),
      };
    })
    .sort(byPlaceAndTitle);
}

/** One step per resource: the engine lists a replacement as up to three steps. */
function merge(steps: readonly Step[]): Map<string, { readonly effect: Effect; readonly step: Step }> {
  const merged = new Map<string, { effect: Effect; step: Step }>();
  for (const step of steps) {
    const effect = effectOf(step);
    const { type } = parseUrn(step.urn);
    if (effect === undefined || type === stackType || type.startsWith("kazoo:")) continue;
    const before = merged.get(step.urn);
    if (before === undefined) merged.set(step.urn, { effect, step });
    else {
      const [old, fresh] = [before.step, step];
      const oldState = old.oldState ?? fresh.oldState;
      const newState = fresh.newState ?? old.newState;
      const reason = Object.keys(fresh.detailedDiff ?? {}).length > 0 || old.detailedDiff === undefined ? fresh : old;
      merged.set(step.urn, {
        effect: before.effect === effect ? effect : "replace",
        step: {
          ...reason,
          ...(oldState === undefined ? {} : { oldState }),
          ...(newState === undefined ? {} : { newState }),
        },
      });
    }
  }
  return merged;
}

function effectOf({ op, oldState, newState }: Step): Effect | undefined {
  switch (op) {
    case "create":
    case "import":
      return "create";
    case "update":
      return "change";
    case "replace":
    case "create-replacement":
    case "delete-replaced":
    case "import-replacement":
      return "replace";
    case "delete":
      return "delete";
    case "same":
      if (oldState === undefined || newState === undefined || oldState.protect === newState.protect) return undefined;
      return newState.protect === true ? "protect" : "unprotect";
    default:
      return undefined; // read, refresh: nothing happens to the resource
  }
}

/** The differences in the inputs, and those that only the provider sees: masked secrets look equal. */
function propertiesOf({ oldState, newState, detailedDiff }: Step, { kind }: Subject): PropertyChange[] {
  const [before, after] = [oldState?.inputs, newState?.inputs];
  const own = difference(before ?? {}, after ?? {});
  const others = Object.keys(detailedDiff ?? {})
    .map(parsePath)
    .filter((path) => !own.some((property) => overlap(property.path, path)))
    .map((path) => {
      const [old, fresh] = [valueAt(before, path), valueAt(after, path)];
      const hidden =
        old === secret || fresh === secret || (kind === "Secret" && /^(data|stringData)$/.test(String(path[0])));
      return hidden ? { ...changeOf(path, secret, secret) } : { ...changeOf(path, old, fresh), removed: [], added: [] };
    });
  return sorted([...own, ...others]);
}

/** Generated names contain random letters that differ between previews, so the title of the resource is shown instead. */
function withTitles(property: PropertyChange, names: ReadonlyMap<string, string>): PropertyChange {
  const tell = (text: string) => [...names].reduce((rest, [name, title]) => rest.replaceAll(name, title), text);
  return { ...property, removed: property.removed.map(tell), added: property.added.map(tell) };
}

/** Whether nothing changes but a generated name, whether known yet or not. */
function isFollowing({ removed, added }: PropertyChange): boolean {
  return (
    removed.length > 0 && removed.join() !== secret && (removed.join() === added.join() || isRenamed(removed, added))
  );
}

const isRenamed = (removed: readonly string[], added: readonly string[]): boolean =>
  added.join() === unknown && /^ConfigMap \S+$/.test(removed.join());

function forcedBy(step: Step, properties: readonly PropertyChange[], replaced: ReadonlyMap<string, string>) {
  const detailed = Object.entries(step.detailedDiff ?? {})
    .filter(([, { kind }]) => kind.endsWith("-replace"))
    .map(([path]) => path);
  const paths = (detailed.length > 0 ? detailed : [...(step.replaceReasons ?? [])]).map(parsePath);
  const labels = properties
    .filter(({ path }) => paths.some((reason) => overlap(path, reason)))
    .map(({ label }) => label);
  const titles = (step.newState?.dependencies ?? []).flatMap((urn) => replaced.get(urn) ?? []);
  return { properties: labels, resources: labels.length > 0 ? [] : [...new Set(titles)].sort() };
}

function rolls(effect: Effect, properties: readonly PropertyChange[]): boolean {
  if (effect === "replace" || effect === "renew") return true;
  return effect === "change" && properties.some(({ path }) => path[0] === "spec" && path[1] === "template");
}

function byPlaceAndTitle(a: Change, b: Change): number {
  if (a.place !== undefined && b.place !== undefined && a.place !== b.place) return byPlace(a.place, b.place);
  if (a.place !== b.place) return a.place === undefined ? -1 : 1;
  return a.subject.title < b.subject.title ? -1 : a.subject.title > b.subject.title ? 1 : a.urn < b.urn ? -1 : 1;
}
