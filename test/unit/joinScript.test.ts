import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { joinScript } from "../../components/joinJob";
import { databaseKind, type DatabaseKind } from "../../config/compatibility";
import { type Answers, runScript } from "../support/script";

const nodes = [
  { host: "db-0.nyc", zone: "us-east-nyc", own: true },
  { host: "db-0.bos", zone: "us-east-bos", own: false },
];

const join = (version: string, answers: Answers) =>
  runScript({
    script: joinScript({ kind: databaseKind(version) as DatabaseKind, host: "db-0.nyc", nodes }),
    environment: { DATABASE_USER: "kazoo", DATABASE_PASSWORD: "database-password" },
    answers,
  });

/** Where each database lists its nodes, and the short name of those. */
const variants = {
  "bigcouch-0.4.2": { list: "http://db-0.nyc:5986/nodes", node: "bigcouch" },
  "couchdb-2.3.1": { list: "http://db-0.nyc:5986/_nodes", node: "couchdb" },
  "couchdb-3.3.3": { list: "http://db-0.nyc:5984/_node/_local/_nodes", node: "couchdb" },
};

for (const [version, { list, node }] of Object.entries(variants)) {
  describe(`joining the nodes of ${version}`, () => {
    const ready = { "GET http://db-0.nyc:5984/": 200 };
    const own = `${list}/${node}@db-0.nyc`;
    const other = `${list}/${node}@db-0.bos`;

    test("gives each node its zone, over what the node has written about itself", () => {
      const run = join(version, {
        ...ready,
        [`GET ${own}`]: [200, '{"_id":"x","_rev":"1-967a00dff5e02add41819138abb3284d"}'],
        [`GET ${other}`]: [404, '{"error":"not_found"}'],
        [`PUT ${own}`]: 201,
        [`PUT ${other}`]: 202,
      });
      assert.equal(run.code, 0, run.stderr);
      assert.deepEqual(
        run.requests.filter((request) => request.startsWith("PUT")),
        [
          `PUT ${own} {"_rev":"1-967a00dff5e02add41819138abb3284d","zone":"us-east-nyc"}`,
          `PUT ${other} {"zone":"us-east-bos"}`,
        ],
      );
      assert.match(run.stdout, /db-0\.bos joined in zone us-east-bos/);
    });

    test("changes nothing where all have joined", () => {
      const run = join(version, {
        ...ready,
        [`GET ${own}`]: [200, '{"_rev":"2-a","zone":"us-east-nyc"}'],
        [`GET ${other}`]: [200, '{"_rev":"2-b","zone":"us-east-bos"}'],
      });
      assert.equal(run.code, 0, run.stderr);
      assert.ok(!run.requests.some((request) => request.startsWith("PUT")), run.requests.join("\n"));
    });

    test("says which node is refused, and with which status", () => {
      const run = join(version, {
        ...ready,
        [`GET ${own}`]: [200, '{"_rev":"2-a","zone":"us-east-nyc"}'],
        [`GET ${other}`]: [404, "{}"],
        [`PUT ${other}`]: 401,
      });
      assert.equal(run.code, 1);
      assert.equal(run.stderr, `joining ${node}@db-0.bos failed with HTTP status 401\n`);
    });
  });
}

test("each node of the zone gets its zone at itself first, over the document that it wrote", () => {
  const script = joinScript({
    kind: databaseKind("couchdb-2.3.1") as DatabaseKind,
    host: "db-0.nyc",
    nodes: [nodes[0]!, { host: "db-1.nyc", zone: "us-east-nyc", own: true }, nodes[1]!],
  });
  const own = "http://db-1.nyc:5986/_nodes/couchdb@db-1.nyc";
  const answers: Answers = {
    "GET http://db-0.nyc:5984/": 200,
    "GET http://db-1.nyc:5984/": 200,
    ...Object.fromEntries(
      ["nyc", "bos"].map((name) => [
        `GET http://db-0.nyc:5986/_nodes/couchdb@db-0.${name}`,
        [200, `{"zone":"us-east-${name}"}`],
      ]),
    ),
    [`GET ${own}`]: [200, '{"_rev":"1-967a00dff5e02add41819138abb3284d"}'],
    [`PUT ${own}`]: 201,
    "GET http://db-0.nyc:5986/_nodes/couchdb@db-1.nyc": [200, '{"zone":"us-east-nyc"}'],
  };
  const run = runScript({ script, environment: { DATABASE_USER: "kazoo", DATABASE_PASSWORD: "secret" }, answers });
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(
    run.requests.filter((request) => request.startsWith("PUT")),
    [`PUT ${own} {"_rev":"1-967a00dff5e02add41819138abb3284d","zone":"us-east-nyc"}`],
  );
});

test("a database that is down is waited for, then named", () => {
  const run = join("couchdb-2.3.1", {});
  assert.equal(run.code, 1);
  assert.match(run.stderr, /^no answer from http:\/\/db-0\.nyc:5984\/$/m);
  assert.equal(run.requests.length, 60);
});

test("the password reaches curl, and no argument or output", () => {
  const run = join("couchdb-2.3.1", { "GET http://db-0.nyc:5984/": 200 });
  assert.equal(run.credentials, 'user = "kazoo:database-password"');
  assert.doesNotMatch(run.requests.join() + run.stdout + run.stderr, /database-password/);
});
