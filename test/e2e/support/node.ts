import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { TestPrograms } from "../../programs";
import { findCommand } from "../../image/support/commands";
import type { Machine } from "./machine";
import { controlGroupRoots } from "./runFolder";

/** Options of a node. */
export interface NodeOptions {
  readonly machine: Machine;
  /** Folder of the run. */
  readonly folder: string;
  /** Name of the control group of all pods, and so of the run's node. */
  readonly controlGroup: string;
  readonly program: TestPrograms;
  /** Address of the API server. */
  readonly server: string;
  /** Files with the cluster's CA, and with its administrator's certificate and key. */
  readonly credentials: { readonly authority: string; readonly certificate: string; readonly key: string };
  readonly clusterDomain: string;
  readonly podNetwork: string;
  readonly serviceNetwork: string;
  /** Host and port in the images' names, and the address at which the machine reaches this registry. */
  readonly registry: { readonly name: string; readonly url: string };
  /** Image of the pause container. */
  readonly pauseImage: string;
}

export const nodeName = "e2e";

/**
 * Starts what makes a machine a node: containerd, kubelet, kube-proxy, and CoreDNS. All use their usual folders, which are in
 * `/run` and `/var`, and so belong to the machine.
 */
export function startNode(options: NodeOptions): void {
  const { machine, folder, program, credentials } = options;
  const file = (name: string, content: string | object): string => nodeFile(folder, name, content);
  const access = (...of: Access) => kubeconfig(options, ...of);
  for (const root of controlGroupRoots()) mkdirSync(join(root, options.controlGroup), { recursive: true });

  file("cni/10-pods.conflist", podNetwork(options.podNetwork));
  file(`registries/${options.registry.name}/hosts.toml`, registryHosts(options.registry.url));
  const containerd = file("containerd.toml", containerdConfig(folder, options.pauseImage));
  machine.start("containerd", [findCommand("containerd")!, "--config", containerd]);

  const kubelet = file(
    "kubelet.yaml",
    stringify({
      ...kubeletConfig(options),
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: true },
        x509: { clientCAFile: credentials.authority },
      },
      // Names are resolved only through CoreDNS.
      resolvConf: file("resolv.conf", ""),
    }),
  );
  machine.start("kubelet", [
    program("kubelet"),
    `--config=${kubelet}`,
    `--kubeconfig=${access("kubelet", `system:node:${nodeName}`, "system:nodes")}`,
    `--hostname-override=${nodeName}`,
    `--node-ip=${machine.address}`,
    `--node-labels=topology.kubernetes.io/region=e2e,topology.kubernetes.io/zone=e2e-a`,
  ]);

  const proxy = file(
    "kube-proxy.yaml",
    stringify({
      apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
      kind: "KubeProxyConfiguration",
      mode: "iptables",
      clientConnection: { kubeconfig: access("kube-proxy", "system:kube-proxy") },
      hostnameOverride: nodeName,
      clusterCIDR: options.podNetwork,
      bindAddress: machine.address,
      healthzBindAddress: "",
      metricsBindAddress: "127.0.0.1:10249",
      // 0: not changed, because they belong to the shared kernel.
      conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    }),
  );
  machine.start("kube-proxy", [program("kube-proxy"), `--config=${proxy}`]);

  // A program on the node, not a pod, so that the test can rely on it.
  const dns = access("coredns", "e2e-coredns", "system:masters");
  machine.start("coredns", [
    program("coredns"),
    `-conf=${file("Corefile", corefile(machine.address, options.clusterDomain, dns))}`,
  ]);
}

/** Starts kube-router's firewall, which enforces NetworkPolicies and needs to find its node. */
export function startFirewall(options: NodeOptions): void {
  const { machine, program, serviceNetwork } = options;
  machine.start("kube-router", [
    program("kube-router"),
    ...["--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--run-loadbalancer=false"],
    `--kubeconfig=${kubeconfig(options, "kube-router", "e2e-kube-router", "system:masters")}`,
    `--hostname-override=${nodeName}`,
    `--service-cluster-ip-range=${serviceNetwork}`,
    ...["--metrics-port=0", "--health-port=0"],
  ]);
}

function nodeFile(folder: string, name: string, content: string | object): string {
  const path = join(folder, "node", name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content, undefined, 2), { mode: 0o600 });
  return path;
}

type Access = [program: string, user: string, ...groups: readonly string[]];

/** Each program has the rights of its own user: the administrator impersonates it, so it needs no certificate. */
function kubeconfig({ folder, server, credentials }: NodeOptions, ...[program, user, ...groups]: Access): string {
  return nodeFile(folder, `${program}.kubeconfig`, accessAs({ server, credentials }, user, ...groups));
}

/** A kubeconfig that acts as a user, with all that it needs in it. */
export function accessAs(
  { server, credentials }: Pick<NodeOptions, "server" | "credentials">,
  user: string,
  ...groups: readonly string[]
): object {
  const data = (path: string): string => readFileSync(path).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "e2e",
    clusters: [{ name: "e2e", cluster: { server, "certificate-authority-data": data(credentials.authority) } }],
    users: [
      {
        name: "e2e",
        user: {
          "client-certificate-data": data(credentials.certificate),
          "client-key-data": data(credentials.key),
          as: user,
          "as-groups": groups,
        },
      },
    ],
    contexts: [{ name: "e2e", context: { cluster: "e2e", user: "e2e" } }],
  };
}

/**
 * Each pod has its own route instead of a bridge, so that traffic between two pods passes the Services' firewall rules even
 * if the kernel has no br_netfilter.
 */
const podNetwork = (subnet: string): object => ({
  cniVersion: "0.4.0",
  name: "pods",
  plugins: [
    {
      type: "ptp",
      ipMasq: true,
      ipam: { type: "host-local", ranges: [[{ subnet }]], routes: [{ dst: "0.0.0.0/0" }] },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
});

/** Images are named after a registry on loopback, which is another loopback in the machine. */
const registryHosts = (url: string): string => `[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`;

const containerdConfig = (folder: string, pauseImage: string): string => `version = 2
root = "${folder}/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Root without the capability to lower it (CAP_SYS_RESOURCE) is root enough.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/node/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "${folder}/node/registries"
`;

const kubeletConfig = ({ machine, controlGroup, clusterDomain }: NodeOptions): object => ({
  apiVersion: "kubelet.config.k8s.io/v1beta1",
  kind: "KubeletConfiguration",
  address: machine.address,
  authorization: { mode: "Webhook" },
  readOnlyPort: 0,
  containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
  cgroupDriver: "cgroupfs",
  cgroupRoot: `/${controlGroup}`,
  failCgroupV1: false,
  failSwapOn: false,
  clusterDNS: [machine.address],
  clusterDomain,
  volumePluginDir: "/var/lib/kubelet/volume-plugins",
  serializeImagePulls: false,
  registryPullQPS: 0,
  // The node must not react to how full this machine's disk is.
  imageGCHighThresholdPercent: 100,
  evictionHard: { "memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
  nodeStatusUpdateFrequency: "5s",
});

const corefile = (address: string, domain: string, kubeconfig: string): string => `.:53 {
  bind ${address}
  errors
  ready 127.0.0.1:8181
  kubernetes ${domain} in-addr.arpa {
    kubeconfig ${kubeconfig}
    ttl 1
  }
}
`;
