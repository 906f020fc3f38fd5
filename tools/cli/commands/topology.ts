import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { topologyOf } from "../../topology/graph";
import { layOut } from "../../topology/layout";
import { pageOf } from "../../topology/page";
import { svgOf } from "../../topology/svg";
import { reportToStderr } from "../../shared/terminal";
import { withStates } from "../../topology/live";
import type { ZoneState } from "../../topology/states";
import { healthOf } from "../cluster/health";
import { zonesOf } from "../cluster/nodes";
import { openRegions, projectDirectory, readPlatform } from "../stack/openStack";

interface TopologyOptions {
  readonly stack: string;
  /** Folder to write to. */
  readonly out?: string;
  /** Whether to ask the clusters for the state of each node. */
  readonly live?: boolean;
}

/** Draws a stack from its file, optionally with the state of its nodes. */
export async function topology({ stack, out, live = false }: TopologyOptions): Promise<void> {
  const directory = resolve(out ?? join(projectDirectory, ".state", "topology", basename(stack)));
  const configured = topologyOf(basename(stack), readPlatform(stack));
  const graph = live ? withStates(configured, await statesOf(stack), new Date().toUTCString()) : configured;
  const drawing = await layOut(graph);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "topology.svg"), svgOf(graph, drawing));
  writeFileSync(join(directory, "topology.html"), pageOf(graph, drawing));
  const page = relative(process.cwd(), join(directory, "topology.html"));
  process.stdout.write(`Page: ${page}, also as a picture: topology.svg\n`);
}

async function statesOf(stack: string): Promise<Record<string, ZoneState>> {
  const health = await healthOf((await Promise.all((await openRegions(stack, reportToStderr)).map(zonesOf))).flat());
  return Object.fromEntries(health.map((zone) => [zone.zone, zone]));
}
