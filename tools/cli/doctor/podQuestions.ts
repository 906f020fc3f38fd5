import { kazooPorts, databasePort, rabbitmqPorts, workloads } from "../../../components/names";
import type { DatabaseKind } from "../../../config/compatibility";
import type { Membership } from "./checks/database";
import { authorized, shardMapsCommand } from "../runbook/shards/copies";
import type { ZoneNode } from "../cluster/nodes";
import type { Questions } from "../cluster/questions";
import { UserError } from "../../shared/terminal";

/** Number of shard maps to read: enough to notice a problem, and a few megabytes at most. */
export const shardMapLimit = 1000;

const clock = "date +%s";

/**
 * A request to a broker's management API from its own container, which has no curl. `rabbitmqctl` would start an Erlang VM for each request, which
 * takes seconds on a busy processor, and some of the broker's memory.
 */
const manage = (path: string): string =>
  `exec bash -c 'login=$(printf %s "$RABBITMQ_DEFAULT_USER:$RABBITMQ_DEFAULT_PASS" | base64 | tr -d "\\n")
exec 3<>/dev/tcp/127.0.0.1/${rabbitmqPorts.management}
printf "GET %s HTTP/1.0\\r\\nHost: localhost\\r\\nAuthorization: Basic %s\\r\\n\\r\\n" "/api/${path}" "$login" >&3
cat <&3'`;

/** Questions to a broker; see {@link readHttp}. */
export const brokerQuestions = (): Questions => ({
  nodes: manage("nodes?columns=name,mem_alarm,disk_free_alarm,partitions"),
  overview: manage("overview?columns=rabbitmq_version"),
  queues: manage("queues?columns=name,messages,consumers"),
});

/** Reads a broker's answer. @throws Error unless it is one with HTTP status 200 and JSON */
export function readHttp<T>(answer: string): T {
  const [, code, body = ""] = /^HTTP\/\S+ (\d{3})[\s\S]*?\r\n\r\n([\s\S]*)$/.exec(answer) ?? [];
  if (code !== "200") throw new UserError(`HTTP status ${code ?? "unknown"}`);
  return JSON.parse(body) as T;
}

/** Questions to a Kazoo node about the nodes that it knows. */
export const kazooQuestions = (): Questions => ({ nodes: "sup kz_nodes status" });

/** Questions to a Kazoo node about database nodes, whose containers have no curl. @param hosts of these nodes */
export const databaseQuestions = (hosts: readonly string[]): Questions =>
  Object.fromEntries(
    hosts.flatMap((host) => [
      [`welcome ${host}`, `curl --silent --fail --max-time 10 http://${host}:${databasePort}/`],
      [
        `members ${host}`,
        authorized(
          "COUCHDB_USER",
          "COUCHDB_PASS",
          `--max-time 10 --write-out "\\n%{http_code}" http://${host}:${databasePort}/_membership`,
        ),
      ],
    ]),
  );

/** Reads the answer to `members`: the HTTP status, and how the node sees its ring. */
export function readMembers(answer: string): { readonly code: string; readonly membership?: Membership } {
  const [, body = "", code = ""] = /^([\s\S]*)\n(\d{3})$/.exec(answer) ?? [];
  return code === "200" ? { code, membership: JSON.parse(body) as Membership } : { code };
}

/** Question to a Kazoo node for the copies of a ring's shards. @param url of its zone's database */
export const copyQuestion = (kind: DatabaseKind, url: string): Questions => ({
  copies: shardMapsCommand(kind, url, shardMapLimit),
});

/** Nodes that a Kazoo node connects to. */
export interface Peers {
  /** Of all zones of its ring. */
  readonly brokers: readonly string[];
  readonly database: readonly string[];
  readonly kazoo: readonly string[];
  /** Brokers of its own zone. */
  readonly ownBrokers: readonly string[];
  /** The balanced database of its zone. */
  readonly databaseService: string;
}

/** Questions to a Kazoo node about names, ports and credentials. */
export function connectionQuestions(kind: DatabaseKind, peers: Peers): Questions {
  const { brokers, database, kazoo, ownBrokers, databaseService } = peers;
  const databasePorts = [databasePort, ...(kind.adminPort === undefined ? [] : [kind.adminPort])];
  const to = (hosts: readonly string[], ...ports: number[]) =>
    hosts.flatMap((host) => ports.map((port) => `${host}:${port}`));
  const ports = [
    ...to(brokers, rabbitmqPorts.amqp),
    ...to(ownBrokers, rabbitmqPorts.management),
    ...to([databaseService, ...database], ...databasePorts),
    ...to(kazoo, kazooPorts.epmd),
  ];
  const names = [...brokers, databaseService, ...database, ...kazoo];
  return {
    names: ofEach(names, "getent hosts $one >/dev/null"),
    ports: ofEach(ports, 'bash -c ": </dev/tcp/${one%:*}/${one#*:}"'),
    ...Object.fromEntries(
      ownBrokers.map((host) => [
        `login ${host}`,
        authorized(
          "RABBITMQ_USER",
          "RABBITMQ_PASS",
          `--max-time 10 --output /dev/null --write-out "%{http_code}" http://${host}:${rabbitmqPorts.management}/api/whoami`,
        ),
      ]),
    ),
  };
}

/** Runs a command for each, 32 at a time, so that they take little of the container's memory; prints each with the exit code, 124 if it took too long. */
const ofEach = (all: readonly string[], command: string): string =>
  `count=0; for one in ${all.join(" ")}; do { timeout 4 ${command}; echo "$one $?"; } & count=$((count + 1)); [ $((count % 32)) -ne 0 ] || wait; done; wait`;

/** Adds questions about a node's machine to other questions: its clock before and after them, and its volume. */
export const aroundMachine = ({ workload }: ZoneNode, kind: DatabaseKind, questions: Questions): Questions => ({
  first: clock,
  ...questions,
  ...(workload === workloads.rabbitmq ? { volume: "df -P /var/lib/rabbitmq" } : {}),
  ...(workload === workloads.database ? { volume: `df -P /opt/${kind.nodeName}/data` } : {}),
  last: clock,
});
