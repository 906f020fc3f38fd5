import type { Ring } from "../platform";
import { problem, show, type Problem } from "../problem";
import { hasSecret, isSecretSetting } from "../secrets";

/**
 * Settings in the stores' own formats: keys of rabbitmq.conf, plugins, and CouchDB's ini. Settings that the program makes itself are refused, and
 * so are values that a file cannot represent and values that look secret, because the files are ConfigMaps.
 */

/** Why a setting is refused, as what is expected instead, and a way to get it. */
type Refusal = readonly [expected: string, example: string];

/** Returns all problems of a ring's settings. */
export function storeSettings(ring: Ring): Problem[] {
  const key = `kazoo:rings.${ring.name}`;
  const { brokerSettings, brokerPlugins, databaseSettings } = ring;
  return [
    ...Object.entries(brokerSettings).flatMap(([name, value]) =>
      oneProblem(`${key}.brokerSettings.${name}`, value, [
        brokerRefusal(name, ring.name),
        secretRefusal(name, value),
        brokerForm(name, value),
      ]),
    ),
    ...brokerPlugins
      .filter((plugin) => plugin.startsWith("rabbitmq_peer_discovery_"))
      .map((plugin) => problem(`${key}.brokerPlugins`, plugin, ...alone)),
    ...Object.entries(databaseSettings).flatMap(([section, settings]) =>
      Object.entries(settings).flatMap(([name, value]) =>
        oneProblem(`${key}.databaseSettings.${section}.${name}`, value, [
          databaseRefusal(section, name, ring.name),
          secretRefusal(section === "jwt_keys" && name.startsWith("hmac:") ? "secret" : name, value),
          databaseForm(section, name, value),
        ]),
      ),
    ),
  ];
}

function oneProblem(key: string, value: string, refusals: readonly (Refusal | undefined)[]): Problem[] {
  const [refused, secret, form] = refusals;
  if (refused !== undefined) return [{ key, found: "a setting of the program's own", ...parts(refused) }];
  if (secret !== undefined) return [{ key, found: "[a value that looks secret]", ...parts(secret) }];
  return form === undefined ? [] : [{ key, found: show(value, key), ...parts(form) }];
}

const parts = ([expected, example]: Refusal) => ({ expected, example });

const remove = "remove it";
const alone: Refusal = [
  "nothing that makes brokers a cluster, since each is alone: Kazoo itself fails over from alpha to beta",
  remove,
];
const listeners: Refusal = [
  "nothing about listeners, since Services, probes and NetworkPolicies use the usual ports, on every address",
  remove,
];
const ownVolume: Refusal = ["no other folder for data, since the volume is mounted at the usual one", remove];

function brokerRefusal(name: string, ring: string): Refusal | undefined {
  if (name.startsWith("cluster_formation.")) return alone;
  if (
    /^(listeners|distribution)(\.|$)/.test(name) ||
    /^(management|prometheus)\.(ssl|listener|tcp\.(ip|port|listener)$)/.test(name)
  )
    return listeners;
  if (/^default_(user|pass|users|user_tags|permissions)(\.|$)/.test(name)) {
    return [
      "no user here, since the program creates the user kazoo, with all permissions",
      `kazoo:credentials.${ring}.rabbitmq, for the password`,
    ];
  }
  if (name === "default_vhost") return ["the usual virtual host /, which Kazoo uses", remove];
  if (/^loopback_users(\.|$)/.test(name))
    return ["guest to be refused from other machines, as the program has it", remove];
  if (/^((management\.)?load_definitions$|definitions\.)/.test(name)) {
    return [
      "no definitions at the start, since a broker that imports some does not create the user kazoo",
      "rabbitmqctl import_definitions FILE, on both brokers",
    ];
  }
  if (name === "deprecated_features.permit.transient_nonexcl_queues") {
    return ["the ring's key for this", `kazoo:rings.${ring}.permitTransientQueues: true`];
  }
  return /(^|\.)data_dir$/.test(name) ? ownVolume : undefined;
}

function databaseRefusal(section: string, name: string, ring: string): Refusal | undefined {
  const setting = `${section}.${name}`;
  if (name === "port" || name === "bind_address" || section === "ssl" || setting === "daemons.httpsd") return listeners;
  if (setting === "prometheus.additional_port") {
    return ["the key that opens this port and scrapes it", "kazoo:monitoring: { podMonitors: true }"];
  }
  if (section === "admins") {
    return [
      "no administrators here, since the program creates the administrator kazoo",
      `kazoo:credentials.${ring}.database, for the password`,
    ];
  }
  if (/^cluster\.[qnrw]$/.test(setting)) {
    return ["the ring's key for this, which also considers its nodes", `kazoo:rings.${ring}.quorum: { ${name}: … }`];
  }
  if (setting === "cluster.placement") {
    return ["the ring's key for this, which also considers its zones", `kazoo:rings.${ring}.placement: { ZONE: 2 }`];
  }
  if (setting === "cluster.seedlist" || setting === "couchdb.single_node") {
    return ["nothing about the database's nodes, since a Job joins them", remove];
  }
  if (setting === "couchdb.uuid" || setting === "chttpd_auth.secret" || setting === "couch_httpd_auth.secret") {
    return ["the value that the program generates for all nodes of the ring", remove];
  }
  if (setting === "couchdb.default_security" || setting === "chttpd.admin_only_all_dbs") {
    return ["databases that administrators alone can read, as the program makes them", remove];
  }
  if (/^(chttpd|chttpd_auth|couch_httpd_auth)\.require_valid_user$/.test(setting)) {
    return ["nothing, since the program sets it where probes need no login", remove];
  }
  return setting === "couchdb.database_dir" || setting === "couchdb.view_index_dir" ? ownVolume : undefined;
}

function secretRefusal(name: string, value: string): Refusal | undefined {
  return isSecretSetting(name, value) || hasSecret(value)
    ? [
        "no secret here, since these settings end in a ConfigMap that anyone in the namespace can read",
        "kazoo:credentials, for what has a key there",
      ]
    : undefined;
}

/** Printable ASCII without blanks at its ends, which both formats support in every version. */
const isPlain = (value: string) => /^[!-~]([ -~]*[!-~])?$/.test(value);

function brokerForm(name: string, value: string): Refusal | undefined {
  if (!/^[\w-]+(\.[\w-]+)*$/.test(name)) {
    return ["a key of rabbitmq.conf: words of letters, digits, _ and -, joined by dots", "channel_max: 1024"];
  }
  return isPlain(value) && !/^'|#/.test(value)
    ? undefined
    : [
        "printable ASCII on one line, without # and blanks at its ends, and not beginning with ', since RabbitMQ would read something else",
        "1024",
      ];
}

function databaseForm(section: string, name: string, value: string): Refusal | undefined {
  const example = "couchdb: { max_document_size: 8000000 }";
  if (!/^[\w.:-]+$/.test(section)) return ["a section of letters, digits and . _ : -", example];
  if (!/^[!-~]+$/.test(name) || /^#|[=;[\]]/.test(name)) {
    return ["a key of printable ASCII without blanks, =, ;, [ and ], not beginning with #", example];
  }
  return isPlain(value) && !/(^| );| =|= /.test(value)
    ? undefined
    : [
        "printable ASCII on one line, without blanks at its ends and next to =, and without ; at the start or after a blank, since CouchDB would read something else",
        "8000000",
      ];
}
