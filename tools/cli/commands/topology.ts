import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { topologyOf } from "../../topology/graph";
import { layOut } from "../../topology/layout";
import { pageOf } from "../../topology/page";
import { svgOf } from "../../topology/svg";
import { projectDirectory, readPlatform } from "../openStack";

interface TopologyOptions {
  readonly stack: string;
  /** Folder to write to. */
  readonly out?: string;
}

/** Draws a stack. */
export async function topology({ stack, out }: TopologyOptions): Promise<void> {
  const directory = resolve(out ?? join(projectDirectory, ".state", "topology", basename(stack)));
  const graph = topologyOf(basename(stack), readPlatform(stack));
  const drawing = await layOut(graph);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "topology.svg"), svgOf(graph, drawing));
  writeFileSync(join(directory, "topology.html"), pageOf(graph, drawing));
  const page = relative(process.cwd(), join(directory, "topology.html"));
  process.stdout.write(`Page: ${page}, and as a picture topology.svg\n`);
}
