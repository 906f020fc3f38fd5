/**
 * Which versions of Kazoo, its database and its brokers work together, based on Kazoo's own sources (couchbeam and kazoo_config) for the database
 * and RabbitMQ's release notes on deprecated features for the brokers.
 */

/** The versions of Kazoo that the program can run. */
export const kazooVersions = ["4.0", "4.1", "4.2", "4.3", "master"] as const;
export type KazooVersion = (typeof kazooVersions)[number];

/** The version of Kazoo in a branch or tag (`4.3.12`: 4.3); undefined if the name contains none, such as a private branch. */
export function versionOfSources(name: string): KazooVersion | undefined {
  const series = /^v?(\d+\.\d+)/.exec(name)?.[1] ?? name;
  return kazooVersions.find((version) => version === series);
}

/** The RabbitMQ series that the program can run. Not 3.8: its image prints its configuration, password included, into the log. */
export const rabbitmqVersions = ["3.9", "3.10", "3.11", "3.12", "3.13", "4.0", "4.1", "4.2", "4.3"] as const;
export type RabbitmqVersion = (typeof rabbitmqVersions)[number];

const upgrades: Readonly<Record<RabbitmqVersion, readonly RabbitmqVersion[]>> = {
  "3.9": [],
  "3.10": ["3.9"],
  "3.11": ["3.10"],
  "3.12": ["3.11"],
  "3.13": ["3.12"],
  "4.0": ["3.13"],
  "4.1": ["3.13", "4.0"],
  "4.2": ["3.13", "4.0", "4.1"],
  "4.3": ["4.2"],
};

/** The series from which a broker can be upgraded to the given one with its data (rabbitmq.com/docs/upgrade, "Version Upgradability"). */
export const upgradesTo = (series: string): readonly string[] => upgrades[series as RabbitmqVersion] ?? [];

/**
 * The steps of an unfinished upgrade of a ring: Kazoo's nodes get the new version, then its data is migrated; brokers get it, then their feature
 * flags are enabled; database nodes get it.
 */
export const upgradeSteps = ["kazoo", "migrate", "rabbitmq", "flags", "database"] as const;
export type UpgradeStep = (typeof upgradeSteps)[number];

/** Ports and names of a database, by its kind. */
export interface DatabaseKind {
  /** The engine's name and version, e.g. `couchdb-2.3.1`. */
  readonly version: string;
  readonly engine: "bigcouch" | "couchdb-2" | "couchdb-3";
  /** Port of the node-local interface; CouchDB 3 has none. */
  readonly adminPort?: number;
  /** Port for Prometheus, without a login. CouchDB has it from 3.2 on, closed unless its configuration opens it. */
  readonly metricsPort?: number;
  /** TCP ports of Erlang distribution between the database's nodes, in addition to epmd's 4369; both ends inclusive. */
  readonly distribution: { readonly first: number; readonly last: number };
  /** Short name of the Erlang node, before the `@`. */
  readonly nodeName: "bigcouch" | "couchdb";
  /**
   * Whether an upload of an attachment waits for as many copies as the node's configuration says (`[cluster] n`) instead of as many as the
   * database has: it hangs if the database has more. This affects BigCouch and CouchDB before 3.2 (github.com/apache/couchdb/pull/3715).
   */
  readonly uploadsWaitForConfiguredCopies: boolean;
}

/** Reads `bigcouch-0.4.2`, `couchdb-2.3.1`, `couchdb-3.3.3`; undefined for anything else. */
export function databaseKind(version: string): DatabaseKind | undefined {
  if (/^bigcouch-0\.4(\.\d+)?$/.test(version)) {
    return {
      version,
      engine: "bigcouch",
      adminPort: 5986,
      distribution: { first: 11500, last: 11999 },
      nodeName: "bigcouch",
      uploadsWaitForConfiguredCopies: true,
    };
  }
  if (/^couchdb-2\.\d+(\.\d+)?$/.test(version)) {
    return {
      version,
      engine: "couchdb-2",
      adminPort: 5986,
      distribution: { first: 9100, last: 9100 },
      nodeName: "couchdb",
      uploadsWaitForConfiguredCopies: true,
    };
  }
  if (/^couchdb-3\.\d+(\.\d+)?$/.test(version)) {
    const isBefore32 = /^couchdb-3\.[01](\.|$)/.test(version);
    return {
      version,
      engine: "couchdb-3",
      ...(isBefore32 ? {} : { metricsPort: 17986 }),
      distribution: { first: 9100, last: 9100 },
      nodeName: "couchdb",
      uploadsWaitForConfiguredCopies: isBefore32,
    };
  }
  return undefined;
}

/** Reads a version as {@link databaseKind} does. @throws Error for anything else */
export function requireDatabaseKind(version: string): DatabaseKind {
  const kind = databaseKind(version);
  if (kind === undefined)
    throw new Error(
      `database ${version}: expected bigcouch-0.4.x, couchdb-2.x.x or couchdb-3.x.x, for example couchdb-2.3.1`,
    );
  return kind;
}

/**
 * The format of a database's files, and the older formats that it can read. It cannot return to an older one: CouchDB 3 writes another header
 * than 2 (couch_bt_engine_header), and 3.5 other checksums, which releases before 3.4 cannot read. BigCouch's files are never upgraded in place.
 */
export function databaseFormat({ version, engine }: DatabaseKind): {
  readonly state: string;
  readonly from: readonly string[];
} {
  if (engine !== "couchdb-3") return { state: engine, from: [] };
  const minor = Number(/^couchdb-3\.(\d+)/.exec(version)?.[1] ?? 0);
  return minor < 5
    ? { state: "couchdb-3", from: ["couchdb-2"] }
    : { state: "couchdb-3.5", from: ["couchdb-2", "couchdb-3"] };
}

/** A pair of versions that do not work together, with the ring's key that should change. */
export interface Incompatibility {
  readonly key: "database" | "rabbitmq" | "permitTransientQueues";
  readonly expected: string;
  readonly example: string;
}

/** Problems with a ring's versions; empty if they work together. */
export function incompatibilities(ring: {
  readonly kazoo: KazooVersion;
  readonly database: DatabaseKind;
  readonly rabbitmq: RabbitmqVersion;
  readonly permitTransientQueues: boolean;
}): Incompatibility[] {
  const found: Incompatibility[] = [];
  if (ring.database.engine === "couchdb-3" && ring.kazoo !== "master") {
    found.push({
      key: "database",
      expected: `a database with a node-local port 5986, which Kazoo ${ring.kazoo} needs and CouchDB 3 no longer has; CouchDB 3 works with Kazoo master only`,
      example: "couchdb-2.3.1",
    });
  }
  if (ring.rabbitmq === "4.3" && !ring.permitTransientQueues) {
    found.push({
      key: "rabbitmq",
      expected:
        "RabbitMQ 4.2 or below, or permitTransientQueues: true: from 4.3 on RabbitMQ refuses the transient non-exclusive queues that Kazoo declares",
      example: "4.2",
    });
  }
  if (ring.permitTransientQueues && rabbitmqVersions.indexOf(ring.rabbitmq) < rabbitmqVersions.indexOf("3.13")) {
    found.push({
      key: "permitTransientQueues",
      expected: `false, or RabbitMQ 3.13 or newer: RabbitMQ ${ring.rabbitmq} does not start with the unknown setting deprecated_features.*, and accepts such queues anyway`,
      example: "false",
    });
  }
  return found;
}

/** Plugins that a broker needs for Kazoo: 4.0 reads the management API, later ones declare consistent hash exchanges as well. */
export function brokerPlugins(kazoo: string): string[] {
  const plugins = ["rabbitmq_management", "rabbitmq_prometheus"];
  return kazoo === "4.0" ? plugins : [...plugins, "rabbitmq_consistent_hash_exchange"];
}
