import { Command } from "commander";
import { sandboxDown, sandboxParts, sandboxPrograms, sandboxStatus, sandboxUp } from "../../sandbox";
import { ensureToolchain } from "../../toolchain";
import { projectDirectory, readPlatform, sandboxClusters } from "../openStack";
import { table } from "../../shared/table";
import { UserError, reportToStderr } from "../../shared/terminal";

const directory = projectDirectory;

/** `kazoo sandbox up | down | status`: Kubernetes control planes on this machine, with simulated nodes. */
export function sandboxCommand(): Command {
  const command = new Command("sandbox").description("Kubernetes clusters on this machine whose nodes are simulated");
  command
    .command("up")
    .description("start the sandbox clusters of a stack, or those named; does nothing where they run")
    .argument("[clusters...]", "names of clusters; default: those of the stack")
    .option("-s, --stack <name>", "which Pulumi.<name>.yaml", "dev")
    .option("--audit", "write what the API server is asked to .sandbox/NAME/audit.log, until --no-audit or a purge")
    .option("--no-audit")
    .action(async (names: string[], { stack, audit }: { stack: string; audit?: boolean }) => {
      const clusters = names.length > 0 ? names : sandboxClusters(readPlatform(stack));
      if (clusters.length === 0)
        throw new UserError(`stack ${stack} has no sandbox cluster`, "choose one that has, e.g. STACK=dev");
      const toolchain = await ensureToolchain(sandboxParts, reportToStderr);
      const running = await sandboxUp({
        ...{ directory, clusters, toolchain, report: reportToStderr },
        ...(audit === undefined ? {} : { audit }),
      });
      process.stdout.write(
        table(
          running.map(({ context, server, started }) => [context, server, started.length > 0 ? "started" : "runs"]),
        ),
      );
    });
  command
    .command("down")
    .description("end the processes of all sandbox clusters, or of those named; their data stays")
    .argument("[clusters...]", "names of clusters; default: all of this project")
    .option("--purge", "remove their data, keys and contexts as well", false)
    .action(async (clusters: string[], { purge }: { purge: boolean }) => {
      const chosen = clusters.length > 0 ? { clusters } : {};
      const ended = await sandboxDown({ directory, ...chosen, purge, report: reportToStderr });
      if (ended.length === 0) reportToStderr("no sandbox cluster runs");
    });
  command
    .command("status")
    .description("show the sandbox clusters of this project")
    .option("--json", "for programs", false)
    .action(async ({ json }: { json: boolean }) => {
      const clusters = await sandboxStatus({ directory });
      if (json) process.stdout.write(`${JSON.stringify(clusters, null, 2)}\n`);
      else if (clusters.length === 0) reportToStderr("this project has no sandbox cluster; make sandbox-up makes one");
      else process.stdout.write(statusTable(clusters));
    });
  return command;
}

function statusTable(clusters: Awaited<ReturnType<typeof sandboxStatus>>): string {
  const rows = clusters.map((cluster) => {
    const running = Object.keys(cluster.running);
    const missing = sandboxPrograms.filter((component) => !running.includes(component));
    const state = running.length === 0 ? "stopped" : missing.length > 0 ? `lacks ${missing.join(", ")}` : "runs";
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
