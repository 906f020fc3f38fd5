import type * as k8s from "@pulumi/kubernetes";
import { imagePullSecrets } from "./registries";
import type { EphemeralStorage } from "./resources";
import { podSecurity } from "./security";

type Pod = k8s.types.input.core.v1.PodSpec;

/** Where pods run, and how they are described, in Kubernetes' own words. */
export interface PodSettings {
  /** Labels of the nodes to run on. @default any node */
  readonly nodeSelector?: Readonly<Record<string, string>>;
  /** @default none */
  readonly tolerations?: k8s.types.input.core.v1.Toleration[];
  /** @default none */
  readonly affinity?: k8s.types.input.core.v1.Affinity;
  /** @default the cluster's default class */
  readonly priorityClassName?: string;
  /** @default the cluster's default scheduler */
  readonly schedulerName?: string;
  /** Annotations of the pods. @default none */
  readonly annotations?: Readonly<Record<string, string>>;
  /** Labels of the pods; the program's own win. @default none */
  readonly labels?: Readonly<Record<string, string>>;
  /** Time to stop before the pod is killed, in seconds. @default the workload's own */
  readonly terminationGracePeriodSeconds?: number;
}

/** The same for the pods of a Job. */
export interface JobSettings extends PodSettings {
  /** @default no ephemeral storage is requested, and none limited */
  readonly resources?: EphemeralStorage;
}

/** Timing of a probe; missing values are the workload's own. */
export interface ProbeTimings {
  readonly periodSeconds?: number;
  readonly timeoutSeconds?: number;
  readonly failureThreshold?: number;
}

/** The same for the pods of a StatefulSet. */
export interface NodeSettings extends PodSettings {
  /** What happens to a pod that could not be spread evenly over availability zones and nodes. @default ScheduleAnyway */
  readonly topologySpread?: "ScheduleAnyway" | "DoNotSchedule";
  readonly probes?: { readonly [P in "startup" | "liveness" | "readiness"]?: ProbeTimings };
}

/** Metadata of a pod template. @param labels the program's, which select the pods */
export const podMetadata = (
  labels: Record<string, string>,
  settings: PodSettings,
): k8s.types.input.meta.v1.ObjectMeta => ({
  labels: { ...settings.labels, ...labels },
  ...(settings.annotations === undefined ? {} : { annotations: settings.annotations }),
});

const specKeys = [
  "nodeSelector",
  "tolerations",
  "affinity",
  "priorityClassName",
  "schedulerName",
  "terminationGracePeriodSeconds",
] as const;

/**
 * What the specs of all pods have in common: the Pod Security level `restricted`, no token for the API server, no variables for the namespace's
 * Services, and what the settings give.
 * @param user uid and gid of the image's user
 * @param pullSecrets names of Secrets in the namespace for pulling its images. @default none
 */
export const podSpec = (user: number, settings: PodSettings, pullSecrets?: readonly string[]) => ({
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  securityContext: podSecurity(user),
  ...imagePullSecrets(pullSecrets),
  ...(Object.fromEntries(
    specKeys.filter((key) => settings[key] !== undefined).map((key) => [key, settings[key]]),
  ) as Partial<Pod>),
});

/**
 * Time that one node may take to be replaced, in minutes: to stop, to start, and three for the rest.
 * @param usual what is enough without settings
 * @param startup timing of the startup probe if the settings have none
 */
export function nodeMinutes(
  usual: number,
  startup: Required<Omit<ProbeTimings, "timeoutSeconds">>,
  { probes, terminationGracePeriodSeconds = 0 }: NodeSettings,
): number {
  const { periodSeconds, failureThreshold } = { ...startup, ...probes?.startup };
  return Math.max(usual, Math.ceil((periodSeconds * failureThreshold + terminationGracePeriodSeconds) / 60) + 3);
}
