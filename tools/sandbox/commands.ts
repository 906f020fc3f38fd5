import { createHash } from "node:crypto";
import type { ClusterFiles } from "./files";
import { type ClusterSettings, type Component, networks } from "./settings";

/** How one program of the control plane is started and found ready. */
export interface Command {
  readonly component: Component;
  readonly binary: string;
  readonly args: readonly string[];
  /** Where it says over HTTPS that it is ready; undefined when it has no such place. */
  readonly health?: { readonly address: string; readonly port: number; readonly path: string };
}

/** What the programs' command lines are made of. */
export interface CommandOptions {
  readonly files: ClusterFiles;
  readonly settings: ClusterSettings;
  /** Absolute path of a program. */
  readonly binary: (component: Component) => string;
  /** KWOK's stage files; undefined: no KWOK. */
  readonly stages: readonly string[] | undefined;
  /** Put behind a program's own arguments, where a flag's last value wins. */
  readonly extraArguments?: Partial<Readonly<Record<Component, readonly string[]>>>;
}

/** Marks the nodes that KWOK simulates; it leaves all others alone. */
export const simulatedNodeAnnotation = { "kwok.x-k8s.io/node": "fake" } as const;

/** Where clients reach the API server. */
export const serverUrl = (settings: ClusterSettings): string =>
  `https://${settings.address}:${settings.ports.apiServer}`;

/** The command lines of a cluster's programs, in the order in which they start. */
export function controlPlaneCommands(options: CommandOptions): Command[] {
  const { files, settings } = options;
  const { ports, address } = settings;
  const make = (component: Component, args: string[], health?: Command["health"]): Command => ({
    component,
    binary: options.binary(component),
    args: [...args, ...(options.extraArguments?.[component] ?? [])],
    ...(health === undefined ? {} : { health }),
  });
  const commands = [
    make("etcd", etcdArguments(files, settings)),
    make("kube-apiserver", apiServerArguments(files, settings), { address, port: ports.apiServer, path: "/readyz" }),
    make("kube-controller-manager", controllerManagerArguments(files, settings), {
      address: "127.0.0.1",
      port: ports.controllerManager,
      path: "/healthz",
    }),
    make("kube-scheduler", schedulerArguments(files, settings), {
      address: "127.0.0.1",
      port: ports.scheduler,
      path: "/healthz",
    }),
  ];
  return options.stages === undefined
    ? commands
    : [...commands, make("kwok", kwokArguments(files, settings, options.stages))];
}

/** Tells command lines apart, so that a program started with another one is seen and started anew. */
export const fingerprint = (command: Command): string =>
  createHash("sha256")
    .update(JSON.stringify([command.binary, command.args]))
    .digest("hex");

function etcdArguments(files: ClusterFiles, settings: ClusterSettings): string[] {
  const client = `https://127.0.0.1:${settings.ports.etcd}`;
  const peer = `https://127.0.0.1:${settings.ports.etcdPeer}`;
  return [
    "--name=sandbox",
    `--data-dir=${files.data}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=sandbox=${peer}`,
    ...["", "peer-"].flatMap((scope) => [
      `--${scope}cert-file=${files.certificate("etcd")}`,
      `--${scope}key-file=${files.key("etcd")}`,
      `--${scope}trusted-ca-file=${files.certificate("etcd-ca")}`,
      `--${scope}client-cert-auth=true`,
    ]),
    // A killed etcd loses nothing by it, a machine that loses power may: fine for a sandbox, and much faster on slow disks.
    "--unsafe-no-fsync=true",
    "--log-level=warn",
  ];
}

function apiServerArguments(files: ClusterFiles, settings: ClusterSettings): string[] {
  return [
    `--bind-address=${settings.address}`,
    `--secure-port=${settings.ports.apiServer}`,
    ...servingCertificate(files),
    `--client-ca-file=${files.certificate("ca")}`,
    "--anonymous-auth=false",
    `--etcd-servers=https://127.0.0.1:${settings.ports.etcd}`,
    `--etcd-cafile=${files.certificate("etcd-ca")}`,
    `--etcd-certfile=${files.certificate("apiserver-etcd-client")}`,
    `--etcd-keyfile=${files.key("apiserver-etcd-client")}`,
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    `--service-account-key-file=${files.pki}/service-account.pub`,
    `--service-account-signing-key-file=${files.pki}/service-account.key`,
    `--service-cluster-ip-range=${networks(settings).services}`,
    // The Service "kubernetes" may not lead to a loopback address, so there it leads nowhere.
    ...(isLoopback(settings.address)
      ? ["--endpoint-reconciler-type=none"]
      : [`--advertise-address=${settings.address}`, "--endpoint-reconciler-type=lease"]),
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    "--kubelet-preferred-address-types=InternalIP",
    `--kubelet-certificate-authority=${files.certificate("ca")}`,
    `--kubelet-client-certificate=${files.certificate("apiserver-kubelet-client")}`,
    `--kubelet-client-key=${files.key("apiserver-kubelet-client")}`,
    "--profiling=false",
  ];
}

function controllerManagerArguments(files: ClusterFiles, settings: ClusterSettings): string[] {
  const ranges = networks(settings);
  return [
    ...clientArguments(files, settings, "kube-controller-manager"),
    `--secure-port=${settings.ports.controllerManager}`,
    "--use-service-account-credentials=true",
    `--service-account-private-key-file=${files.pki}/service-account.key`,
    `--root-ca-file=${files.certificate("ca")}`,
    `--cluster-signing-cert-file=${files.certificate("ca")}`,
    `--cluster-signing-key-file=${files.key("ca")}`,
    "--allocate-node-cidrs=true",
    `--cluster-cidr=${ranges.pods}`,
    `--service-cluster-ip-range=${ranges.services}`,
    // Its default lies outside the project, and it would make that folder.
    `--flex-volume-plugin-dir=${files.directory}/flexvolume`,
    "--concurrent-statefulset-syncs=50",
    "--concurrent-namespace-syncs=50",
  ];
}

const schedulerArguments = (files: ClusterFiles, settings: ClusterSettings): string[] => [
  ...clientArguments(files, settings, "kube-scheduler"),
  `--secure-port=${settings.ports.scheduler}`,
];

/**
 * What controller manager and scheduler share. They are alone: no leader to elect. Their default of 20 to 50 requests
 * a second makes a stack of a thousand objects wait for a minute.
 */
const clientArguments = (files: ClusterFiles, settings: ClusterSettings, user: Component): string[] => [
  `--kubeconfig=${files.kubeconfig(user)}`,
  // Also in the kubeconfig; here so that a changed address is seen by the fingerprint.
  `--master=${serverUrl(settings)}`,
  "--bind-address=127.0.0.1",
  ...servingCertificate(files),
  "--leader-elect=false",
  "--kube-api-qps=500",
  "--kube-api-burst=1000",
  "--profiling=false",
];

const servingCertificate = (files: ClusterFiles): string[] => [
  `--tls-cert-file=${files.certificate("kube-apiserver")}`,
  `--tls-private-key-file=${files.key("kube-apiserver")}`,
];

function kwokArguments(files: ClusterFiles, settings: ClusterSettings, stages: readonly string[]): string[] {
  const [annotation] = Object.entries(simulatedNodeAnnotation).map((pair) => pair.join("="));
  return [
    `--kubeconfig=${files.kubeconfig("kwok")}`,
    `--master=${serverUrl(settings)}`,
    ...stages.map((stage) => `--config=${stage}`),
    "--manage-all-nodes=false",
    `--manage-nodes-with-annotation-selector=${annotation}`,
    "--node-ip=127.0.0.1",
    "--node-port=0", // no server: simulated containers have no logs and run no commands
    "--node-lease-duration-seconds=40",
  ];
}

const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.");
