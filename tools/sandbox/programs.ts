import { readFileSync, readdirSync, readlinkSync, realpathSync } from "node:fs";
import { basename } from "node:path";
import { type ProcessId, endProcess, identify } from "../shared/processes";
import { type ClusterFiles, type Component, components, kwokctlName } from "./files";

/** The running programs of a cluster, with their processes. */
export type Programs = Readonly<Partial<Record<Component, ProcessId>>>;

/**
 * Finds a cluster's programs among all processes, by the folder in which they run. kwokctl's files with process ids are
 * not reliable: the kernel reuses ids, and a killed kwokctl may not have written one.
 */
export function runningPrograms(files: ClusterFiles): Programs {
  let folder: string;
  try {
    folder = realpathSync(files.work);
  } catch {
    return {};
  }
  const found: Partial<Record<Component, ProcessId>> = {};
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (readlinkSync(`/proc/${pid}/cwd`) !== folder) continue;
      const program = basename(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0] ?? "");
      const component = components.find((candidate) => kwokctlName(candidate) === program);
      const id = identify(Number(pid));
      if (component !== undefined && id !== undefined) found[component] = id;
    } catch {
      // ended meanwhile, or another user's
    }
  }
  return found;
}

/** The running programs of a cluster that were not among `before`. */
export function startedSince(files: ClusterFiles, before: Programs): Programs {
  return Object.fromEntries(
    Object.entries(runningPrograms(files)).filter(
      ([component, { startTime }]) => before[component as Component]?.startTime !== startTime,
    ),
  );
}

/**
 * Ends the programs of a cluster: first those that use the API server, etcd last.
 *
 * It does not use `kwokctl stop`, which kills by process id, does not wait until ports and files are free, and needs the
 * toolchain, which may no longer exist when someone wants to clean up.
 */
export async function endPrograms(programs: Programs): Promise<Component[]> {
  const end = async (component: Component): Promise<void> => {
    const process = programs[component];
    if (process !== undefined) await endProcess(process);
  };
  const [store, server, ...users] = components;
  await Promise.all(users.map(end));
  await end(server);
  await end(store);
  return components.filter((component) => programs[component] !== undefined);
}
