// A database that speaks CouchDB 2's HTTP, in the place of CouchDB: PouchDB's server behind the administrator's
// credentials, and beside it what joining a ring and probes ask for. Listens on 5984 and 5986, as CouchDB 2 does.
//
// It is no cluster: nodes that were joined are remembered, their data is each node's own.
"use strict";
const { timingSafeEqual } = require("node:crypto");
const { mkdirSync, readFileSync, writeFileSync } = require("node:fs");
const express = require("express");
const PouchDB = require("pouchdb-node");

const data = process.env.COUCHDB_DATA ?? "/opt/couchdb/data";
const user = process.env.COUCHDB_USER;
const password = process.env.COUCHDB_PASSWORD;
const name = `couchdb@${process.env.NODENAME ?? "127.0.0.1"}`;
const nodesFile = `${data}/nodes.json`;

mkdirSync(data, { recursive: true });
// PouchDB writes its settings where it is started.
process.chdir(data);

function nodes() {
  try {
    return JSON.parse(readFileSync(nodesFile, "utf8"));
  } catch {
    return [name];
  }
}

function join(node) {
  if (!nodes().includes(node)) writeFileSync(nodesFile, JSON.stringify([...nodes(), node]));
}

function isAdmin(request) {
  if (!user) return true;
  const given = Buffer.from(request.headers.authorization ?? "");
  const wanted = Buffer.from(`Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

const app = express();
app.get("/_up", (_request, response) => response.json({ status: "ok" }));
app.use((request, response, next) => {
  if (request.path === "/" || isAdmin(request)) return next();
  response.status(401).json({ error: "unauthorized", reason: "Name or password is incorrect." });
});
app.get("/_membership", (_request, response) => response.json({ all_nodes: nodes(), cluster_nodes: nodes() }));
for (const path of ["/_nodes", "/_node/_local/_nodes"]) {
  app.get(`${path}/_all_docs`, (_request, response) => {
    response.json({
      total_rows: nodes().length,
      offset: 0,
      rows: nodes().map((id) => ({ id, key: id, value: { rev: "1-0" } })),
    });
  });
  app.get(`${path}/:node`, (request, response) => {
    if (nodes().includes(request.params.node)) return response.json({ _id: request.params.node, _rev: "1-0" });
    response.status(404).json({ error: "not_found", reason: "missing" });
  });
  app.put(`${path}/:node`, (request, response) => {
    if (nodes().includes(request.params.node)) {
      return response.status(409).json({ error: "conflict", reason: "Document update conflict." });
    }
    join(request.params.node);
    response.status(201).json({ ok: true, id: request.params.node, rev: "1-0" });
  });
}
app.post("/_cluster_setup", express.json(), (request, response) => {
  const { action, host } = request.body;
  if (action === "add_node") join(`couchdb@${host}`);
  response.status(201).json({ ok: true });
});
app.use(
  require("express-pouchdb")(PouchDB.defaults({ prefix: `${data}/` }), {
    inMemoryConfig: true,
    logPath: "/dev/null",
    overrideMode: { exclude: ["routes/authentication", "routes/authorization", "routes/session", "routes/fauxton"] },
  }),
);

const servers = [5984, 5986].map((port) => app.listen(port, () => console.log(`${name} listens on ${port}`)));
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    for (const server of servers) server.close();
    process.exit(0);
  });
}
