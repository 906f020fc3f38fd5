import { kazoo } from "./commandLine";
import { printError } from "../shared/terminal";

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
