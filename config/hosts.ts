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

/** The two brokers of a zone; Kazoo prefers alpha. */
export type BrokerRole = "alpha" | "beta";

/** DNS name of a Service, the same from everywhere in the cluster. */
export const serviceHost = (service: string, namespace: string, clusterDomain: string): string =>
  `${service}.${namespace}.svc.${clusterDomain}`;

/** DNS names of the pods of a StatefulSet behind its headless Service, whose host is given. */
export const podHosts = (statefulSet: string, replicas: number, headlessHost: string): string[] =>
  Array.from({ length: replicas }, (_, index) => `${statefulSet}-${index}.${headlessHost}`);
