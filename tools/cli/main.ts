import { Command } from "commander";
import { accountCommands } from "./commands/accounts";
import { completeCommand } from "./commands/complete";
import { deployCommands } from "./commands/deploy";
import { dockerCommands } from "./commands/docker";
import { insideCommands } from "./commands/inside";
import { renderCommand } from "./commands/render";
import { reportCommands } from "./commands/report";
import { sandboxCommand } from "./commands/sandbox";
import { schemaCommand } from "./commands/schema";
import { stackCommands } from "./commands/lifecycle";
import { statusCommand } from "./commands/status";
import { toolchainCommand } from "./commands/toolchain";
import { printError } from "../shared/terminal";

/** The program `kazoo` with all its commands. */
export function kazoo(): Command {
  return withoutCompletion().addCommand(completeCommand(withoutCompletion));
}

function withoutCompletion(): Command {
  const command = new Command("kazoo").description(
    "Kazoo on Kubernetes: stacks, and the sandbox and toolchain they run with",
  );
  for (const part of [
    ...stackCommands(),
    ...reportCommands(),
    statusCommand(),
    ...insideCommands(),
    ...accountCommands(),
    ...deployCommands(),
    dockerCommands(),
    renderCommand(),
    schemaCommand(),
    sandboxCommand(),
    toolchainCommand(),
  ]) {
    command.addCommand(part);
  }
  return command.showHelpAfterError("(kazoo --help shows what there is)");
}

/** Runs the command that the command line names; errors become a message and an exit code. */
export async function run(): Promise<void> {
  // Whoever reads our output, such as head, has had enough.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  try {
    await kazoo().parseAsync();
  } catch (error) {
    process.exitCode = printError(error);
  }
}
