import { existsSync, readFileSync, rmSync } from "node:fs";
import { stringify } from "yaml";
import { clusterFiles, clusterNames, kubeconfigPath, writePrivate } from "./files";
import { readSettings, serverUrl } from "./settings";

/** Name of a cluster's context in the kubeconfig. */
export const contextName = (cluster: string): string => `sandbox-${cluster}`;

/**
 * Writes the kubeconfig of all clusters that the project's sandbox has, one context each, the first of them the current
 * one; removes it when there are none. Credentials lie in the file itself. kwokctl's own would name the contexts otherwise,
 * and lead to loopback alone.
 */
export function writeKubeconfig(project: string): void {
  const entries = clusterNames(project).flatMap((cluster) => {
    const files = clusterFiles(project, cluster);
    const settings = readSettings(files);
    if (settings === undefined || !existsSync(files.key("admin"))) return [];
    const data = (path: string): string => readFileSync(path).toString("base64");
    return [
      {
        name: contextName(cluster),
        cluster: { server: serverUrl(settings), "certificate-authority-data": data(files.certificate("ca")) },
        user: {
          "client-certificate-data": data(files.certificate("admin")),
          "client-key-data": data(files.key("admin")),
        },
      },
    ];
  });
  const [first] = entries;
  if (first === undefined) return rmSync(kubeconfigPath(project), { force: true });
  const kubeconfig = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": first.name,
    clusters: entries.map(({ name, cluster }) => ({ name, cluster })),
    users: entries.map(({ name, user }) => ({ name, user })),
    contexts: entries.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
  };
  writePrivate(kubeconfigPath(project), stringify(kubeconfig, { lineWidth: 0 }));
}
