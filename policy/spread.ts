import { podsOf, serves } from "./pods";
import { at } from "./resource";
import type { ResourceRule } from "./rule";

export const topologySpread: ResourceRule = {
  name: "topology-spread",
  description: "Replicas are spread over nodes, so that a lost node does not take all of them.",
  level: "mandatory",
  resource: (resource) => {
    const pods = podsOf(resource);
    if (pods === undefined || !serves(pods) || pods.replicas < 2) return [];
    const constraints = pods.spec.topologySpreadConstraints;
    const spread = constraints !== undefined && !(Array.isArray(constraints) && constraints.length === 0);
    if (spread || at(pods.spec, "affinity", "podAntiAffinity") !== undefined) return [];
    return [
      `${pods.replicas} replicas and no topologySpreadConstraints; expected some, for example over kubernetes.io/hostname`,
    ];
  },
};
