import type { Ask, Reply, Request } from "../../tools/cli/runbook/shards/ringDatabase";
import type { ShardDocument } from "../../tools/cli/runbook/shards/shardMap";
import type { DatabaseKind } from "../../config/compatibility";
import { Gate, NodeList, type NodeDocument } from "../image/support/couchdb/rules.js";
import { jsonServer } from "./jsonServer";

/**
 * The nodes of a CouchDB ring, as far as its lists of nodes, its shard maps and the copies of its shards go: `_nodes` and `_dbs` with
 * revisions that replicate between members, copies that are made empty when a map names them and filled by internal replication, and nodes in
 * maintenance mode. By CouchDB's documentation ("Shard Management", "Node Management") and its mem3_shards, mem3_bdu and mem3_sync.
 */
export class ShardedRing {
  private readonly nodes = new Map<string, Node>();
  /** `METHOD NODE PATH` of each request. */
  readonly requests: string[] = [];
  /** What nodes still send each other. */
  private jobs: { readonly shard: string; readonly from: string; readonly to: string }[] = [];

  /** @param zones zone of each node */
  constructor(readonly zones: Readonly<Record<string, string>>) {
    for (const name of Object.keys(zones)) this.start(name);
    for (const { list } of this.nodes.values()) {
      for (const [name, zone] of Object.entries(zones)) {
        const found = list.get(name);
        list.put(name, { ...(found.status === 200 ? { _rev: found.body["_rev"] as string } : {}), zone });
      }
    }
    this.settle();
  }

  private start(name: string): void {
    this.nodes.set(name, { list: new NodeList(name), maps: new NodeList(), shards: new Map(), maintenance: undefined });
  }

  /** Makes a database, as CouchDB does, with documents in each of its shards. */
  create(database: string, by_range: ShardDocument["by_range"], documents = 3): void {
    const [first] = this.nodes.values();
    const shard_suffix = [...".1529362187"].map((character) => character.charCodeAt(0));
    const pairs = Object.entries(by_range).flatMap(([range, nodes]) => nodes.map((node) => [node, range] as const));
    const by_node: Record<string, string[]> = {};
    for (const [node, range] of pairs) (by_node[node] ??= []).push(range);
    first?.maps.put(database, {
      by_range,
      by_node,
      shard_suffix,
      changelog: pairs.map(([node, range]) => ["add", range, node]),
    });
    this.settle();
    for (let index = 0; index < documents; index += 1) this.write(database);
  }

  /** Writes a document into each shard of a database: on all nodes that have a copy, by the map. */
  write(database: string): void {
    const map = this.map(database);
    const id = `document-${(this.written += 1)}`;
    for (const [range, nodes] of Object.entries(map.by_range))
      for (const node of nodes) this.shardsOf(node).get(nameOf(map, range))?.add(id);
  }
  private written = 0;

  /** A database's map, as the first node has it. */
  map(database: string): ShardDocument {
    const [first] = this.nodes.values();
    return first?.maps.get(database).body as unknown as ShardDocument;
  }

  maps(): ShardDocument[] {
    const [first] = this.nodes.values();
    return (first?.maps.members() ?? []).map((database) => this.map(database));
  }

  /** Nodes that have all documents of a range, among those that the map names. */
  completeCopies(database: string, range: string): string[] {
    const map = this.map(database);
    const name = nameOf(map, range);
    const all = new Set([...this.nodes.values()].flatMap(({ shards }) => [...(shards.get(name) ?? [])]));
    return (map.by_range[range] ?? []).filter((node) => this.shardsOf(node).get(name)?.size === all.size);
  }

  /** Nodes that take no part in requests. */
  inMaintenance(): string[] {
    return [...this.nodes].filter(([, { maintenance }]) => maintenance === "true").map(([name]) => name);
  }

  /** Members as a node lists them. */
  members(node: string): string[] {
    return this.node(node).list.members();
  }

  /** What happens while somebody waits: each node sends one document more. */
  readonly work = (): void => {
    this.jobs = this.jobs.filter(({ shard, from, to }) => {
      const [source, target] = [this.shardsOf(from).get(shard), this.shardsOf(to).get(shard)];
      const [next] = [...(source ?? [])].filter((id) => target?.has(id) === false);
      if (next !== undefined) target?.add(next);
      return next !== undefined;
    });
  };

  readonly ask: Ask = async (requests) => requests.map((request) => this.answer(request));

  /** The same on a port of this machine: a request's `Host` tells which node and which of its ports is meant. */
  serve(kind: DatabaseKind, { user, password }: { readonly user: string; readonly password: string }) {
    const gate = new Gate({ admins: { [user]: password }, locksOut: kind.engine === "couchdb-3" });
    return jsonServer((request, body) => {
      const who = gate.who(request.socket.remoteAddress ?? "", request.headers.authorization);
      if (who !== "admin") return typeof who === "object" ? who : { status: 401, body: { error: "unauthorized" } };
      const [host, port] = (request.headers.host ?? "").split(":");
      const node = [...this.nodes.keys()].find((name) => name.endsWith(`@${host}`)) ?? "";
      const [, local] = /^\/_node\/_local(\/(?!_config|_system).*)$/.exec(request.url ?? "") ?? [];
      return this.answer({
        method: request.method as Request["method"],
        node,
        path: local ?? request.url ?? "/",
        local: local !== undefined || port === String(kind.adminPort),
        body: body === "" ? undefined : (JSON.parse(body) as unknown),
      });
    });
  }

  private answer(request: Request): Reply {
    const { method, node: name, local = false, body } = request;
    const [path = "", query] = request.path.split("?");
    this.requests.push(`${method} ${name} ${request.path}`);
    const node = this.node(name);
    const [, first = "", second] = path.split("/").map(decodeURIComponent);
    if (local && first === "_dbs") {
      if (second === "_all_docs") return { status: 200, body: { rows: rowsOf(node.maps) } };
      if (method === "PUT") return this.settled(putMap(node.maps, second ?? "", body as ShardDocument));
      return node.maps.get(second ?? "");
    }
    if (local && first === "_nodes") {
      if (method === "PUT") return this.settled(node.list.put(second ?? "", body as NodeDocument));
      if (method === "DELETE")
        return this.settled(node.list.delete(second ?? "", new URLSearchParams(query).get("rev") ?? undefined));
      return node.list.get(second ?? "", { conflicts: true });
    }
    if (local && first.startsWith("shards/")) {
      const shard = node.shards.get(first);
      return shard === undefined ? missing : { status: 200, body: { doc_count: shard.size, doc_del_count: 0 } };
    }
    if (path === "/_membership") return { status: 200, body: { cluster_nodes: node.list.members() } };
    if (path === "/_node/_local/_system")
      return { status: 200, body: { internal_replication_jobs: this.jobs.filter(({ from }) => from === name).length } };
    if (path === "/_node/_local/_config/couchdb/maintenance_mode") {
      const before = node.maintenance;
      if (method === "PUT") node.maintenance = body as string;
      return before === undefined && method === "GET" ? missing : { status: 200, body: before ?? "" };
    }
    if (second === "_sync_shards" && method === "POST") {
      const map = node.maps.get(first);
      if (map.status !== 200) return missing;
      this.sync(map.body as unknown as ShardDocument);
      return { status: 202, body: { ok: true } };
    }
    throw new Error(`the double knows no ${method} ${request.path}`);
  }

  /** Every copy sends to every other; one that does not exist is not tried again. */
  private sync(map: ShardDocument): void {
    for (const [range, nodes] of Object.entries(map.by_range)) {
      const shard = nameOf(map, range);
      for (const from of nodes)
        for (const to of nodes) if (from !== to && this.shardsOf(to).has(shard)) this.jobs.push({ shard, from, to });
    }
  }

  private settled(reply: Reply): Reply {
    this.settle();
    return reply;
  }

  /** Members replicate lists of nodes and shard maps, and make the copies that these name. */
  private settle(): void {
    for (const { list, maps } of this.nodes.values()) {
      for (const name of list.members()) {
        list.replicateTo(this.node(name).list);
        maps.replicateTo(this.node(name).maps);
      }
    }
    for (const map of this.maps())
      for (const [range, nodes] of Object.entries(map.by_range))
        for (const name of nodes)
          if (!this.shardsOf(name).has(nameOf(map, range))) this.shardsOf(name).set(nameOf(map, range), new Set());
  }

  private node(name: string): Node {
    const found = this.nodes.get(name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  private shardsOf(name: string): Node["shards"] {
    return this.node(name).shards;
  }
}

interface Node {
  readonly list: NodeList;
  readonly maps: NodeList;
  /** Ids of documents by name of shard. */
  readonly shards: Map<string, Set<string>>;
  maintenance: string | undefined;
}

const missing: Reply = { status: 404, body: { error: "not_found", reason: "missing" } };

const nameOf = ({ _id, shard_suffix: suffix }: ShardDocument, range: string) =>
  `shards/${range}/${_id}${String.fromCharCode(...suffix)}`;

const rowsOf = (maps: NodeList) =>
  maps.members().map((id) => ({ id, key: id, value: { rev: maps.get(id).body["_rev"] }, doc: maps.get(id).body }));

/** As CouchDB 3 checks it, and so that the changelog tells what is there, as the documentation demands. */
function putMap(maps: NodeList, database: string, { _id, ...map }: ShardDocument): Reply {
  const pairs = (of: Readonly<Record<string, readonly string[]>>, swap: boolean) =>
    Object.entries(of)
      .flatMap(([key, values]) => values.map((value) => (swap ? `${value} ${key}` : `${key} ${value}`)))
      .sort();
  const told = new Set<string>();
  for (const [action, range = "", node = ""] of map.changelog)
    if (action === "add") told.add(`${range} ${node}`);
    else told.delete(`${range} ${node}`);
  const [ranges, nodes] = [pairs(map.by_range, false).join(), pairs(map.by_node, true).join()];
  if (_id !== database || ranges !== nodes || ranges !== [...told].sort().join())
    return { status: 403, body: { error: "forbidden", reason: `by_node, by_range and changelog of ${_id} disagree` } };
  return maps.put(database, map as unknown as NodeDocument);
}
