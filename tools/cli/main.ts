import { withoutLoopbackProxy } from "../shared/proxy";
import { printError } from "../shared/terminal";
import { kazoo } from "./commandLine";
import { hasServed } from "./pulumi/program";

/** Runs the command on the command line; errors become a message and an exit code. */
export async function run(): Promise<void> {
  // The reader of the output, such as head, has closed it.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  Object.assign(process.env, withoutLoopbackProxy(process.env)); // for this process and everything it starts
  try {
    await kazoo().parseAsync();
  } catch (error) {
    process.exitCode = printError(error);
  }
  if (hasServed()) process.exit();
}
