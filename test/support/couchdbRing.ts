import type { IncomingMessage } from "node:http";
import type { DatabaseKind } from "../../config/compatibility";
import { type Answer, Gate, NodeList, type NodeDocument } from "../image/support/couchdb/rules.js";
import { jsonServer } from "./jsonServer";

/** The nodes of a database ring, on one port of this machine: a request's `Host` selects the node and its port. */
export interface CouchdbRing {
  readonly port: number;
  /** `METHOD URL BODY` of each request. */
  readonly requests: readonly string[];
  /** A node's own list of nodes. */
  readonly listOf: (host: string) => NodeList;
  /** Replicates between all nodes that list one another, as they do within seconds. */
  readonly settle: () => void;
  readonly stop: () => Promise<void>;
}

export interface RingOptions {
  readonly kind: DatabaseKind;
  readonly hosts: readonly string[];
  readonly user: string;
  readonly password: string;
  /** Called before a request is answered, to act as others would in the meantime. */
  readonly meanwhile?: (request: string, listOf: CouchdbRing["listOf"]) => void;
}

/** Starts a ring of new nodes that do not know one another yet. Nodes that list one another replicate at once. */
export async function startRing({ kind, hosts, user, password, meanwhile }: RingOptions): Promise<CouchdbRing> {
  const nodeOf = (host: string) => `${kind.nodeName}@${host}`;
  const lists = new Map(hosts.map((host) => [host, new NodeList(nodeOf(host))]));
  const gate = new Gate({ admins: { [user]: password }, locksOut: kind.engine === "couchdb-3" });
  const requests: string[] = [];
  const listOf = (host: string): NodeList => {
    const list = lists.get(host);
    if (list === undefined) throw new Error(`there is no node at ${host}`);
    return list;
  };
  const settle = (): void => {
    for (let round = 0; round < hosts.length; round += 1) {
      for (const list of lists.values()) {
        for (const host of hosts) if (list.members().includes(nodeOf(host))) list.replicateTo(listOf(host));
      }
    }
  };
  const path = { "couchdb-3": "/_node/_local/_nodes/", "couchdb-2": "/_nodes/", bigcouch: "/nodes/" }[kind.engine];
  const answer = (request: IncomingMessage, body: string): Answer => {
    const who = gate.who(request.socket.remoteAddress ?? "", request.headers.authorization);
    if (typeof who === "object") return who;
    const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
    const list = lists.get(url.hostname);
    if (list !== undefined && url.pathname === "/") return { status: 200, body: { couchdb: "Welcome" } };
    if (who === "stranger") return { status: 401, body: { error: "unauthorized", reason: "You are not an admin." } };
    if (list === undefined || url.port !== String(kind.adminPort ?? 5984) || !url.pathname.startsWith(path)) {
      return { status: 404, body: { error: "not_found", reason: "no such place" } };
    }
    const id = decodeURIComponent(url.pathname.slice(path.length));
    switch (request.method) {
      case "PUT":
        return list.put(id, JSON.parse(body) as NodeDocument);
      case "DELETE":
        return list.delete(id, url.searchParams.get("rev") ?? undefined);
      default:
        return list.get(id, { conflicts: url.searchParams.get("conflicts") === "true" });
    }
  };
  const server = await jsonServer((request, body) => {
    const line = `${request.method} http://${request.headers.host}${request.url} ${body}`.trimEnd();
    requests.push(line);
    meanwhile?.(line, listOf);
    const found = answer(request, body);
    settle();
    return found;
  });
  return {
    ...server,
    requests,
    listOf,
    settle,
  };
}
