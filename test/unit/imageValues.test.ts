import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderMany, type QuickRendering } from "../image/support/entrypoint";
import { readKazooIni } from "../image/support/kazooIni";
import * as values from "../support/values";

type Environment = Readonly<Record<string, string>>;

const strong = "Zq3vT8mK1xW5cB7nR2pL";
const base: Environment = { ERLANG_HOSTNAME: "kazoo.local", ERLANG_COOKIE: strong };

/** The values of a key in config.ini, in order. */
function settings({ files }: QuickRendering, section: string, key: string) {
  return readKazooIni(files["config.ini"]!)
    .filter(({ name }) => name === section)
    .flatMap(({ entries }) => entries.filter(([name]) => name === key).map(([, value]) => value));
}

/** Renders every case and compares the entrypoint's verdict with the table's; a refused variable must be named. */
function throwAll(
  cases: readonly values.ValueCase[],
  variable: string,
  environment: (value: string) => Environment,
  read: (rendering: QuickRendering) => unknown,
): void {
  const renderings = renderMany(cases.map(({ value }) => ({ ...base, ...environment(value) })));
  cases.forEach(({ value, verdict, why }, index) => {
    const rendering = renderings[index]!;
    const what = `${JSON.stringify(value)} (${why}): ${rendering.stderr}`;
    if (verdict === "refused") {
      assert.equal(rendering.code, 64, what);
      assert.match(rendering.stderr, new RegExp(`^  ${variable}: expected`, "m"), what);
    } else {
      assert.equal(rendering.code, 0, what);
      assert.equal(read(rendering), value, what);
      assert.equal(rendering.stderr.includes(`Warning: ${variable} is weak`), verdict === "weak", what);
      if (verdict === "accepted") assert.equal(rendering.stderr, "", what);
    }
  });
}

describe("the entrypoint accepts and refuses what the table shared with the config says", () => {
  it("hosts of the database, the brokers and other zones", () => {
    const variables: readonly [variable: string, section: string, key: string][] = [
      ["BIGCOUCH_HOST", "bigcouch", "ip"],
      ["KAZOO_AMQP_HOST", "amqp", "uri"],
      ["RABBITMQ_SECONDARY_AMQP_HOST", "amqp", "uri"],
    ];
    for (const [variable, section, key] of variables) {
      const renderings = renderMany(values.hosts.map(({ value }) => ({ ...base, [variable]: value })));
      values.hosts.forEach(({ value, becomes, why }, index) => {
        const rendering = renderings[index]!;
        const what = `${variable}=${JSON.stringify(value)} (${why}): ${rendering.stderr}`;
        assert.equal(rendering.code, becomes === undefined ? 64 : 0, what);
        if (becomes === undefined)
          assert.match(rendering.stderr, new RegExp(`^  ${variable}: expected a host`, "m"), what);
        else {
          const found = settings(rendering, section, key).map((text) =>
            String(text).replace(/^amqp:\/\/.*@(.*):5672$/, "$1"),
          );
          assert.ok(found.includes(becomes), `${what}${found.join(" ")}`);
        }
      });
    }
  });

  it("zones", () =>
    throwAll(
      values.zones,
      "KAZOO_ZONE",
      (value) => ({ KAZOO_ZONE: value }),
      (rendering) => settings(rendering, "kazoo_apps", "zone")[0],
    ));

  it("cookies", () =>
    throwAll(
      values.cookies,
      "ERLANG_COOKIE",
      (value) => ({ ERLANG_COOKIE: value }),
      (rendering) => settings(rendering, "kazoo_apps", "cookie")[0],
    ));

  const inUri = (part: 1 | 2) => (rendering: QuickRendering) =>
    decodeURIComponent(/^amqp:\/\/([^:]*):([^@]*)@/.exec(String(settings(rendering, "amqp", "uri")[0]))![part]!);

  it("passwords of the broker", () =>
    throwAll(
      values.brokerPasswords,
      "RABBITMQ_PASS",
      (value) => ({ RABBITMQ_USER: "kazoo", RABBITMQ_PASS: value }),
      inUri(2),
    ));

  it("users of the broker", () =>
    throwAll(
      values.brokerUsers,
      "RABBITMQ_USER",
      (value) => ({ RABBITMQ_USER: value, RABBITMQ_PASS: strong }),
      inUri(1),
    ));

  it("passwords of the database", () =>
    throwAll(
      values.databasePasswords,
      "COUCHDB_PASS",
      (value) => ({ COUCHDB_USER: "kazoo", COUCHDB_PASS: value }),
      (rendering) => settings(rendering, "bigcouch", "password")[0],
    ));

  it("users of the database", () =>
    throwAll(
      values.databaseUsers,
      "COUCHDB_USER",
      (value) => ({ COUCHDB_USER: value, COUCHDB_PASS: strong }),
      (rendering) => settings(rendering, "bigcouch", "username")[0],
    ));

  it("nodes", () =>
    throwAll(
      values.erlangVms,
      "ERLANG_VM",
      (value) => ({ ERLANG_VM: value }),
      (rendering) => /^-name (.*)@/m.exec(rendering.files["vm.args"]!)![1],
    ));

  it("addresses of the database", () => {
    const renderings = renderMany(
      values.databaseAddresses.map(({ host, dataPort, adminPort }) => ({
        ...base,
        BIGCOUCH_HOST: host,
        BIGCOUCH_DATA_PORT: String(dataPort),
        BIGCOUCH_ADMIN_PORT: String(adminPort),
      })),
    );
    values.databaseAddresses.forEach(({ host, dataPort, verdict }, index) => {
      const { code, stderr } = renderings[index]!;
      assert.equal(code, verdict === "refused" ? 64 : 0, `${host}:${dataPort}: ${stderr}`);
      if (verdict === "refused") assert.match(stderr, /BIGCOUCH_HOST: .*digits of BIGCOUCH_DATA_PORT/);
    });
  });
});
