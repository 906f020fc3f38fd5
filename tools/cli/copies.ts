import type { DatabaseKind } from "../../config/compatibility";

/** The copies of a database's shards, as the database keeps them: a document of `_dbs`, of BigCouch `dbs`. */
export interface ShardMap {
  readonly _id: string;
  /** Names of nodes by range of a shard. */
  readonly by_range?: Readonly<Record<string, readonly string[]>>;
}

/** Databases that have a shard of which all copies are on these nodes. */
export const onlyThere = (maps: readonly ShardMap[], nodes: readonly string[]): string[] =>
  maps
    .filter(({ by_range: ranges = {} }) =>
      Object.values(ranges).some((all) => all.every((node) => nodes.includes(node))),
    )
    .map(({ _id }) => _id);

/**
 * A shell script for a Kazoo node's container that prints all shard maps as JSON, see {@link readShardMaps}. CouchDB's own image has no curl.
 * @param url of the zone's database
 */
export function shardMapsScript({ engine, adminPort }: DatabaseKind, url: string): string {
  const at = new URL(url);
  if (adminPort !== undefined) at.port = String(adminPort);
  const path = { "couchdb-3": "/_node/_local/_dbs", "couchdb-2": "/_dbs", bigcouch: "/dbs" }[engine];
  // The password is on no command line.
  return `printf 'user = "%s:%s"\\n' "$COUCHDB_USER" "$COUCHDB_PASS" | sed 's/\\\\/\\\\\\\\/g' |
  curl --silent --show-error --fail --config - '${at.origin}${path}/_all_docs?include_docs=true'
exit $?
`;
}

/** Reads what {@link shardMapsScript} prints. */
export const readShardMaps = (printed: string): ShardMap[] =>
  (JSON.parse(printed) as { rows: { doc: ShardMap }[] }).rows.map(({ doc }) => doc);
