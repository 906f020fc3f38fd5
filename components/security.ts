import type * as k8s from "@pulumi/kubernetes";

/**
 * Security contexts for the Pod Security level `restricted`
 * (kubernetes.io/docs/concepts/security/pod-security-standards).
 */

/** The pod's: its own user, who owns the volumes. `user` is the uid and gid that the image was built for. */
export function podSecurity(user: number): k8s.types.input.core.v1.PodSecurityContext {
  return {
    runAsNonRoot: true,
    runAsUser: user,
    runAsGroup: user,
    fsGroup: user,
    // Walking a large database's volume would delay each start for minutes.
    fsGroupChangePolicy: "OnRootMismatch",
    seccompProfile: { type: "RuntimeDefault" },
  };
}

/** The container's: no privilege escalation, no capabilities. */
export function containerSecurity(readOnlyRootFilesystem: boolean): k8s.types.input.core.v1.SecurityContext {
  return { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, readOnlyRootFilesystem };
}

/** Users of the images: of the official rabbitmq and couchdb images, of the Kazoo image of this project, and nobody. */
export const users = { rabbitmq: 999, database: 5984, kazoo: 1000, nobody: 65534 } as const;
