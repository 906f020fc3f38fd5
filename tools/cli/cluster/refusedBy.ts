import type { EngineEvent } from "../pulumi/eventLog";

/** What to do about a certificate that is not yet valid or has expired. */
export const wrongTime = `check this machine's clock ("date"); if it is right, renew the API server's certificate`;

/** Messages with which clusters refuse requests, and what a user can do about them. `$1` is replaced by a name from the message. */
const reasons: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [/exceeded quota: ([\w.-]+)/, "ResourceQuota $1 is exhausted: raise it, or reduce what the stack requests"],
  [
    /failed calling webhook "([^"]+)"/,
    "webhook $1 does not answer: restore it, or delete its configuration (kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations)",
  ],
  [/admission webhook "([^"]+)" denied the request/, "webhook $1 refuses the request: its message shows why"],
  [
    /etcdserver: mvcc: database space exceeded/,
    "the cluster's etcd is out of space and accepts no writes: compact and defragment it, or raise its quota, then etcdctl alarm disarm",
  ],
  [/namespace (\S+) because it is being terminated/, "namespace $1 is being deleted: wait until it is gone"],
  [/certificate has expired or is not yet valid/, wrongTime],
  [
    /connection refused|connection reset|\bEOF\b|i\/o timeout|TLS handshake timeout/,
    "lost the connection to an API server: wait until it answers again",
  ],
];

/** What a user can do about the errors of a run, without repetitions; empty if there is nothing to add. */
export function adviceOn(events: readonly EngineEvent[]): string[] {
  const advice = events.flatMap(({ diagnosticEvent }) => {
    const { severity, message = "" } = diagnosticEvent ?? {};
    if (severity !== "error") return [];
    // The first match counts: a connection to a missing webhook is also a refused connection.
    for (const [pattern, words] of reasons) {
      const found = pattern.exec(message);
      if (found !== null) return [words.replace("$1", found[1] ?? "")];
    }
    return [];
  });
  return [...new Set(advice)];
}
