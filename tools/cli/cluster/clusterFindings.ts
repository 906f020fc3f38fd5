/** Facts about a cluster before anything is deployed to it; undefined if the user may not see them. */
export interface ClusterFacts {
  readonly version: { readonly major: string; readonly minor: string; readonly gitVersion: string };
  readonly storageClasses: readonly { readonly name: string; readonly isDefault: boolean }[] | undefined;
  /** Of all namespaces, with the arguments of their containers. */
  readonly daemonSets: readonly { readonly name: string; readonly args: readonly string[] }[] | undefined;
  readonly apiGroups: readonly string[];
  /** The namespace that the stack would create, with the stack that already owns it; null if it does not exist. */
  readonly namespace: { readonly stack: string | undefined } | null | undefined;
  /** Whether Pod Security admission checks the labels of namespaces. */
  readonly podSecurity: boolean | undefined;
  /** Resources that the user may not create. */
  readonly forbidden: readonly string[];
}

/** Something that a cluster lacks. With an error the first `up` would fail; with a warning it works, but protection is missing or unknown. */
export interface ClusterFinding {
  readonly kind: "error" | "warning";
  readonly message: string;
  readonly next: string;
}

/** What the new stack needs from its cluster. */
export interface Wanted {
  readonly context: string;
  readonly namespace: string;
  /** @default the cluster's default class */
  readonly storageClass?: string | undefined;
}

/** From 1.27 on, PodDisruptionBudgets have unhealthyPodEvictionPolicy and StatefulSets persistentVolumeClaimRetentionPolicy by default. */
const oldestMinor = 27;

/** Everything that a cluster lacks for a stack, with the next step for each. */
export function clusterFindings(facts: ClusterFacts, { context, namespace, storageClass }: Wanted): ClusterFinding[] {
  const { version, forbidden, podSecurity } = facts;
  const findings: ClusterFinding[] = [];
  const error = (message: string, next: string) => findings.push({ kind: "error", message, next });
  const warning = (message: string, next: string) => findings.push({ kind: "warning", message, next });
  // Some clouds write 34+ as the minor version.
  if (version.major === "1" && Number.parseInt(version.minor, 10) < oldestMinor)
    error(
      `the cluster runs Kubernetes ${version.gitVersion}; 1.${oldestMinor} or newer is required`,
      "upgrade the cluster, or choose another with --context",
    );
  if (forbidden.length > 0)
    error(
      `you are not allowed to create ${forbidden.join(", ")}`,
      `grant your user these permissions, or choose a context with another user; kubectl --context ${context} -n ${namespace} auth can-i create ${forbidden[0]} checks one`,
    );
  if (facts.namespace === undefined)
    warning(
      `you are not allowed to read namespaces, so it is unknown whether ${namespace} is free`,
      `ask an administrator of the cluster whether namespace ${namespace} exists`,
    );
  else if (facts.namespace !== null)
    error(
      `the namespace ${namespace} exists already${facts.namespace.stack === undefined ? "" : `, and belongs to the stack ${facts.namespace.stack}`}`,
      "choose another region or datacenter, or set namespace: in the datacenter",
    );
  findings.push(...storageFindings(facts, storageClass));
  if (!enforcesPolicies(facts))
    warning(
      "found no network plugin that is known to enforce NetworkPolicies; without one, only passwords protect brokers and databases",
      "check your network plugin's documentation; Calico, Cilium, Antrea and kube-router enforce them (docs/networking.md)",
    );
  if (podSecurity === false || (podSecurity === undefined && !forbidden.includes("namespaces")))
    warning(
      podSecurity === false
        ? "Pod Security admission is disabled, so nothing enforces the level restricted in the namespace"
        : "it is unknown whether Pod Security admission is enabled",
      "check that the API server's --disable-admission-plugins does not name PodSecurity",
    );
  return findings;
}

function storageFindings({ storageClasses }: ClusterFacts, wanted: string | undefined): ClusterFinding[] {
  const finding = (kind: ClusterFinding["kind"], message: string, next: string): ClusterFinding[] => [
    { kind, message, next },
  ];
  if (storageClasses === undefined && wanted === undefined)
    return finding(
      "warning",
      "you are not allowed to list StorageClasses, so it is unknown whether there is a default",
      "ask an administrator of the cluster, and name a class with --storage-class if there is no default",
    );
  if (storageClasses === undefined) return [];
  const names = storageClasses.map(({ name }) => name);
  if (wanted === undefined ? storageClasses.some(({ isDefault }) => isDefault) : names.includes(wanted)) return [];
  if (names.length === 0)
    return finding(
      "error",
      "there is no StorageClass, but databases and brokers need volumes",
      "install a volume provisioner, e.g. your cloud's CSI driver, and a StorageClass for it",
    );
  return finding(
    "error",
    wanted === undefined ? "there is no default StorageClass" : `there is no StorageClass ${wanted}`,
    `choose one with --storage-class: ${names.join(", ")}`,
  );
}

/** DaemonSets of network plugins that enforce NetworkPolicies, also with a distribution's prefix such as rke2-. */
const enforcers =
  /(^|-)(calico-node|canal|cilium|kube-router|antrea-agent|weave-net|kube-ovn-cni|ovnkube-node|azure-npm|anetd|kube-network-policies)$/;

/** Their API groups. They remain after a plugin is removed, so they count only if DaemonSets cannot be listed. */
const enforcersGroups = ["crd.projectcalico.org", "cilium.io", "crd.antrea.io", "kubeovn.io", "k8s.ovn.org"];

function enforcesPolicies({ daemonSets, apiGroups, version }: ClusterFacts): boolean {
  // K3s runs kube-router's controller inside its own process.
  if (version.gitVersion.includes("+k3s")) return true;
  if (daemonSets === undefined) return enforcersGroups.some((group) => apiGroups.includes(group));
  // Amazon's plugin enforces policies only with this argument.
  const onAmazon = "--enable-network-policy=true";
  return daemonSets.some(({ name, args }) => enforcers.test(name) || (name === "aws-node" && args.includes(onAmazon)));
}
