import { type Pods, podsOf } from "./pods";
import { at, kindOf, namespaceOf, type Resource, tree } from "./resource";
import type { StackRule } from "./rule";

export const disruptionBudget: StackRule = {
  name: "disruption-budget",
  description: "StatefulSets and replicated Deployments have a disruption budget that a drain respects and can meet.",
  level: "mandatory",
  stack: (resources) => {
    const budgets = resources.filter((resource) => kindOf(resource) === "PodDisruptionBudget");
    return resources.flatMap((resource) => {
      const pods = podsOf(resource);
      if (pods === undefined || !needsBudget(pods)) return [];
      const own = budgets.filter((budget) => covers(budget, resource, pods));
      if (own.length === 0)
        return [
          { urn: resource.urn, message: "no PodDisruptionBudget selects its pods; expected one in its namespace" },
        ];
      return own
        .filter((budget) => blocks(budget, pods))
        .map(({ urn, name }) => ({
          urn,
          message: `${name} never allows an eviction of a pod of ${resource.name}, so its nodes cannot be drained; expected maxUnavailable: 1`,
        }));
    });
  },
};

const needsBudget = ({ kind, replicas }: Pods): boolean =>
  kind === "StatefulSet" || (kind === "Deployment" && replicas > 1);

function covers(budget: Resource, workload: Resource, { labels }: Pods): boolean {
  const wanted = Object.entries(tree(at(budget.props, "spec", "selector", "matchLabels")));
  return (
    namespaceOf(budget) === namespaceOf(workload) &&
    wanted.every(([label, value]) => labels[label] === value) &&
    (wanted.length > 0 || at(budget.props, "spec", "selector") !== undefined)
  );
}

function blocks(budget: Resource, { replicas }: Pods): boolean {
  const { maxUnavailable, minAvailable } = tree(budget.props.spec);
  if (maxUnavailable === 0 || maxUnavailable === "0" || maxUnavailable === "0%") return true;
  return minAvailable === "100%" || (typeof minAvailable === "number" && minAvailable >= replicas);
}
