import { databasePort } from "../../../../components/names";
import type { DatabaseKind } from "../../../../config/compatibility";
import { authorized } from "./copies";
import type { PodPlace } from "../../cluster/kubernetes";
import { type Answer, type Questions, askPod } from "../../cluster/questions";
import { quoted } from "../../../shared/shell";
import { UserError } from "../../../shared/terminal";
import type { ShardDocument } from "./shardMap";

/** A request to a database node. */
export interface Request {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Name of its Erlang node. */
  readonly node: string;
  /** Begins with `/`. */
  readonly path: string;
  /** Whether it goes to the node-local interface. @default false */
  readonly local?: boolean;
  readonly body?: unknown;
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** Sends requests in order, and returns their replies. */
export type Ask = (requests: readonly Request[]) => Promise<readonly Reply[]>;

/** The URL of a request: the node-local interface has a port of its own up to CouchDB 2, and is a path in CouchDB 3. */
export function urlOf({ engine, adminPort }: DatabaseKind, { node, path, local = false }: Request): string {
  const host = node.split("@")[1] ?? node;
  return local && engine !== "couchdb-3"
    ? `http://${host}:${adminPort ?? databasePort}${path}`
    : `http://${host}:${databasePort}${local ? "/_node/_local" : ""}${path}`;
}

/** Requests per command, because starting a command in a pod takes longer than they do. */
const atOnce = 50;
/** Time limit of a request, in seconds. */
const patience = 60;

/** Sends requests from a Kazoo pod, which reaches all database nodes of its ring: CouchDB's own image has no curl. */
export const askThrough = (kind: DatabaseKind, pod: PodPlace): Ask =>
  askBy(kind, (questions, seconds) =>
    askPod(pod, questions, patience, AbortSignal.timeout(1000 * (seconds + patience))),
  );

/** Sends requests as commands. @param run runs commands, for at most so many seconds in total, and returns their answers */
export const askBy =
  (kind: DatabaseKind, run: (questions: Questions, seconds: number) => Promise<ReadonlyMap<string, Answer>>): Ask =>
  async (requests) => {
    const replies: Reply[] = [];
    for (let first = 0; first < requests.length; first += atOnce) {
      const some = requests.slice(first, first + atOnce);
      const questions = Object.fromEntries(some.map((request, index) => [`r${index}`, curl(kind, request)]));
      const answers = await run(questions, some.length * patience);
      replies.push(...some.map((request, index) => readReply(kind, request, answers.get(`r${index}`))));
    }
    return replies;
  };

function curl(kind: DatabaseKind, request: Request): string {
  const { method, body } = request;
  const json = body === undefined ? "" : ` --data ${quoted(JSON.stringify(body))}`;
  return authorized(
    "COUCHDB_USER",
    "COUCHDB_PASS",
    `--max-time ${patience - 5} --request ${method} --header 'Content-Type: application/json'${json} --write-out '\\n%{http_code}' ${quoted(urlOf(kind, request))}`,
  );
}

function readReply(kind: DatabaseKind, request: Request, answer: Answer | undefined): Reply {
  const [, body = "", status] = /^([\s\S]*)\n(\d{3})$/.exec(answer?.text ?? "") ?? [];
  if (status === undefined || status === "000")
    throw new UserError(
      `${urlOf(kind, request)} does not answer`,
      "make status shows whether its pod is ready; run the same command again to continue",
    );
  try {
    return { status: Number(status), body: body === "" ? null : (JSON.parse(body) as unknown) };
  } catch {
    throw new UserError(`the answer of ${urlOf(kind, request)} cannot be read: HTTP status ${status}`);
  }
}

/** The members of a ring, their shards and their settings. */
export class RingDatabase {
  /** @param speaker name of the node whose shard maps and list of nodes are changed; from there they replicate */
  constructor(
    readonly kind: DatabaseKind,
    readonly speaker: string,
    readonly ask: Ask,
  ) {}

  /** The answers to all requests. @param missing whether to return null for status 404 */
  async bodies<T>(requests: readonly Request[], missing = false): Promise<(T | null)[]> {
    const replies = await this.ask(requests);
    return replies.map(({ status, body }, index) => {
      if (status >= 200 && status < 300) return body as T;
      if (missing && status === 404) return null;
      throw failed(this.kind, requests[index], status, body);
    });
  }

  async body<T>(request: Request): Promise<T> {
    return (await this.bodies<T>([request]))[0] as T;
  }

  /** The nodes that the ring lists. */
  async members(): Promise<string[]> {
    const at = { method: "GET", node: this.speaker, path: "/_membership" } as const;
    return [...(await this.body<{ cluster_nodes: string[] }>(at)).cluster_nodes].sort();
  }

  /** The shard maps of all databases, as stored on a node. */
  async maps(node = this.speaker): Promise<ShardDocument[]> {
    const at = { method: "GET", node, local: true, path: "/_dbs/_all_docs?include_docs=true" } as const;
    const { rows } = await this.body<{ rows: { doc: ShardDocument | null }[] }>(at);
    return rows.flatMap(({ doc }) => (doc !== null && "by_range" in doc ? [doc] : []));
  }

  /** Changes the shard maps of databases; skips databases that are deleted in the meantime. */
  async changeMaps(databases: readonly string[], change: (map: ShardDocument) => ShardDocument): Promise<void> {
    let left = databases;
    // If another change comes first, read the map again.
    for (let round = 0; left.length > 0; round += 1) {
      if (round === 10)
        throw new UserError(`the shard map of ${left[0]} cannot be changed: someone else keeps changing it`);
      const at = (database: string) => `/_dbs/${encodeURIComponent(database)}`;
      const found = await this.bodies<ShardDocument>(
        left.map((database) => ({ method: "GET", node: this.speaker, local: true, path: at(database) })),
        true,
      );
      const wanted = found.flatMap((map) => (map === null ? [] : [{ map, next: change(map) }]));
      const puts = wanted
        .filter(({ map, next }) => JSON.stringify(map) !== JSON.stringify(next))
        .map(({ next }): Request => {
          return { method: "PUT", node: this.speaker, local: true, path: at(next._id), body: next };
        });
      const replies = await this.ask(puts);
      left = replies.flatMap(({ status, body }, index) => {
        if (status === 409) return [(puts[index]?.body as ShardDocument)._id];
        if (status >= 300) throw failed(this.kind, puts[index], status, body);
        return [];
      });
    }
  }

  /** The nodes that new databases are kept away from. */
  async retired(nodes: readonly string[]): Promise<string[]> {
    return (await this.listed(nodes)).flatMap((node) => (node?.["decom"] === true ? [node._id] : []));
  }

  /** Keeps new databases away from nodes while they are still listed, or no longer. */
  async setRetired(nodes: readonly string[], on: boolean): Promise<void> {
    const found = await this.listed(nodes);
    const others = found.filter((node) => node !== null && (node["decom"] === true) !== on) as NodeDocument[];
    await this.bodies(
      others.map(({ _conflicts, ...node }): Request => {
        return { ...this.listing(node._id), method: "PUT", body: { ...node, decom: on } };
      }),
    );
  }

  /** Removes nodes from the ring's list, with all their revisions. */
  async forget(nodes: readonly string[]): Promise<void> {
    for (let round = 0; ; round += 1) {
      const left = (await this.listed(nodes)).filter((node) => node !== null);
      const [first] = left;
      if (first === undefined) return;
      if (round === 20)
        throw new UserError(`${first._id} cannot be removed from the ring's list: someone keeps adding it`);
      await this.bodies(
        left.map(({ _id, _rev }): Request => {
          const at = this.listing(_id);
          return { ...at, method: "DELETE", path: `${at.path}?rev=${_rev}` };
        }),
        true,
      );
    }
  }

  private listed(nodes: readonly string[]): Promise<(NodeDocument | null)[]> {
    return this.bodies<NodeDocument>(
      nodes.map((node) => this.listing(node)),
      true,
    );
  }

  private readonly listing = (node: string): Request => ({
    method: "GET",
    node: this.speaker,
    local: true,
    path: `/_nodes/${encodeURIComponent(node)}`,
  });

  /** The nodes that are in maintenance mode. */
  async inMaintenance(nodes: readonly string[]): Promise<string[]> {
    const modes = await this.bodies<string>(
      nodes.map((node) => ({ method: "GET", node, path: maintenance })),
      true,
    );
    return nodes.filter((_, index) => modes[index] === "true");
  }

  /** Turns a node's maintenance mode on or off: a node in it serves no requests. */
  async setMaintenance(node: string, on: boolean): Promise<void> {
    await this.body({ method: "PUT", node, path: maintenance, body: String(on) });
  }
}

/** A node in the ring's list. */
interface NodeDocument {
  readonly _id: string;
  readonly _rev: string;
  readonly _conflicts?: unknown;
  readonly [key: string]: unknown;
}

const maintenance = "/_node/_local/_config/couchdb/maintenance_mode";

function failed(kind: DatabaseKind, request: Request | undefined, status: number, body: unknown): UserError {
  const { reason = "no reason given" } = (body ?? {}) as { readonly reason?: string };
  const what = request === undefined ? "" : `${request.method} ${urlOf(kind, request)}`;
  return new UserError(`the database answers ${status} to ${what}: ${reason}`);
}
