import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import {
  clusterRollouts,
  clustersOf,
  madeBy,
  madeHere,
  memberElsewhere,
  orderOf,
  Patches,
  type StackOutputs,
  stackOutputs,
} from "./components";
import { loadPlatform } from "./config/load";
import type { Platform } from "./config/platform";
import { partOf } from "./config/stackPart";

// Pulumi's loader translates every stack trace to TypeScript lines, and Pulumi takes several traces for each resource: without this line, a
// preview of one datacenter spends a seventh of the program's time on it.
Reflect.deleteProperty(Error, "prepareStackTrace");

/**
 * What a stack holds, from top to bottom, as a function of its config. Pulumi calls it without arguments.
 * @param platform the validated config
 * @param stack the stack's name
 * @param rolloutsOf how to wait for the StatefulSets of a cluster
 */
export = function kazoo(
  platform: Platform = loadPlatform(),
  stack: string = pulumi.getStack(),
  rolloutsOf = clusterRollouts,
): StackOutputs {
  const { protect } = platform;
  const part = partOf(platform, stack); // everything, what regions share, or a region
  const randomProvider = new random.Provider("random");
  const patches = new Patches(platform.patches);
  const clusterOf = clustersOf(platform, randomProvider, rolloutsOf, patches, part.clusters); // one provider per cluster
  const shared = part.shared ? madeHere(platform, randomProvider) : madeBy(part.whole, platform);
  const { image } = shared;

  const ringsHere = Object.values(platform.rings).filter(
    (ring) => part.shared || part.zones.some((zone) => zone.ring === ring.name),
  );
  const rings = ringsHere.map((ring) => {
    const credentials = shared.credentialsOf(ring);
    const all = platform.zones.filter((zone) => zone.ring === ring.name);
    const zones = all.filter((zone) => part.zones.includes(zone));
    const order = orderOf(all, clusterOf, zones);

    // In each zone RabbitMQ alpha and beta, and BigCouch; the databases of all zones join.
    const datacenters = zones.map((zone) =>
      clusterOf(zone).datacenter(zone.name, { stack: part.label, zone, ring, credentials, order, protect }),
    );
    const members = all.map((zone) => datacenters[zones.indexOf(zone)] ?? memberElsewhere(zone, platform));
    for (const datacenter of datacenters) datacenter.joinRing(members);

    // In each zone Kazoo, with its run environment and the addresses of the other zones' brokers.
    const kazoos = datacenters.map((datacenter) => datacenter.runKazoo(image, members));
    const first = all[0] === zones[0] ? datacenters[0] : undefined;
    return { ring, credentials, zones, order, datacenters, kazoos, first };
  });

  // The first boot of each ring, from its first zone. It is last, because the engine starts nothing more after a failed Job.
  const after = rings.flatMap(({ order }) => order.kazoos());
  for (const { ring, credentials, first } of rings) {
    first?.firstBoot({ image, account: ring.masterAccount, password: credentials.masterAccount, after });
  }
  patches.requireMatches(part);
  return stackOutputs(rings, clusterOf, image.reference, part);
};
