import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";

/**
 * Reads the kubeconfig that leads to a cluster, as kubectl does: it uses the files in `$KUBECONFIG` that exist, and the first of several entries
 * with the same name.
 * @param client the official client, which is loaded only when it is needed
 * @param path of one file. @default `$KUBECONFIG`, or `~/.kube/config`
 * @throws the client's own error if a file is not a kubeconfig
 */
export function readKubeconfig(client: { readonly KubeConfig: typeof KubeConfig }, path?: string): KubeConfig {
  const named = path === undefined ? (process.env.KUBECONFIG ?? "").split(delimiter).filter(Boolean) : [path];
  const files = named.length > 0 ? named : [join(homedir(), ".kube", "config")];
  const parts = files
    .filter((file) => path !== undefined || existsSync(file))
    .map((file) => {
      const part = new client.KubeConfig();
      part.loadFromFile(file);
      return part;
    });
  const merged = new client.KubeConfig();
  const current = parts.map((part) => part.getCurrentContext()).find(Boolean);
  merged.loadFromOptions({
    clusters: firstByName(parts.flatMap((part) => part.getClusters())),
    users: firstByName(parts.flatMap((part) => part.getUsers())),
    contexts: firstByName(parts.flatMap((part) => part.getContexts())),
    ...(current === undefined ? {} : { currentContext: current }),
  });
  return merged;
}

function firstByName<T extends { readonly name: string }>(entries: readonly T[]): T[] {
  return entries.filter(({ name }, index) => entries.findIndex((other) => other.name === name) === index);
}
