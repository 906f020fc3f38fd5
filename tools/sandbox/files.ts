import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where the sandbox of a project keeps everything: `<project>/.sandbox`. */
export const sandboxDirectory = (project: string): string => join(project, ".sandbox");

/** The kubeconfig of all sandbox clusters of a project; each is a context `sandbox-<name>` in it. */
export const kubeconfigPath = (project: string): string => join(sandboxDirectory(project), "kubeconfig");

/** The files of one cluster, all below `<project>/.sandbox/<cluster>`. */
export interface ClusterFiles {
  readonly name: string;
  readonly directory: string;
  readonly settings: string;
  readonly processes: string;
  readonly pki: string;
  readonly data: string;
  /** A certificate and its key in the `pki` folder, by the name of who uses it. */
  readonly certificate: (user: string) => string;
  readonly key: (user: string) => string;
  readonly kubeconfig: (user: string) => string;
  readonly log: (component: string) => string;
}

export function clusterFiles(project: string, name: string): ClusterFiles {
  const directory = join(sandboxDirectory(project), name);
  const pki = join(directory, "pki");
  return {
    name,
    directory,
    settings: join(directory, "settings.json"),
    processes: join(directory, "processes.json"),
    pki,
    data: join(directory, "etcd"),
    certificate: (user) => join(pki, `${user}.crt`),
    key: (user) => join(pki, `${user}.key`),
    kubeconfig: (user) => join(pki, `${user}.kubeconfig`),
    log: (component) => join(directory, `${component}.log`),
  };
}

/** Names of the clusters that a project's sandbox has, running or not, sorted. */
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

/** Writes a file that only its owner may read, all or nothing. */
export function writePrivate(path: string, content: string): void {
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, content, { mode: 0o600 });
  renameSync(draft, path);
}

/** Makes a folder, and those above it, that only its owner may enter. */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** Reads a JSON file that only this program writes; undefined when it is not there. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
