import { workloads } from "../../../../components/names";
import type { ZoneHealth } from "../../cluster/health";
import { type Finding, some } from "./finding";

/** The findings in a zone's health. */
export function healthFindings(health: ZoneHealth): Finding[] {
  const { zone, problem, next, missing = [], nodes = {}, join, firstBoot } = health;
  const failed = Object.entries({ join, "first boot": firstBoot }).filter(([, state]) => state === "failed");
  const drained = Object.entries({
    [workloads.kazoo]: health.kazoo,
    [workloads.rabbitmq]: health.brokers,
    [workloads.database]: health.database,
  }).flatMap(([workload, { wanted }]) => (wanted === 0 ? [`${workload}-`] : []));
  const away = Object.entries(nodes).filter(
    ([node, { state }]) =>
      (state === "away" || state === "starting") && !drained.some((workload) => node.startsWith(workload)),
  );
  return [
    ...(problem === undefined
      ? []
      : [
          {
            kind: "error" as const,
            where: zone,
            what: problem,
            why: "the state of the zone is unknown",
            fix: next ?? "make sure that this machine can reach its cluster",
          },
        ]),
    ...(missing.length === 0
      ? []
      : [
          {
            kind: "error" as const,
            where: zone,
            what: `missing in the cluster: ${missing.join(", ")}`,
            why: "someone has deleted objects of the stack; new pods may not start without them",
            fix: next ?? "make up restores what is missing",
          },
        ]),
    ...away.map(([node, { state, waitsFor }]) => ({
      kind: "error" as const,
      where: `${zone}/${node}`,
      what:
        state === "away"
          ? "its pod does not exist"
          : `it is not ready: it waits for ${waitsFor ?? "an unknown reason"}`,
      why: "the zone runs without it",
      fix:
        state === "away"
          ? "kubectl describe statefulset shows why it was not created, for example because of a quota; Kubernetes recreates deleted pods"
          : `make logs ZONE=${zone} NODE=${node} shows its log`,
    })),
    ...failed.map(([job]) => ({
      kind: "error" as const,
      where: zone,
      what: `the Job for ${job} has failed`,
      why:
        job === "join"
          ? "the zone's database is not part of the ring"
          : "there is no master account, or anyone can read some databases",
      fix: "kubectl logs of its pod shows why; correct that, then make up runs it again",
    })),
  ];
}

/** A ResourceQuota, as the API server returns it. */
export interface Quota {
  readonly name: string;
  readonly hard: Readonly<Record<string, string>>;
  readonly used: Readonly<Record<string, string>>;
}

const units: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** Any Kubernetes quantity as a number; stack files accept fewer units. */
export function amount(quantity: string): number {
  const [, number = "", unit = ""] = /^([\d.]+(?:e\d+)?)([A-Za-z]*)$/.exec(quantity) ?? [];
  return Number(number) * (units[unit] ?? Number.NaN);
}

/** Quotas that leave little or no room for another pod. */
export const quotaFindings = (zone: string, quotas: readonly Quota[]): Finding[] =>
  quotas.flatMap(({ name, hard, used }) =>
    Object.entries(hard).flatMap(([resource, limit]): Finding[] => {
      const [now, most] = [used[resource] ?? "0", limit];
      const part = amount(now) / amount(most);
      if (!(part >= 0.9)) return [];
      return [
        {
          kind: part >= 1 ? "error" : "warning",
          where: zone,
          what: `the ResourceQuota ${name} allows ${most} of ${resource}, of which ${now} is used`,
          why: "a replacement pod must fit into the quota together with the other pods; if it does not, Kubernetes does not create it, and updates stall",
          fix: `ask its owner to raise it (kubectl describe quota ${name}), or lower replicas or resources in the stack's file`,
        },
      ];
    }),
  );

/** A PersistentVolumeClaim, as the API server returns it. */
export interface Claim {
  readonly name: string;
  readonly phase: string;
  /** Conditions with the status True. */
  readonly conditions: readonly { readonly type: string; readonly message?: string }[];
}

/** Claims without a volume, and those whose volume has yet to grow. */
export const claimFindings = (zone: string, claims: readonly Claim[]): Finding[] =>
  claims.flatMap(({ name, phase, conditions }): Finding[] => {
    const stuck = conditions.find(({ type }) => type === "FileSystemResizePending" || /ResizeError$/.test(type));
    if (phase === "Bound" && stuck === undefined) return [];
    return [
      {
        kind: phase === "Bound" ? "warning" : "error",
        where: zone,
        what:
          phase === "Bound"
            ? `the volume of ${name} has not grown yet: ${stuck?.message ?? stuck?.type}`
            : `the claim ${name} has no volume: it is ${phase}`,
        why:
          phase === "Bound" ? "the node keeps the old size until then" : "its pod cannot start, or has lost its data",
        fix:
          phase === "Bound"
            ? "delete its pod, if the storage class grows volumes only while they are not mounted"
            : `kubectl describe pvc ${name} shows why: no StorageClass, no room, or a deleted volume`,
      },
    ];
  });

/** A Secret that a zone's pods read. */
export interface NeededSecret {
  readonly name: string;
  readonly keys: readonly string[];
  /** Its keys with a value; undefined if the Secret does not exist. */
  readonly found: readonly string[] | undefined;
  /** Whether the stack creates it. */
  readonly own: boolean;
}

/** Secrets that lack keys, and missing Secrets of the operator; the stack's own are reported as missing objects. */
export const secretFindings = (zone: string, needed: readonly NeededSecret[]): Finding[] =>
  needed.flatMap(({ name, keys, found, own }): Finding[] => {
    const lacking = keys.filter((key) => found?.includes(key) !== true);
    if (lacking.length === 0 || (found === undefined && own)) return [];
    return [
      {
        kind: "error",
        where: zone,
        what: found === undefined ? `the Secret ${name} is missing` : `the Secret ${name} has no ${some(lacking)}`,
        why: "new pods wait for it; running pods keep the values that they have read",
        fix: own
          ? "make up restores it"
          : `create it again with the keys ${keys.join(", ")}, and the same values in all zones`,
      },
    ];
  });
