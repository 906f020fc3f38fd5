// What CouchDB does with the list of a ring's nodes, with logins and with strangers, as far as this project's scripts
// meet it. The rules were read in CouchDB's sources: mem3_nodes and couch_db (revisions), couch_httpd_auth and
// couch_auth_lockout (logins), couch_db_updater and chttpd_auth_request (strangers).
"use strict";
const { createHash, pbkdf2Sync } = require("node:crypto");

/** The revision that every node writes of itself at its first start: that of an empty document. */
const emptyRevision = "1-967a00dff5e02add41819138abb3284d";

const generation = (rev) => Number(rev.split("-")[0]);
const byRank = (a, b) =>
  Number(a.deleted) - Number(b.deleted) ||
  generation(b.rev) - generation(a.rev) ||
  (a.rev < b.rev ? 1 : a.rev > b.rev ? -1 : 0);

/** The database `_nodes` of one node: documents with trees of revisions, as a replication leaves them. */
class NodeList {
  #documents = new Map();

  /** @param {string} [own] the node itself, which it lists without a zone at its first start */
  constructor(own) {
    if (own !== undefined) this.put(own, {});
  }

  /** Names of the nodes that are listed, and so are members of the ring. */
  members() {
    return [...this.#documents.keys()].filter((id) => this.#winner(id)?.deleted === false).sort();
  }

  /** The document as GET answers; `conflicts`: with the other leaves that are not deleted. */
  get(id, { conflicts = false } = {}) {
    const winner = this.#winner(id);
    if (winner === undefined) return notFound("missing");
    if (winner.deleted) return notFound("deleted");
    const others = this.#leaves(id).filter((leaf) => leaf !== winner && !leaf.deleted);
    return {
      status: 200,
      body: {
        _id: id,
        _rev: winner.rev,
        ...winner.body,
        ...(conflicts && others.length > 0 ? { _conflicts: others.map(({ rev }) => rev) } : {}),
      },
    };
  }

  put(id, { _rev, ...body }) {
    return this.#write(id, _rev, body, false);
  }

  delete(id, rev) {
    return this.#winner(id) === undefined ? notFound("missing") : this.#write(id, rev, {}, true);
  }

  /** Makes the other list know all revisions of this one. */
  replicateTo(other) {
    for (const [id, revisions] of this.#documents) {
      if (!other.#documents.has(id)) other.#documents.set(id, new Map());
      for (const [rev, revision] of revisions) other.#documents.get(id).set(rev, revision);
    }
  }

  toJSON() {
    return [...this.#documents].map(([id, revisions]) => [id, [...revisions]]);
  }

  static fromJSON(documents) {
    const list = new NodeList();
    for (const [id, revisions] of documents) list.#documents.set(id, new Map(revisions));
    return list;
  }

  #leaves(id) {
    const revisions = [...(this.#documents.get(id)?.values() ?? [])];
    const parents = new Set(revisions.map(({ parent }) => parent));
    return revisions.filter(({ rev }) => !parents.has(rev)).sort(byRank);
  }

  #winner(id) {
    return this.#leaves(id)[0];
  }

  #write(id, rev, body, deleted) {
    const winner = this.#winner(id);
    const parent =
      rev === undefined
        ? winner?.deleted === true
          ? winner
          : undefined
        : this.#leaves(id).find((leaf) => leaf.rev === rev && !leaf.deleted);
    const isNew = winner === undefined && rev === undefined;
    if (parent === undefined && !isNew) {
      return { status: 409, body: { error: "conflict", reason: "Document update conflict." } };
    }
    const next = nextRevision(parent?.rev, body, deleted);
    if (!this.#documents.has(id)) this.#documents.set(id, new Map());
    this.#documents.get(id).set(next, { rev: next, parent: parent?.rev, body, deleted });
    return { status: deleted ? 200 : 201, body: { ok: true, id, rev: next } };
  }
}

/** The same change of the same revision is the same revision wherever it is made. */
function nextRevision(parent, body, deleted) {
  if (parent === undefined && !deleted && Object.keys(body).length === 0) return emptyRevision;
  const text = JSON.stringify([parent ?? null, Object.entries(body).sort(), deleted]);
  return `${parent === undefined ? 1 : generation(parent) + 1}-${createHash("md5").update(text).digest("hex")}`;
}

const notFound = (reason) => ({ status: 404, body: { error: "not_found", reason } });

/** Failed logins after which CouchDB 3.4 and later let an address in no more, not even with the right password. */
const lockOutAfter = 5;

/** Who is let in. */
class Gate {
  #failures = new Map();
  #admins;
  #locksOut;

  /**
   * @param {{ admins: Record<string, string>, locksOut: boolean }} options `admins`: passwords by name, as they are, or hashed as an ini
   * file may hold them; `locksOut`: as CouchDB 3.4 and later
   */
  constructor({ admins, locksOut }) {
    this.#admins = new Map(Object.entries(admins));
    this.#locksOut = locksOut;
  }

  /** `admin`, `stranger` where nobody logs in, or the answer to one who is refused. */
  who(address, authorization) {
    if (authorization === undefined) return "stranger";
    const failures = this.#failures.get(address) ?? 0;
    if (this.#locksOut && failures >= lockOutAfter) {
      const reason = "Account is temporarily locked due to multiple authentication failures";
      return { status: 403, body: { error: "forbidden", reason } };
    }
    const given = Buffer.from(authorization.replace(/^Basic /, ""), "base64").toString();
    const colon = given.indexOf(":");
    const password = this.#admins.get(given.slice(0, colon));
    if (password !== undefined && matches(given.slice(colon + 1), password)) return "admin";
    this.#failures.set(address, failures + 1);
    return { status: 401, body: { error: "unauthorized", reason: "Name or password is incorrect." } };
  }
}

/** Whether a password is the one that an ini file has as `-pbkdf2-KEY,SALT,ITERATIONS` or as it is. */
function matches(given, wanted) {
  const [, key, salt, iterations] = /^-pbkdf2-([0-9a-f]+),([^,]+),(\d+)$/.exec(wanted) ?? [];
  if (key === undefined) return given === wanted;
  return pbkdf2Sync(given, salt, Number(iterations), 20, "sha1").toString("hex") === key;
}

/** The security of a database that only administrators may read. */
const adminOnly = { members: { roles: ["_admin"] }, admins: { roles: ["_admin"] } };

/** The security that a new database gets; `setting` is `[couchdb] default_security`, whose default in CouchDB 2 lets everyone in. */
const newSecurity = (setting = "admin_local") => (setting === "admin_only" ? adminOnly : {});

/** Whether strangers may read and write a database. */
function isOpen({ members = {} }) {
  return (members.names ?? []).length === 0 && (members.roles ?? []).length === 0;
}

module.exports = { NodeList, Gate, adminOnly, newSecurity, isOpen, emptyRevision };
