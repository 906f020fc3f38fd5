import { existsSync, readFileSync, rmSync } from "node:fs";
import { stringify } from "yaml";
import { clusterFiles, clusterNames, kubeconfigPath, writePrivate } from "./files";
import { readSettings, serverUrl } from "./settings";

/** Name of a cluster's context in the kubeconfig. */
export const contextName = (cluster: string): string => `sandbox-${cluster}`;

/**
 * Writes the kubeconfig of all clusters of the project's sandbox, with a context for each; the first is the current one.
 * Removes the file if there are no clusters. It contains the credentials themselves. kwokctl's own kubeconfig has other
 * context names, and always names loopback.
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
