import { workloadLabel, workloads } from "../components/names";
import { nameAndTag, type Pods, podsOf } from "./pods";
import { at, kindOf, text, tree } from "./resource";
import type { ResourceRule } from "./rule";

export const brokersApart: ResourceRule = {
  name: "brokers-apart",
  description: "RabbitMQ brokers are never clustered: Kazoo itself fails over from one to another.",
  level: "mandatory",
  resource: (resource) => {
    const kind = kindOf(resource);
    if (kind === "ConfigMap") {
      return Object.entries(tree(resource.props.data))
        .filter(([, content]) => /^\s*cluster_formation\./m.test(text(content)))
        .map(([key]) => `${key} has cluster_formation; expected none, so that brokers do not find each other`);
    }
    const pods = podsOf(resource);
    const replicas =
      kind === "RabbitmqCluster" ? at(resource.props, "spec", "replicas") : isBroker(pods) ? pods.replicas : 1;
    return typeof replicas === "number" && replicas > 1
      ? [`${replicas} replicas; expected 1, and for a second broker a workload of its own`]
      : [];
  },
};

/** Whether pods are RabbitMQ brokers, by label or image. */
export const isBroker = (pods: Pods | undefined): pods is Pods =>
  pods !== undefined &&
  (pods.labels[workloadLabel] === workloads.rabbitmq ||
    pods.containers.some(({ image }) => nameAndTag(image).name === "rabbitmq"));
