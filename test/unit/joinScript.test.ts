import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { joinScript } from "../../components/joinJob";
import { databaseKind, type DatabaseKind } from "../../config/compatibility";
import { type CouchdbRing, type RingOptions, startRing } from "../support/couchdbRing";
import { runAgainst } from "../support/script";

const hosts = ["db-0.nyc", "db-1.nyc", "db-0.bos"] as const;
const zoneOf = (host: string) => `us-east-${host.split(".")[1]}`;
const kindOf = (version: string) => databaseKind(version) as DatabaseKind;
// With characters that are special to curl, the shell and sed.
const login = { user: "kazoo", password: String.raw`database-password\t\\ $x %s '& #` };

const rings: CouchdbRing[] = [];
afterEach(async () => {
  for (const ring of rings.splice(0)) await ring.stop();
});

/** A ring of three new nodes, two of them in the zone of nyc. */
async function newRing(version: string, options: Partial<RingOptions> = {}): Promise<CouchdbRing> {
  const ring = await startRing({ kind: kindOf(version), hosts, ...login, ...options });
  rings.push(ring);
  return ring;
}

/** Runs the join Job of a zone. */
const joinZone = async (ring: CouchdbRing, version: string, zone = "nyc", { password } = login) => {
  const nodes = hosts.map((host) => ({ host, zone: zoneOf(host), own: host.endsWith(zone) }));
  const script = joinScript({ kind: kindOf(version), host: `db-0.${zone}`, nodes });
  return await runAgainst(ring.port, script, { DATABASE_USER: login.user, DATABASE_PASSWORD: password });
};

/** Each node's zone and its number of conflicting revisions, as seen by one node. */
const zonesAt = (ring: CouchdbRing, version: string, host: string) =>
  hosts.map((other) => {
    const { body } = ring.listOf(host).get(`${kindOf(version).nodeName}@${other}`, { conflicts: true });
    return [body.zone, 1 + ((body._conflicts as string[] | undefined)?.length ?? 0)];
  });
const allInPlace = hosts.map((host) => [zoneOf(host), 1]);
const written = (ring: CouchdbRing) => ring.requests.filter((request) => !request.startsWith("GET "));

for (const version of ["bigcouch-0.4.2", "couchdb-2.3.1", "couchdb-3.5.0"]) {
  const node = (host: string) => `${kindOf(version).nodeName}@${host}`;

  describe(`joining the nodes of ${version}`, () => {
    test("every node's zone is known to all nodes, without conflicting revisions", async () => {
      const ring = await newRing(version);
      for (const zone of ["nyc", "bos"]) {
        const run = await joinZone(ring, version, zone);
        assert.equal(run.code, 0, run.stderr);
      }
      for (const host of hosts) assert.deepEqual(zonesAt(ring, version, host), allInPlace);
    });

    test("a ring whose nodes have all joined is not changed", async () => {
      const ring = await newRing(version);
      await joinZone(ring, version);
      const before = written(ring).length;
      const again = await joinZone(ring, version);
      assert.equal(again.code, 0, again.stderr);
      assert.equal(written(ring).length, before);
      assert.match(again.stdout, /db-0\.bos is in zone us-east-bos/);
    });

    test("one DELETE removes a node from the ring", async () => {
      const ring = await newRing(version);
      for (const zone of ["nyc", "bos"]) await joinZone(ring, version, zone);
      const list = ring.listOf("db-0.nyc");
      list.delete(node("db-1.nyc"), list.get(node("db-1.nyc")).body._rev as string);
      ring.settle();
      assert.deepEqual(list.members(), [node("db-0.bos"), node("db-0.nyc")]);
    });

    test("concurrent writes by another zone's Job are no failure", async () => {
      let before = 0;
      const ring = await newRing(version, {
        meanwhile: (request, listOf) => {
          // The other Job's document arrives while this Job writes its own.
          const [, host] = /^PUT .*@(\S+) .*"zone"/.exec(request) ?? [];
          if (host === undefined || before++ > 1) return;
          const list = listOf(new URL(request.split(" ")[1] ?? "").hostname);
          list.put(node(host), { _rev: list.get(node(host)).body._rev as string, zone: zoneOf(host) });
        },
      });
      const run = await joinZone(ring, version);
      assert.equal(run.code, 0, run.stderr);
      assert.ok(before > 1, "something was written meanwhile");
      assert.deepEqual(zonesAt(ring, version, "db-0.nyc"), allInPlace);
    });

    test("conflicting revisions left by an earlier version of the Job are resolved", async () => {
      const ring = await newRing(version);
      for (const host of hosts) ring.listOf("db-0.nyc").put(node(host), { zone: zoneOf(host) });
      ring.settle();
      assert.notDeepEqual(zonesAt(ring, version, "db-0.nyc"), allInPlace);
      for (const zone of ["nyc", "bos"]) {
        const run = await joinZone(ring, version, zone);
        assert.equal(run.code, 0, run.stderr);
      }
      for (const host of hosts) assert.deepEqual(zonesAt(ring, version, host), allInPlace);
    });

    test("a node that was deleted joins again", async () => {
      const ring = await newRing(version);
      await joinZone(ring, version);
      const list = ring.listOf("db-0.nyc");
      list.delete(node("db-0.bos"), list.get(node("db-0.bos")).body._rev as string);
      const run = await joinZone(ring, version);
      assert.equal(run.code, 0, run.stderr);
      assert.deepEqual(zonesAt(ring, version, "db-0.nyc"), allInPlace);
    });

    test("a password that the database refuses ends the Job at the first attempt, with the reason", async () => {
      const ring = await newRing(version);
      const run = await joinZone(ring, version, "nyc", { ...login, password: "another-password" });
      assert.equal(run.code, 3);
      assert.equal(ring.requests.length, 1);
      assert.match(run.stderr, /^the database refuses user kazoo or the password .*Name or password is incorrect/m);
    });

    test("the password reaches curl, and no argument or output", async () => {
      const ring = await newRing(version);
      const run = await joinZone(ring, version);
      assert.ok(run.curl.includes("--config -"));
      assert.doesNotMatch(run.curl + run.stdout + run.stderr, /database-password/);
    });
  });
}

test("an address that CouchDB 3 has locked out ends the Job at once, with the reason", async () => {
  const ring = await newRing("couchdb-3.5.0");
  for (let failure = 0; failure < 5; failure += 1) {
    const headers = { authorization: `Basic ${btoa("kazoo:another")}`, host: "db-0.nyc:5984" };
    await fetch(`http://127.0.0.1:${ring.port}/`, { headers });
  }
  const run = await joinZone(ring, "couchdb-3.5.0");
  assert.equal(run.code, 3);
  assert.match(run.stderr, /HTTP status 403: Account is temporarily locked/);
});

test("a database that is down is named after a wait", async () => {
  const ring = await newRing("couchdb-2.3.1");
  await ring.stop();
  const run = await joinZone(ring, "couchdb-2.3.1");
  assert.equal(run.code, 1);
  assert.match(run.stderr, /^no answer from http:\/\/db-0\.nyc:5984\/$/m);
  assert.equal(run.curl.split("\n").length - 1, 60);
});

test("an unavailable zone delays no other: the Job waits only for its own zone's nodes", () => {
  const nodes = hosts.map((host) => ({ host, zone: zoneOf(host), own: host.endsWith("nyc") }));
  const script = joinScript({ kind: kindOf("couchdb-2.3.1"), host: "db-0.nyc", nodes });
  assert.doesNotMatch(script, /^wait_for .*bos/m);
});

test("the command in docs/rings.md deletes a node, however many conflicting revisions it has", async () => {
  const text = readFileSync(join(__dirname, "../../docs/rings.md"), "utf8");
  const [, command] = /^kubectl .* sh -s \S+ <<'END'\n(.*?)^END$/ms.exec(text) ?? [];
  assert.ok(command);
  const [local, gone] = ["127.0.0.1", "db-1.nyc"] as const;
  const ring = await newRing("couchdb-2.3.1", { hosts: [local, gone] });
  const list = ring.listOf(local);
  list.put(`couchdb@${gone}`, { zone: "us-east-nyc" });
  ring.settle();
  const variables = { COUCHDB_USER: login.user, COUCHDB_PASSWORD: login.password };
  const run = await runAgainst(ring.port, `set -- couchdb@${gone}\n${command}`, variables);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(list.members(), [`couchdb@${local}`], run.stdout);
  assert.match(run.stdout, /"reason":"deleted"/);
  assert.equal(written(ring).length, 2, "two revisions");
});
