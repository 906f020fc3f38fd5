import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The programs of a cluster, in the order in which they start; they end in the opposite order. */
export const components = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"] as const;
export type Component = (typeof components)[number];

/** What kwokctl calls a program. */
export const kwokctlName = (component: Component): string => (component === "kwok" ? "kwok-controller" : component);

/** The folder of a project's sandbox: `<project>/.sandbox`. */
export const sandboxDirectory = (project: string): string => join(project, ".sandbox");

/** The kubeconfig of all sandbox clusters of a project; each is a context `sandbox-<name>` in it. */
export const kubeconfigPath = (project: string): string => join(sandboxDirectory(project), "kubeconfig");

/** The files of one cluster, all below `<project>/.sandbox/<cluster>`. */
export interface ClusterFiles {
  readonly name: string;
  readonly directory: string;
  readonly settings: string;
  /** etcd's folder; outside kwokctl's folder, which may be deleted and recreated at any time. */
  readonly data: string;
  /** kwokctl's folder for the cluster: certificates, logs, process numbers. */
  readonly work: string;
  /** The configuration from which kwokctl created this folder; missing if it did not finish. */
  readonly config: string;
  readonly certificate: (user: "ca" | "admin") => string;
  readonly key: (user: "ca" | "admin") => string;
  readonly log: (component: Component) => string;
  readonly processNumber: (component: Component) => string;
  /** The API server's audit log, one JSON object per line, if the settings enable it. */
  readonly auditLog: string;
}

export function clusterFiles(project: string, name: string): ClusterFiles {
  const directory = join(sandboxDirectory(project), name);
  const work = join(directory, "clusters", "kwok");
  return {
    name,
    directory,
    settings: join(directory, "settings.json"),
    data: join(directory, "etcd"),
    work,
    config: join(work, "sandbox.yaml"),
    certificate: (user) => join(work, "pki", `${user}.crt`),
    key: (user) => join(work, "pki", `${user}.key`),
    log: (component) => join(work, "logs", `${kwokctlName(component)}.log`),
    processNumber: (component) => join(work, "pids", `${kwokctlName(component)}.pid`),
    auditLog: join(directory, "audit.log"),
  };
}

/** Sorted names of the clusters in a project's sandbox, running or not. */
export function clusterNames(project: string): string[] {
  try {
    return readdirSync(sandboxDirectory(project), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Writes a file atomically, readable only by its owner; does nothing if it already has this content. */
export function writePrivate(path: string, content: string): void {
  if (readText(path) === content) return;
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, content, { mode: 0o600 });
  renameSync(draft, path);
}

/** Creates a folder and its parents, accessible only to their owner. */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** The content of a file; undefined if it does not exist. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
