import { randomUUID } from "node:crypto";
import { UserError } from "../shared/terminal";
import { type ClusterFiles, clusterFiles, clusterNames, makePrivateDirectory, readText, writePrivate } from "./files";
import { areFree, choosePort, clusterPorts } from "./ports";
import { runningPrograms } from "./programs";

/** Settings that a cluster gets when it is created, and keeps. */
export interface ClusterSettings {
  /** Unique: a cluster that is recreated under the same name has another id. */
  readonly id: string;
  /** 0 to 127, different for each cluster of a sandbox; its networks are derived from it. */
  readonly network: number;
  /** Address that the API server listens on. */
  readonly address: string;
  /** The first of the cluster's ports. */
  readonly port: number;
  /** Whether the API server writes an audit log. */
  readonly audit?: boolean;
}

/** The address ranges of a cluster; those of two clusters of one sandbox do not overlap. */
export function networks({ network }: ClusterSettings): { pods: string; services: string; serviceAddress: string } {
  const second = network * 2;
  return {
    pods: `10.${second}.0.0/16`,
    services: `10.${second + 1}.0.0/16`,
    serviceAddress: `10.${second + 1}.0.1`,
  };
}

/** URL of the API server. */
export const serverUrl = ({ address, port }: ClusterSettings): string =>
  `https://${address}:${clusterPorts(port).apiServer}`;

/** Reads a cluster's settings; undefined if the cluster does not exist. */
export function readSettings(files: ClusterFiles): ClusterSettings | undefined {
  const text = readText(files.settings);
  if (text === undefined) return undefined;
  // An earlier version of the project chose each port separately.
  const { ports, ...settings } = JSON.parse(text) as ClusterSettings & { ports?: { apiServer: number } };
  return ports === undefined ? settings : { ...settings, port: ports.apiServer - clusterPorts(0).apiServer };
}

/**
 * The settings of each named cluster; creates those that are missing. A cluster keeps its ports, unless another program has taken one
 * while the cluster was stopped.
 */
export async function ensureSettings(
  project: string,
  names: readonly string[],
  given: { readonly address: string; readonly audit?: boolean | undefined },
): Promise<Map<string, ClusterSettings>> {
  const known = new Map<string, ClusterSettings>();
  for (const name of clusterNames(project)) {
    const settings = readSettings(clusterFiles(project, name));
    if (settings !== undefined) known.set(name, settings);
  }
  const { address } = given;
  const wanted = new Map<string, ClusterSettings>();
  for (const name of names) {
    const files = clusterFiles(project, name);
    const before = known.get(name);
    const runs = Object.keys(runningPrograms(files)).length > 0;
    const keepsPort = before !== undefined && (runs || (await areFree(before.port, address)));
    const taken = [...known.values()].map(({ port }) => port);
    const audit = given.audit ?? before?.audit ?? false;
    const settings: ClusterSettings = {
      id: before?.id ?? randomUUID(),
      network: before?.network ?? freeNetwork(known),
      address,
      port: keepsPort ? before.port : await choosePort(address, taken),
      ...(audit ? { audit } : {}),
    };
    known.set(name, settings);
    wanted.set(name, settings);
    makePrivateDirectory(files.directory);
    writePrivate(files.settings, JSON.stringify(settings));
  }
  return wanted;
}

function freeNetwork(known: ReadonlyMap<string, ClusterSettings>): number {
  const taken = new Set([...known.values()].map(({ network }) => network));
  for (let network = 0; network < 128; network++) if (!taken.has(network)) return network;
  throw new UserError("a sandbox holds at most 128 clusters", "remove some: make sandbox-down PURGE=1");
}
