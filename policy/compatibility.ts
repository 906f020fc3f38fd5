import {
  databaseKind,
  incompatibilities,
  type KazooVersion,
  rabbitmqVersions,
  requireDatabaseKind,
} from "../config/compatibility";
import { kindOf, namespaceOf, type Resource, text, tree } from "./resource";
import type { Finding, StackRule } from "./rule";
import { type Software, softwareOf } from "./software";

export const compatibleVersions: StackRule = {
  name: "compatible-versions",
  description:
    "Kazoo, its database and its brokers have compatible versions (config/compatibility.ts), judged by image tags.",
  level: "mandatory",
  stack: (resources) => {
    const programs = resources.flatMap((resource) =>
      softwareOf(resource).map((software) => ({ ...software, resource, namespace: namespaceOf(resource) })),
    );
    return programs.flatMap(({ program, version, resource, namespace }): Finding[] => {
      const wrong = unknownVersion({ program, version });
      if (wrong !== undefined) return [{ urn: resource.urn, message: wrong }];
      const kazoos = programs.filter((other) => other.namespace === namespace && other.program === "kazoo");
      const permitTransientQueues = resources.some((other) => namespaceOf(other) === namespace && permits(other));
      const messages = (kazoos.length === 0 ? [{ version: "master" }] : kazoos).flatMap((kazoo) =>
        faults({ program, version }, kazoo.version as KazooVersion, permitTransientQueues),
      );
      return [...new Set(messages)].map((message) => ({ urn: resource.urn, message }));
    });
  },
};

function unknownVersion({ program, version }: Software): string | undefined {
  if (program === "rabbitmq" && broker(version) === undefined)
    return `RabbitMQ ${version}; expected one of ${rabbitmqVersions.join(", ")}`;
  if (program === "database" && databaseKind(version) === undefined)
    return `${version}; expected bigcouch-0.4.x, couchdb-2.x.y or couchdb-3.x.y`;
  return undefined;
}

const broker = (version: string) => rabbitmqVersions.find((known) => known === version);

/** What is wrong with a store's version next to a Kazoo; the other store is assumed to be compatible. */
function faults({ program, version }: Software, kazoo: KazooVersion, permitTransientQueues: boolean): string[] {
  if (program === "kazoo") return [];
  const database = requireDatabaseKind(program === "database" ? version : "couchdb-2.3.1");
  const rabbitmq = (program === "rabbitmq" ? broker(version) : undefined) ?? "3.13";
  return incompatibilities({ kazoo, database, rabbitmq, permitTransientQueues }).map(
    ({ expected }) => `${program === "rabbitmq" ? `RabbitMQ ${version}` : version}; expected ${expected}`,
  );
}

const permits = (resource: Resource): boolean =>
  kindOf(resource) === "ConfigMap" &&
  Object.values(tree(resource.props.data)).some((content) =>
    /^\s*deprecated_features\.permit\.transient_nonexcl_queues\s*=\s*true/m.test(text(content)),
  );
