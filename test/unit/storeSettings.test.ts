import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { databaseConfig } from "../../components/bigcouch";
import { brokerConfig, enabledPlugins } from "../../components/rabbitmq";
import { databaseKind, type DatabaseKind } from "../../config/compatibility";
import { parsePlatform } from "../../config/parse";
import { ConfigError, type Problem } from "../../config/problem";
import { defaultCredentials, plainCredentials } from "../../policy/credentials";
import { deployWithMocks, platformFrom } from "../support/mocks";
import { resourcesOf } from "../support/policyResources";

const stack = (ring: object) => ({
  image: { prebuilt: "registry.example.com/kazoo:4.3" },
  clusters: { east: { context: "prod-east" } },
  rings: { main: ring },
  ring: "main",
  regions: { "us-east": { cluster: "east", datacenters: { nyc: {} } } },
});

function problemsOf(ring: object): readonly Problem[] {
  try {
    parsePlatform(stack(ring), new Set());
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

/** Asserts one problem whose texts do not contain the value. */
function refused(ring: object, key: string, expected: RegExp, secret?: string): void {
  const problems = problemsOf(ring);
  assert.deepEqual(
    problems.map((problem) => problem.key),
    [`kazoo:rings.main.${key}`],
  );
  assert.match(`${problems[0]?.expected}; ${problems[0]?.example}`, expected);
  if (secret !== undefined) assert.ok(!JSON.stringify(problems).includes(secret), "the error shows the value");
}

describe("settings that the program itself makes are refused, with the key for them", () => {
  const broker: Record<string, RegExp> = {
    "cluster_formation.peer_discovery_backend": /Kazoo itself fails over/,
    "listeners.tcp.default": /Services, probes and NetworkPolicies/,
    "listeners.ssl.default": /listeners/,
    "distribution.listener.port_range.min": /listeners/,
    "management.tcp.port": /listeners/,
    "management.ssl.port": /listeners/,
    "prometheus.tcp.ip": /listeners/,
    default_user: /kazoo:credentials\.main\.rabbitmq/,
    default_pass: /kazoo:credentials\.main\.rabbitmq/,
    "default_users.other.password": /kazoo:credentials\.main\.rabbitmq/,
    "default_permissions.write": /all permissions/,
    default_vhost: /virtual host \//,
    loopback_users: /guest/,
    "loopback_users.guest": /guest/,
    load_definitions: /rabbitmqctl import_definitions/,
    "definitions.local.path": /definitions/,
    "deprecated_features.permit.transient_nonexcl_queues": /kazoo:rings\.main\.permitTransientQueues: true/,
    "raft.data_dir": /volume/,
  };
  for (const [name, expected] of Object.entries(broker)) {
    test(`rabbitmq.conf ${name}`, () =>
      refused({ brokerSettings: { [name]: "s3cret-1" } }, `brokerSettings.${name}`, expected, "s3cret-1"));
  }

  const database: Record<string, RegExp> = {
    "cluster.q": /kazoo:rings\.main\.quorum: \{ q: … \}/,
    "cluster.n": /quorum/,
    "cluster.placement": /kazoo:rings\.main\.placement/,
    "cluster.seedlist": /a Job joins them/,
    "couchdb.single_node": /a Job joins them/,
    "couchdb.uuid": /all nodes of the ring/,
    "couchdb.default_security": /administrators alone/,
    "couchdb.database_dir": /volume/,
    "chttpd.port": /listeners/,
    "chttpd.bind_address": /listeners/,
    "httpd.port": /listeners/,
    "ssl.enable": /listeners/,
    "chttpd.admin_only_all_dbs": /administrators alone/,
    "chttpd.require_valid_user": /probes need no login/,
    "chttpd_auth.secret": /all nodes of the ring/,
    "couch_httpd_auth.secret": /all nodes of the ring/,
    "admins.kazoo": /kazoo:credentials\.main\.database/,
  };
  for (const [setting, expected] of Object.entries(database)) {
    const [section = "", name = ""] = setting.split(".");
    test(`ini ${setting}`, () =>
      refused(
        { databaseSettings: { [section]: { [name]: "s3cret-1" } } },
        `databaseSettings.${setting}`,
        expected,
        "s3cret-1",
      ));
  }

  test("a plugin that looks for other brokers", () =>
    refused({ brokerPlugins: ["rabbitmq_peer_discovery_k8s"] }, "brokerPlugins", /each is alone/));
});

describe("settings in a ConfigMap must not be secret", () => {
  const secret = "hunter2hunter2";
  const cases: Record<string, [ring: object, key: string]> = {
    "a broker's setting by its name": [
      { brokerSettings: { "auth_ldap.dn_lookup_bind.password": secret } },
      "brokerSettings.auth_ldap.dn_lookup_bind.password",
    ],
    "a broker's setting by its value": [
      { brokerSettings: { "auth_http.user_path": `https://user:${secret}@auth.example.com` } },
      "brokerSettings.auth_http.user_path",
    ],
    "a database's setting by its name": [
      { databaseSettings: { couch_peruser: { api_token: secret } } },
      "databaseSettings.couch_peruser.api_token",
    ],
    "a key that signs JSON Web Tokens": [
      { databaseSettings: { jwt_keys: { "hmac:one": secret } } },
      "databaseSettings.jwt_keys.hmac:one",
    ],
  };
  for (const [what, [ring, key]] of Object.entries(cases)) {
    test(what, () => refused(ring, key, /ConfigMap/, secret));
  }

  test("not even in an error about its form", () => {
    const problems = problemsOf({ brokerSettings: { "ssl_options.password": [secret] } });
    assert.equal(problems.length, 1);
    assert.ok(!JSON.stringify(problems).includes(secret));
  });

  test("settings about logins are not secret, for the policy neither", async () => {
    const brokerSettings = {
      "auth_backends.1": "internal",
      "auth_mechanisms.1": "PLAIN",
      "management.disable_basic_auth": false,
      password_hashing_module: "rabbit_password_hashing_sha512",
    };
    const databaseSettings = {
      chttpd_auth: { timeout: 600, allow_persistent_cookies: true, cookie_domain: "example.com", auth_cache_size: 50 },
    };
    const ring = { brokerSettings, databaseSettings };
    assert.deepEqual(problemsOf(ring), []);
    const resources = await resourcesOf(platformFrom(stack(ring)));
    assert.ok(resources.some(({ props }) => JSON.stringify(props).includes("auth_mechanisms.1 = PLAIN")));
    for (const rule of [plainCredentials, defaultCredentials]) {
      assert.deepEqual(
        resources.flatMap((resource) => rule.resource(resource, { throwAway: false })),
        [],
        rule.name,
      );
    }
  });
});

describe("values that the file cannot express are refused", () => {
  for (const value of ["", " a", "a ", "a\nb", "a#b", "'a'", "a\tb", "é"]) {
    test(`a broker's ${JSON.stringify(value)}`, () =>
      refused({ brokerSettings: { cluster_name: value } }, "brokerSettings.cluster_name", /^printable ASCII/));
  }
  for (const value of ["", " a", "a ", "a\nb", ";a", "a ;b", "a = b", "a\rb", "é"]) {
    test(`a database's ${JSON.stringify(value)}`, () =>
      refused({ databaseSettings: { vendor: { name: value } } }, "databaseSettings.vendor.name", /^printable ASCII/));
  }
  test("keys and sections", () => {
    refused({ brokerSettings: { "a b": 1 } }, "brokerSettings.a b", /^a key of rabbitmq.conf/);
    refused({ brokerSettings: { "a\nloopback_users": 1 } }, "brokerSettings.a\nloopback_users", /^a key/);
    refused({ databaseSettings: { "a]": { b: 1 } } }, "databaseSettings.a].b", /^a section/);
    for (const key of ["a b", "a=b", ";a", "[a]", "#a", ""]) {
      refused({ databaseSettings: { a: { [key]: 1 } } }, `databaseSettings.a.${key}`, /^a key of printable ASCII/);
    }
    refused({ brokerPlugins: ["a, b"] }, "brokerPlugins", /^a list of plugins/);
  });
  test("other characters are accepted", () => {
    const databaseSettings = {
      daemons: { compaction_daemon: "{couch_compaction_daemon, start_link, []}" },
      vhosts: { "*.example.com": "/a;b" },
      compactions: { _default: '[{db_fragmentation, "70%"}, {from, "23:00"}]' },
      log: { file: "a=b" },
    };
    assert.deepEqual(problemsOf({ databaseSettings, brokerSettings: { cluster_name: "rabbit@a b;c=d" } }), []);
  });
});

describe("the files", () => {
  const broker = (settings: Record<string, string>) =>
    brokerConfig({
      resources: { requests: { cpu: "1", memory: "1Gi" }, limits: { memory: "1Gi" } },
      storage: "10Gi",
      permitTransientQueues: false,
      settings,
    });

  test("each configured watermark replaces the program's own", () => {
    assert.match(
      broker({}),
      /^vm_memory_high_watermark\.absolute = 644245094\ndisk_free_limit\.absolute = 1073741824\n/,
    );
    const memory = broker({ "vm_memory_high_watermark.relative": "0.5" });
    assert.doesNotMatch(memory, /vm_memory_high_watermark\.absolute/);
    assert.match(memory, /disk_free_limit\.absolute = 1073741824/);
    const disk = broker({ "disk_free_limit.absolute": "2GB", vm_memory_high_watermark_paging_ratio: "0.9" });
    assert.deepEqual(disk.match(/disk_free_limit.*/g), ["disk_free_limit.absolute = 2GB"]);
    assert.match(disk, /vm_memory_high_watermark\.absolute = 644245094/);
  });

  test("the order in the stack's file does not matter", () => {
    assert.equal(broker({ heartbeat: "30", channel_max: "9" }), broker({ channel_max: "9", heartbeat: "30" }));
    const database = (settings: Record<string, Record<string, string>>) =>
      databaseConfig({ kind: databaseKind("couchdb-2.3.1") as DatabaseKind, quorum: { q: 1, n: 1 }, settings });
    assert.equal(
      database({ log: { level: "info", file: "x" }, couchdb: { max_dbs_open: "9" } }),
      database({ couchdb: { max_dbs_open: "9" }, log: { file: "x", level: "info" } }),
    );
  });

  test("a plugin that Kazoo needs anyway is enabled only once", () => {
    assert.equal(
      enabledPlugins(["rabbitmq_management", "rabbitmq_shovel", "rabbitmq_management"]),
      "[rabbitmq_management,rabbitmq_shovel].\n",
    );
  });

  test("a database's section keeps the program's own settings", () => {
    const settings = { cluster: { reconnect_interval_sec: "9" }, smoosh: { state_dir: "x" } };
    const ini = databaseConfig({
      kind: databaseKind("couchdb-2.3.1") as DatabaseKind,
      quorum: { q: 3, n: 3 },
      settings,
    });
    assert.match(ini, /\[cluster\]\nq = 3\nn = 3\nreconnect_interval_sec = 9\n/);
    assert.match(ini, /\n\n\[smoosh\]\nstate_dir = x\n$/);
    assert.equal(ini.match(/^\[cluster\]$/gm)?.length, 1);
  });

  test("containers on Docker get the same files", async () => {
    const ring = {
      brokerSettings: { channel_max: 1024 },
      brokerPlugins: ["rabbitmq_shovel"],
      databaseSettings: { couchdb: { max_dbs_open: 9 } },
    };
    const { resources } = await deployWithMocks(
      platformFrom({
        image: { prebuilt: "kazoo:4.3" },
        clusters: { local: { docker: {} } },
        rings: { "local-dev": ring },
        regions: { local: { cluster: "local", datacenters: { dev: {} } } },
      }),
    );
    const containers = resources
      .filter(({ type }) => type.endsWith(":Container"))
      .map(({ inputs }) => [String(inputs.name), JSON.stringify(inputs.uploads ?? "")] as const);
    const having = (line: string) => containers.filter(([, uploads]) => uploads.includes(line)).map(([name]) => name);
    assert.deepEqual(having("\\nchannel_max = 1024\\n").sort(), ["rabbitmq-alpha", "rabbitmq-beta"]);
    assert.deepEqual(having(",rabbitmq_shovel]."), having("\\nchannel_max = 1024\\n"));
    assert.deepEqual(having("\\nmax_dbs_open = 9\\n"), ["bigcouch"]);
  });
});
