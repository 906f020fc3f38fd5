import { type Answer, Gate, isOpen, newSecurity, type Security } from "../image/support/couchdb/rules.js";
import { jsonServer } from "./jsonServer";

/** A database server on a port of this machine. */
export interface Couchdb {
  readonly port: number;
  /** `METHOD PATH` of each request. */
  readonly requests: readonly string[];
  /** `_security` by database. */
  readonly securities: Map<string, Security>;
  /** Databases that anonymous clients may read. */
  readonly open: () => string[];
  readonly stop: () => Promise<void>;
}

/**
 * Starts a double of a database server, with databases, their security and logins.
 * @param options `defaultSecurity`: as in its configuration; `locksOut`: as CouchDB 3.4 and later; `refuses`: `METHOD PATH` that fails with
 * status 500
 */
export async function startCouchdb(options: {
  readonly user: string;
  readonly password: string;
  readonly securities?: Readonly<Record<string, Security>>;
  readonly defaultSecurity?: string;
  readonly locksOut?: boolean;
  readonly refuses?: string;
}): Promise<Couchdb> {
  const { user, password, defaultSecurity, locksOut = false } = options;
  const gate = new Gate({ admins: { [user]: password }, locksOut });
  const securities = new Map(Object.entries(options.securities ?? {}));
  const requests: string[] = [];
  const notFound: Answer = { status: 404, body: { error: "not_found", reason: "Database does not exist." } };
  const answer = (method: string, path: string, body: string): Answer | { status: number; body: unknown } => {
    if (`${method} ${path}` === options.refuses) return { status: 500, body: { error: "timeout" } };
    if (path === "/") return { status: 200, body: { couchdb: "Welcome" } };
    if (path === "/_all_dbs") return { status: 200, body: [...securities.keys()] };
    const [name = "", rest] = path.slice(1).split("/").map(decodeURIComponent);
    const security = securities.get(name);
    if (rest === "_security") {
      if (security === undefined) return notFound;
      if (method === "GET") return { status: 200, body: { ...security } };
      // As CouchDB 3 does.
      if (name === "_users") return { status: 403, body: { error: "forbidden" } };
      securities.set(name, JSON.parse(body) as Security);
      return { status: 200, body: { ok: true } };
    }
    if (method !== "PUT") return security === undefined ? notFound : { status: 200, body: { db_name: name } };
    if (security !== undefined) return { status: 412, body: { error: "file_exists" } };
    securities.set(name, newSecurity(defaultSecurity));
    return { status: 201, body: { ok: true } };
  };
  const server = await jsonServer((request, body) => {
    const { method = "", url = "/" } = request;
    requests.push(`${method} ${url}`);
    const who = gate.who(request.socket.remoteAddress ?? "", request.headers.authorization);
    const refusal = { status: 401, body: { error: "unauthorized", reason: "You are not a server admin." } };
    return typeof who === "object" ? who : who === "stranger" ? refusal : answer(method, url, body);
  });
  return {
    ...server,
    requests,
    securities,
    open: () => [...securities].filter(([, security]) => isOpen(security)).map(([name]) => name),
  };
}
