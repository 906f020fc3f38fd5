import type { Resource } from "./resource";

/** Label of a datacenter's namespace: the name of its ring. */
export const ringLabel = "kazoo/ring";

/** Whether a resource is below a component, at any depth. */
export function below(resources: readonly Resource[], component: Resource): (resource: Resource) => boolean {
  const parents = new Map(resources.map(({ urn, parent }) => [urn, parent]));
  return ({ parent }) => {
    for (let urn = parent; urn !== undefined && urn !== ""; urn = parents.get(urn)) {
      if (urn === component.urn) return true;
    }
    return false;
  };
}
