import { z } from "zod";
import { field, host, wholeNumber, zoneName } from "./fields";

/**
 * The run environment: the 16 variables of the docker-kazoo README, section "Run Environment", with its defaults.
 * The image's entrypoint documents how it uses each.
 */

const port = (description: string, fallback: number) =>
  field(wholeNumber(1, 65535), {
    description,
    expected: "a port, a whole number from 1 to 65535",
    example: String(fallback),
    default: String(fallback),
  }).optional();

const flag = (description: string, fallback: boolean) =>
  field(z.boolean(), { description, expected: "true or false, without quotes" }).default(fallback);

const choice = <const T extends string>(description: string, options: readonly T[], fallback: NoInfer<T>) =>
  field(z.enum(options), { description, expected: `one of ${options.join(", ")}` }).default(fallback as never);

const hostName = (description: string, service: string) =>
  field(host, {
    description,
    expected: "a host name or an IPv4 address",
    example: service,
    default: `\`${service}\`, by its full name`,
  }).optional();

/** The log levels that Kazoo's logger (lager) knows, by rising severity. */
export const logLevels = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"] as const;

/**
 * The variables that an operator may set; `REGION` and `DATACENTER` come from the topology and are refused here. Zone, hosts and ports have
 * no default of their own: the topology decides them.
 */
export const variables = {
  ERLANG_VM: choice(
    "Erlang node to run: its short name and, with `_app` appended, the application to start. Since Kazoo 4.0 `kazoo_apps` includes ecallmgr.",
    ["kazoo_apps", "ecallmgr"],
    "kazoo_apps",
  ),
  ERLANG_THREADS: field(wholeNumber(1, 1024), {
    description: "Asynchronous threads of the Erlang VM (`+A` in vm.args).",
    expected: "a whole number from 1 to 1024",
  }).default(25),
  KAZOO_LOG_LEVEL: choice("Level of the console log.", logLevels, "info"),
  KAZOO_LOG_COLOR: flag("Whether the console log is coloured.", true),
  KAZOO_SASL_ERRLOG_TYPE: choice("What SASL logs (`-sasl errlog_type`).", ["error", "progress", "all"], "error"),
  KAZOO_SASL_ERROR_LOGGER: choice("Where SASL logs to (`-sasl sasl_error_logger`).", ["tty", "false"], "tty"),
  KAZOO_ZONE: field(zoneName, {
    description: "Kazoo's zone, unique in the stack.",
    expected:
      "a zone's name of lower-case letters, digits and dashes, at most 63 characters; not undefined, which Kazoo silently drops",
    example: "us-east-nyc",
    default: "`REGION-DATACENTER`",
  }).optional(),
  BIGCOUCH_HOST: hostName("Host through which Kazoo reaches the database.", "bigcouchbal"),
  BIGCOUCH_DATA_PORT: port("Port of the database.", 5984),
  BIGCOUCH_ADMIN_PORT: port("Port of the database's node-local interface.", 5986),
  BIGCOUCH_COMPACT_AUTOMATICALLY: flag("Whether Kazoo compacts the databases.", true),
  KAZOO_AMQP_HOST: hostName("Host of the first broker.", "rabbitmq-alpha"),
  KAZOO_SECONDARY_AMQP_HOST: hostName("Host of the second broker.", "rabbitmq-beta"),
  KUBERNETES_HOSTNAME_FIX: flag(
    "Whether the image derives a resolvable host name from the pod's address. Not needed in a stack, where StatefulSets provide one.",
    false,
  ),
};

/** The variables that the topology sets. */
export const topologyVariables = ["REGION", "DATACENTER"] as const;

const fromTopology = "the names of region and datacenter";
const fromCredentials = "the topology and kazoo:credentials";
const fromImage = "the image, which renders the configuration itself";

/** Variables that `extraEnvironment` may not name, since the program or the image sets them, and where their values come from. */
export const reservedVariables: Readonly<Record<string, string>> = {
  REGION: fromTopology,
  DATACENTER: fromTopology,
  ERLANG_HOSTNAME: fromCredentials,
  ERLANG_COOKIE: fromCredentials,
  ERLANG_COOKIE_FILE: fromCredentials,
  ALLOW_INSECURE_COOKIE: fromCredentials,
  // Kazoo 4.2 and 4.3 prefer it to the cookie of config.ini.
  KAZOO_COOKIE: fromCredentials,
  KAZOO_OTHER_ZONES: fromCredentials,
  POD_NAME: fromCredentials,
  RABBITMQ_USER: fromCredentials,
  RABBITMQ_PASS: fromCredentials,
  RABBITMQ_AMQP_HOST: fromCredentials,
  RABBITMQ_SECONDARY_AMQP_HOST: fromCredentials,
  COUCHDB_USER: fromCredentials,
  COUCHDB_PASS: fromCredentials,
  KAZOO_CONFIG: fromImage,
  ERL_CRASH_DUMP: fromImage,
  ERL_INETRC: fromImage,
  // Probes and NetworkPolicies expect epmd at its usual port, on every address.
  ERL_EPMD_PORT: fromImage,
  ERL_EPMD_ADDRESS: fromImage,
};

/** What is wrong with the value of a variable that Kazoo or Erlang reads directly; undefined: nothing. */
export function extraValueProblem(variable: string, value: string): { expected: string; example: string } | undefined {
  // An empty list would start no application.
  if (variable === "KAZOO_APPS" && !/^[a-z0-9_, ]*[a-z][a-z0-9_, ]*$/.test(value)) {
    return {
      expected: "applications' names of lower-case letters, digits and _, separated by commas",
      example: "crossbar,callflow",
    };
  }
  if (/^ERL_(A|Z)?FLAGS$/.test(variable) && /(^|[\s"'])-(name|sname|setcookie)/.test(value)) {
    return {
      expected:
        "flags without -name, -sname and -setcookie, since the node's name and cookie come from the topology and kazoo:credentials",
      example: "+S 4:4",
    };
  }
  return undefined;
}

/** The run environment of a container: text. */
export type RunEnvironment = Readonly<Record<string, string>>;
