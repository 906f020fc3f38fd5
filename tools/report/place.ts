import { datacenterTypes } from "../../components/names";
import type { Platform } from "../../config/platform";
import { type Digest, parseUrn, stackType } from "./digest";

/** A datacenter in a report. */
export interface Place {
  readonly zone: string;
  readonly region: string;
  readonly datacenter: string;
  readonly namespace: string;
  /** DNS domain of its cluster; undefined for a datacenter that the config no longer has. */
  readonly domain?: string;
}

/**
 * All datacenters of a stack, by region and name: those in its config, those still in its outputs, and those that only
 * a resource refers to.
 */
export function placesOf(platform: Platform, digest: Digest): Place[] {
  const places = new Map<string, Place>();
  for (const step of digest.steps) {
    const { type, name } = parseUrn(step.urn);
    if (type === datacenterTypes.kubernetes || type === datacenterTypes.docker) places.set(name, bare(name));
  }
  const before = digest.steps.find(({ urn }) => parseUrn(urn).type === stackType)?.oldState?.outputs?.zones;
  if (typeof before === "object" && before !== null) {
    for (const [zone, output] of Object.entries(before as Record<string, Partial<Place> | null>)) {
      const { region, datacenter, namespace } = { ...bare(zone), ...output };
      places.set(zone, { zone, region, datacenter, namespace });
    }
  }
  for (const { name: zone, region, datacenter, namespace, cluster } of platform.zones) {
    const domain = platform.clusters[cluster];
    places.set(zone, {
      zone,
      region,
      datacenter,
      namespace,
      ...(domain !== undefined && "clusterDomain" in domain ? { domain: domain.clusterDomain } : {}),
    });
  }
  return [...places.values()].sort(byPlace);
}

const bare = (zone: string): Place => ({ zone, region: zone, datacenter: zone, namespace: zone });

/** By region, then datacenter. */
export function byPlace(a: Place, b: Place): number {
  const [left, right] = [a, b].map(({ region, datacenter, zone }) => `${region}\0${datacenter}\0${zone}`) as [
    string,
    string,
  ];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** A resource's datacenter and the rest of its name: `us-east-nyc-kazoo-nodes` is `kazoo-nodes` in us-east-nyc. */
export function locate(name: string, places: readonly Place[]): { readonly place?: Place; readonly role: string } {
  const candidates = places.filter(({ zone }) => name === zone || name.startsWith(`${zone}-`));
  // The longest match: there can be a zone `us-east` next to `us-east-nyc`.
  const place = candidates.sort((a, b) => b.zone.length - a.zone.length)[0];
  return place === undefined ? { role: name } : { place, role: name.slice(place.zone.length + 1) };
}

/** A text in which placeholders replace a datacenter's own names and domain, so that equal changes look equal. */
export function withoutPlace(text: string, place: Place | undefined): string {
  if (place === undefined) return text;
  const { zone, namespace, domain } = place;
  const named = [[zone, "<zone>"] as const, [namespace, "<namespace>"] as const].reduce(
    (rest, [name, placeholder]) => rest.replace(new RegExp(`(?<![\\w-])${escape(name)}(?![\\w-])`, "g"), placeholder),
    text,
  );
  return domain === undefined ? named : named.replaceAll(`.svc.${domain}`, ".svc.<domain>");
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
