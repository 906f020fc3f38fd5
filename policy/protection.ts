import { workloads } from "../components/names";
import { secrets } from "../config/hosts";
import { at, kindOf, type Resource, text, tree } from "./resource";
import { ringLabel } from "./ring";
import type { ResourceRule } from "./rule";

export const protectedData: ResourceRule = {
  name: "protected-data",
  description:
    "Outside throw-away stacks, what holds data or identity is protected: cookie, passwords, brokers, databases.",
  level: "mandatory",
  resource: (resource, { throwAway }) => {
    if (throwAway) return [];
    const what = heldBy(resource);
    const policy = tree(at(resource.props, "spec", "persistentVolumeClaimRetentionPolicy"));
    return [
      ...(what === undefined || resource.protect
        ? []
        : [`${what} is not protected; expected the option protect: true`]),
      ...Object.entries(policy)
        .filter(([, then]) => then === "Delete")
        .map(([when]) => `volumes are deleted with the pods (${when}: Delete); expected Retain`),
    ];
  },
};

/** The data or identity in a resource that must not be lost; undefined if there is none. */
function heldBy(resource: Resource): string | undefined {
  const { type, name, props } = resource;
  // A rotation's last step removes the user that Kazoo no longer uses.
  if (/^random:index\/random(Password|Bytes):/.test(type))
    return /-replaced(-value)?$/.test(name) ? undefined : "a random credential";
  if (type === "docker:index/volume:Volume") return "a volume";
  switch (kindOf(resource)) {
    case "PersistentVolumeClaim":
      return "a volume";
    case "StatefulSet":
      return at(props, "spec", "volumeClaimTemplates") === undefined ? undefined : "a store";
    case "Secret":
      return kept.has(text(at(props, "metadata", "name"))) && isKazoos(resource) ? "a credential" : undefined;
    case "Namespace":
      return at(props, "metadata", "labels", ringLabel) === undefined ? undefined : "a datacenter's namespace";
    default:
      return undefined;
  }
}

const kept = new Set<string>([secrets.cookie, secrets.rabbitmq, secrets.database, secrets.databaseRing]);

const isKazoos = ({ props }: Resource): boolean =>
  at(props, "metadata", "labels", "app.kubernetes.io/part-of") === workloads.kazoo;
