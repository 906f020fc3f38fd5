import { versionOfSources } from "../config/compatibility";
import { nameAndTag, podsOf } from "./pods";
import type { Resource } from "./resource";

/** A program that a workload runs, with the version from its image's tag. */
export interface Software {
  readonly program: "kazoo" | "database" | "rabbitmq";
  /** Kazoo's and RabbitMQ's series, such as `3.13`; the database's engine and version, such as `couchdb-2.3.1`. */
  readonly version: string;
}

/** What a workload runs, as far as its images show: neither a digest alone nor a tag such as `latest` names a version. */
export function softwareOf(resource: Resource): readonly Software[] {
  return (podsOf(resource)?.containers ?? []).flatMap(({ image }): Software[] => {
    const { name, tag } = nameAndTag(image);
    const [series, release] = [/^v?(\d+\.\d+)/.exec(tag)?.[1], /^(\d+\.\d+(\.\d+)?)/.exec(tag)?.[0]];
    if (name === "rabbitmq" && series !== undefined) return [{ program: "rabbitmq", version: series }];
    if ((name === "couchdb" || name === "bigcouch") && release !== undefined)
      return [{ program: "database", version: `${name}-${release}` }];
    const kazoo = name === "kazoo" ? versionOfSources(tag) : undefined;
    return kazoo === undefined ? [] : [{ program: "kazoo", version: kazoo }];
  });
}
