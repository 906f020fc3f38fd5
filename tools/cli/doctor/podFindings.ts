import { type Ring, copiesOf } from "../../../config/platform";
import { brokerFindings, queueFindings } from "./checks/broker";
import { type Member, copyFindings, memberFindings } from "./checks/database";
import type { Finding } from "./checks/finding";
import { kazooFindings } from "./checks/kazoo";
import { clockFindings, loginFindings, nameFindings, portFindings, volumeFindings } from "./checks/pods";
import { unconfiguredFindings } from "./checks/versions";
import { type ExaminedZone, inRing } from "./examinedZone";
import type { PodFacts } from "./podFacts";

/** What is wrong according to the answers of pods. @param rings by name */
export const podFindings = (
  rings: Readonly<Record<string, Ring>>,
  places: readonly ExaminedZone[],
  facts: PodFacts,
): Finding[] => [
  ...facts.brokers.flatMap(({ from, nodes }) => (nodes === undefined ? [] : brokerFindings(from, nodes))),
  ...facts.brokers.flatMap(({ from, queues }) => (queues === undefined ? [] : queueFindings(from, queues))),
  ...Object.values(rings).flatMap((ring) => ringFindings(ring, inRing(places, ring.name), facts)),
  ...unconfiguredFindings(facts.running, rings),
  ...nameFindings(facts.names),
  ...portFindings(facts.ports),
  ...loginFindings(facts.logins),
  ...clockFindings(facts.clocks),
  ...volumeFindings(facts.volumes),
];

/** What is wrong with a ring. @param places its zones */
function ringFindings(ring: Ring, places: readonly ExaminedZone[], { databases, copies, views }: PodFacts): Finding[] {
  const ofRing = <T extends { readonly ring: string }>(all: readonly T[]) =>
    all.filter((one) => one.ring === ring.name);
  const members = places.flatMap(({ zone, selected }) =>
    selected.zone.nodes.database.map((name): Member => ({
      name,
      zone: zone.name,
      drained: zone.drained.includes("database"),
    })),
  );
  const kazoos = places.flatMap(({ zone, selected }) =>
    zone.drained.includes("kazoo") ? [] : selected.zone.nodes.kazoo.map((name) => ({ name, zone: zone.name })),
  );
  const memberViews = ofRing(databases).flatMap(({ from, membership }) =>
    membership === undefined ? [] : [{ from, membership }],
  );
  return [
    ...memberFindings(ring.name, ring.database, members, memberViews),
    ...copyFindings(
      ring.name,
      Math.min(copiesOf(ring), members.length),
      members.map(({ name }) => name),
      ofRing(copies).map(({ map }) => map),
    ),
    ...kazooFindings(ring.name, kazoos, ofRing(views)),
  ];
}
