/** A finding of kube-score that is ignored, and why. */
export interface Ignored {
  /** Id of kube-score's check. */
  readonly check: string;
  /** Objects, by name; Jobs with a generated name have none. */
  readonly objects: RegExp;
  /** The accepted finding; anything else that the check finds is still an error. */
  readonly finding: RegExp;
  readonly reason: string;
}

export const ignored: readonly Ignored[] = [
  {
    check: "container-resources",
    objects: /.*/,
    finding: /^CPU limit is not set$/,
    reason:
      "A CPU limit stops Erlang's schedulers for parts of each tenth of a second, which calls hear, even while the node is idle. Requests give each pod its share; a limit can be set.",
  },
  {
    check: "container-ephemeral-storage-request-and-limit",
    objects: /.*/,
    finding: /^Ephemeral Storage (limit|request) is not set$/,
    reason:
      "Data is on volumes, and each emptyDir has a limit of its own. A limit for the pod would evict a broker or a database over its log, which the kubelet rotates.",
  },
  {
    check: "container-image-pull-policy",
    objects: /.*/,
    finding: /^ImagePullPolicy is not set to Always$/,
    reason:
      "Images are pinned by digest or by a tag of one version: pulling again gets the same. With Always, no pod could restart while the registry is away.",
  },
  {
    check: "container-security-context-user-group-id",
    objects: /^(kazoo|bigcouch|rabbitmq-.*)$/,
    finding: /low (user|group) ID$/,
    reason:
      "The uids are those that the images were built for (999, 5984, 1000) and that own the volumes' files. Pod Security restricted holds.",
  },
  {
    check: "pod-probes-identical",
    objects: /^kazoo$/,
    finding: /same readiness and liveness probe$/,
    reason:
      "Kazoo has one page that answers without a login. Liveness gives up after four misses in two minutes, long after readiness has.",
  },
  {
    check: "statefulset-has-host-podantiaffinity",
    objects: /^(kazoo|bigcouch)$/,
    finding: /^StatefulSet does not have a host podAntiAffinity set$/,
    reason: "Topology spread constraints over hosts and zones do the same.",
  },
];
