import { existsSync, readFileSync, rmSync } from "node:fs";
import { stringify } from "yaml";
import { serverUrl } from "./commands";
import { type ClusterFiles, clusterFiles, clusterNames, kubeconfigPath, writePrivate } from "./files";
import { readCredential } from "./pki";
import { type ClusterSettings, readSettings } from "./settings";

/** Name of a cluster's context in the kubeconfig. */
export const contextName = (cluster: string): string => `sandbox-${cluster}`;

/** A cluster, and how one user reaches it. All credentials are PEM. */
interface Access {
  readonly name: string;
  readonly server: string;
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** A kubeconfig with one context for each access; the first is the current one. Credentials lie in the file itself. */
export function renderKubeconfig(accesses: readonly Access[]): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      "current-context": accesses[0]?.name ?? "",
      clusters: accesses.map(({ name, server, authority }) => ({
        name,
        cluster: { server, "certificate-authority-data": base64(authority) },
      })),
      users: accesses.map(({ name, certificate, key }) => ({
        name,
        user: { "client-certificate-data": base64(certificate), "client-key-data": base64(key) },
      })),
      contexts: accesses.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
    },
    { lineWidth: 0 },
  );
}

/** Writes the kubeconfigs with which the cluster's own programs reach its API server. */
export function writeComponentKubeconfigs(files: ClusterFiles, settings: ClusterSettings): void {
  for (const user of ["kube-controller-manager", "kube-scheduler", "kwok"]) {
    writeIfChanged(files.kubeconfig(user), renderKubeconfig([access(files, settings, user)]));
  }
}

/** Writes the kubeconfig of all clusters that the project's sandbox has; removes it when there are none. */
export function writeKubeconfig(project: string): void {
  const accesses = clusterNames(project).flatMap((name) => {
    const files = clusterFiles(project, name);
    const settings = readSettings(files);
    return settings === undefined || !existsSync(files.pki) ? [] : [access(files, settings, "admin")];
  });
  if (accesses.length === 0) rmSync(kubeconfigPath(project), { force: true });
  else writeIfChanged(kubeconfigPath(project), renderKubeconfig(accesses));
}

function access(files: ClusterFiles, settings: ClusterSettings, user: string): Access {
  return {
    name: contextName(files.name),
    server: serverUrl(settings),
    authority: readFileSync(files.certificate("ca"), "utf8"),
    ...readCredential(files, user),
  };
}

function writeIfChanged(path: string, content: string): void {
  if (!existsSync(path) || readFileSync(path, "utf8") !== content) writePrivate(path, content);
}
