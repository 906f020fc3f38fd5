import { join } from "node:path";
import { contextName } from "./kubeconfig";

/** Marks the nodes that KWOK simulates; it leaves all others alone. */
export const simulatedNodeAnnotation = ["kwok.x-k8s.io/node", "fake"] as const;

/** KWOK's stages in use, below the folder that comes with it: nodes and pods that are ready at once, Jobs that complete, claims that bind. */
export const stageFolders = (stages: string): string[] =>
  ["node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast"].map((folder) => join(stages, folder));

/** An object and where it is applied, below the API server's address. */
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
 * KWOK's default size of a node, and a disk, without which no pod that asks for ephemeral storage is scheduled. What is scheduled on it runs
 * nowhere.
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
