import { setMaxListeners } from "node:events";
import { workloads } from "../../../components/names";
import { type KubernetesCluster, type Platform, type Ring, type Zone, copiesOf } from "../../../config/platform";
import { type BrokerNode, type Queue, brokerFindings, queueFindings } from "./checks/broker";
import { certificateFindings } from "./checks/certificate";
import { type Member, copyFindings, memberFindings } from "./checks/database";
import type { Finding } from "./checks/finding";
import { kazooFindings, kazooVersion, readKnownNodes } from "./checks/kazoo";
import { claimFindings, healthFindings, quotaFindings, secretFindings } from "./checks/objects";
import { clockFindings, loginFindings, nameFindings, percentUsed, portFindings, volumeFindings } from "./checks/pods";
import { type Running, differingFindings, unconfiguredFindings, upgradeFindings } from "./checks/versions";
import { readShardMaps } from "../runbook/shards/copies";
import type { ZoneHealth } from "../cluster/health";
import { SimulatedPodError, asking } from "../cluster/kubernetes";
import { type SelectedZone, type ZoneNode, hostsIn, nodesOf } from "../cluster/nodes";
import {
  aroundMachine,
  brokerQuestions,
  connectionQuestions,
  copyQuestion,
  databaseQuestions,
  kazooQuestions,
  readHttp,
  readMembers,
} from "./podQuestions";
import { type Answer, type Questions, askPod } from "../cluster/questions";
import { runningImages } from "../cluster/runningImages";
import { claimsOf, neededSecrets, quotasOf, tlsSecretOf } from "./zoneObjects";
import { UserError } from "../../shared/terminal";
import { sideBySide } from "../../shared/turns";

/** What is wrong with a stack, and what could not be checked. */
export interface Examination {
  readonly findings: readonly Finding[];
  /** `ZONE/POD: why it could not be checked`. */
  readonly unasked: readonly string[];
  /** Whether pods are simulated, so that nothing in them can answer. */
  readonly simulated: boolean;
}

/** `status` makes one quick round; `doctor` also checks names, ports, credentials, clocks and volumes from inside, and quotas and Secrets. */
export type Depth = "status" | "doctor";

/** How long one question, and all questions to a pod, may take, in seconds. */
const patience = { status: { question: 15, pod: 20 }, doctor: { question: 30, pod: 60 } } as const;

/** Number of pods that are queried at a time. */
const atATime = 64;

/** A zone on Kubernetes, from the stack's file and its outputs. */
interface Place {
  readonly selected: SelectedZone;
  readonly cluster: KubernetesCluster;
  readonly zone: Zone;
  readonly ring: Ring;
  /** Nodes that should run. */
  readonly nodes: readonly ZoneNode[];
}

/** A pod with the questions to it, and its answers. */
interface Asked {
  readonly place: Place;
  readonly node: ZoneNode;
  readonly from: string;
  readonly answers: ReadonlyMap<string, Answer>;
  readonly sent: number;
  readonly received: number;
}

/** Queries the pods and API servers of a stack's zones in parallel, and evaluates the answers. Zones on Docker are skipped. */
export async function examine(platform: Platform, zones: readonly SelectedZone[], depth: Depth): Promise<Examination> {
  const places = zones.flatMap((selected) => placeOf(platform, selected));
  const unasked: string[] = [];
  let simulated = false;
  // In `status`, all pods share one time limit, so that it never waits for more than one round.
  const together = AbortSignal.timeout(patience[depth].pod * 1000);
  // Each pod adds a listener; Node.js would warn about more than ten.
  setMaxListeners(0, together);
  const ask = async ({ place, node, questions }: ReturnType<typeof questionsOf>[number]): Promise<Asked[]> => {
    if (node.place.kind !== "pod") return [];
    const from = `${place.zone.name}/${node.name}`;
    const sent = Date.now() / 1000;
    const signal = depth === "status" ? together : AbortSignal.timeout(patience[depth].pod * 1000);
    try {
      const answers = await askPod(node.place, questions, patience[depth].question, signal);
      for (const [name, { code }] of answers)
        if (code !== 0) unasked.push(`${from}: ${name}: ${code === 124 ? "took too long" : `exit code ${code}`}`);
      return [{ place, node, from, answers, sent, received: Date.now() / 1000 }];
    } catch (error) {
      if (error instanceof SimulatedPodError) simulated = true;
      else unasked.push(`${from}: ${reason(error)}`);
      return [];
    }
  };
  const inCluster = async (place: Place): Promise<Finding[]> => {
    try {
      return await objectFindings(place, depth, (what) => unasked.push(`${place.zone.name}: you may not see ${what}`));
    } catch (error) {
      unasked.push(`${place.zone.name}: ${reason(error)}`);
      return [];
    }
  };
  const [asked, ofObjects] = await Promise.all([
    sideBySide(
      atATime,
      places.flatMap((place) => questionsOf(place, places, depth)),
      ask,
    ),
    Promise.all(places.map(inCluster)),
  ]);
  const findings = [
    ...upgradeFindings(Object.values(platform.rings)),
    ...ofObjects.flat(),
    ...answerFindings(platform, places, asked.flat(), unasked),
  ];
  return { findings, unasked, simulated };
}

function reason(error: unknown): string {
  if (!(error instanceof UserError)) throw error;
  return error.message;
}

/** Findings from the state of zones in the clusters: all of them, or those that the table of `status` does not show. */
export const stateFindings = (health: readonly ZoneHealth[], depth: Depth): Finding[] => [
  ...(depth === "doctor" ? health.flatMap(healthFindings) : []),
  ...differingFindings(imagesOf(health)),
];

const programs = {
  [workloads.kazoo]: "Kazoo",
  [workloads.rabbitmq]: "RabbitMQ",
  [workloads.database]: "the database",
} as const;

/** The images of all nodes, with their rings. */
function imagesOf(health: readonly ZoneHealth[]): Running[] {
  return [...new Set(health.map(({ ring }) => ring))].flatMap((ring) =>
    runningImages(health.filter((zone) => zone.ring === ring)).flatMap(({ workload, zones, name, digest }) =>
      zones.map((zone) => ({
        ring,
        zone,
        program: programs[workload as keyof typeof programs],
        version: digest === undefined ? name : `${name}@${digest.slice(0, "sha256:".length + 12)}`,
      })),
    ),
  );
}

function placeOf({ zones, rings }: Platform, selected: SelectedZone): Place[] {
  const { cluster } = selected;
  const zone = zones.find(({ name }) => name === selected.name);
  const ring = rings[selected.zone.ring];
  if (cluster.kind === "docker" || zone === undefined || ring === undefined) return [];
  const nodes = nodesOf(hostsIn(selected.zone), cluster).filter(
    ({ workload }) => !zone.drained.includes(workload === workloads.database ? "database" : workload),
  );
  return [{ selected, cluster, zone, ring, nodes }];
}

const inRing = (places: readonly Place[], ring: string): Place[] => places.filter(({ zone }) => zone.ring === ring);

const nodesOfWorkload = ({ nodes }: Place, workload: ZoneNode["workload"]): ZoneNode[] =>
  nodes.filter((node) => node.workload === workload);

/** All pods of a zone with the questions to each. */
function questionsOf(place: Place, places: readonly Place[], depth: Depth) {
  const { zone, ring, nodes, selected } = place;
  const kazoo = nodesOfWorkload(place, workloads.kazoo);
  const ringPlaces = inRing(places, zone.ring);
  const speaksForRing = ringPlaces.find((one) => nodesOfWorkload(one, workloads.kazoo).length > 0) === place;
  const hostsOf = (all: readonly Place[], workload: ZoneNode["workload"]) =>
    all.flatMap((one) => nodesOfWorkload(one, workload).map(({ host }) => host));
  const ofKazoo = (node: ZoneNode): Questions => ({
    ...kazooQuestions(),
    ...(node === kazoo[0] ? databaseQuestions(hostsOf([place], workloads.database)) : {}),
    ...(node === kazoo[0] && speaksForRing ? copyQuestion(ring.database, selected.zone.endpoints.database) : {}),
    ...(depth === "doctor"
      ? connectionQuestions(ring.database, {
          brokers: hostsOf(ringPlaces, workloads.rabbitmq),
          database: hostsOf(ringPlaces, workloads.database),
          kazoo: hostsOf(ringPlaces, workloads.kazoo),
          ownBrokers: hostsOf([place], workloads.rabbitmq),
          databaseService: new URL(selected.zone.endpoints.database).hostname,
        })
      : {}),
  });
  return nodes.flatMap((node) => {
    const questions =
      node.workload === workloads.kazoo ? ofKazoo(node) : node.workload === workloads.rabbitmq ? brokerQuestions() : {};
    const all = depth === "doctor" ? aroundMachine(node, ring.database, questions) : questions;
    return Object.keys(all).length === 0 ? [] : [{ place, node, questions: all }];
  });
}

/** Findings from a zone's objects. @param hidden receives what the user may not see */
async function objectFindings(
  { cluster, zone, ring }: Place,
  depth: Depth,
  hidden: (what: string) => void,
): Promise<Finding[]> {
  const { name, namespace } = zone;
  const judge = async <T>(what: string, answer: Promise<T | undefined>, check: (found: T) => Finding[]) => {
    const found = await answer;
    if (found !== undefined) return check(found);
    hidden(what);
    return [];
  };
  const usual = [
    judge("Secrets", tlsSecretOf(cluster, zone), (secret) =>
      secret === null ? [] : certificateFindings(name, secret, new Date()),
    ),
  ];
  const deep = () => [
    judge("Secrets", neededSecrets(cluster, zone, ring), (secrets) => secretFindings(name, secrets)),
    judge("ResourceQuotas", quotasOf(cluster, namespace), (quotas) => quotaFindings(name, quotas)),
    judge("PersistentVolumeClaims", claimsOf(cluster, namespace), (claims) => claimFindings(name, claims)),
  ];
  return (await asking(cluster, () => Promise.all([...usual, ...(depth === "doctor" ? deep() : [])]))).flat();
}

/** Evaluates the answers of all pods. @param unasked receives answers that cannot be read */
function answerFindings(
  { rings }: Platform,
  places: readonly Place[],
  asked: readonly Asked[],
  unasked: string[],
): Finding[] {
  /** The content of a valid answer; undefined for any other. */
  const read = <T>({ from, answers }: Asked, name: string, parse: (text: string) => T | undefined): T | undefined => {
    const answer = answers.get(name);
    if (answer?.code !== 0) return undefined;
    try {
      return parse(answer.text);
    } catch (error) {
      unasked.push(`${from}: ${name}: ${error instanceof UserError ? error.message : "its answer cannot be read"}`);
      return undefined;
    }
  };
  const json = <T>(one: Asked, name: string) => read(one, name, (text) => JSON.parse(text) as T);
  const of = (workload: ZoneNode["workload"]) => asked.filter(({ node }) => node.workload === workload);
  const about = ({ place: { zone } }: Asked) => ({ ring: zone.ring, zone: zone.name });
  const lines = (one: Asked, name: string): [string, string][] =>
    (read(one, name, (text) => text) ?? "").split("\n").flatMap((line): [string, string][] => {
      const [what = "", code] = line.split(" ");
      return code === undefined ? [] : [[what, code]];
    });

  const brokers = of(workloads.rabbitmq).map((one) => ({
    one,
    nodes: read(one, "nodes", readHttp<BrokerNode[]>),
    queues: read(one, "queues", readHttp<Queue[]>),
    version: read(one, "overview", readHttp<{ rabbitmq_version?: string }>)?.rabbitmq_version,
  }));
  const views = of(workloads.kazoo).flatMap((one) => {
    const nodes = read(one, "nodes", readKnownNodes);
    if (nodes?.length === 0) unasked.push(`${one.from}: nodes: Kazoo does not know its nodes yet`);
    return nodes === undefined || nodes.length === 0
      ? []
      : [{ ...about(one), from: one.from, host: one.node.host, nodes }];
  });
  // Kazoo nodes query the database nodes.
  const databases = of(workloads.kazoo).flatMap((one) =>
    nodesOfWorkload(one.place, workloads.database).flatMap((node) => {
      const from = `${one.place.zone.name}/${node.name}`;
      const answer = read(one, `members ${node.host}`, readMembers);
      if (answer === undefined) return [];
      const { code, membership } = answer;
      if (membership === undefined) unasked.push(`${from}: members: HTTP status ${code}`);
      const welcome = json<{ couchdb?: string; version?: string; bigcouch?: string }>(one, `welcome ${node.host}`);
      const version = welcome?.couchdb === "Welcome" ? (welcome.bigcouch ?? welcome.version) : undefined;
      return [{ ...about(one), asker: one.from, from, host: node.host, code, membership, version }];
    }),
  );
  const running: Running[] = [
    ...brokers.flatMap(({ one, version }) =>
      version === undefined ? [] : [{ ...about(one), program: "RabbitMQ" as const, version }],
    ),
    ...databases.flatMap(({ ring, zone, version }) =>
      version === undefined ? [] : [{ ring, zone, program: "the database" as const, version }],
    ),
    ...views.flatMap(({ ring, zone, host, nodes }) =>
      nodes.flatMap(({ node, version }) =>
        version !== undefined && node.endsWith(`@${host}`)
          ? [{ ring, zone, program: "Kazoo" as const, version: kazooVersion(version) }]
          : [],
      ),
    ),
  ];
  const resolved = of(workloads.kazoo).flatMap((one) =>
    lines(one, "names").map(([host, code]) => ({ from: one.from, host, found: code === "0" })),
  );
  const unresolved = new Set(resolved.flatMap(({ from, host, found }) => (found ? [] : [`${from} ${host}`])));

  return [
    ...brokers.flatMap(({ one, nodes }) => (nodes === undefined ? [] : brokerFindings(one.from, nodes))),
    ...brokers.flatMap(({ one, queues }) => (queues === undefined ? [] : queueFindings(one.from, queues))),
    ...Object.entries(rings).flatMap(([name, ring]) => {
      const own = inRing(places, name);
      const members = own.flatMap(({ zone, selected }) =>
        selected.zone.nodes.database.map((node): Member => ({
          name: node,
          zone: zone.name,
          drained: zone.drained.includes("database"),
        })),
      );
      const maps = of(workloads.kazoo)
        .filter(({ place }) => place.zone.ring === name)
        .flatMap((one) => read(one, "copies", readShardMaps) ?? []);
      return [
        ...memberFindings(
          name,
          ring.database,
          members,
          databases.flatMap(({ ring: of, from, membership }) =>
            of === name && membership !== undefined ? [{ from, membership }] : [],
          ),
        ),
        ...copyFindings(
          name,
          Math.min(copiesOf(ring), members.length),
          members.map((member) => member.name),
          maps,
        ),
        ...kazooFindings(
          name,
          own.flatMap(({ zone, selected }) =>
            zone.drained.includes("kazoo")
              ? []
              : selected.zone.nodes.kazoo.map((node) => ({ name: node, zone: zone.name })),
          ),
          views.filter(({ ring: of }) => of === name),
        ),
      ];
    }),
    ...unconfiguredFindings(running, rings),
    ...nameFindings(resolved),
    ...portFindings(
      of(workloads.kazoo).flatMap((one) =>
        lines(one, "ports").flatMap(([place, code]) => {
          const [host = "", port] = place.split(":");
          const result = code === "0" ? "open" : code === "124" ? "silent" : "closed";
          return unresolved.has(`${one.from} ${host}`) ? [] : [{ from: one.from, host, port: Number(port), result }];
        }),
      ),
    ),
    ...loginFindings([
      ...databases.map(({ asker, host, code }) => ({ from: asker, to: host, secret: "of the database", code })),
      ...of(workloads.kazoo).flatMap((one) =>
        nodesOfWorkload(one.place, workloads.rabbitmq).flatMap(({ host }) => {
          const code = read(one, `login ${host}`, (text) => text.trim());
          return code === undefined ? [] : [{ from: one.from, to: host, secret: "of the brokers", code }];
        }),
      ),
    ]),
    ...clockFindings(
      asked.flatMap((one) => {
        const [first, last] = [read(one, "first", Number), read(one, "last", Number)];
        return first === undefined || last === undefined
          ? []
          : [{ from: one.from, first, last, sent: one.sent, received: one.received }];
      }),
    ),
    ...volumeFindings(
      asked.flatMap((one) => {
        const used = read(one, "volume", percentUsed);
        const workload = one.node.workload === workloads.rabbitmq ? "rabbitmq" : "database";
        return used === undefined ? [] : [{ from: one.from, workload, used }];
      }),
    ),
  ];
}
