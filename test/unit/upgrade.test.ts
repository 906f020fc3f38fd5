import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { Ring } from "../../config/platform";
import { namedImage, withKazoo, withNamedImage, withRing } from "../../tools/cli/stackFile/stackEdit";
import {
  enableFlags,
  flagProblem,
  migrationProblems,
  wantedBrokers,
  wantedDatabase,
  wantedKazoo,
} from "../../tools/cli/runbook/upgradePaths";
import { UserError } from "../../tools/shared/terminal";
import { platformFrom } from "../support/mocks";

const platformOf = (ring: object, image: object = { prebuilt: "registry.example.com/kazoo:4.3.12" }) =>
  platformFrom({
    image,
    clusters: { east: { context: "prod-east" } },
    rings: { main: ring },
    regions: { "us-east": { cluster: "east", datacenters: { nyc: { ring: "main" } } } },
  });
const ringOf = (ring: object): Ring => platformOf(ring).rings["main"] ?? assert.fail();

/** Asserts that something is refused, with this message and advice. */
const refuses = (work: () => unknown, message: RegExp, next = /./) =>
  assert.throws(work, (error: UserError) => {
    assert.ok(error instanceof UserError, String(error));
    assert.match(error.message, message);
    assert.match(error.next ?? "", next);
    return true;
  });

describe("brokers", () => {
  const from = (rabbitmq: string, to: string, ring: object = {}) => wantedBrokers(to, ringOf({ rabbitmq, ...ring }));

  test("go to a series that RabbitMQ lets them go to, and stay where an interrupted upgrade has brought them", () => {
    assert.equal(from("3.12", "3.13"), "3.13");
    assert.equal(from("3.13", "4.2"), "4.2");
    assert.equal(from("3.13", "3.13"), "3.13");
    assert.equal(from("4.2", "4.3", { permitTransientQueues: true }), "4.3");
  });

  test("skip no series: the refusal names those on the way", () => {
    refuses(() => from("3.10", "3.12"), /3\.10 cannot be upgraded to 3\.12 in one step/, /: TO=3\.11, TO=3\.12$/);
    refuses(
      () => from("3.9", "4.3"),
      /3\.9 cannot be upgraded to 4\.3/,
      /: TO=3\.10, TO=3\.11, TO=3\.12, TO=3\.13, TO=4\.2, TO=4\.3$/,
    );
  });

  test("go neither back nor to a series that Kazoo or nobody knows", () => {
    refuses(
      () => from("3.13", "3.12"),
      /run RabbitMQ 3\.13, and cannot be downgraded to 3\.12/,
      /keep the running version/,
    );
    refuses(() => from("3.13", "5.0"), /"5\.0" is not a RabbitMQ series/, /3\.9, .*4\.3/);
    refuses(() => from("4.2", "4.3"), /its rabbitmq must be .*permitTransientQueues: true.*Kazoo declares/);
  });

  const flags = (...others: string[]) => ["name\tstate\tstability", "quorum_queue\tenabled\tstable", ...others];
  const problem = (version: string, to: string, ...others: string[]) =>
    flagProblem([...flags(...others), version, ""].join("\n"), to);

  test("keep their series while a stable feature flag is not enabled; an experiment is none", () => {
    assert.equal(problem("3.12.14", "3.13"), undefined);
    assert.equal(problem("3.13.7", "4.2", "khepri_db\tdisabled\texperimental"), undefined);
    assert.match(
      problem("3.12.14", "3.13", "drop_a\tdisabled\tstable", "b\tunavailable\tstable") ?? "",
      /that 3\.13 may require are not enabled: drop_a \(disabled\), b \(unavailable\)/,
    );
    assert.match(flagProblem("", "3.13") ?? "", /printed no feature flags/);
  });

  test("keep their series where its release or its store has no way on", () => {
    assert.match(problem("3.11.5", "3.12") ?? "", /requires an upgrade to 3\.11\.18 first, but 3\.11\.5 runs/);
    assert.equal(problem("3.11.28", "3.12"), undefined);
    assert.equal(problem("3.11.5", "3.11"), undefined);
    const khepri = "khepri_db\tenabled\texperimental";
    assert.match(problem("3.13.7", "4.0", khepri) ?? "", /khepri_db is enabled/);
    assert.equal(problem("4.0.9", "4.1", khepri), undefined);
  });

  test("that cannot enable a flag end the script with the reason", () => {
    const folder = mkdtempSync(join(tmpdir(), "kazoo-flags-"));
    const says = (script: string) => {
      writeFileSync(join(folder, "rabbitmqctl"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
      return execFileSync("sh", { input: enableFlags, encoding: "utf8", env, stdio: "pipe" });
    };
    try {
      assert.throws(() => says('[ "$2" != enable_feature_flag ] || { echo "Error: no" >&2; exit 70; }'), /Error: no/);
      const printed = says(
        `case "$*" in *list*) printf '${flags().join("\\n")}\\n' ;; version) echo 3.12.14 ;; "--quiet enable_feature_flag all") ;; *) exit 64 ;; esac`,
      );
      assert.equal(flagProblem(printed, "3.13"), undefined);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("a database", () => {
  const from = (database: string, to: string, kazoo = "master") =>
    wantedDatabase(to, { ...ringOf({ kazoo }), database: wantedKind(database) }).version;
  const wantedKind = (version: string) => wantedDatabase(version, ringOf({ kazoo: "master", database: version }));

  test("goes from 2 to 3 with a Kazoo that can use it, with or without its engine's name", () => {
    assert.equal(from("couchdb-2.3.1", "couchdb-3.3.3"), "couchdb-3.3.3");
    assert.equal(from("couchdb-3.3.3", "3.5.0"), "couchdb-3.5.0");
    assert.equal(from("couchdb-2.2.0", "2.3.1", "4.3"), "couchdb-2.3.1");
    refuses(() => from("couchdb-2.3.1", "3.3.3", "4.3"), /must be .*port 5986.*Kazoo master only/, /docs\/rings/);
  });

  test("goes neither back nor to another engine", () => {
    refuses(() => from("couchdb-3.3.3", "2.3.1"), /runs couchdb-3\.3\.3, and cannot be downgraded to couchdb-2\.3\.1/);
    refuses(() => from("couchdb-3.5.0", "3.4.2"), /cannot be downgraded/, /keep the running version/);
    refuses(() => from("couchdb-3.10.0", "3.9.0"), /cannot be downgraded/);
    refuses(() => from("couchdb-2.3.1", "bigcouch-0.4.2"), /cannot read the files/, /replicate/);
    refuses(() => from("couchdb-2.3.1", "mongo"), /"mongo" is not a database version/);
  });
});

describe("Kazoo", () => {
  const from = (kazoo: string, to: string, image: object = { prebuilt: "registry.example.com/kazoo:4.3.12" }) => {
    const { rings, image: running } = platformOf({ kazoo }, image);
    return wantedKazoo(to, Object.values(rings), running);
  };

  test("goes to a newer version, or release of its version", () => {
    assert.equal(from("4.2", "4.3"), "4.3");
    assert.equal(from("4.3", "4.3.20"), "4.3");
    assert.equal(from("4.3", "master"), "master");
  });

  test("does not go back, also not to a release before its own", () => {
    refuses(
      () => from("4.3", "4.2.40"),
      /runs Kazoo 4\.3, and cannot be downgraded to 4\.2\.40: its data was migrated/,
    );
    refuses(() => from("4.3", "4.3.9"), /runs Kazoo 4\.3\.12, and cannot be downgraded to 4\.3\.9/);
    const build = {
      build: { registry: "registry.example.com", repository: "kazoo", args: { KAZOO_VERSION: "4.3.12" } },
    };
    refuses(() => from("4.3", "4.3.9", build), /runs Kazoo 4\.3\.12/);
    refuses(() => from("4.3", "main"), /"main" is not a Kazoo version/, /4\.0, 4\.1, 4\.2, 4\.3, master/);
  });

  test("has migrated its data if no database failed; one that an application never made is no failure", () => {
    const refreshed = "<0.1.0> (2/2) refreshing database 'accounts'\n<0.1.0> (1/2) refreshing database 'acdc'\n";
    assert.deepEqual(migrationProblems(refreshed), []);
    assert.deepEqual(migrationProblems(`${refreshed}    - refresh failed: db_not_found\n`), []);
    assert.deepEqual(migrationProblems(`${refreshed}    - refresh failed: timeout\n`), [
      "acdc: refresh failed: timeout",
    ]);
    const warning = "WARNING: Unable to refresh/migrate db accounts! error: {badarg, []}";
    assert.deepEqual(migrationProblems(`${refreshed}${warning}\n`), [warning]);
    assert.deepEqual(migrationProblems("ok\n"), ["no database was refreshed"]);
  });
});

describe("the stack's file", () => {
  test("gets the new version of a ring, quoted, and loses what is done; comments stay", () => {
    const file = 'config:\n  kazoo:rings:\n    main:\n      rabbitmq: "3.9" # for now\n';
    const begun = withRing(withRing(file, "main", ["rabbitmq"], "3.10"), "main", ["upgrading"], "rabbitmq");
    assert.match(begun, /rabbitmq: "3\.10" # for now\n {6}upgrading: rabbitmq\n/);
    assert.equal(withRing(begun, "main", ["upgrading"], undefined), file.replace("3.9", "3.10"));
    assert.equal(withRing("config: {}\n", "main", ["upgrading"], undefined), "config: {}\n");
  });

  test("gets Kazoo's image, by its name or by what it is built of, and no longer one of an earlier build", () => {
    const { image, ...rest } = platformOf({}, { build: { registry: "registry.example.com", repository: "kazoo" } });
    const built = "config:\n  kazoo:image:\n    build:\n      repository: kazoo\n";
    const digest = `      digest: sha256:${"a".repeat(64)}\n`;
    assert.equal(
      withKazoo(built + digest, { image, ...rest }, { sources: "4.3.12" }),
      `${built}      args:\n        KAZOO_VERSION: 4.3.12\n`,
    );
    assert.ok(image.kind === "build");
    const own = { ...rest, image: { ...image, context: "our-image" } };
    assert.equal(withKazoo(built, own, { sources: "4.3.12" }), built, "another Dockerfile has arguments of its own");
    assert.match(
      withKazoo("config: {}\n", own, { reference: "registry.example.com/kazoo:4.3.12" }),
      /prebuilt: registry\.example\.com\/kazoo:4\.3\.12/,
    );
  });

  test("names the image of brokers or database if it did so before", () => {
    const file = "config:\n  kazoo:images: { rabbitmq: mirror.example.com/rabbitmq:3.12 }\n";
    assert.equal(namedImage(file, "rabbitmq"), "mirror.example.com/rabbitmq:3.12");
    assert.equal(namedImage(file, "database"), undefined);
    assert.equal(withNamedImage(file, "rabbitmq", "mirror.example.com/rabbitmq:3.13"), file.replace("3.12", "3.13"));
  });
});
