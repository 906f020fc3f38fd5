import {
  requireSandboxHost,
  sandboxDown,
  sandboxParts,
  sandboxPrograms,
  sandboxStatus,
  sandboxUp,
} from "../../sandbox";
import { ensureToolchain } from "../../toolchain";
import { projectDirectory, readPlatform, sandboxClusters } from "../stack/openStack";
import { table } from "../../shared/table";
import { UserError, reportToStderr } from "../../shared/terminal";

const directory = projectDirectory;

interface UpOptions {
  readonly stack: string;
  /** Whether the API server logs its requests; undefined: no change. */
  readonly audit?: boolean;
}

/** Starts the named sandbox clusters, or those of a stack. */
export async function up(names: readonly string[], { stack, audit }: UpOptions): Promise<void> {
  const clusters = names.length > 0 ? names : sandboxClusters(readPlatform(stack));
  if (clusters.length === 0)
    throw new UserError(`stack ${stack} has no sandbox cluster`, "choose a stack that has one, e.g. STACK=dev");
  requireSandboxHost(directory); // before the toolchain, which can take minutes to build
  const toolchain = await ensureToolchain(sandboxParts, reportToStderr);
  const running = await sandboxUp({
    ...{ directory, clusters, toolchain, report: reportToStderr },
    ...(audit === undefined ? {} : { audit }),
  });
  process.stdout.write(
    table(running.map(({ context, server, started }) => [context, server, started.length > 0 ? "started" : "runs"])),
  );
}

/** Stops the named sandbox clusters, or all. */
export async function down(names: readonly string[], purge: boolean): Promise<void> {
  const chosen = names.length > 0 ? { clusters: names } : {};
  const ended = await sandboxDown({ directory, ...chosen, purge, report: reportToStderr });
  if (ended.length === 0) reportToStderr("no sandbox cluster is running");
}

/** Shows the sandbox clusters of this project. */
export async function status(json: boolean): Promise<void> {
  const clusters = await sandboxStatus({ directory });
  if (json) process.stdout.write(`${JSON.stringify(clusters, null, 2)}\n`);
  else if (clusters.length === 0) reportToStderr("this project has no sandbox cluster; make sandbox-up creates one");
  else process.stdout.write(statusTable(clusters));
}

function statusTable(clusters: Awaited<ReturnType<typeof sandboxStatus>>): string {
  const rows = clusters.map((cluster) => {
    const running = Object.keys(cluster.running);
    const missing = sandboxPrograms.filter((component) => !running.includes(component));
    const state = running.length === 0 ? "stopped" : missing.length > 0 ? `without ${missing.join(", ")}` : "runs";
    return [
      cluster.context,
      state === "runs" && !cluster.ready ? "not ready" : state,
      `${cluster.nodes.ready}/${cluster.nodes.total}`,
      `${Math.round(cluster.memory / 1024 ** 2)} MiB`,
      cluster.server,
      cluster.podNetwork,
    ];
  });
  return table([["CONTEXT", "STATE", "NODES READY", "MEMORY", "SERVER", "PODS"], ...rows]);
}
