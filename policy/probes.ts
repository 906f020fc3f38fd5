import { containersOf, podsOf, serves } from "./pods";
import { isContainer } from "./resource";
import type { ResourceRule } from "./rule";

export const probes: ResourceRule = {
  name: "probes",
  description: "Serving containers have probes: a hanging one is restarted, one that is not ready gets no traffic.",
  level: "mandatory",
  resource: (resource) => {
    if (isContainer(resource)) {
      return containersOf(resource)
        .filter(({ settings }) => settings.healthcheck === undefined)
        .map(({ name }) => `container ${name}: no healthcheck; expected one`);
    }
    const pods = podsOf(resource);
    if (pods === undefined || !serves(pods)) return [];
    return pods.containers.flatMap(({ name, settings }) =>
      ["livenessProbe", "readinessProbe"]
        .filter((probe) => settings[probe] === undefined)
        .map((probe) => `container ${name}: no ${probe}; expected one`),
    );
  },
};
