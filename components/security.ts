import type * as k8s from "@pulumi/kubernetes";

/**
 * Security contexts as the Pod Security level `restricted` wants them
 * (kubernetes.io/docs/concepts/security/pod-security-standards).
 */

/** The pod's: a user of its own, who owns the volumes. `user` is the uid and gid that the image was made for. */
export function podSecurity(user: number): k8s.types.input.core.v1.PodSecurityContext {
  return {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    fsGroup: user,
    // Walking a large database's volume at each start would hold the pod up for minutes.
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
  };
}

/** The container's: no way up. */
export function containerSecurity(readOnlyRootFilesystem: boolean): k8s.types.input.core.v1.SecurityContext {
  return { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, readOnlyRootFilesystem };
}

/** Users of the images: of the official rabbitmq and couchdb images, of the Kazoo image of this project, and nobody. */
export const users = { rabbitmq: 999, database: 5984, kazoo: 1000, nobody: 65534 } as const;
