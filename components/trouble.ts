/** The part of a pod that shows why it is not ready, as the API server returns it. */
export interface UnreadyPod {
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

/** A volume claim without a volume, and its newest event. */
export interface ClaimFacts {
  readonly name: string;
  readonly event: {
    readonly reason?: string;
    readonly type?: string;
    readonly message?: string;
    readonly count?: number;
  };
}

/** What Kubernetes knows of a StatefulSet whose pods are not all ready. */
export interface SetFacts {
  readonly pods: readonly UnreadyPod[];
  /** Why the next pod cannot be created, if it cannot. */
  readonly refused?: string;
  readonly claims?: readonly ClaimFacts[];
}

const fit = "add or free a node, or change resources, nodeSelector or tolerations in the stack's file";
const storage = "check storageClass in the stack's file, and the cluster's provisioner and volumes";
const pull = "check the image's name and tag, and the registry's login in kazoo:registries";
const missing = "restore what the message names; npx kazoo up restores what belongs to the stack";

/** Reasons for waiting containers that do not resolve by waiting longer, and what to do. */
const stuck: Readonly<Record<string, string>> = {
  CrashLoopBackOff: "kubectl logs --previous shows more of its output; correct the cause and run up again",
  CreateContainerConfigError: missing,
  CreateContainerError: missing,
  RunContainerError: missing,
  ErrImagePull: pull,
  ErrImageNeverPull: pull,
  ImagePullBackOff: pull,
  InvalidImageName: pull,
};

/**
 * What keeps pods from becoming ready, according to Kubernetes, and what to do: an image that cannot be pulled, a crashing container with its last
 * output, a pod that fits on no node, a claim that gets no volume, and pods that could not be created, for example because of a quota or a refused
 * admission.
 * @returns one line per problem; none if pods are merely starting
 */
export function troubles({ pods, refused, claims = [] }: SetFacts): string[] {
  const lines = [
    ...pods.flatMap(podTroubles),
    ...claims.flatMap(claimTroubles),
    ...(refused === undefined ? [] : [`${refused}; next: ${adviceOn(refused)}`]),
  ];
  return [...new Set(lines.map((line) => line.replace(/\s+/g, " ")))];
}

function podTroubles({ metadata, status }: UnreadyPod): string[] {
  const unscheduled = (status?.conditions ?? []).filter(
    ({ type, status, reason }) => type === "PodScheduled" && status === "False" && reason === "Unschedulable",
  );
  const containers = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const waiting = containers.flatMap(({ name, state, lastState }) => {
    const { reason = "", message } = state?.waiting ?? {};
    const advice = stuck[reason];
    if (advice === undefined) return [];
    const ended = lastState?.terminated;
    const words = reason !== "CrashLoopBackOff" || ended === undefined ? message : lastWords(ended);
    return [`container ${name}: ${reason}${words === undefined ? "" : `, ${words}`}; next: ${advice}`];
  });
  const lines = [
    ...unscheduled.map(
      ({ message }) =>
        `no node fits${message === undefined ? "" : `: ${message}`}; next: ` +
        (message?.includes("PersistentVolumeClaim") ? storage : fit),
    ),
    ...waiting,
  ];
  return lines.map((line) => `pod ${metadata?.name ?? "?"}: ${line}`);
}

/** A claim may wait for its pod's node, and for a provisioner that is about to answer; neither is a problem. */
function claimTroubles({ name, event: { reason, type, message, count = 1 } }: ClaimFacts): string[] {
  const isStuck = type === "Warning" || reason === "FailedBinding" || (reason === "ExternalProvisioning" && count > 2);
  if (!isStuck) return [];
  return [`claim ${name} is not bound: ${message ?? reason}; next: ` + storage];
}

const adviceOn = (refused: string): string =>
  refused.includes("exceeded quota")
    ? "raise the ResourceQuota, or reduce what the stack requests"
    : "change what the cluster's policy refuses, or the policy";

const lastWords = ({ exitCode, message }: { readonly exitCode: number; readonly message?: string }): string =>
  `exit code ${exitCode}${message === undefined || message === "" ? "" : `: ${message.trim().split("\n").slice(-3).join(" ")}`}`;
