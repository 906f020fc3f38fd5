import { workloads } from "../../../components/names";
import type { ZoneHealth } from "../health";
import { type Finding, some } from "./finding";

/** What a zone's health says, as findings. */
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
            why: "nothing is known of the zone",
            fix: next ?? "see that its cluster can be reached from here",
          },
        ]),
    ...(missing.length === 0
      ? []
      : [
          {
            kind: "error" as const,
            where: zone,
            what: `missing in the cluster: ${missing.join(", ")}`,
            why: "somebody has deleted what the stack has made; pods that start next may not come up without it",
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
          ? "kubectl describe statefulset shows why it is not made, such as a quota; a pod that was deleted comes back by itself"
          : `make logs ZONE=${zone} NODE=${node} shows what it says`,
    })),
    ...failed.map(([job]) => ({
      kind: "error" as const,
      where: zone,
      what: `the Job of ${job} has failed`,
      why:
        job === "join"
          ? "the zone's database is not part of the ring"
          : "there is no master account, or databases are open to strangers",
      fix: "kubectl logs of its pod says why; correct that, then make up runs it again",
    })),
  ];
}

/** A ResourceQuota, as the API server has it. */
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

/** Any quantity of Kubernetes as a number; the stack's own are of fewer kinds. */
export function amount(quantity: string): number {
  const [, number = "", unit = ""] = /^([\d.]+(?:e\d+)?)([A-Za-z]*)$/.exec(quantity) ?? [];
  return Number(number) * (units[unit] ?? Number.NaN);
}

/** Quotas that leave no room for another pod, or little. */
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
          why: "a pod that is replaced must fit beside what remains: beyond the quota it is not made, and an update stands still",
          fix: `raise it with whoever owns it (kubectl describe quota ${name}), or lower replicas or resources in the stack's file`,
        },
      ];
    }),
  );

/** A PersistentVolumeClaim, as the API server has it. */
export interface Claim {
  readonly name: string;
  readonly phase: string;
  /** The conditions that hold. */
  readonly conditions: readonly { readonly type: string; readonly message?: string }[];
}

/** Claims without a volume, and those that wait to grow. */
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
            : `kubectl describe pvc ${name} shows why: no StorageClass, no room, or a volume that is gone`,
      },
    ];
  });

/** A Secret that a zone's pods read. */
export interface NeededSecret {
  readonly name: string;
  readonly keys: readonly string[];
  /** Its keys that are not empty; undefined if there is no such Secret. */
  readonly found: readonly string[] | undefined;
  /** Whether the stack makes it. */
  readonly own: boolean;
}

/** Secrets that lack keys, and those of the operator that are missing; the stack's own are among what is missing. */
export const secretFindings = (zone: string, needed: readonly NeededSecret[]): Finding[] =>
  needed.flatMap(({ name, keys, found, own }): Finding[] => {
    const lacking = keys.filter((key) => found?.includes(key) !== true);
    if (lacking.length === 0 || (found === undefined && own)) return [];
    return [
      {
        kind: "error",
        where: zone,
        what: found === undefined ? `the Secret ${name} is missing` : `the Secret ${name} has no ${some(lacking)}`,
        why: "pods that start next wait for it; those that run keep what they have read",
        fix: own
          ? "make up restores it"
          : `make it again with the keys ${keys.join(", ")}, with the same values in all zones`,
      },
    ];
  });
