import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Clone, Run } from "./clone";

/** What `kazoo env` printed, by clone: asked for once, while the config is right. */
const environments = new Map<Clone, string>();

/** Pulumi itself on the stack `dev`, in the environment that `kazoo env` prints, as docs/operations.md says. */
export async function plainPulumi(clone: Clone, args: readonly string[]): Promise<Run> {
  const environment = environments.get(clone) ?? (await clone.run(["env"])).stdout;
  environments.set(clone, environment);
  const script = `${environment}\nexec pulumi ${args.join(" ")} --stack dev --non-interactive`;
  return promisify(execFile)("sh", ["-c", script], { cwd: clone.directory, maxBuffer: 64 * 1024 * 1024 }).then(
    (done) => ({ code: 0, ...done }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}
