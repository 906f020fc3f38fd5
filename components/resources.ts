import type * as k8s from "@pulumi/kubernetes";

/** What each pod requests and may use at most, as Kubernetes quantities: `500m`, `2Gi`. */
export interface Resources {
  readonly requests: Amounts & { readonly cpu: string };
  readonly limits: Amounts;
}

interface Amounts {
  readonly cpu?: string;
  readonly memory: string;
  /** Space on the node's disk. @default none is set */
  readonly ephemeralStorage?: string;
}

/** Space on the node's disk, for logs and temporary files. */
export interface EphemeralStorage {
  readonly requests?: { readonly ephemeralStorage?: string };
  readonly limits?: { readonly ephemeralStorage?: string };
}

/** Default resources. */
export const resourcesOf = ({ cpu, memory, limit }: { cpu: string; memory: string; limit: string }): Resources => ({
  requests: { cpu, memory },
  limits: { memory: limit },
});

/** The same in the form of a container's spec. */
export const containerResources = ({ requests, limits }: Resources): k8s.types.input.core.v1.ResourceRequirements => ({
  requests: kubernetesAmounts(requests),
  limits: kubernetesAmounts(limits),
});

const kubernetesAmounts = ({ ephemeralStorage, ...others }: Amounts) => ({
  ...others,
  ...(ephemeralStorage === undefined ? {} : { "ephemeral-storage": ephemeralStorage }),
});

/** Resources of a container that runs a small script, with the ephemeral storage of its workload. */
export const scriptResources = (memory: string, limit: string, { requests, limits }: EphemeralStorage = {}) =>
  containerResources({
    requests: { cpu: "10m", memory, ...onDisk(requests) },
    limits: { memory: limit, ...onDisk(limits) },
  });

const onDisk = ({ ephemeralStorage }: { readonly ephemeralStorage?: string } = {}) =>
  ephemeralStorage === undefined ? {} : { ephemeralStorage };
