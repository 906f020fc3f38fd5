/** Names under which the workloads of a datacenter are found: of the Services in its namespace, of the containers on plain Docker. */
export const services = {
  /** Headless, one for each broker. */
  alpha: "rabbitmq-alpha",
  beta: "rabbitmq-beta",
  /** Balances over the database nodes that are ready. */
  database: "bigcouchbal",
  /** Headless: gives each database node its name. */
  databaseNodes: "bigcouch",
  /** Balances over the Kazoo nodes that are ready. */
  kazoo: "kazoo",
  /** Headless: gives each Kazoo node its name. */
  kazooNodes: "kazoo-nodes",
} as const;

/** Secrets in each datacenter's namespace, by what they hold. */
export const secrets = {
  /** Key `cookie`: the Erlang cookie of the Kazoo nodes. */
  cookie: "erlang-cookie",
  /** Keys `username`, `password`. */
  rabbitmq: "rabbitmq",
  /** Key `definitions.json`: the brokers' users, while there are two. */
  brokerUsers: "rabbitmq-users",
  /** Keys `username`, `password`, `cookie` (of the database's own Erlang nodes). */
  database: "bigcouch",
  /** Key `ring.ini`: the secret settings that all database nodes of a ring share. */
  databaseRing: "bigcouch-ring",
  /** The logins of `kazoo:registries`, for pulling images. */
  registries: "kazoo-registries",
  /** The login for pulling a built image, where it has one of its own. */
  imagePull: "kazoo-image-pull",
  /** Key `password`; in the namespace of a ring's first zone. */
  masterAccount: "kazoo-master-account",
} as const;

/** The two brokers of a zone; Kazoo prefers alpha. */
export type BrokerRole = "alpha" | "beta";

/** DNS name of a Service, the same from everywhere in the cluster. */
export const serviceHost = (service: string, namespace: string, clusterDomain: string): string =>
  `${service}.${namespace}.svc.${clusterDomain}`;

/** URLs for clients outside of the cluster. */
export const clientUrls = (
  address: { readonly host: string; readonly websockets: { readonly host: string; readonly path: string } },
  tls: boolean,
) => ({
  crossbar: `${tls ? "https" : "http"}://${address.host}`,
  websockets: `${tls ? "wss" : "ws"}://${address.websockets.host}${address.websockets.path}`,
});

/** DNS names of the pods of a StatefulSet behind its headless Service, whose host is given. */
export const podHosts = (statefulSet: string, replicas: number, headlessHost: string): string[] =>
  Array.from({ length: replicas }, (_, index) => `${statefulSet}-${index}.${headlessHost}`);
