import { kazooParts } from "../../components/names";
import { type Change, isWhole } from "./changes";
import type { Text } from "./document";
import { type Group, groupEqual, whereShort } from "./group";
import type { Place } from "./place";
import { changed, effectWords, firstOf, joined, plural, shortLabel, workloadsFirst } from "./wording";

/** Lines of a summary. Equal changes in many datacenters are one line. */

/** Most titles in a line. */
const mostTitles = 8;

/** Replacements, one resource per line, those that hold data first. */
export function replacementLines(changes: readonly Change[], all: readonly Place[]): Text[] {
  const groups = groupEqual(
    changes
      .filter(({ effect }) => effect === "replace")
      .map(({ subject, place, forcedBy, properties, protected: kept }) => ({
        place,
        value: {
          title: subject.title,
          kind: subject.kind,
          stake: subject.stake,
          kept,
          resources: forcedBy.resources,
          properties: properties
            .filter(({ label }) => forcedBy.properties.includes(label))
            .map(({ label, removed, added }) => ({ label, removed, added })),
        },
      })),
  );
  return byStake(groups).map(({ value, places }) => {
    const { title, kind, stake, kept, resources, properties } = value;
    const forces = properties.map((property) => changed(shortLabel(kind, property.label), property));
    const reason: Text =
      forces.length > 0
        ? ["forced by ", ...joined(forces)]
        : resources.length > 0
          ? [`because it depends on ${firstOf(resources, mostTitles)}, which is replaced`]
          : ["Pulumi does not say which property forces it"];
    // Kubernetes keeps the existing claims of a StatefulSet, even if the new templates differ.
    const claims = properties.some(({ label }) => label.includes("volumeClaimTemplates["))
      ? ["; existing volumes stay, and keep their size and class (make grow enlarges them)"]
      : [];
    return [
      { strong: `${title} replaced` },
      ` in ${whereShort(places, all)}`,
      ...atStake(stake, kept),
      "; ",
      ...reason,
      ...claims,
    ];
  });
}

function atStake(stake: Change["subject"]["stake"], kept: boolean): Text {
  const what: Text = stake === "none" ? [] : [": ", { strong: `${stake} at stake` }];
  return kept ? [...what, ", protected"] : what;
}

/** Deletions: whole datacenters, and single resources. */
export const deletionLines = (changes: readonly Change[], all: readonly Place[]): Text[] =>
  byStake(groupEqual(bundles(changes, "delete")).map(withStake)).map(({ value, places }) => {
    const { whole, titles, data, calls, kept } = value;
    const what = whole
      ? `whole datacenter deleted, ${plural(titles.length, "resource")}`
      : `${firstOf(workloadsFirst(titles), mostTitles)} deleted`;
    const stakes: Text = [
      ...(data.length > 0 ? [": ", { strong: "data at stake" }, ...named(data, titles)] : []),
      ...(calls.length > 0
        ? [data.length > 0 ? ", " : ": ", { strong: "calls at stake" }, ...named(calls, titles)]
        : []),
      ...(kept > 0 ? [`; ${kept} of them protected`] : []),
    ];
    return [{ strong: whereShort(places, all) }, `: ${what}`, ...stakes];
  });

/** Names some of the listed resources, unless they are all of them. */
const named = (some: readonly string[], all: readonly string[]): Text =>
  some.length === all.length ? [] : [` (${firstOf(workloadsFirst(some), mostTitles)})`];

/** Creations: whole datacenters, and single resources. */
export const creationLines = (changes: readonly Change[], all: readonly Place[]): Text[] =>
  groupEqual(bundles(changes, "create")).map(({ value, places }) => {
    const { whole, titles, kinds } = value;
    const what = whole
      ? `new datacenter, ${plural(titles.length, "resource")}: ${kinds}`
      : firstOf(workloadsFirst(titles), mostTitles);
    return [{ strong: whereShort(places, all) }, `: ${what}`];
  });

/** Objects that someone else added next to a datacenter's own. */
export const additionLines = (changes: readonly Change[], all: readonly Place[]): Text[] =>
  groupEqual(bundles(changes, "create")).map(({ value, places }) => [
    { strong: whereShort(places, all) },
    `: ${firstOf(workloadsFirst(value.titles), mostTitles)} added`,
  ]);

interface Bundle {
  readonly whole: boolean;
  readonly titles: readonly string[];
  readonly kinds: string;
  readonly data: readonly string[];
  readonly calls: readonly string[];
  readonly kept: number;
}

/** Everything created or deleted in a place, as one bundle. */
function bundles(
  changes: readonly Change[],
  effect: "create" | "delete",
): { place: Place | undefined; value: Bundle }[] {
  const places = new Map<Place | undefined, Change[]>();
  for (const change of changes.filter((candidate) => candidate.effect === effect)) {
    places.set(change.place, [...(places.get(change.place) ?? []), change]);
  }
  return [...places].map(([place, inside]) => {
    const titles = inside.map(({ subject }) => subject.title);
    const withStakeOf = (stake: string) =>
      inside.filter(({ subject }) => subject.stake === stake).map(({ subject }) => subject.title);
    const counts = new Map<string, number>();
    for (const { subject } of inside) counts.set(subject.kind, (counts.get(subject.kind) ?? 0) + 1);
    const value = {
      whole: inside.some(isWhole),
      titles,
      kinds: firstOf(
        [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `${count} ${kind}`),
        12,
      ),
      data: withStakeOf("data"),
      calls: withStakeOf("calls"),
      kept: inside.filter((change) => change.protected).length,
    };
    return { place, value };
  });
}

const withStake = ({ value, places }: Group<Bundle>): Group<Bundle & { stake: Change["subject"]["stake"] }> => ({
  places,
  value: { ...value, stake: value.data.length > 0 ? "data" : value.calls.length > 0 ? "calls" : "none" },
});

/** Changes in place and renewals, one property per line. */
export function changeLines(changes: readonly Change[], all: readonly Place[]): Text[] {
  const groups = groupEqual(changes.flatMap((change) => propertiesOf(change, changes)));
  return groups.map(({ value, places }) => {
    const { about, label, removed, added, then } = value;
    const what: Text = label === undefined ? [] : changed(label, { removed, added });
    const subject = about === "" ? [] : [about, ...(what.length > 0 ? [": "] : [])];
    return [{ strong: whereShort(places, all) }, ": ", ...subject, ...what, ...then];
  });
}

interface Property {
  /** The resource, if the property alone is not clear; may be the whole line. */
  readonly about: string;
  readonly label?: string;
  readonly removed: readonly string[];
  readonly added: readonly string[];
  /** The consequences. */
  readonly then: readonly string[];
}

function propertiesOf(change: Change, all: readonly Change[]): { place: Place | undefined; value: Property }[] {
  const { effect, subject, place, properties, follows, rolls } = change;
  if (effect !== "change" && effect !== "renew") return [];
  const followers = all
    .filter((other) => other.place === place && other.rolls && other.follows.includes(subject.title))
    .map((other) => `pods of ${other.subject.title} restart`);
  if (properties.length === 0) {
    // A change that only follows another one is reported there.
    if (follows.length > 0 && (rolls || subject.kind === "Job")) return [];
    const how = effect === "renew" ? "recreated" : "changes; Pulumi does not say which property";
    return [{ place, value: { about: `${subject.title} ${how}`, removed: [], added: [], then: [] } }];
  }
  // Variables of the run environment need no further title.
  const environment = subject.kind === "ConfigMap" && subject.title.endsWith(`-${kazooParts.environment}`);
  const about = environment ? "" : subject.kind === "Job" ? `${subject.title} runs again` : subject.title;
  return properties.map(({ path, label, removed, added }) => {
    const own =
      rolls && (effect === "renew" || path[1] === "template")
        ? [subject.kind === "Container" ? "it restarts" : "its pods restart"]
        : [];
    return {
      place,
      value: {
        about,
        label: shortLabel(subject.kind, label),
        removed,
        added,
        then: [...own, ...followers, ...(subject.kind === "Secret" ? ["running pods keep the old value"] : [])].map(
          (consequence) => `; ${consequence}`,
        ),
      },
    };
  });
}

/** Resources whose protection changes. */
export const protectionLines = (changes: readonly Change[], all: readonly Place[]): Text[] =>
  (["unprotect", "protect"] as const).flatMap((effect) => {
    const titles = new Map<Place | undefined, string[]>();
    for (const { place, subject } of changes.filter((change) => change.effect === effect)) {
      titles.set(place, [...(titles.get(place) ?? []), subject.title]);
    }
    const groups = groupEqual([...titles].map(([place, value]) => ({ place, value })));
    return groups.map(({ value, places }): Text => [
      { strong: whereShort(places, all) },
      `: ${firstOf(value, mostTitles)} ${effectWords[effect]}`,
    ]);
  });

/** Pods that restart, by workload. */
export function rollLines(changes: readonly Change[], all: readonly Place[]): Text[] {
  const workloads = new Map<string, Change[]>();
  for (const change of changes.filter(({ rolls }) => rolls)) {
    const key = change.subject.title + (change.effect === "replace" ? " (replaced, all at once)" : "");
    workloads.set(key, [...(workloads.get(key) ?? []), change]);
  }
  return [...workloads]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([title, inside]) => {
      const pods = inside.reduce((sum, { subject }) => sum + subject.pods, 0);
      const noun = inside[0]?.subject.kind === "Container" ? "container" : "pod";
      return [
        { strong: title },
        `: ${plural(pods, noun)} in ${whereShort(
          inside.map(({ place }) => place),
          all,
        )}`,
      ];
    });
}

/** Data first, then calls; otherwise the order stays. */
function byStake<T extends { readonly stake: Change["subject"]["stake"] }>(groups: readonly Group<T>[]): Group<T>[] {
  const rank = { data: 0, calls: 1, none: 2 };
  return [...groups].sort((a, b) => rank[a.value.stake] - rank[b.value.stake]);
}
