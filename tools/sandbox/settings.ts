import { randomUUID } from "node:crypto";
import { type ClusterFiles, clusterFiles, clusterNames, makePrivateDirectory, readJson, writePrivate } from "./files";
import { freePort, isFree } from "./ports";
import { UserError } from "../shared/terminal";

/** The programs of a cluster, in the order in which they start; they end in the opposite order. */
export const components = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"] as const;
export type Component = (typeof components)[number];

/** Each port and the program that listens on it. KWOK listens on none. */
const portOwners = {
  etcd: "etcd",
  etcdPeer: "etcd",
  apiServer: "kube-apiserver",
  controllerManager: "kube-controller-manager",
  scheduler: "kube-scheduler",
} as const satisfies Record<string, Component>;
type PortName = keyof typeof portOwners;

/** What a cluster was given when it was made, and keeps. */
export interface ClusterSettings {
  /** Different for each cluster ever made, also for one made again under the same name. */
  readonly id: string;
  /** 0 to 127, different for each cluster of a sandbox: its networks are made of it. */
  readonly network: number;
  /** Address that the API server listens on. */
  readonly address: string;
  readonly ports: Readonly<Record<PortName, number>>;
}

/** The address ranges of a cluster; those of two clusters of one sandbox do not overlap. */
export function networks(settings: ClusterSettings): { pods: string; services: string; serviceAddress: string } {
  const second = settings.network * 2;
  return {
    pods: `10.${second}.0.0/16`,
    services: `10.${second + 1}.0.0/16`,
    serviceAddress: `10.${second + 1}.0.1`,
  };
}

/** Reads a cluster's settings; undefined when it was never made. */
export const readSettings = (files: ClusterFiles): ClusterSettings | undefined => readJson(files.settings);

/**
 * The settings of each named cluster, made where missing. Ports stay as they were; one that another program
 * has taken while its owner did not run (`runs` says so) is chosen again.
 */
export async function ensureSettings(options: {
  readonly project: string;
  readonly names: readonly string[];
  readonly address: string;
  readonly runs: (files: ClusterFiles, component: Component) => boolean;
}): Promise<Map<string, ClusterSettings>> {
  const { project, address } = options;
  const known = new Map<string, ClusterSettings>();
  for (const name of clusterNames(project)) {
    const settings = readSettings(clusterFiles(project, name));
    if (settings !== undefined) known.set(name, settings);
  }
  const wanted = new Map<string, ClusterSettings>();
  for (const name of options.names) {
    const files = clusterFiles(project, name);
    const before = known.get(name);
    const taken = new Set([...known.values()].flatMap((settings) => Object.values(settings.ports)));
    const ports: Record<string, number> = { ...before?.ports };
    for (const [port, owner] of Object.entries(portOwners)) {
      const listens = owner === "kube-apiserver" ? address : "127.0.0.1";
      const current = ports[port];
      if (current !== undefined && (options.runs(files, owner) || (await isFree(listens, current)))) continue;
      ports[port] = await freePort(listens, taken);
      taken.add(ports[port]);
    }
    const settings: ClusterSettings = {
      id: before?.id ?? randomUUID(),
      network: before?.network ?? freeNetwork(known),
      address,
      ports: ports as ClusterSettings["ports"],
    };
    known.set(name, settings);
    wanted.set(name, settings);
    if (JSON.stringify(before) === JSON.stringify(settings)) continue;
    makePrivateDirectory(files.directory);
    writePrivate(files.settings, JSON.stringify(settings));
  }
  return wanted;
}

function freeNetwork(known: ReadonlyMap<string, ClusterSettings>): number {
  const taken = new Set([...known.values()].map((settings) => settings.network));
  for (let network = 0; network < 128; network++) if (!taken.has(network)) return network;
  throw new UserError("a sandbox holds at most 128 clusters", "remove some: make sandbox-down, then --purge");
}
