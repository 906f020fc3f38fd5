import type { DatabaseKind } from "../../../../config/compatibility";

/** The copies of a database's shards: a document of `_dbs`, or of `dbs` in BigCouch. */
export interface ShardMap {
  readonly _id: string;
  /** Names of nodes by range of a shard. */
  readonly by_range?: Readonly<Record<string, readonly string[]>>;
}

/** Databases with a shard that has all its copies on these nodes. */
export const onlyThere = (maps: readonly ShardMap[], nodes: readonly string[]): string[] =>
  maps
    .filter(({ by_range: ranges = {} }) =>
      Object.values(ranges).some((all) => all.every((node) => nodes.includes(node))),
    )
    .map(({ _id }) => _id);

/** A curl request in a Kazoo node's container, with credentials from its environment: they appear on no command line. */
export const authorized = (user: string, password: string, request: string): string =>
  `printf 'user = "%s:%s"\\n' "$${user}" "$${password}" | sed 's/\\\\/\\\\\\\\/g' | curl --silent --show-error --config - ${request}`;

/**
 * A command for a Kazoo node's container that prints shard maps as JSON, see {@link readShardMaps}. CouchDB's own image has no curl.
 * @param url of the zone's database
 * @param limit number of shard maps @default all
 */
export function shardMapsCommand({ engine, adminPort }: DatabaseKind, url: string, limit?: number): string {
  const at = new URL(url);
  if (adminPort !== undefined) at.port = String(adminPort);
  const path = { "couchdb-3": "/_node/_local/_dbs", "couchdb-2": "/_dbs", bigcouch: "/dbs" }[engine];
  const query = `include_docs=true${limit === undefined ? "" : `&limit=${limit}`}`;
  return authorized("COUCHDB_USER", "COUCHDB_PASS", `--fail '${at.origin}${path}/_all_docs?${query}'`);
}

/** The same, as a script. */
export const shardMapsScript = (kind: DatabaseKind, url: string): string => `${shardMapsCommand(kind, url)}\nexit $?\n`;

/** Reads what {@link shardMapsCommand} prints. */
export const readShardMaps = (printed: string): ShardMap[] =>
  (JSON.parse(printed) as { rows: { doc: ShardMap }[] }).rows.map(({ doc }) => doc);
