import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { databaseConfig, ringConfig } from "../../components/bigcouch";
import { databaseKind, type DatabaseKind } from "../../config/compatibility";
import { Gate } from "../image/support/couchdb/rules.js";

/** The settings of an ini file, by `SECTION.KEY`. */
function settingsOf(ini: string): Record<string, string> {
  const sections = ini.split("\n\n").map((text) => text.trim().split("\n"));
  return Object.fromEntries(
    sections.flatMap(([heading = "", ...lines]) =>
      lines.map((line) => {
        const [key = "", value = ""] = line.split(" = ");
        return [`${heading.slice(1, -1)}.${key}`, value];
      }),
    ),
  );
}

const kindOf = (version: string) => databaseKind(version) as DatabaseKind;
const config = (version: string) => settingsOf(databaseConfig({ kind: kindOf(version), quorum: { q: 3, n: 3 } }));

describe("strangers", () => {
  for (const version of ["couchdb-2.3.1", "couchdb-3.5.0"]) {
    test(`new databases of ${version} and the list of databases are for administrators only`, () => {
      const settings = config(version);
      assert.equal(settings["couchdb.default_security"], "admin_only");
      assert.equal(settings["chttpd.admin_only_all_dbs"], "true");
      assert.equal(settings["chttpd.require_valid_user"], undefined, "probes get 200 from /_up without a login");
    });
  }

  test("the node-local port of CouchDB 2 requires a login; CouchDB 3 has no such port, and the setting would break probes", () => {
    assert.equal(config("couchdb-2.3.1")["couch_httpd_auth.require_valid_user"], "true");
    assert.equal(config("couchdb-3.5.0")["couch_httpd_auth.require_valid_user"], undefined);
  });
});

describe("what the nodes of a ring share", () => {
  const shared = {
    users: [{ name: "kazoo", password: "database-password" }],
    uuid: "0123456789abcdef0123456789abcdef",
    authSecret: "s3cret",
  };
  const ring = (version: string) => settingsOf(ringConfig({ kind: kindOf(version), ...shared }));

  test("are its identity, and the secret and salt that sessions are signed with", () => {
    for (const version of ["couchdb-2.3.1", "couchdb-3.5.0"]) {
      assert.deepEqual(ring(version), {
        "couchdb.uuid": shared.uuid,
        "chttpd_auth.secret": "s3cret",
        "couch_httpd_auth.secret": "s3cret",
        "admins.kazoo": `-pbkdf2-2ca07524e7c38e71c4a2e421236927612aa6e954,${shared.uuid},10`,
      });
    }
  });

  test("the hash matches the administrator's password", () => {
    const hashed = ring("couchdb-2.3.1")["admins.kazoo"] ?? "";
    const gate = new Gate({ admins: { kazoo: hashed }, locksOut: false });
    const login = (password: string) => gate.who("::1", `Basic ${btoa(`kazoo:${password}`)}`);
    assert.equal(login("database-password"), "admin");
    assert.notEqual(login("another"), "admin");
  });

  test("BigCouch's image creates its administrator itself, with another hash", () => {
    assert.equal(ring("bigcouch-0.4.2")["admins.kazoo"], undefined);
  });

  test("the image's entrypoint finds the administrator and does not write another", () => {
    const users = [...shared.users, { name: "kazoo-2", password: "another-password" }];
    const text = ringConfig({ kind: kindOf("couchdb-2.3.1"), ...shared, users });
    for (const { name } of users) assert.match(text, new RegExp(`\\[admins\\]\\n${name} =`));
  });
});
