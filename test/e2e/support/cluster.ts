import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "../../../tools/shared/terminal";
import { contextName, kubeconfigPath, sandboxDown, sandboxStatus, sandboxUp } from "../../../tools/sandbox";
import { clusterFiles } from "../../../tools/sandbox/files";
import type { Toolchain } from "../../../tools/toolchain";
import type { TestPrograms } from "../../programs";
import { attempt, run } from "../../image/support/commands";
import { until } from "../../support/until";
import { forward } from "./forward";
import { type Machine, startMachine } from "./machine";
import { type NodeOptions, accessAs, nodeName, startFirewall, startNode } from "./node";
import { type RunFolder, linkName } from "./runFolder";

/** Programs that a cluster with a real node needs in addition to the sandbox's. */
export const clusterPrograms = ["kubelet", "kube-proxy", "kubectl", "coredns", "kube-router"] as const;

/** A cluster with the sandbox's control plane and one real node. */
export interface Cluster {
  readonly context: string;
  readonly kubeconfig: string;
  readonly clusterDomain: string;
  /** The machine's address on the node's only network, outside the cluster. */
  readonly hostAddress: string;
  readonly link: string;
  /** The node's address, where the cluster's DNS answers, too. */
  readonly nodeAddress: string;
  /** The program and its arguments that run a command on the node. */
  readonly onNode: Machine["inside"];
  /** A self-contained kubeconfig that acts as a user. */
  readonly accessAs: (user: string) => object;
  /** Runs kubectl and returns what it prints. */
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>;
  /** The same, whatever its exit code. */
  readonly tryKubectl: (args: readonly string[], input?: string) => ReturnType<typeof attempt>;
  /** Runs a command in the first container of a pod and returns what it prints. */
  readonly exec: (namespace: string, pod: string, command: readonly string[]) => Promise<string>;
  /** Stops everything. */
  readonly stop: () => Promise<void>;
}

/** Options of a cluster. */
export interface ClusterOptions {
  readonly runFolder: RunFolder;
  readonly toolchain: Toolchain;
  readonly program: TestPrograms;
  /** Port of the registry on loopback from which images are pulled. */
  readonly registryPort: number;
  readonly pauseImage: string;
  /** Number of volumes that can be claimed. */
  readonly volumes: number;
  readonly report: Report;
}

const clusterName = "e2e";
const clusterDomain = "e2e.internal";

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { runFolder, toolchain, program, registryPort, report } = options;
  const folder = runFolder.path;
  const machine = await startMachine({ folder, link: linkName(runFolder.name) });
  const stopForwarding = await forward(machine.hostAddress, registryPort);
  const { certificate, key } = clusterFiles(folder, clusterName);
  await sandboxUp({
    directory: folder,
    clusters: [clusterName],
    toolchain,
    report,
    address: machine.hostAddress,
    simulatedNodes: 0,
    // What an API server needs to work with kubelets.
    extraFlags: {
      "kube-apiserver": {
        "enable-admission-plugins": "NodeRestriction",
        "kubelet-preferred-address-types": "InternalIP",
        "kubelet-client-certificate": certificate("admin"),
        "kubelet-client-key": key("admin"),
      },
    },
  });
  const [status] = await sandboxStatus({ directory: folder });
  if (status === undefined) throw new Error("the control plane does not run");
  const node: NodeOptions = {
    machine,
    folder,
    controlGroup: runFolder.name,
    program,
    server: status.server,
    credentials: { authority: certificate("ca"), certificate: certificate("admin"), key: key("admin") },
    clusterDomain,
    podNetwork: status.podNetwork,
    serviceNetwork: status.serviceNetwork,
    registry: { name: `127.0.0.1:${registryPort}`, url: `http://${machine.hostAddress}:${registryPort}` },
    pauseImage: options.pauseImage,
  };
  startNode(node);

  const kubeconfig = kubeconfigPath(folder);
  const context = contextName(clusterName);
  const arguments_ = (args: readonly string[]) => [`--kubeconfig=${kubeconfig}`, `--context=${context}`, ...args];
  const kubectl: Cluster["kubectl"] = (args, input) =>
    run(program("kubectl"), arguments_(args), input === undefined ? {} : { input });
  const cluster: Cluster = {
    context,
    kubeconfig,
    clusterDomain,
    hostAddress: machine.hostAddress,
    link: linkName(runFolder.name),
    nodeAddress: machine.address,
    onNode: machine.inside,
    accessAs: (user) => accessAs(node, user),
    kubectl,
    tryKubectl: (args, input) => attempt(program("kubectl"), arguments_(args), input === undefined ? {} : { input }),
    exec: (namespace, pod, command) => kubectl(["exec", "--namespace", namespace, pod, "--", ...command]),
    stop: async () => {
      await machine.stop();
      await sandboxDown({ directory: folder, purge: true, report });
      await stopForwarding();
    },
  };
  await untilNodeReady(machine, kubectl);
  startFirewall(node);
  await kubectl(["create", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: volumes(options) }));
  return cluster;
}

async function untilNodeReady(machine: Machine, kubectl: Cluster["kubectl"]): Promise<void> {
  const condition = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}';
  await until("the node to be ready", async () => {
    if (machine.failure() !== undefined) return true;
    return (await kubectl(["get", "node", nodeName, "-o", condition])) === "True";
  });
  const failure = machine.failure();
  if (failure !== undefined) throw new Error(failure);
}

/** The default StorageClass, and its volumes: folders on the node, bound to the claims of scheduled pods. */
function volumes({ runFolder, volumes: count }: ClusterOptions): object[] {
  const storageClass = {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "local", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    provisioner: "kubernetes.io/no-provisioner",
    volumeBindingMode: "WaitForFirstConsumer",
  };
  const onNode = { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [nodeName] }] };
  const volume = (name: string): object => {
    const path = join(runFolder.path, "volumes", name);
    mkdirSync(path, { recursive: true });
    return {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name },
      spec: {
        capacity: { storage: "4Gi" },
        accessModes: ["ReadWriteOnce"],
        storageClassName: "local",
        persistentVolumeReclaimPolicy: "Retain",
        local: { path },
        nodeAffinity: { required: { nodeSelectorTerms: [onNode] } },
      },
    };
  };
  return [storageClass, ...Array.from({ length: count }, (_, index) => volume(`local-${index}`))];
}
