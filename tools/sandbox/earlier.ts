import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isAlive, type ProcessId } from "../shared/processes";
import { type ClusterFiles, type Component, readText } from "./files";
import { endPrograms } from "./programs";

/**
 * Ends the programs that an earlier version of this project, without kwokctl, started for a cluster, and removes their
 * certificates and logs. Data and settings are in the same place as now, so the next start uses them.
 * @returns the programs that ran
 */
export async function endEarlierPrograms(files: ClusterFiles): Promise<Component[]> {
  const notes = join(files.directory, "processes.json");
  const noted = readText(notes);
  if (noted === undefined) return [];
  const programs = Object.entries(JSON.parse(noted) as Record<Component, ProcessId>).filter(([, id]) => isAlive(id));
  const ended = await endPrograms(Object.fromEntries(programs));
  const leftovers = readdirSync(files.directory).filter((name) =>
    /^(pki(\.new)?|flexvolume)$|\.log(\.previous)?$/.test(name),
  );
  for (const name of leftovers) rmSync(join(files.directory, name), { recursive: true, force: true });
  rmSync(notes);
  return ended;
}
