import { z } from "zod";
import { dnsLabel, field, host, wholeNumber } from "./fields";

/**
 * The run environment: the 16 variables of the docker-kazoo README, section "Run Environment", with its defaults.
 * The image's entrypoint says what it does with each.
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
  KAZOO_ZONE: field(dnsLabel, {
    description: "Kazoo's zone, unique in the stack.",
    expected: "a zone's name of lower-case letters, digits and dashes, at most 63 characters",
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

/** Variables that the program sets from secrets or from the topology; `extraEnvironment` may not name them. */
export const reservedVariables = [
  "ERLANG_HOSTNAME",
  "ERLANG_COOKIE",
  "KAZOO_OTHER_ZONES",
  "POD_NAME",
  "RABBITMQ_USER",
  "RABBITMQ_PASS",
  "RABBITMQ_AMQP_HOST",
  "RABBITMQ_SECONDARY_AMQP_HOST",
  "COUCHDB_USER",
  "COUCHDB_PASS",
] as const;

/** The run environment of a container: text. */
export type RunEnvironment = Readonly<Record<string, string>>;
