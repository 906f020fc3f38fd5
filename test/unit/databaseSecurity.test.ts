import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { bootstrapEnvironment } from "../../components/bootstrapJob";
import { bootstrapScript } from "../../components/bootstrapScript";
import { adminOnly } from "../image/support/couchdb/rules.js";
import { type Couchdb, startCouchdb } from "../support/couchdb";
import { runAgainst } from "../support/script";

const login = { user: "kazoo", password: "database-password" };

const started: Couchdb[] = [];
afterEach(async () => {
  for (const couchdb of started.splice(0)) await couchdb.stop();
});
async function start(options: Partial<Parameters<typeof startCouchdb>[0]> = {}): Promise<Couchdb> {
  const couchdb = await startCouchdb({ ...login, ...options });
  started.push(couchdb);
  return couchdb;
}

const bootstrap = async (couchdb: Couchdb, version = "couchdb-2.3.1", password = login.password) => {
  const environment = bootstrapEnvironment({
    databaseVersion: version,
    databaseUrl: "http://bigcouchbal.nyc:5984",
  });
  const run = await runAgainst(couchdb.port, bootstrapScript, {
    ...environment,
    DATABASE_USER: login.user,
    DATABASE_PASSWORD: password,
  });
  assert.doesNotMatch(run.curl + run.stdout + run.stderr, /database-password/, "a secret is printed");
  return run;
};

/** A CouchDB 2 ring whose databases were created while everyone had access by default. */
const live = {
  _users: {},
  _replicator: {},
  _global_changes: {},
  accounts: {},
  "account/4b/1f/8e9c": {},
  "account/4b/1f/8e9c-202601": { admins: { names: [], roles: [] }, members: { names: [], roles: [] } },
  "numbers/+1555": { admins: { names: ["ops team"], roles: ["_admin"] } },
  closed: adminOnly,
  shared: { admins: { roles: ["_admin"] }, members: { names: ["billing"], roles: [] } },
};

test("databases open to everyone are closed, all others are not changed", async () => {
  const couchdb = await start({ securities: live });
  const run = await bootstrap(couchdb);
  assert.equal(run.code, 0, run.stderr);
  // CouchDB itself protects the documents of _users.
  assert.deepEqual(couchdb.open(), ["_users"]);
  const security = (name: string) => couchdb.securities.get(name);
  assert.deepEqual(security("account/4b/1f/8e9c"), adminOnly);
  assert.deepEqual(security("numbers/+1555"), { admins: live["numbers/+1555"].admins, members: adminOnly.members! });
  assert.deepEqual(security("shared"), live.shared);
  assert.match(run.stdout, /^databases: 6 were open to everyone; all are for administrators alone$/m);
});

test("running it again changes nothing", async () => {
  const couchdb = await start({ securities: live });
  await bootstrap(couchdb);
  const before = couchdb.requests.length;
  const run = await bootstrap(couchdb);
  assert.equal(run.code, 0, run.stderr);
  assert.ok(!couchdb.requests.slice(before).some((request) => /^PUT .*_security$/.test(request)));
  assert.match(run.stdout, /^databases: 0 were open to everyone/m);
});

test("thousands of databases take two calls of curl", async () => {
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`account/aa/bb/${index}`, {}]));
  const couchdb = await start({ securities: { ...many, _users: {}, _replicator: {}, _global_changes: {} } });
  const run = await bootstrap(couchdb);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(couchdb.open(), ["_users"]);
  assert.ok(run.curl.split("\n").length < 10, run.curl);
});

test("databases that first boot creates on a new ring are closed from the start", async () => {
  const couchdb = await start({ defaultSecurity: "admin_only" });
  const run = await bootstrap(couchdb);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual([...couchdb.securities.keys()], ["_users", "_replicator", "_global_changes"]);
  assert.deepEqual(couchdb.open(), []);
});

for (const refuses of ["GET /accounts/_security", "PUT /accounts/_security"]) {
  test(`the Job fails if it cannot read or change a database's security: ${refuses}`, async () => {
    const couchdb = await start({ securities: live, refuses });
    const run = await bootstrap(couchdb);
    assert.equal(run.code, 1);
    assert.match(
      run.stderr,
      /^bootstrap failed: the security .*500 http:\/\/bigcouchbal\.nyc:5984\/accounts\/_security/m,
    );
  });
}

test("on BigCouch, which has no such settings, nothing is changed", async () => {
  const couchdb = await start({ securities: live });
  const run = await bootstrap(couchdb, "bigcouch-0.4.2");
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(couchdb.securities, new Map(Object.entries(live)));
});

test("a password that the database refuses ends the Job at the first attempt, with the reason", async () => {
  const couchdb = await start();
  const run = await bootstrap(couchdb, "couchdb-2.3.1", "another-password");
  assert.equal(run.code, 3);
  assert.equal(couchdb.requests.length, 1);
  assert.match(run.stderr, /refuses user kazoo or the password in Secret bigcouch: Name or password is incorrect\./);
});

test("an address that CouchDB 3 has locked out ends the Job at once, with the reason", async () => {
  const couchdb = await start({ locksOut: true });
  const headers = { authorization: `Basic ${btoa("kazoo:another")}` };
  for (let failure = 0; failure < 5; failure += 1) await fetch(`http://127.0.0.1:${couchdb.port}/`, { headers });
  const run = await bootstrap(couchdb, "couchdb-3.5.0");
  assert.equal(run.code, 3);
  assert.match(run.stderr, /Account is temporarily locked/);
});
