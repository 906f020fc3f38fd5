import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import { renderMany, renderWith, type QuickRendering } from "../image/support/entrypoint";
import { asKazooSees, readKazooIni } from "../image/support/kazooIni";
import * as table from "../support/values";

type Environment = Readonly<Record<string, string>>;

const base: Environment = { ERLANG_HOSTNAME: "kazoo.local", ERLANG_COOKIE: "a-cookie" };

/** How many environments to try; `FUZZ=10` tries ten times as many. */
const times = Number(process.env["FUZZ"] ?? "1");
const batch = 100;

const names = [
  "ERLANG_VM ERLANG_THREADS KAZOO_LOG_LEVEL KAZOO_LOG_COLOR KAZOO_SASL_ERRLOG_TYPE KAZOO_SASL_ERROR_LOGGER DATACENTER REGION",
  "KAZOO_ZONE BIGCOUCH_HOST BIGCOUCH_DATA_PORT BIGCOUCH_ADMIN_PORT BIGCOUCH_COMPACT_AUTOMATICALLY KAZOO_AMQP_HOST",
  "KAZOO_SECONDARY_AMQP_HOST RABBITMQ_AMQP_HOST RABBITMQ_SECONDARY_AMQP_HOST RABBITMQ_USER RABBITMQ_PASS COUCHDB_USER",
  "COUCHDB_PASS ERLANG_COOKIE ERLANG_HOSTNAME ALLOW_INSECURE_COOKIE KAZOO_OTHER_ZONES KUBERNETES_HOSTNAME_FIX",
  "ERLANG_COOKIE_FILE KAZOO_COOKIE KAZOO_APPS KAZOO_CONFIG ERL_FLAGS POD_IP POD_NAMESPACE CLUSTER_DOMAIN",
].flatMap((line) => line.split(" "));

const known = [
  ...[
    "true",
    "false",
    "info",
    "TRUE",
    "10",
    "0",
    "65535",
    "65536",
    "01",
    "-1",
    "1e3",
    "x=y,z",
    "a=b,c d=e",
    "tty",
    "all",
    "/dev/null",
  ],
  ...table.hosts.map(({ value }) => value),
  ...[
    table.zones,
    table.cookies,
    table.brokerPasswords,
    table.databasePasswords,
    table.databaseUsers,
    table.erlangVms,
  ].flatMap((cases) => cases.map(({ value }) => value)),
];
/** Characters and words that could confuse a shell, a regular expression, Kazoo's parser or a URL. */
const treacherous = "\"'=[];#\\\n\r\t $`%@:/ aZ0.-_é(){}<>|&*?!~^+,".split("");

const text = fc.oneof(
  fc.constantFrom(...known),
  fc.string({ maxLength: 20 }),
  fc.string({ maxLength: 12, unit: "grapheme" }),
  fc.string({ maxLength: 8, unit: fc.constantFrom(...treacherous) }),
  // A valid value with something inserted.
  fc
    .tuple(fc.constantFrom(...known), fc.nat(300), fc.constantFrom(...treacherous, "$(id)", "\u202e", "\ufeff"))
    .map(([good, at, bad]) => good.slice(0, at) + bad + good.slice(at)),
);
// An environment variable cannot contain a NUL.
const value = text.map((t) => t.replaceAll("\0", ""));

const accepted = { count: 0, refused: 0 };

/** Asserts that Kazoo reads the accepted values back unchanged, or that the error has the right form; within a second of CPU time. */
function check(environment: Environment, rendering: QuickRendering): void {
  assert.ok(rendering.seconds < 1, `took ${rendering.seconds} s`);
  if (rendering.code !== 0) {
    accepted.refused += 1;
    assert.equal(rendering.code, 64);
    assert.match(
      rendering.stderr,
      /^Kazoo was not started: its environment cannot be used\.\n(  [A-Z_]+( \([^\n]*\))?: expected [^\n]*\n)+$/,
    );
    return;
  }
  accepted.count += 1;
  assert.match(rendering.stderr, /^(Warning: [A-Z_]+( \([^\n]*\))? is weak[^\n]*\n)*$/);
  readsBack(environment, rendering);
}

function readsBack(given: Environment, { files }: QuickRendering): void {
  const of = (name: string, fallback: string) => given[name] || fallback;
  const host = (name: string) => name.toLowerCase().replace(/\.$/, "");
  const node = /^-name (.*)$/m.exec(files["vm.args"]!)![1]!;
  const seen = asKazooSees(readKazooIni(files["config.ini"]!), node);
  const zone = of("KAZOO_ZONE", `${of("REGION", "local")}-${of("DATACENTER", "dev")}`);
  assert.equal(seen.zone, zone);
  if (!given["ERLANG_COOKIE_FILE"]) assert.equal(seen.cookie, given["ERLANG_COOKIE"] || "insecure-cookie");
  assert.equal(files[".erlang.cookie"], seen.cookie);
  assert.equal(seen.logLevel, of("KAZOO_LOG_LEVEL", "info").toLowerCase());
  if (given["ERLANG_HOSTNAME"]) {
    assert.equal(node, `${of("ERLANG_VM", "kazoo_apps")}@${host(given["ERLANG_HOSTNAME"])}`);
  }
  assert.equal(seen.database["ip"], host(of("BIGCOUCH_HOST", "bigcouchbal")));
  assert.equal(seen.database["port"], Number(of("BIGCOUCH_DATA_PORT", "5984")));
  assert.equal(seen.database["admin_port"], Number(of("BIGCOUCH_ADMIN_PORT", "5986")));
  assert.equal(seen.database["username"], given["COUCHDB_USER"] || undefined);
  assert.equal(seen.database["password"], given["COUCHDB_PASS"] || undefined);
  assert.equal("compact_automatically" in seen.database, given["BIGCOUCH_COMPACT_AUTOMATICALLY"] !== "false");
  const expected = [
    of("KAZOO_AMQP_HOST", of("RABBITMQ_AMQP_HOST", "rabbitmq-alpha")),
    of("KAZOO_SECONDARY_AMQP_HOST", of("RABBITMQ_SECONDARY_AMQP_HOST", "rabbitmq-beta")),
  ];
  const brokers = seen.brokers[zone]!.map((uri) => {
    const [, user, password, name] = /^amqp:\/\/([^:]+):([^@]+)@(.+):5672$/.exec(uri)!;
    assert.equal(decodeURIComponent(user!), of("RABBITMQ_USER", "guest"));
    assert.equal(decodeURIComponent(password!), of("RABBITMQ_PASS", "guest"));
    return name;
  });
  assert.deepEqual(brokers, [...new Set(expected.map(host))]);
}

/** Tries at least `count` environments, and reports how many. */
function throwMany(t: TestContext, count: number, environment: fc.Arbitrary<Environment>): void {
  Object.assign(accepted, { count: 0, refused: 0 });
  const batches = fc.array(environment, { minLength: batch, maxLength: batch, size: "max" });
  const throwBatch = (environments: readonly Environment[]): void => {
    const given = environments.map((variables) => ({ ...base, ...variables }));
    renderMany(given).forEach((rendering, index) => {
      try {
        check(given[index]!, rendering);
      } catch (error) {
        throw new Error(`${JSON.stringify(given[index])}\n${rendering.stderr}\n${String(error)}`);
      }
    });
  };
  // The message shows the environment; shrinking a batch would take long and add nothing.
  fc.assert(fc.property(batches, throwBatch), { numRuns: Math.ceil((count * times) / batch), endOnFailure: true });
  t.diagnostic(
    `${accepted.count + accepted.refused} environments: ${accepted.count} accepted, ${accepted.refused} refused`,
  );
}

describe("the entrypoint accepts a random environment and Kazoo reads it back, or refuses it in the usual form", () => {
  it("with one random variable", (t) =>
    throwMany(
      t,
      1200,
      fc.tuple(fc.constantFrom(...names), value).map(([name, random]) => ({ [name]: random })),
    ));

  it("with random credentials", (t) =>
    throwMany(
      t,
      600,
      fc.record({
        RABBITMQ_USER: value,
        RABBITMQ_PASS: value,
        COUCHDB_USER: value,
        COUCHDB_PASS: value,
        ERLANG_COOKIE: value,
        ALLOW_INSECURE_COOKIE: fc.constant("true"),
      }),
    ));

  it("with many random variables", (t) =>
    throwMany(t, 600, fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 12 })));

  it("with values of the maximum length", (t) => {
    const lengthened = fc
      .tuple(
        fc.constantFrom(...names),
        fc.constantFrom(...known, ...treacherous, "a=b "),
        fc.integer({ min: 1, max: 60_000 }),
      )
      .map(([name, part, length]) => ({
        [name]: part.repeat(Math.ceil(length / Math.max(part.length, 1))).slice(0, length),
      }));
    throwMany(t, 100, lengthened);
  });

  it("with names that the entrypoint's own code uses", () => {
    const inner =
      "problems warnings host cookie node brokers brokers_of other_zones here file zone broker text label name own".split(
        " ",
      );
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...inner, "CDPATH", "POSIXLY_CORRECT", "GLOBIGNORE", "PS4"), value),
        (environment) => {
          const rendering = renderWith({ ...base, ...environment });
          assert.equal(rendering.code, 0, rendering.stderr);
          readsBack(base, { ...rendering, seconds: 0 });
        },
      ),
      { numRuns: 30 * times },
    );
  });

  it("in one process as in separate ones", () => {
    const environment = fc
      .dictionary(fc.constantFrom(...names), value, { maxKeys: 4 })
      .map((random) => ({ ...base, ...random }));
    // "-" means standard input to many commands, and here that holds the other environments.
    const environments = [{ ...base, ERLANG_COOKIE_FILE: "-" }, ...fc.sample(environment, 30)];
    renderMany(environments).forEach((quick, index) => {
      const { code, stderr, files } = renderWith(environments[index]!);
      assert.deepEqual({ code: quick.code, stderr: quick.stderr, files: quick.files }, { code, stderr, files });
    });
  });
});
