import { type Place, byPlace, withoutPlace } from "./place";

/** A value that is equal in several places. */
export interface Group<T> {
  readonly value: T;
  /** Datacenters, by region and name; undefined for resources that belong to none. */
  readonly places: readonly (Place | undefined)[];
}

/**
 * Groups equal values, and values that differ only in their datacenter's own names; the names in `value` are then placeholders. Groups are in
 * order of first appearance.
 * @param entries JSON values, each with its place
 */
export function groupEqual<T>(
  entries: readonly { readonly place: Place | undefined; readonly value: T }[],
): Group<T>[] {
  const texts = entries.map(({ place, value }) => ({ place, text: JSON.stringify(value) }));
  const counts = new Map<string, number>();
  for (const { text } of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  const groups = new Map<string, { texts: Set<string>; places: Set<Place | undefined> }>();
  for (const { place, text } of texts) {
    // Equal texts are not rewritten: another zone's name in them may be the change itself.
    const key = (counts.get(text) ?? 0) > 1 ? text : withoutPlace(text, place);
    const group = groups.get(key) ?? { texts: new Set(), places: new Set() };
    group.texts.add(text);
    group.places.add(place);
    groups.set(key, group);
  }
  return [...groups].map(([key, group]) => ({
    value: JSON.parse(group.texts.size === 1 ? ([...group.texts][0] as string) : key) as T,
    places: [...group.places].sort((a, b) => (a === undefined ? -1 : b === undefined ? 1 : byPlace(a, b))),
  }));
}

/** A short list of places: `all 4 datacenters`, `us-east-nyc`, `28 datacenters (us-east 14, us-west 14)`; at most 6 regions are named. */
export function whereShort(places: readonly (Place | undefined)[], all: readonly Place[]): string {
  const known = places.filter((place) => place !== undefined);
  if (known.length === 0) return "the stack itself";
  if (known.length === all.length && all.length > 1) return `all ${all.length} datacenters`;
  if (known.length <= 3) return known.map(({ zone }) => zone).join(", ");
  const regions = [...byRegion(known)].map(([region, inside]) => `${region} ${inside.length}`);
  const rest = regions.length - mostRegions;
  const named = rest > 0 ? [...regions.slice(0, mostRegions), `${rest} more regions`] : regions;
  return `${known.length} datacenters (${named.join(", ")})`;
}

const mostRegions = 6;

/** A full list of places: `us-east: bos, nyc; us-west: lax`. */
export function whereInFull(places: readonly (Place | undefined)[]): string {
  const known = places.filter((place) => place !== undefined);
  if (known.length === 0) return "the stack itself";
  return [...byRegion(known)]
    .map(([region, inside]) => `${region}: ${inside.map(({ datacenter }) => datacenter).join(", ")}`)
    .join("; ");
}

/** Places by their region, in the order given. */
export function byRegion(places: readonly Place[]): Map<string, Place[]> {
  const regions = new Map<string, Place[]>();
  for (const place of places) regions.set(place.region, [...(regions.get(place.region) ?? []), place]);
  return regions;
}
