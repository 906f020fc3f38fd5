import type { Change } from "./changes";
import type { Detail, DiffLine } from "./document";
import { groupEqual, whereInFull } from "./group";
import { effectWords, plural } from "./wording";

/** All differences by resource, the most serious first; equal ones in many datacenters are one entry. Each title starts with `by`. */
export function detailsOf(changes: readonly Change[], by = ""): Detail[] {
  const sorted = [...changes].sort(byGravity);
  const groups = groupEqual(
    sorted
      .filter(({ effect }) => !isWhole(effect))
      .map(({ effect, subject, place, properties, forcedBy, follows }) => ({
        place,
        value: {
          effect,
          title: subject.title,
          follows,
          resources: forcedBy.resources,
          properties: properties.map(({ label, removed, added }) => ({
            label,
            removed,
            added,
            forces: forcedBy.properties.includes(label),
          })),
        },
      })),
  );
  const differing = groups.map(({ value, places }): Detail => ({
    title: [`${by}${value.title} ${effectWords[value.effect]} in ${whereInFull(places)}`],
    lines: [
      ...value.resources.map((title): DiffLine => ({ sign: "!", text: `${title}, which it depends on, is replaced` })),
      ...value.properties.flatMap(({ label, removed, added, forces }): DiffLine[] => [
        { sign: forces ? "!" : " ", text: forces ? `${label} (forces the replacement)` : label },
        ...removed.map((text): DiffLine => ({ sign: "-", text })),
        ...added.map((text): DiffLine => ({ sign: "+", text })),
      ]),
      ...value.follows.map((title): DiffLine => ({ sign: " ", text: `uses the new name of ${title}` })),
    ],
  }));
  return [
    ...differing,
    ...(["delete", "unprotect", "create", "protect"] as const).flatMap((effect) => listed(sorted, effect, by)),
  ];
}

/** Effects on a whole resource, without properties to show. */
const isWhole = (effect: Change["effect"]): boolean => !["replace", "change", "renew"].includes(effect);

/** The resources with an effect, by place. */
function listed(changes: readonly Change[], effect: Change["effect"], by: string): Detail[] {
  const titles = new Map<Change["place"], string[]>();
  for (const { place, subject } of changes.filter((change) => change.effect === effect)) {
    titles.set(place, [...(titles.get(place) ?? []), subject.title]);
  }
  const sign = effect === "delete" ? "-" : effect === "create" ? "+" : " ";
  return groupEqual([...titles].map(([place, value]) => ({ place, value }))).map(({ value, places }) => ({
    title: [`${by}${plural(value.length, "resource")} ${effectWords[effect]} in ${whereInFull(places)}`],
    lines: value.map((text): DiffLine => ({ sign, text })),
  }));
}

const gravity: Record<Change["effect"], number> = {
  replace: 0,
  delete: 1,
  unprotect: 2,
  change: 3,
  renew: 4,
  create: 5,
  protect: 6,
};
const stakes = { data: 0, calls: 1, none: 2 };

const byGravity = (a: Change, b: Change): number =>
  gravity[a.effect] - gravity[b.effect] || stakes[a.subject.stake] - stakes[b.subject.stake];
