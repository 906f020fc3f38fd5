import { setMaxListeners } from "node:events";
import { workloads } from "../../../components/names";
import type { Platform } from "../../../config/platform";
import { sideBySide } from "../../shared/turns";
import { UserError } from "../../shared/terminal";
import type { ZoneHealth } from "../cluster/health";
import { SimulatedPodError, asking } from "../cluster/kubernetes";
import type { SelectedZone, ZoneNode } from "../cluster/nodes";
import { type Questions, askPod } from "../cluster/questions";
import { runningImages } from "../cluster/runningImages";
import { certificateFindings } from "./checks/certificate";
import type { Finding } from "./checks/finding";
import { claimFindings, healthFindings, quotaFindings, secretFindings } from "./checks/objects";
import { type Running, differingFindings, upgradeFindings } from "./checks/versions";
import { type ExaminedZone, inRing, nodesOfWorkload, examinedZone } from "./examinedZone";
import { type AskedPod, podFacts } from "./podFacts";
import { podFindings } from "./podFindings";
import {
  aroundMachine,
  brokerQuestions,
  connectionQuestions,
  copyQuestion,
  databaseQuestions,
  kazooQuestions,
} from "./podQuestions";
import { claimsOf, neededSecrets, quotasOf, tlsSecretOf } from "./zoneObjects";

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

/** Queries the pods and API servers of a stack's zones in parallel, and evaluates the answers. Zones on Docker are skipped. */
export async function examine(platform: Platform, zones: readonly SelectedZone[], depth: Depth): Promise<Examination> {
  const places = zones.flatMap((selected) => examinedZone(platform, selected));
  const unasked: string[] = [];
  let simulated = false;
  // In `status`, all pods share one time limit, so that it never waits for more than one round.
  const together = AbortSignal.timeout(patience[depth].pod * 1000);
  // Each pod adds a listener; Node.js would warn about more than ten.
  setMaxListeners(0, together);
  const ask = async ({ place, node, questions }: ReturnType<typeof questionsOf>[number]): Promise<AskedPod[]> => {
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
  const inCluster = async (place: ExaminedZone): Promise<Finding[]> => {
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
    ...podFindings(
      platform.rings,
      places,
      podFacts(asked.flat(), (what) => unasked.push(what)),
    ),
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

/** All pods of a zone with the questions to each. */
function questionsOf(place: ExaminedZone, places: readonly ExaminedZone[], depth: Depth) {
  const { zone, ring, nodes, selected } = place;
  const kazoo = nodesOfWorkload(place, workloads.kazoo);
  const ringPlaces = inRing(places, zone.ring);
  const speaksForRing = ringPlaces.find((one) => nodesOfWorkload(one, workloads.kazoo).length > 0) === place;
  const hostsOf = (all: readonly ExaminedZone[], workload: ZoneNode["workload"]) =>
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
  { cluster, zone, ring }: ExaminedZone,
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
