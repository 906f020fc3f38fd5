import { workloads } from "../../../components/names";
import { UserError } from "../../shared/terminal";
import type { ZoneNode } from "../cluster/nodes";
import type { Answer } from "../cluster/questions";
import { readShardMaps } from "../runbook/shards/copies";
import type { BrokerNode, Queue } from "./checks/broker";
import { kazooVersion, readKnownNodes } from "./checks/kazoo";
import { percentUsed } from "./checks/pods";
import type { Running } from "./checks/versions";
import { type ExaminedZone, nodesOfWorkload } from "./examinedZone";
import { readHttp, readMembers } from "./podQuestions";

/** A pod with its answers, by question. */
export interface AskedPod {
  readonly place: ExaminedZone;
  readonly node: ZoneNode;
  /** `ZONE/POD` */
  readonly from: string;
  readonly answers: ReadonlyMap<string, Answer>;
  /** When it was asked and had answered, in seconds since 1970. */
  readonly sent: number;
  readonly received: number;
}

export type PodFacts = ReturnType<typeof podFacts>;

/** What the answers of all pods say, in the terms of the checks. @param unread receives answers that cannot be read, or say nothing */
export function podFacts(asked: readonly AskedPod[], unread: (what: string) => void) {
  const answers = new Answers(unread);
  const of = (workload: ZoneNode["workload"]) => asked.filter(({ node }) => node.workload === workload);
  const kazoos = of(workloads.kazoo);
  const brokers = of(workloads.rabbitmq).map((pod) => brokerOf(answers, pod));
  const views = kazoos.flatMap((pod) => viewOf(answers, pod));
  // Kazoo nodes query the database nodes.
  const databases = kazoos.flatMap((pod) => databasesOf(answers, pod));
  const names = kazoos.flatMap((pod) =>
    answers.results(pod, "names").map(([host, code]) => ({ from: pod.from, host, found: code === "0" })),
  );
  const unresolved = new Set(names.flatMap(({ from, host, found }) => (found ? [] : [`${from} ${host}`])));
  return {
    brokers,
    views,
    databases,
    names,
    running: [...brokers, ...databases, ...views].flatMap(({ running }) => running),
    copies: kazoos.flatMap((pod) =>
      (answers.read(pod, "copies", readShardMaps) ?? []).map((map) => ({ ring: pod.place.zone.ring, map })),
    ),
    // A port of a host without a name says nothing more.
    ports: kazoos
      .flatMap((pod) => portsOf(answers, pod))
      .filter(({ from, host }) => !unresolved.has(`${from} ${host}`)),
    logins: [
      ...databases.map(({ asker, host, code }) => ({ from: asker, to: host, secret: "of the database", code })),
      ...kazoos.flatMap((pod) => brokerLoginsOf(answers, pod)),
    ],
    clocks: asked.flatMap((pod) => {
      const [first, last] = [answers.read(pod, "first", Number), answers.read(pod, "last", Number)];
      const { from, sent, received } = pod;
      return first === undefined || last === undefined ? [] : [{ from, first, last, sent, received }];
    }),
    volumes: asked.flatMap((pod) => {
      const used = answers.read(pod, "volume", percentUsed);
      const workload = pod.node.workload === workloads.rabbitmq ? ("rabbitmq" as const) : ("database" as const);
      return used === undefined ? [] : [{ from: pod.from, workload, used }];
    }),
  };
}

/** Reads the answers of pods. */
class Answers {
  constructor(readonly unread: (what: string) => void) {}

  /** The content of a valid answer; undefined for any other. */
  read<T>({ from, answers }: AskedPod, name: string, parse: (text: string) => T | undefined): T | undefined {
    const answer = answers.get(name);
    if (answer?.code !== 0) return undefined;
    try {
      return parse(answer.text);
    } catch (error) {
      this.unread(`${from}: ${name}: ${error instanceof UserError ? error.message : "its answer cannot be read"}`);
      return undefined;
    }
  }

  /** Lines of a thing and the exit code of its check. */
  results(pod: AskedPod, name: string): [what: string, code: string][] {
    return (this.read(pod, name, (text) => text) ?? "").split("\n").flatMap((line): [string, string][] => {
      const [what = "", code] = line.split(" ");
      return code === undefined ? [] : [[what, code]];
    });
  }
}

const about = ({ place: { zone } }: AskedPod) => ({ ring: zone.ring, zone: zone.name });

/** What a node runs, if it says so. */
const runs = (pod: AskedPod, program: Running["program"], version: string | undefined): Running[] =>
  version === undefined ? [] : [{ ...about(pod), program, version }];

function brokerOf(answers: Answers, pod: AskedPod) {
  const version = answers.read(pod, "overview", readHttp<{ rabbitmq_version?: string }>)?.rabbitmq_version;
  return {
    from: pod.from,
    nodes: answers.read(pod, "nodes", readHttp<BrokerNode[]>),
    queues: answers.read(pod, "queues", readHttp<Queue[]>),
    running: runs(pod, "RabbitMQ", version),
  };
}

/** How a Kazoo node sees its ring. */
function viewOf(answers: Answers, pod: AskedPod) {
  const nodes = answers.read(pod, "nodes", readKnownNodes);
  if (nodes?.length === 0) answers.unread(`${pod.from}: nodes: Kazoo does not know its nodes yet`);
  if (nodes === undefined || nodes.length === 0) return [];
  const own = nodes.filter(({ node }) => node.endsWith(`@${pod.node.host}`));
  const running = own.flatMap(({ version }) => runs(pod, "Kazoo", version && kazooVersion(version)));
  return [{ ...about(pod), from: pod.from, nodes, running }];
}

/** How a Kazoo node reaches the database nodes of its zone. */
function databasesOf(answers: Answers, pod: AskedPod) {
  return nodesOfWorkload(pod.place, workloads.database).flatMap(({ name, host }) => {
    const from = `${pod.place.zone.name}/${name}`;
    const answer = answers.read(pod, `members ${host}`, readMembers);
    if (answer === undefined) return [];
    const { code, membership } = answer;
    if (membership === undefined) answers.unread(`${from}: members: HTTP status ${code}`);
    const welcome = answers.read(pod, `welcome ${host}`, (text) => JSON.parse(text) as Welcome);
    const version = welcome?.couchdb === "Welcome" ? (welcome.bigcouch ?? welcome.version) : undefined;
    return [
      { ...about(pod), asker: pod.from, from, host, code, membership, running: runs(pod, "the database", version) },
    ];
  });
}

/** A database's welcome page. */
interface Welcome {
  readonly couchdb?: string;
  readonly version?: string;
  readonly bigcouch?: string;
}

function portsOf(answers: Answers, pod: AskedPod) {
  return answers.results(pod, "ports").map(([place, code]) => {
    const [host = "", port] = place.split(":");
    const result = code === "0" ? ("open" as const) : code === "124" ? ("silent" as const) : ("closed" as const);
    return { from: pod.from, host, port: Number(port), result };
  });
}

const brokerLoginsOf = (answers: Answers, pod: AskedPod) =>
  nodesOfWorkload(pod.place, workloads.rabbitmq).flatMap(({ host }) => {
    const code = answers.read(pod, `login ${host}`, (text) => text.trim());
    return code === undefined ? [] : [{ from: pod.from, to: host, secret: "of the brokers", code }];
  });
