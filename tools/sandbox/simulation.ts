import { join } from "node:path";
import { contextName } from "./kubeconfig";

/** Marks the nodes that KWOK simulates; it ignores all others. */
export const simulatedNodeAnnotation = ["kwok.x-k8s.io/node", "fake"] as const;

/** KWOK's stages in use, in its folder of stages: nodes and pods that are ready at once, Jobs that complete, claims that bind. */
export const stageFolders = (stages: string): string[] =>
  ["node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast"].map((folder) => join(stages, folder));

/** An object and its path on the API server. */
interface Placed {
  readonly path: string;
  readonly object: object;
}

/** The default StorageClass: the one whose claims KWOK's stages provision and bind. */
export const storageClass: Placed = {
  path: "/apis/storage.k8s.io/v1/storageclasses/kwok-volume",
  object: {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "kwok-volume", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    provisioner: "kwok.x-k8s.io/volume",
    reclaimPolicy: "Delete",
    volumeBindingMode: "Immediate",
    allowVolumeExpansion: true,
  },
};

/**
 * KWOK's default size of a node, and a disk: without it, no pod that requests ephemeral storage is scheduled. Pods on these nodes do not really
 * run.
 */
const nodeSize = { cpu: "1k", memory: "1Ti", pods: "1M", "ephemeral-storage": "1Ti" };

/** The simulated nodes of a cluster: `count` of them, spread over three zones of one region. */
export function simulatedNodes(cluster: string, count: number): Placed[] {
  return Array.from({ length: count }, (_, index) => {
    const zone = `${cluster}-${"abc".charAt(index % 3)}`;
    const name = `${contextName(zone)}-${Math.floor(index / 3) + 1}`;
    const [mark, value] = simulatedNodeAnnotation;
    return {
      path: `/api/v1/nodes/${name}`,
      object: {
        apiVersion: "v1",
        kind: "Node",
        metadata: {
          name,
          annotations: { [mark]: value },
          labels: {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "topology.kubernetes.io/region": cluster,
            "topology.kubernetes.io/zone": zone,
          },
        },
        status: { capacity: nodeSize, allocatable: nodeSize },
      },
    };
  });
}
