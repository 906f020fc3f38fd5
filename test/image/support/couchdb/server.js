// A database that speaks CouchDB 2's HTTP, in the place of CouchDB: PouchDB's server behind CouchDB's rules for nodes,
// logins and strangers (rules.js). Listens on 5984 and 5986, as CouchDB 2 does, and reads what is in etc/default.d and
// etc/local.d.
//
// It is no cluster: nodes that were joined are remembered, their data is each node's own.
"use strict";
const { mkdirSync, readFileSync, readdirSync, writeFileSync } = require("node:fs");
const express = require("express");
const PouchDB = require("pouchdb-node");
const { Gate, NodeList, isOpen, newSecurity } = require("./rules.js");

const data = process.env.COUCHDB_DATA ?? "/opt/couchdb/data";
const settings = readSettings(process.env.COUCHDB_ETC ?? "/opt/couchdb/etc");
const [, name = `couchdb@${process.env.NODENAME ?? "127.0.0.1"}`] =
  /-name (\S+)/.exec(process.env.ERL_FLAGS ?? "") ?? [];
// Where no ini file has the administrator of the variables, the image's entrypoint has written it into one.
const admins = Object.fromEntries(
  Object.entries(settings).flatMap(([key, value]) => (key.startsWith("admins.") ? [[key.slice(7), value]] : [])),
);
const gate = Object.keys(admins).length === 0 ? undefined : new Gate({ admins, locksOut: false });

mkdirSync(data, { recursive: true });
// PouchDB writes its settings where it is started.
process.chdir(data);

const stored = (file, otherwise) => {
  try {
    return JSON.parse(readFileSync(`${data}/${file}`, "utf8"));
  } catch {
    return otherwise;
  }
};
const store = (file, value) => writeFileSync(`${data}/${file}`, JSON.stringify(value));
const known = stored("nodes.json");
const nodes = known === undefined ? new NodeList(name) : NodeList.fromJSON(known);
/** It gets `allDbs` from the server below. */
const Databases = PouchDB.defaults({ prefix: `${data}/` });
/** `_security` by database. */
const securities = stored("securities.json", {});

const app = express();
app.get("/_up", (_request, response) => response.json({ status: "ok" }));
app.use((request, response, next) => {
  const who = gate?.who(request.socket.remoteAddress, request.headers.authorization) ?? "admin";
  if (typeof who === "object") return response.status(who.status).json(who.body);
  if (who === "admin" || strangersMay(request)) return next();
  response.status(401).json({ error: "unauthorized", reason: "You are not a server admin." });
});

/** What a stranger may do, on the node-local port and on the other. */
function strangersMay({ path, method, socket }) {
  if (socket.localPort === 5986) return settings["couch_httpd_auth.require_valid_user"] !== "true";
  const [first, ...rest] = path.split("/").slice(1);
  if (first === "") return true;
  if (first === "_all_dbs") return settings["chttpd.admin_only_all_dbs"] !== "true";
  if (["_session", "_uuids", "_replicate", "_active_tasks"].includes(first)) return true;
  if (first.startsWith("_") && !["_users", "_replicator"].includes(first)) return false;
  if (rest.length === 0 && (method === "PUT" || method === "DELETE")) return false;
  return isOpen(securities[decodeURIComponent(first)] ?? {});
}

app.get("/_membership", (_request, response) => {
  response.json({ all_nodes: nodes.members(), cluster_nodes: nodes.members() });
});
for (const path of ["/_nodes", "/_node/_local/_nodes"]) {
  app.get(`${path}/_all_docs`, (_request, response) => {
    const rows = nodes.members().map((id) => ({ id, key: id, value: { rev: nodes.get(id).body._rev } }));
    response.json({ total_rows: rows.length, offset: 0, rows });
  });
  const respond = (response, { status, body }) => {
    store("nodes.json", nodes);
    response.status(status).json(body);
  };
  app.get(`${path}/:node`, (request, response) => {
    respond(response, nodes.get(request.params.node, { conflicts: request.query.conflicts === "true" }));
  });
  app.put(`${path}/:node`, express.json(), (request, response) => {
    respond(response, nodes.put(request.params.node, request.body));
  });
  app.delete(`${path}/:node`, (request, response) => {
    respond(response, nodes.delete(request.params.node, request.query.rev));
  });
}
// As if every member had a copy of everything.
app.get("/_dbs/_all_docs", async (_request, response) => {
  const by_range = { "00000000-ffffffff": nodes.members() };
  const rows = (await Databases.allDbs()).map((id) => ({ id, key: id, value: {}, doc: { _id: id, by_range } }));
  response.json({ total_rows: rows.length, offset: 0, rows });
});
app.put("/:database", (request, response, next) => {
  const { database } = request.params;
  response.on("finish", () => {
    if (response.statusCode !== 201) return;
    securities[database] = newSecurity(settings["couchdb.default_security"]);
    store("securities.json", securities);
  });
  next();
});
app.get("/:database/_security", (request, response) => response.json(securities[request.params.database] ?? {}));
app.put("/:database/_security", express.json(), (request, response) => {
  securities[request.params.database] = request.body;
  store("securities.json", securities);
  response.json({ ok: true });
});
app.use(
  require("express-pouchdb")(Databases, {
    inMemoryConfig: true,
    logPath: "/dev/null",
    overrideMode: { exclude: ["routes/authentication", "routes/authorization", "routes/session", "routes/fauxton"] },
  }),
);

/** All settings as `SECTION.KEY`, later files over earlier ones. */
function readSettings(etc) {
  const found = {};
  for (const folder of ["default.d", "local.d"]) {
    for (const file of iniFiles(`${etc}/${folder}`)) {
      let section = "";
      for (const line of readFileSync(file, "utf8").split("\n")) {
        const [, heading] = /^\[(.+)\]$/.exec(line) ?? [];
        const [, key, value] = /^([^;=\s]+)\s*=\s*(.*)$/.exec(line) ?? [];
        if (heading !== undefined) section = heading;
        else if (key !== undefined) found[`${section}.${key}`] = value;
      }
    }
  }
  return found;
}

function iniFiles(folder) {
  try {
    const names = readdirSync(folder).filter((file) => file.endsWith(".ini"));
    return names.sort().map((file) => `${folder}/${file}`);
  } catch {
    return [];
  }
}

const servers = [5984, 5986].map((port) => app.listen(port, () => console.log(`${name} listens on ${port}`)));
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    for (const server of servers) server.close();
    process.exit(0);
  });
}
