import { withoutLoopbackProxy } from "../shared/proxy";
import { printError } from "../shared/terminal";
import { kazoo } from "./commandLine";

/** Runs the command that the command line names; errors become a message and an exit code. */
export async function run(): Promise<void> {
  // Whoever reads our output, such as head, has had enough.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  Object.assign(process.env, withoutLoopbackProxy(process.env)); // for this process and all that it starts
  try {
    await kazoo().parseAsync();
  } catch (error) {
    process.exitCode = printError(error);
  }
}
