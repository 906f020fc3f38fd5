import type { Clone, Run } from "../support/clone";

/** Runs a command of the project in a clone. Throws with its output if it fails. */
export async function mustRun(clone: Clone, args: readonly string[]): Promise<Run> {
  const run = await clone.run(args);
  if (run.code !== 0) throw new Error(`kazoo ${args.join(" ")} ended with ${run.code}\n${run.stdout}${run.stderr}`);
  return run;
}
