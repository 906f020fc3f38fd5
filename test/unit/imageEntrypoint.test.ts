import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { entrypoint, renderWith, type Rendering } from "../image/support/entrypoint";
import { asKazooSees, readKazooIni, type KazooView } from "../image/support/kazooIni";

type Environment = Readonly<Record<string, string>>;

const base: Environment = { ERLANG_HOSTNAME: "kazoo.local", ERLANG_COOKIE: "a-cookie" };
const scratch = mkdtempSync(join(tmpdir(), "kazoo-entrypoint-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

function nodeOf(rendering: Rendering): string {
  return /^-name (.*)$/m.exec(rendering.files["vm.args"]!)![1]!;
}

function view(rendering: Rendering): KazooView {
  assert.equal(rendering.code, 0, rendering.stderr);
  return asKazooSees(readKazooIni(rendering.files["config.ini"]!), nodeOf(rendering));
}

/** A folder for the front of PATH, with a `hostname` that prints these answers. */
function hostnameSays(answers: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(scratch, "bin-"));
  const cases = Object.entries(answers).map(([flag, answer]) => `${flag}) echo '${answer}' ;;`);
  writeFileSync(join(folder, "hostname"), `#!/bin/sh\ncase "$1" in ${cases.join(" ")} *) exit 1 ;; esac\n`);
  chmodSync(join(folder, "hostname"), 0o755);
  return `${folder}:${process.env["PATH"]}`;
}

function cookieFile(contents: string): string {
  const file = join(mkdtempSync(join(scratch, "cookie-")), "cookie");
  writeFileSync(file, contents);
  return file;
}

const uri = (host: string, user = "guest", password = "guest") => `amqp://${user}:${password}@${host}:5672`;

/** Valid environments: what each changes compared to the defaults, as Kazoo reads it or in a file. */
const good: readonly (readonly [name: string, environment: Environment, check: (rendering: Rendering) => void])[] = [
  [
    "nothing set: the defaults",
    {},
    (r) => {
      assert.deepEqual(view(r), {
        zone: "local-dev",
        brokers: { "local-dev": [uri("rabbitmq-alpha"), uri("rabbitmq-beta")] },
        cookie: "a-cookie",
        database: { ip: "bigcouchbal", port: 5984, admin_port: 5986, compact_automatically: true },
        logLevel: "info",
      });
      const args = r.files["vm.args"]!.split("\n");
      for (const line of [
        "-name kazoo_apps@kazoo.local",
        "-kernel inet_dist_listen_min 11500 inet_dist_listen_max 11999",
        "-sasl errlog_type error",
        "-sasl sasl_error_logger tty",
        "+K true",
        "+A 25",
        "+W w",
        "-s kazoo_apps_app",
      ]) {
        assert.ok(args.includes(line), `vm.args lacks ${line}`);
      }
      assert.match(r.files["sys.config"]!, /\{colored, true\}/);
      assert.match(r.files["sys.config"]!, /lager_console_backend, \[info,/);
      assert.equal(r.files[".erlang.cookie"], "a-cookie");
      assert.equal(r.modes[".erlang.cookie"], 0o400);
      assert.equal(r.modes["config.ini"], 0o600);
      assert.doesNotMatch(r.files["vm.args"]!, /a-cookie/);
    },
  ],
  [
    "empty variables count as absent",
    {
      ERLANG_VM: "",
      ERLANG_THREADS: "",
      KAZOO_LOG_LEVEL: "",
      KAZOO_ZONE: "",
      BIGCOUCH_HOST: "",
      KAZOO_OTHER_ZONES: "",
    },
    (r) => assert.deepEqual(view(r), view(renderWith(base))),
  ],
  [
    "ERLANG_VM=ecallmgr",
    { ERLANG_VM: "ecallmgr" },
    (r) => {
      assert.equal(nodeOf(r), "ecallmgr@kazoo.local");
      assert.match(r.files["vm.args"]!, /^-s ecallmgr_app$/m);
      assert.equal(view(r).zone, "local-dev");
    },
  ],
  [
    "another ERLANG_VM finds itself too",
    { ERLANG_VM: "my_apps2", KAZOO_ZONE: "z1" },
    (r) => {
      assert.equal(view(r).zone, "z1");
      assert.equal(view(r).cookie, "a-cookie");
    },
  ],
  ["ERLANG_THREADS", { ERLANG_THREADS: "64" }, (r) => assert.match(r.files["vm.args"]!, /^\+A 64$/m)],
  ["KAZOO_LOG_LEVEL", { KAZOO_LOG_LEVEL: "debug" }, (r) => assert.equal(view(r).logLevel, "debug")],
  [
    "KAZOO_LOG_LEVEL is lower-cased",
    { KAZOO_LOG_LEVEL: "Warning" },
    (r) => {
      assert.equal(view(r).logLevel, "warning");
      assert.match(r.files["sys.config"]!, /\[warning,/);
    },
  ],
  ["KAZOO_LOG_COLOR", { KAZOO_LOG_COLOR: "false" }, (r) => assert.match(r.files["sys.config"]!, /\{colored, false\}/)],
  [
    "KAZOO_SASL_ERRLOG_TYPE",
    { KAZOO_SASL_ERRLOG_TYPE: "progress" },
    (r) => assert.match(r.files["vm.args"]!, /errlog_type progress$/m),
  ],
  [
    "KAZOO_SASL_ERROR_LOGGER",
    { KAZOO_SASL_ERROR_LOGGER: "false" },
    (r) => assert.match(r.files["vm.args"]!, /sasl_error_logger false$/m),
  ],
  [
    "DATACENTER and REGION make the zone",
    { DATACENTER: "nyc", REGION: "us-east" },
    (r) => assert.equal(view(r).zone, "us-east-nyc"),
  ],
  ["DATACENTER alone", { DATACENTER: "nyc" }, (r) => assert.equal(view(r).zone, "local-nyc")],
  ["REGION alone", { REGION: "eu" }, (r) => assert.equal(view(r).zone, "eu-dev")],
  [
    "KAZOO_ZONE wins over DATACENTER and REGION",
    { KAZOO_ZONE: "here", DATACENTER: "nyc", REGION: "us" },
    (r) => {
      assert.equal(view(r).zone, "here");
      assert.deepEqual(Object.keys(view(r).brokers), ["here"]);
    },
  ],
  [
    "a zone called local",
    { KAZOO_ZONE: "local" },
    (r) => assert.deepEqual(view(r).brokers["local"], [uri("rabbitmq-alpha"), uri("rabbitmq-beta")]),
  ],
  [
    "BIGCOUCH_HOST by name",
    { BIGCOUCH_HOST: "bigcouch.local" },
    (r) => assert.equal(view(r).database["ip"], "bigcouch.local"),
  ],
  ["BIGCOUCH_HOST by address", { BIGCOUCH_HOST: "10.1.2.3" }, (r) => assert.equal(view(r).database["ip"], "10.1.2.3")],
  ["BIGCOUCH_DATA_PORT", { BIGCOUCH_DATA_PORT: "15984" }, (r) => assert.equal(view(r).database["port"], 15984)],
  ["BIGCOUCH_ADMIN_PORT", { BIGCOUCH_ADMIN_PORT: "65535" }, (r) => assert.equal(view(r).database["admin_port"], 65535)],
  [
    "BIGCOUCH_COMPACT_AUTOMATICALLY=false leaves the key out",
    { BIGCOUCH_COMPACT_AUTOMATICALLY: "false" },
    (r) => assert.ok(!("compact_automatically" in view(r).database)),
  ],
  [
    "COUCHDB_USER and COUCHDB_PASS",
    { COUCHDB_USER: "admin", COUCHDB_PASS: "p=[;]# é\\'" },
    (r) => {
      const { username, password, admin_username, admin_password } = view(r).database;
      assert.deepEqual(
        [username, password, admin_username, admin_password],
        ["admin", "p=[;]# é\\'", "admin", "p=[;]# é\\'"],
      );
    },
  ],
  [
    "KAZOO_AMQP_HOST",
    { KAZOO_AMQP_HOST: "mq-a" },
    (r) => assert.deepEqual(view(r).brokers["local-dev"], [uri("mq-a"), uri("rabbitmq-beta")]),
  ],
  [
    "KAZOO_SECONDARY_AMQP_HOST",
    { KAZOO_SECONDARY_AMQP_HOST: "192.0.2.7" },
    (r) => assert.deepEqual(view(r).brokers["local-dev"], [uri("rabbitmq-alpha"), uri("192.0.2.7")]),
  ],
  [
    "the README's other spelling",
    { RABBITMQ_AMQP_HOST: "alpha.example.org", RABBITMQ_SECONDARY_AMQP_HOST: "beta.example.org" },
    (r) => assert.deepEqual(view(r).brokers["local-dev"], [uri("alpha.example.org"), uri("beta.example.org")]),
  ],
  [
    "the list's spelling wins",
    {
      RABBITMQ_AMQP_HOST: "other",
      KAZOO_AMQP_HOST: "mine",
      RABBITMQ_SECONDARY_AMQP_HOST: "x",
      KAZOO_SECONDARY_AMQP_HOST: "yours",
    },
    (r) => assert.deepEqual(view(r).brokers["local-dev"], [uri("mine"), uri("yours")]),
  ],
  [
    "a single broker twice is one",
    { KAZOO_AMQP_HOST: "mq", KAZOO_SECONDARY_AMQP_HOST: "mq" },
    (r) => assert.deepEqual(view(r).brokers["local-dev"], [uri("mq")]),
  ],
  [
    "broker credentials are percent-encoded",
    { RABBITMQ_USER: "kazoo user", RABBITMQ_PASS: "a/b:c@d%e?f#gé" },
    (r) =>
      assert.deepEqual(
        view(r).brokers["local-dev"]![0],
        uri("rabbitmq-alpha", "kazoo%20user", "a%2Fb%3Ac%40d%25e%3Ff%23g%C3%A9"),
      ),
  ],
  [
    "a password that needs no encoding",
    { RABBITMQ_USER: "k", RABBITMQ_PASS: "aZ0-._~" },
    (r) => assert.equal(view(r).brokers["local-dev"]![0], uri("rabbitmq-alpha", "k", "aZ0-._~")),
  ],
  [
    "a ring of four zones, own first",
    {
      KAZOO_ZONE: "us-east-nyc",
      KAZOO_OTHER_ZONES: "us-east-bos=a.bos,b.bos  us-west-sfo=a.sfo,b.sfo eu-west-dub=a.dub",
    },
    (r) => {
      const { zone, brokers } = view(r);
      assert.equal(zone, "us-east-nyc");
      assert.deepEqual(Object.keys(brokers), ["us-east-nyc", "us-east-bos", "us-west-sfo", "eu-west-dub"]);
      assert.deepEqual(brokers["us-west-sfo"], [uri("a.sfo"), uri("b.sfo")]);
      assert.deepEqual(brokers["eu-west-dub"], [uri("a.dub")]);
      const zones = readKazooIni(r.files["config.ini"]!).filter((section) => section.name === "zone");
      assert.deepEqual(zones[0]!.entries[0], ["name", "us-east-nyc"]);
    },
  ],
  [
    "other zones of blanks only",
    { KAZOO_OTHER_ZONES: "   " },
    (r) => assert.deepEqual(Object.keys(view(r).brokers), ["local-dev"]),
  ],
  [
    "a pod's name",
    { ERLANG_HOSTNAME: "kazoo-0.kazoo-nodes.us-east-nyc.svc.east.internal" },
    (r) => assert.equal(view(r).zone, "local-dev"),
  ],
  [
    "the host from hostname -f",
    { ERLANG_HOSTNAME: "", PATH: hostnameSays({ "-f": "node7.example.org" }) },
    (r) => {
      assert.equal(nodeOf(r), "kazoo_apps@node7.example.org");
      assert.equal(view(r).zone, "local-dev");
    },
  ],
  [
    "KUBERNETES_HOSTNAME_FIX makes the host of the pod's address",
    {
      ERLANG_HOSTNAME: "",
      KUBERNETES_HOSTNAME_FIX: "true",
      POD_IP: "10.1.2.3",
      POD_NAMESPACE: "us-east-nyc",
      CLUSTER_DOMAIN: "east.internal",
    },
    (r) => {
      assert.equal(nodeOf(r), "kazoo_apps@10-1-2-3.us-east-nyc.pod.east.internal");
      assert.equal(view(r).zone, "local-dev");
    },
  ],
  [
    "KUBERNETES_HOSTNAME_FIX finds the address on its own",
    {
      ERLANG_HOSTNAME: "",
      KUBERNETES_HOSTNAME_FIX: "true",
      POD_NAMESPACE: "ns",
      CLUSTER_DOMAIN: "cluster.local",
      PATH: hostnameSays({ "-i": "127.0.0.1 fe80::1 10.9.8.7" }),
    },
    (r) => assert.equal(nodeOf(r), "kazoo_apps@10-9-8-7.ns.pod.cluster.local"),
  ],
  [
    "ERLANG_HOSTNAME wins over KUBERNETES_HOSTNAME_FIX",
    { KUBERNETES_HOSTNAME_FIX: "true" },
    (r) => assert.equal(nodeOf(r), "kazoo_apps@kazoo.local"),
  ],
  [
    "a cookie from a file, without its line's end",
    { ERLANG_COOKIE: "", ERLANG_COOKIE_FILE: cookieFile("from=a;file\n") },
    (r) => assert.equal(view(r).cookie, "from=a;file"),
  ],
  [
    "the file wins over ERLANG_COOKIE",
    { ERLANG_COOKIE_FILE: cookieFile("filed") },
    (r) => assert.equal(r.files[".erlang.cookie"], "filed"),
  ],
  [
    "ALLOW_INSECURE_COOKIE",
    { ERLANG_COOKIE: "", ALLOW_INSECURE_COOKIE: "true" },
    (r) => assert.equal(view(r).cookie, "insecure-cookie"),
  ],
  [
    "ALLOW_INSECURE_COOKIE does not replace a cookie",
    { ALLOW_INSECURE_COOKIE: "true" },
    (r) => assert.equal(view(r).cookie, "a-cookie"),
  ],
  [
    "hosts in capitals or with a dot at the end are the same hosts",
    { KAZOO_AMQP_HOST: "Mq.Example.ORG.", KAZOO_SECONDARY_AMQP_HOST: "mq.example.org" },
    (r) => assert.deepEqual(view(r).brokers["local-dev"], [uri("mq.example.org")]),
  ],
  [
    "so is the node's own",
    { ERLANG_HOSTNAME: "Kazoo.LOCAL." },
    (r) => assert.equal(nodeOf(r), "kazoo_apps@kazoo.local"),
  ],
  [
    "and a machine's",
    { ERLANG_HOSTNAME: "", PATH: hostnameSays({ "-f": "Node7.Example.org" }) },
    (r) => assert.equal(nodeOf(r), "kazoo_apps@node7.example.org"),
  ],
  [
    "KAZOO_COOKIE that is the same cookie",
    { KAZOO_COOKIE: "a-cookie" },
    (r) => assert.equal(view(r).cookie, "a-cookie"),
  ],
  [
    "KAZOO_APPS and flags for Erlang",
    { KAZOO_APPS: "crossbar, callflow", ERL_FLAGS: "+P 1000000 -kernel logger_level error" },
    () => undefined,
  ],
  [
    "a cookie full of the parser's own characters",
    { ERLANG_COOKIE: "[x]=;#'\\$`" },
    (r) => assert.equal(view(r).cookie, "[x]=;#'\\$`"),
  ],
];

/** Invalid environments: every variable that the message must name, and what it must say. */
const bad: readonly (readonly [name: string, environment: Environment, says: readonly RegExp[]])[] = [
  [
    "a level Kazoo does not know",
    { KAZOO_LOG_LEVEL: "loud" },
    [/KAZOO_LOG_LEVEL: expected one of debug, info, .*emergency; found loud/],
  ],
  ["a level of another system", { KAZOO_LOG_LEVEL: "trace" }, [/KAZOO_LOG_LEVEL/]],
  [
    "threads that are no number",
    { ERLANG_THREADS: "many" },
    [/ERLANG_THREADS: expected a number of threads from 1 to 1024; found many/],
  ],
  ["no threads", { ERLANG_THREADS: "0" }, [/ERLANG_THREADS/]],
  ["too many threads", { ERLANG_THREADS: "1025" }, [/ERLANG_THREADS/]],
  ["negative threads", { ERLANG_THREADS: "-1" }, [/ERLANG_THREADS/]],
  ["threads with a leading zero", { ERLANG_THREADS: "025" }, [/ERLANG_THREADS/]],
  ["a boolean that is none", { KAZOO_LOG_COLOR: "yes" }, [/KAZOO_LOG_COLOR: expected true or false; found yes/]],
  [
    "another",
    { BIGCOUCH_COMPACT_AUTOMATICALLY: "1" },
    [/BIGCOUCH_COMPACT_AUTOMATICALLY: expected true or false; found 1/],
  ],
  ["and another", { KUBERNETES_HOSTNAME_FIX: "TRUE" }, [/KUBERNETES_HOSTNAME_FIX/]],
  ["the cookie's too", { ALLOW_INSECURE_COOKIE: "ok" }, [/ALLOW_INSECURE_COOKIE/]],
  [
    "an error type",
    { KAZOO_SASL_ERRLOG_TYPE: "errors" },
    [/KAZOO_SASL_ERRLOG_TYPE: expected one of error, progress, all; found errors/],
  ],
  [
    "an error logger",
    { KAZOO_SASL_ERROR_LOGGER: "file" },
    [/KAZOO_SASL_ERROR_LOGGER: expected tty or false; found file/],
  ],
  [
    "a port out of range",
    { BIGCOUCH_DATA_PORT: "65536" },
    [/BIGCOUCH_DATA_PORT: expected a port from 1 to 65535; found 65536/],
  ],
  ["port zero", { BIGCOUCH_ADMIN_PORT: "0" }, [/BIGCOUCH_ADMIN_PORT/]],
  ["a port with words", { BIGCOUCH_DATA_PORT: "http" }, [/BIGCOUCH_DATA_PORT/]],
  ["a port in hexadecimal", { BIGCOUCH_DATA_PORT: "0x10" }, [/BIGCOUCH_DATA_PORT/]],
  ["a huge port", { BIGCOUCH_DATA_PORT: "99999999999999999999" }, [/BIGCOUCH_DATA_PORT/]],
  [
    "a host with a port",
    { BIGCOUCH_HOST: "couch:5984" },
    [/BIGCOUCH_HOST: expected a host name or an IPv4 address; found couch:5984/],
  ],
  ["a URL for a host", { BIGCOUCH_HOST: "http://admin:hunter2@couch" }, [/BIGCOUCH_HOST: .*not shown/]],
  ["a host with a blank", { KAZOO_AMQP_HOST: "rabbit mq" }, [/KAZOO_AMQP_HOST/]],
  ["an address that is none", { KAZOO_AMQP_HOST: "10.0.0.256" }, [/KAZOO_AMQP_HOST/]],
  ["a short address", { KAZOO_SECONDARY_AMQP_HOST: "10.0.1" }, [/KAZOO_SECONDARY_AMQP_HOST/]],
  ["a host with a dash in front", { BIGCOUCH_HOST: "-couch" }, [/BIGCOUCH_HOST/]],
  ["a label of 64", { BIGCOUCH_HOST: "c".repeat(64) }, [/BIGCOUCH_HOST/]],
  ["a host of 255", { BIGCOUCH_HOST: Array(64).fill("abc").join(".") }, [/BIGCOUCH_HOST/]],
  [
    "the other spelling is named as it was given",
    { RABBITMQ_AMQP_HOST: "a b" },
    [/ RABBITMQ_AMQP_HOST: expected a host/],
  ],
  ["and the second", { RABBITMQ_SECONDARY_AMQP_HOST: "a\nb" }, [/ RABBITMQ_SECONDARY_AMQP_HOST: expected a host/]],
  ["a zone with a quote", { KAZOO_ZONE: 'us"east' }, [/KAZOO_ZONE/]],
  ["a zone with a line break", { KAZOO_ZONE: "us\neast" }, [/KAZOO_ZONE/]],
  ["a zone with a blank", { KAZOO_ZONE: "us east" }, [/KAZOO_ZONE: expected letters, digits/]],
  ["a zone with an equals sign", { KAZOO_ZONE: "a=b" }, [/KAZOO_ZONE/]],
  ["a datacenter with a control character", { DATACENTER: "n\u0001c" }, [/DATACENTER/]],
  ["a region with brackets", { REGION: "[us]" }, [/REGION/]],
  ["an application's name with a capital", { ERLANG_VM: "Kazoo" }, [/ERLANG_VM/]],
  ["an application's name with an at", { ERLANG_VM: "kazoo@host" }, [/ERLANG_VM/]],
  ["an application's name of one letter", { ERLANG_VM: "k" }, [/ERLANG_VM/]],
  ["an application's name with an option", { ERLANG_VM: "k -eval x" }, [/ERLANG_VM/]],
  [
    "a broker's password with a quote",
    { RABBITMQ_USER: "u", RABBITMQ_PASS: 'hunter2"' },
    [/RABBITMQ_PASS: .*double quote/],
  ],
  ["a broker's password with a line break", { RABBITMQ_USER: "u", RABBITMQ_PASS: "hunter2\nx" }, [/RABBITMQ_PASS/]],
  ["a broker's user with a tab", { RABBITMQ_USER: "u\tv", RABBITMQ_PASS: "hunter2" }, [/RABBITMQ_USER/]],
  ["a broker's password of 256 bytes", { RABBITMQ_USER: "u", RABBITMQ_PASS: "é".repeat(128) }, [/RABBITMQ_PASS/]],
  [
    "a user without a password",
    { RABBITMQ_USER: "u" },
    [/RABBITMQ_PASS: expected a value, since RABBITMQ_USER has one/],
  ],
  ["a password without a user", { RABBITMQ_PASS: "hunter2" }, [/RABBITMQ_USER: expected a value/]],
  ["a database user without a password", { COUCHDB_USER: "u" }, [/COUCHDB_PASS: expected a value/]],
  ["a database password without a user", { COUCHDB_PASS: "hunter2" }, [/COUCHDB_USER: expected a value/]],
  ["a database password with a quote", { COUCHDB_USER: "u", COUCHDB_PASS: '"hunter2' }, [/COUCHDB_PASS/]],
  ["a database password with DEL", { COUCHDB_USER: "u", COUCHDB_PASS: "hunter2\u007f" }, [/COUCHDB_PASS/]],
  ["a database user called true", { COUCHDB_USER: "true", COUCHDB_PASS: "hunter2" }, [/COUCHDB_USER: .*booleans/]],
  [
    "another cookie for Kazoo alone",
    { KAZOO_COOKIE: "hunter2" },
    [/KAZOO_COOKIE: expected nothing, or the same as ERLANG_COOKIE/],
  ],
  ["applications that are none", { KAZOO_APPS: "crossbar;x" }, [/KAZOO_APPS: expected applications' names/]],
  [
    "another cookie for Erlang alone",
    { ERL_AFLAGS: "+K true -setcookie hunter2" },
    [/ERL_AFLAGS: expected flags without -name, -sname and -setcookie/],
  ],
  ["another name for the node", { ERL_FLAGS: "-sname x" }, [/ERL_FLAGS/]],
  ["another zone called undefined", { KAZOO_OTHER_ZONES: "undefined=b" }, [/KAZOO_OTHER_ZONES/]],
  ["a broker of two zones in capitals", { KAZOO_OTHER_ZONES: "a=mq b=MQ." }, [/mq is named for a and b/]],
  ["no cookie", { ERLANG_COOKIE: "" }, [/ERLANG_COOKIE: expected a cookie .*ALLOW_INSECURE_COOKIE=true/]],
  ["a cookie with a blank", { ERLANG_COOKIE: "hunter2 x" }, [/ERLANG_COOKIE/]],
  ["a cookie with a quote", { ERLANG_COOKIE: 'hunter2"' }, [/ERLANG_COOKIE/]],
  ["a cookie of other letters", { ERLANG_COOKIE: "hunter2é" }, [/ERLANG_COOKIE/]],
  ["a cookie of 256", { ERLANG_COOKIE: "hunter2".padEnd(256, "x") }, [/ERLANG_COOKIE/]],
  ["an empty cookie file", { ERLANG_COOKIE_FILE: cookieFile("\n") }, [/ERLANG_COOKIE \(.*cookie\)/]],
  ["a cookie file of two lines", { ERLANG_COOKIE_FILE: cookieFile("hunter2\nx\n") }, [/ERLANG_COOKIE \(/]],
  [
    "a cookie file that is not there",
    { ERLANG_COOKIE_FILE: "/nowhere/cookie" },
    [/ERLANG_COOKIE \(\/nowhere\/cookie\)/],
  ],
  ["a host without a dot", { ERLANG_HOSTNAME: "kazoo" }, [/ERLANG_HOSTNAME: .*a dot.*domain; found kazoo as given/]],
  ["a host that is an address", { ERLANG_HOSTNAME: "10.0.0.1" }, [/ERLANG_HOSTNAME/]],
  [
    "a machine without a domain",
    { ERLANG_HOSTNAME: "", PATH: hostnameSays({ "-f": "box" }) },
    [/ERLANG_HOSTNAME: .*found box as `hostname -f` gives it/],
  ],
  ["a machine without a name", { ERLANG_HOSTNAME: "", PATH: hostnameSays({}) }, [/ERLANG_HOSTNAME: .*found nothing/]],
  [
    "a pod that does not know itself",
    {
      ERLANG_HOSTNAME: "",
      KUBERNETES_HOSTNAME_FIX: "true",
      POD_IP: "::1",
      POD_NAMESPACE: "a.b",
      CLUSTER_DOMAIN: "x y",
    },
    [/POD_IP/, /POD_NAMESPACE/, /CLUSTER_DOMAIN/],
  ],
  ["other zones without brokers", { KAZOO_OTHER_ZONES: "us-east-bos" }, [/KAZOO_OTHER_ZONES: expected zones such as/]],
  ["other zones with an empty broker", { KAZOO_OTHER_ZONES: "a=b,,c" }, [/KAZOO_OTHER_ZONES/]],
  ["other zones with two equals signs", { KAZOO_OTHER_ZONES: "a=b=c" }, [/KAZOO_OTHER_ZONES/]],
  ["other zones with a pattern", { KAZOO_OTHER_ZONES: "a=* b=?" }, [/KAZOO_OTHER_ZONES/]],
  ["another zone twice", { KAZOO_OTHER_ZONES: "a=b a=c" }, [/KAZOO_OTHER_ZONES: expected each other zone once/]],
  ["the own zone again", { KAZOO_ZONE: "here", KAZOO_OTHER_ZONES: "here=b" }, [/KAZOO_OTHER_ZONES/]],
  ["another zone called local", { KAZOO_OTHER_ZONES: "local=b" }, [/KAZOO_OTHER_ZONES/]],
  [
    "a broker of two zones",
    { KAZOO_OTHER_ZONES: "a=mq b=mq" },
    [/KAZOO_OTHER_ZONES: expected each broker once: mq is named for a and b/],
  ],
  ["a broker of the own zone", { KAZOO_OTHER_ZONES: "a=rabbitmq-beta" }, [/KAZOO_OTHER_ZONES/]],
  [
    "all problems at once",
    {
      KAZOO_LOG_LEVEL: "x",
      ERLANG_THREADS: "x",
      BIGCOUCH_HOST: "/",
      ERLANG_COOKIE: "hunter2\u0007",
      ERLANG_HOSTNAME: "x",
    },
    [/KAZOO_LOG_LEVEL/, /ERLANG_THREADS/, /BIGCOUCH_HOST/, /ERLANG_COOKIE/, /ERLANG_HOSTNAME/],
  ],
];

describe("the entrypoint accepts", () => {
  for (const [name, environment, check] of good) it(name, () => check(renderWith({ ...base, ...environment })));
});

describe("the entrypoint refuses", () => {
  for (const [name, environment, says] of bad) {
    it(name, () => {
      const { code, stdout, stderr } = renderWith({ ...base, ...environment });
      assert.equal(code, 64, stderr);
      assert.equal(stdout, "");
      for (const message of says) assert.match(stderr, message);
      assert.equal(stderr.trimEnd().split("\n").length - 1, says.length, `one line per problem:\n${stderr}`);
      assert.doesNotMatch(stderr, /hunter2/);
    });
  }
});

describe("rendering again", () => {
  it("replaces existing files, including the read-only cookie", () => {
    const folder = join(scratch, "again");
    const render = (environment: Environment) =>
      spawnSync("bash", [entrypoint, "render", folder], {
        env: { PATH: process.env["PATH"], ...base, ...environment },
      });
    render({});
    const second = render({ ERLANG_COOKIE: "another", KAZOO_ZONE: "there" });
    assert.equal(second.status, 0);
    assert.equal(readFileSync(join(folder, ".erlang.cookie"), "utf8"), "another");
    assert.match(readFileSync(join(folder, "config.ini"), "utf8"), /name = "there"/);
  });

  it("touches nothing when it refuses", () => {
    const folder = join(scratch, "refused");
    mkdirSync(folder);
    const run = spawnSync("bash", [entrypoint, "render", folder], {
      env: { PATH: process.env["PATH"], ...base, ERLANG_VM: "-" },
    });
    assert.equal(run.status, 64);
    assert.ok(!existsSync(join(folder, "config.ini")));
  });
});

describe("the reader of config.ini refuses what Kazoo's parser mis-reads", () => {
  const wrong: Readonly<Record<string, string>> = {
    "an unquoted text": "[amqp]\nuri = amqp://a=b\n",
    "an unquoted word": "[log]\nconsole = info\n",
    "a comment after a value": '[log]\nconsole = "info" ; level\n',
    "a comment with a hash": '# x\n[log]\nconsole = "info"\n',
    "an empty section": '[zone]\n[log]\nconsole = "info"\n',
    "an empty section at the end": '[log]\nconsole = "info"\n[zone]\n',
    "an empty text": '[log]\nconsole = ""\n',
    "a quote within": '[log]\nconsole = "a"b"\n',
    "a key without a section": 'console = "info"\n',
    "a last line without an end": '[log]\nconsole = "info"',
    nothing: "\n",
  };
  for (const [name, file] of Object.entries(wrong)) it(name, () => assert.throws(() => readKazooIni(file)));

  it("and sees the broken zones of the original project's README", () => {
    const ini =
      '[zone]\nname = "z"\namqp_uri = "amqp://a"\n[bigcouch]\nip = "db"\nzone = "z"\n[kazoo_apps]\nzone = "z"\n';
    const seen = asKazooSees(readKazooIni(ini), "kazoo_apps@kazoo.local");
    assert.equal(seen.zone, "local");
    assert.deepEqual(seen.brokers["local"], ["amqp://guest:guest@localhost:5672"]);
    assert.deepEqual(seen.database, {});
  });
});
