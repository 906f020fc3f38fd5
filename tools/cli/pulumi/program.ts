/** A Pulumi program of this project, which runs in this process. */
export interface Program {
  /** Its file. */
  readonly path: string;
  /** The working folder while it runs: a kubeconfig's path can be relative. */
  readonly directory: string;
}

/** The commands of Pulumi that run a program. */
const commands: readonly unknown[] = ["preview", "up"];

/**
 * Does something with the options with which a command of Pulumi runs the program in this process, as the Automation API runs inline programs:
 * Pulumi itself starts Node.js for each preview and each update, which costs several times what the program does. The API would run four more
 * commands with each.
 */
export async function withProgram<T>(
  program: Program | undefined,
  [command]: readonly string[],
  work: (options: readonly string[]) => Promise<T>,
): Promise<T> {
  if (program === undefined || !commands.includes(command)) return work([]);
  const leave = enter(program.directory);
  try {
    // Loading it takes a second, which other commands do not need.
    const { serve } = require("./languageRuntime") as typeof import("./languageRuntime");
    served = true;
    const { address, close } = await serve(require(program.path) as () => unknown);
    try {
      return await work(["--client", address]);
    } finally {
      close();
    }
  } finally {
    leave();
  }
}

let served = false;

/** Whether a program was served. If Pulumi was interrupted, the program may still wait for pods. */
export const hasServed = (): boolean => served;

let inside = 0;
let outside = "";

/** Changes the working folder until all programs have left it. */
function enter(directory: string): () => void {
  if (inside++ === 0) outside = process.cwd();
  process.chdir(directory);
  return () => {
    if (--inside === 0) process.chdir(outside);
  };
}
