import { counted, type Finding, groupedBy, some } from "./finding";

/** A host name, and whether it resolves in a pod. */
export interface Lookup {
  readonly from: string;
  readonly host: string;
  readonly found: boolean;
}

/** Names that do not resolve. */
export const nameFindings = (lookups: readonly Lookup[]): Finding[] =>
  groupedBy(
    lookups.filter(({ found }) => !found),
    ({ host }) => host,
  ).map(([host, own]) => ({
    kind: "error",
    where: some(own.map(({ from }) => from)),
    what: `the name ${host} does not resolve`,
    why: "nodes, brokers and databases connect by these names; between clusters, DNS must forward them",
    fix: "check that its Service and pods exist; between clusters, forward the other cluster's domain (docs/networking.md)",
  }));

/** An attempt to connect from a pod. */
export interface Attempt {
  readonly from: string;
  readonly host: string;
  readonly port: number;
  /** `silent`: nothing answered in time. */
  readonly result: "open" | "closed" | "silent";
}

/** Ports that cannot be reached. */
export const portFindings = (attempts: readonly Attempt[]): Finding[] =>
  groupedBy(
    attempts.filter(({ result }) => result !== "open"),
    ({ host, port, result }) => `${host}:${port} ${result}`,
  ).map(([, own]) => {
    const { host, port, result } = own[0] as Attempt;
    return {
      kind: "error",
      where: some(own.map(({ from }) => from)),
      what: `${host}:${port} ${result === "silent" ? "does not answer" : "refuses the connection"}`,
      why: "Kazoo needs this connection; docs/networking.md explains what for",
      fix:
        result === "silent"
          ? "something drops the packets: another NetworkPolicy, a firewall, or a missing route between the clusters' pod networks"
          : "nothing listens there: check whether the pod is ready (make status), and read its log (make logs)",
    };
  });

/** The HTTP status of a request with a pod's credentials. */
export interface Login {
  readonly from: string;
  readonly to: string;
  /** Name of the Secret with the credentials. */
  readonly secret: string;
  /** 000: no answer. */
  readonly code: string;
}

/** Credentials that are refused. */
export const loginFindings = (logins: readonly Login[]): Finding[] =>
  groupedBy(
    logins.filter(({ code }) => code === "401" || code === "403"),
    ({ to }) => to,
  ).map(([to, own]) => ({
    kind: "error",
    where: some(own.map(({ from }) => from)),
    what: `${to} refuses the user and password of the Secret ${own[0]?.secret}`,
    why: "Kazoo cannot use it; a volume keeps the password that it was created with, even if the Secret changes later",
    fix: "make drift shows whether someone changed the Secret; if not, set the store's password to the Secret's again",
  }));

/** A pod's clock in whole seconds, with the times on this machine before and after the reading. */
export interface Clock {
  readonly from: string;
  readonly first: number;
  readonly last: number;
  readonly sent: number;
  readonly received: number;
}

/** Differences above this, in seconds, are not a delay. */
const tolerance = 2;

/** Clocks that certainly differ from the others: the offset of each from ours is known to within the duration of its request. */
export function clockFindings(clocks: readonly Clock[]): Finding[] {
  const known = clocks
    .map(({ from, first, last, sent, received }) => ({ from, least: last - received, most: first + 1 - sent }))
    .sort((a, b) => a.least + a.most - (b.least + b.most));
  const middle = known[Math.floor(known.length / 2)];
  if (middle === undefined) return [];
  return known.flatMap(({ from, least, most }): Finding[] => {
    const off = Math.max(least - middle.most, middle.least - most);
    if (off <= tolerance) return [];
    return [
      {
        kind: "error",
        where: from,
        what: `its clock is at least ${counted(Math.floor(off), "second")} ${least > middle.most ? "ahead of" : "behind"} the others`,
        why: "tokens seem not yet valid or already expired, and call records and changes get the wrong order",
        fix: "synchronise its Kubernetes node with a time server (chrony, systemd-timesyncd); kubectl get pod -o wide names the node",
      },
    ];
  });
}

/** How full a pod's volume is. */
export interface Fullness {
  readonly from: string;
  readonly workload: "rabbitmq" | "database";
  /** In percent. */
  readonly used: number;
}

/** Reads `df -P`. */
export function percentUsed(printed: string): number | undefined {
  const percent = /\s(\d+)%\s/.exec(printed.trim().split("\n").at(-1) ?? "")?.[1];
  return percent === undefined ? undefined : Number(percent);
}

/** Volumes that are nearly full. */
export const volumeFindings = (volumes: readonly Fullness[]): Finding[] =>
  volumes
    .filter(({ used }) => used >= 80)
    .map(({ from, workload, used }) => ({
      kind: used >= 95 ? "error" : "warning",
      where: from,
      what: `its volume is ${used} % full`,
      why:
        workload === "database"
          ? "a full database refuses writes, and cannot compact, because compaction needs room for a second copy"
          : "a broker with a full disk accepts no more messages",
      fix: `make grow WORKLOAD=${workload} ZONE=${from.split("/")[0]} TO=… enlarges it while the pods run`,
    }));
