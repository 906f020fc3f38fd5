import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { dockerHub } from "../config/images";

/** A login at a registry. */
export interface RegistryLogin {
  /** `host` or `host:port`; `docker.io` is Docker Hub. */
  readonly address: string;
  readonly username: string;
  /** Secret. */
  readonly password: string;
}

/** How a datacenter's pods pull their images. */
export interface Registries {
  readonly logins: readonly RegistryLogin[];
  /** Names of existing Secrets in the namespace, with logins. */
  readonly secretNames: readonly string[];
}

/** The part of a pod's spec that names the Secrets for pulling its images. */
export const imagePullSecrets = (names: readonly string[] = []) =>
  names.length === 0 ? {} : { imagePullSecrets: names.map((name) => ({ name })) };

/** A Secret with logins, as pods name it for pulling their images. */
export const pullSecret = (
  resourceName: string,
  metadata: k8s.types.input.meta.v1.ObjectMeta,
  logins: readonly RegistryLogin[],
  opts: pulumi.CustomResourceOptions,
): k8s.core.v1.Secret =>
  new k8s.core.v1.Secret(
    resourceName,
    {
      metadata,
      type: "kubernetes.io/dockerconfigjson",
      stringData: { ".dockerconfigjson": pulumi.secret(dockerConfig(logins)) },
    },
    opts,
  );

/** Logins in the kubelet's format (kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry). */
export function dockerConfig(logins: readonly RegistryLogin[]): string {
  const auths = logins.map(({ address, username, password }) => {
    const auth = Buffer.from(`${username}:${password}`).toString("base64");
    return [address === dockerHub ? "https://index.docker.io/v1/" : address, { username, password, auth }];
  });
  return JSON.stringify({ auths: Object.fromEntries(auths) as object });
}
