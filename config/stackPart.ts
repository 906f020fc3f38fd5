import type { Platform, Zone } from "./platform";

/** What one Pulumi stack holds of a platform: everything, what regions share, or the datacenters of a region. */
export interface StackPart {
  /** Name of the whole stack, from its file: `prod` for the Pulumi stack `prod.us-east`. */
  readonly whole: string;
  /** The whole's name on the labels of its objects, which stays when a stack is renamed. */
  readonly label: string;
  /** Whether it holds what all regions share: the rings' credentials, and the image if it is built. */
  readonly shared: boolean;
  /** Whether its shared values are for other stacks. */
  readonly split: boolean;
  readonly zones: readonly Zone[];
  /** Names of the clusters that it deploys to. */
  readonly clusters: readonly string[];
}

/** Names of the regions, in the order of the zones. */
export const regionsOf = ({ zones }: Pick<Platform, "zones">): string[] => [
  ...new Set(zones.map(({ region }) => region)),
];

/** The Pulumi stack of a region. */
export const regionStack = (whole: string, region: string): string => `${whole}.${region}`;

/** What a Pulumi stack holds. @param stack its name */
export function partOf(platform: Platform, stack: string): StackPart {
  const { zones, clusters } = platform;
  const named = (whole: string) => ({ whole, label: platform.stackLabel ?? whole });
  if (platform.stacks === "one")
    return { ...named(stack), shared: true, split: false, zones, clusters: Object.keys(clusters) };
  const region = regionsOf(platform).find((name) => stack.endsWith(`.${name}`));
  if (region === undefined) return { ...named(stack), shared: true, split: true, zones: [], clusters: [] };
  const own = zones.filter((zone) => zone.region === region);
  const names = [...new Set(own.map(({ cluster }) => cluster))];
  return { ...named(stack.slice(0, -region.length - 1)), shared: false, split: true, zones: own, clusters: names };
}
