import type { Platform } from "../../../config/platform";
import { regionsOf } from "../../../config/stackPart";
import { UserError } from "../../shared/terminal";
import { Turns } from "../../shared/turns";

/** A region of a run, and what it waits for. */
export interface RegionPlan {
  readonly region: string;
  /** Regions that must have succeeded first. They come before it in the list. */
  readonly after: readonly string[];
  /** Regions that must run at the same time, because they wait for each other. */
  readonly together: readonly string[];
}

/** All regions, none of which waits for another. */
export const atOnce = (regions: readonly string[]): RegionPlan[] =>
  regions.map((region) => ({ region, after: [], together: [] }));

/**
 * Plans the order of an `up`. The regions of a ring without a running Kazoo are deployed together, because each Kazoo waits for the databases of
 * all regions. Live regions that share a ring change one after the other: its databases zone by zone, and its first zone's Kazoo first, as in
 * a single stack.
 * @param isDeployed whether a region has anything deployed
 * @param hasKazoo whether a zone's Kazoo is deployed
 */
export function planUp(
  platform: Pick<Platform, "zones" | "rings">,
  isDeployed: (region: string) => boolean,
  hasKazoo: (zone: string) => boolean,
): RegionPlan[] {
  const regions = regionsOf(platform);
  const ringsOf = (region: string) =>
    new Set(platform.zones.filter((zone) => zone.region === region).map(({ ring }) => ring));
  const isNew = (ring: string) => !hasKazoo(platform.rings[ring]?.zones[0] ?? "");
  const shares = (one: string, other: string, test: (ring: string) => boolean) =>
    [...ringsOf(one)].some((ring) => ringsOf(other).has(ring) && test(ring));
  return regions.map((region, index) => {
    const together = regions.filter((other) => other !== region && shares(region, other, isNew));
    const after = regions
      .slice(0, index)
      .filter(
        (earlier) =>
          isDeployed(region) &&
          isDeployed(earlier) &&
          !together.includes(earlier) &&
          shares(region, earlier, (ring) => !isNew(ring)),
      );
    return { region, after, together };
  });
}

/**
 * How many regions may run at a time where each runs alone, in the order of the plans: on machines that know nothing of each other. One, if any
 * waits for an earlier one; all, if some must run together.
 */
export const limitOf = (plans: readonly RegionPlan[]): number =>
  plans.some(({ after }) => after.length > 0) && plans.every(({ together }) => together.length === 0)
    ? 1
    : Math.max(1, plans.length);

/** How a region ended. */
export type Outcome =
  | { readonly region: string; readonly kind: "done" }
  | { readonly region: string; readonly kind: "failed"; readonly problem: string }
  /** `for`: the regions that did not succeed. */
  | { readonly region: string; readonly kind: "not run"; readonly for: readonly string[] };

/**
 * Runs regions in their order, at most `jobs` at a time; regions that must run together ignore this limit.
 * @param run returns the problem of a failed region. Its signal tells it to stop, because the whole run was interrupted, or because a region
 * that it waits for failed.
 * @param signal stops running regions, and starts no more
 */
export async function inOrder(
  plans: readonly RegionPlan[],
  jobs: number,
  run: (region: string, signal: AbortSignal) => Promise<string | undefined>,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const stops = new Map(plans.map(({ region }) => [region, new AbortController()]));
  const turns = new Turns(jobs);
  const outcomes = new Map<string, Promise<Outcome>>();
  for (const { region, after, together } of plans) {
    const outcome = async (): Promise<Outcome> => {
      const earlier = await Promise.all(after.flatMap((other) => outcomes.get(other) ?? []));
      const missing = earlier.flatMap((other) => (other.kind === "done" ? [] : [other.region]));
      const own = stops.get(region)?.signal ?? signal;
      const work = async (): Promise<Outcome> => {
        if (missing.length > 0 || signal.aborted) return { region, kind: "not run", for: missing };
        const problem = await run(region, AbortSignal.any([signal, own]));
        if (problem === undefined) return { region, kind: "done" };
        const reason = new UserError(`stopped, because region ${region} failed`);
        if (!own.aborted) together.forEach((other) => stops.get(other)?.abort(reason));
        return { region, kind: "failed", problem };
      };
      return together.length === 0 ? turns.run(work) : work();
    };
    outcomes.set(region, outcome());
  }
  return Promise.all(outcomes.values());
}
