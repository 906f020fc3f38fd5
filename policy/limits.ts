import { containersOf } from "./pods";
import { at, isContainer } from "./resource";
import type { ResourceRule } from "./rule";

export const memoryLimit: ResourceRule = {
  name: "memory-limit",
  description: "Every container has a memory limit: without one it can use all memory of its node.",
  level: "mandatory",
  resource: (resource) => {
    const path = isContainer(resource) ? ["memory"] : ["resources", "limits", "memory"];
    return containersOf(resource)
      .filter(({ settings }) => at(settings, ...path) === undefined)
      .map(({ name }) => `container ${name}: no ${path.join(".")}; expected an amount, for example 1Gi`);
  },
};
