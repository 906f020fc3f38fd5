/** Official images, and their names on a mirror. */

/** The image that the original project published; the default. */
export const seedImage = "callforamerica/kazoo:4";

/** The image with `sh` and `curl` for small scripts. */
export const defaultCurlImage = "curlimages/curl:8.11.1";

/** The image of a broker of a RabbitMQ series, such as `3.13`. */
export const brokerImage = (series: string): string => `rabbitmq:${series}-management`;

/** The image of a database version, such as `couchdb-2.3.1`; BigCouch has none. */
export const databaseImage = (version: string): string => version.replace("-", ":");

/** Docker Hub's name in references. */
export const dockerHub = "docker.io";

/**
 * Registry and repository of a reference, as Docker and Kubernetes read it: the part before the first slash is a registry if it has a dot or a
 * port or is `localhost`. Without one, the image is Docker Hub's, and an official one if there is no slash at all.
 */
export function partsOf(reference: string): { readonly registry: string; readonly repository: string } {
  const slash = reference.indexOf("/");
  const first = slash < 0 ? "" : reference.slice(0, slash);
  const named = /[.:]/.test(first) || first === "localhost";
  const registry = named && first !== `index.${dockerHub}` ? first : dockerHub;
  const repository = named ? reference.slice(slash + 1) : reference;
  const official = registry === dockerHub && !repository.includes("/");
  return { registry, repository: official ? `library/${repository}` : repository };
}

/** An image's name with its registry: `rabbitmq:3.13` is `docker.io/library/rabbitmq:3.13`. */
export function fullName(reference: string): string {
  const { registry, repository } = partsOf(reference);
  return `${registry}/${repository}`;
}

/** Where an image is pulled from: one of Docker Hub from the mirror, if there is one, under the same name; any other from its own registry. */
export function mirrored(reference: string, mirror: string | undefined): string {
  const { registry, repository } = partsOf(reference);
  return mirror === undefined || registry !== dockerHub ? reference : `${mirror}/${repository}`;
}
