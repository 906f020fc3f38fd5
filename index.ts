import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import {
  clusterRollouts,
  clustersOf,
  kazooImage,
  orderOf,
  Patches,
  Ring,
  type StackOutputs,
  stackOutputs,
} from "./components";
import { loadPlatform } from "./config/load";
import type { Platform } from "./config/platform";

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
  const randomProvider = new random.Provider("random");
  const patches = new Patches(platform.patches);
  const clusterOf = clustersOf(platform, randomProvider, rolloutsOf, patches); // one provider per cluster
  const image = kazooImage(platform); // built and pushed, or pinned

  const rings = Object.values(platform.rings).map((ring) => {
    // The Erlang cookie and the passwords that the zones of a ring share.
    const { credentials } = new Ring(
      `ring-${ring.name}`,
      {
        credentials: ring.credentials,
        secrets: ring.secrets,
        rotations: ring.rotations,
        masterAccount: ring.masterAccount !== undefined,
        stores: { database: ring.database.version, copies: ring.quorum.n, rabbitmq: ring.rabbitmq },
        protect,
      },
      { providers: [randomProvider] },
    );
    const zones = platform.zones.filter((zone) => zone.ring === ring.name);
    const order = orderOf(zones, clusterOf);

    // In each zone RabbitMQ alpha and beta, and BigCouch; the databases of all zones join.
    const datacenters = zones.map((zone) =>
      clusterOf(zone).datacenter(zone.name, { stack, zone, ring, credentials, order, protect }),
    );
    for (const datacenter of datacenters) datacenter.joinRing(datacenters);

    // In each zone Kazoo, with its run environment and the way to the other zones' brokers.
    const kazoos = datacenters.map((datacenter) => datacenter.runKazoo(image, datacenters));
    return { ring, credentials, zones, order, datacenters, kazoos };
  });

  // The first boot of each ring, from its first zone. It is last, because the engine starts nothing more after a failed Job.
  const after = rings.flatMap(({ order }) => order.kazoos());
  for (const { ring, credentials, datacenters } of rings) {
    datacenters[0]?.firstBoot({ image, account: ring.masterAccount, password: credentials.masterAccount, after });
  }
  patches.requireMatches();
  return stackOutputs(rings, clusterOf, image.reference);
};
