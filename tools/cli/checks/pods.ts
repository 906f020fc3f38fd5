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
    why: "nodes, brokers and databases know each other by these names; across clusters DNS must forward them",
    fix: "see whether its Service and pods are there; between clusters, forward the other cluster's domain (docs/networking.md)",
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
      why: "Kazoo needs this connection; docs/networking.md says what for",
      fix:
        result === "silent"
          ? "something drops the packets: a NetworkPolicy of others, a firewall or no route between the clusters' pod networks"
          : "nothing listens there: see whether the pod is ready (make status), and what it says (make logs)",
    };
  });

/** The HTTP status of a request with the credentials that a pod has. */
export interface Login {
  readonly from: string;
  readonly to: string;
  /** Name of the Secret that the credentials are in. */
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
    why: "Kazoo cannot work with it; a volume keeps the password that it was made with, whatever the Secret says later",
    fix: "make drift shows whether the Secret was changed; otherwise set the password there to that of the Secret again",
  }));

/** A pod's clock, in seconds, read between two moments of ours; the pod's are whole seconds. */
export interface Clock {
  readonly from: string;
  readonly first: number;
  readonly last: number;
  readonly sent: number;
  readonly received: number;
}

/** Differences above this, in seconds, are not a delay. */
const tolerance = 2;

/** Clocks that certainly differ from the others': each one's distance from ours is known up to the time that the request took. */
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
        why: "tokens are refused before they begin or after they end, and call records and changes come in the wrong order",
        fix: "let the Kubernetes node that it runs on follow a time server (chrony, systemd-timesyncd): kubectl get pod -o wide names it",
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
          ? "a full database refuses writes, and cannot compact, which needs room for a second copy"
          : "a broker without room takes no more messages",
      fix: `make grow WORKLOAD=${workload} ZONE=${from.split("/")[0]} TO=… makes it bigger while the pods run`,
    }));
