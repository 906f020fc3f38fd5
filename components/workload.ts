import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { SecretKeys } from "../config/credentials";
import type { NodeSettings } from "./pods";
import type { Rollouts } from "./rollout";

/** The volume of each pod. */
export interface Volume {
  /** Size, as a Kubernetes quantity: `20Gi`. */
  readonly storage: string;
  /** @default the cluster's default StorageClass */
  readonly storageClass?: string;
}

/** Arguments of components that read credentials from Secrets. */
export interface SecretArgs {
  /** Keys of the Secrets, by purpose, if they have other names than those given here. @default none */
  readonly secretKeys?: SecretKeys;
}

/** Arguments of all workloads of a datacenter. */
export interface WorkloadArgs extends NodeSettings, SecretArgs {
  /** An existing namespace; names in it are fixed, so it holds one datacenter. */
  readonly namespace: pulumi.Input<string>;
  /** DNS domain of the cluster. @default cluster.local */
  readonly clusterDomain?: string;
  /** Names of Secrets in the namespace for pulling images. @default none */
  readonly pullSecrets?: readonly string[];
  /** Whether it currently runs no pods; volumes stay. @default false */
  readonly drained?: boolean;
  /** Waits for rollouts before dependents of this workload's `rolled` change. @default the provider's own waiting */
  readonly rollouts?: Rollouts;
}

/** The default DNS domain of a cluster. */
export const defaultClusterDomain = "cluster.local";

/** A value of a Secret in the pod's namespace, for `env`. @param keys those with other names */
export const fromSecret = <K extends string>(
  name: pulumi.Input<string>,
  key: K,
  keys: { readonly [key in K]?: string } = {},
) => ({ secretKeyRef: { name, key: keys[key] ?? key } });

/** Variables for the username and the password in a Secret of the pod's namespace. @param keys those with other names */
export const loginFrom = (
  secretName: pulumi.Input<string>,
  [username, password]: readonly [username: string, password: string],
  keys?: SecretKeys["rabbitmq"],
): k8s.types.input.core.v1.EnvVar[] => [
  { name: username, valueFrom: fromSecret(secretName, "username", keys) },
  { name: password, valueFrom: fromSecret(secretName, "password", keys) },
];

/** The volume with Kazoo's cookie, in the file `cookie`. */
export const cookieVolume = (
  secretName: pulumi.Input<string>,
  { cookie }: NonNullable<SecretKeys["cookie"]> = {},
): k8s.types.input.core.v1.Volume => ({
  name: "erlang-cookie",
  secret: {
    secretName,
    defaultMode: 0o440,
    ...(cookie === undefined ? {} : { items: [{ key: cookie, path: "cookie" }] }),
  },
});

/** Entries sorted by key, so that another order in a stack's file rolls no pods. */
export const sorted = <T>(settings: Readonly<Record<string, T>>): [key: string, value: T][] =>
  Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));

/** The claim of each pod's volume. Kubernetes replaces a StatefulSet whose claims change: see docs/runbooks.md#grow-a-volume. */
export function volumeClaim(
  name: string,
  labels: Record<string, string>,
  { storage, storageClass }: Volume,
): k8s.types.input.core.v1.PersistentVolumeClaim {
  return {
    metadata: { name, labels },
    spec: {
      accessModes: ["ReadWriteOnce"],
      ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
      resources: { requests: { storage } },
    },
  };
}

/** A disruption budget that allows draining one pod of a workload at a time, and unhealthy pods at any time. */
export const oneAtATime = (labels: Record<string, string>): k8s.types.input.policy.v1.PodDisruptionBudgetSpec => ({
  maxUnavailable: 1,
  unhealthyPodEvictionPolicy: "AlwaysAllow",
  selector: { matchLabels: labels },
});
