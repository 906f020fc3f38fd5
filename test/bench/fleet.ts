import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Clone } from "../support/clone";

/** What is deployed: rings of up to four datacenters, each in a region of its own, over at most four sandbox clusters. */
export interface Fleet {
  readonly clusters: number;
  readonly regions: readonly { readonly name: string; readonly cluster: string; readonly datacenters: number }[];
}

/** A fleet of this many datacenters. */
export function fleetOf(datacenters: number): Fleet {
  const count = Math.ceil(datacenters / 4);
  const clusters = Math.min(4, count);
  const regions = Array.from({ length: count }, (_, index) => ({
    name: `r${index}`,
    cluster: `c${index % clusters}`,
    datacenters: Math.min(4, datacenters - index * 4),
  }));
  return { clusters, regions };
}

/** How many Pulumi stacks a fleet is. */
export type Layout = "one stack" | "a stack per region";

/** Writes the fleet's stack file, Pulumi.bench.yaml. */
export function stackFile(clone: Clone, { clusters, regions }: Fleet, layout: Layout, environment: object): void {
  const config = {
    "kazoo:protect": false,
    ...(layout === "one stack" ? {} : { "kazoo:stacks": "region" }),
    "kazoo:extraEnvironment": environment,
    "kazoo:clusters": Object.fromEntries(
      Array.from({ length: clusters }, (_, index) => [`c${index}`, { sandbox: true }]),
    ),
    "kazoo:rings": Object.fromEntries(regions.map(({ name }) => [name, {}])),
    "kazoo:regions": Object.fromEntries(
      regions.map(({ name, cluster, datacenters }) => [
        name,
        {
          cluster,
          ring: name,
          datacenters: Object.fromEntries(Array.from({ length: datacenters }, (_, index) => [`d${index}`, {}])),
        },
      ]),
    ),
  };
  writeFileSync(join(clone.directory, "Pulumi.bench.yaml"), stringify({ config }));
}
