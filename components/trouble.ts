/** The part of a pod that shows why it is not ready, as the API server returns it. */
export interface PodFacts {
  readonly metadata?: { readonly name?: string };
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
    }[];
    readonly initContainerStatuses?: readonly ContainerFacts[];
    readonly containerStatuses?: readonly ContainerFacts[];
  };
}

interface ContainerFacts {
  readonly name: string;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
  readonly lastState?: { readonly terminated?: { readonly exitCode: number; readonly message?: string } };
}

/** Reasons for waiting containers that do not resolve by waiting longer. */
const stuck = new Set([
  "CrashLoopBackOff",
  "CreateContainerConfigError",
  "CreateContainerError",
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
]);

/**
 * What keeps pods from becoming ready, according to Kubernetes: an image that cannot be pulled, a crashing container with its last output, a pod
 * that fits on no node, and pods that could not be created, for example because of a quota or a refused admission.
 * @param failures messages of the StatefulSet's events with the reason FailedCreate
 * @returns one line per problem; none if pods are merely starting
 */
export function troubles(pods: readonly PodFacts[], failures: readonly string[]): string[] {
  return [...new Set([...pods.flatMap(podTroubles), ...failures.slice(-1)])].map((line) => line.replace(/\s+/g, " "));
}

function podTroubles({ metadata, status }: PodFacts): string[] {
  const unscheduled = (status?.conditions ?? []).filter(
    ({ type, status, reason }) => type === "PodScheduled" && status === "False" && reason === "Unschedulable",
  );
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const waiting = containers.flatMap(({ name, state, lastState }) => {
    const { reason = "", message } = state?.waiting ?? {};
    if (!stuck.has(reason)) return [];
    const ended = lastState?.terminated;
    const words = reason !== "CrashLoopBackOff" || ended === undefined ? message : lastWords(ended);
    return [`container ${name}: ${reason}${words === undefined ? "" : `, ${words}`}`];
  });
  const lines = [
    ...unscheduled.map(({ message }) => `no node fits${message === undefined ? "" : `: ${message}`}`),
    ...waiting,
  ];
  return lines.map((line) => `pod ${metadata?.name ?? "?"}: ${line}`);
}

const lastWords = ({ exitCode, message }: { readonly exitCode: number; readonly message?: string }): string =>
  `exit code ${exitCode}${message === undefined ? "" : `: ${message.trim().split("\n").slice(-3).join(" ")}`}`;
