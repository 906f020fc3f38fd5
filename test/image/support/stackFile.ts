import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import type { Clone } from "../../support/clone";

/** Writes the file of a stack into a clone: the keys below `kazoo:`. */
export function writeStackFile(clone: Clone, stack: string, keys: Readonly<Record<string, unknown>>): void {
  const config = Object.fromEntries(Object.entries(keys).map(([key, value]) => [`kazoo:${key}`, value]));
  writeFileSync(join(clone.directory, `Pulumi.${stack}.yaml`), stringify({ config }));
}

/** Runs plain `pulumi` in a clone with what `kazoo env` prints for its stacks, as a user would. */
export async function pulumi(clone: Clone, args: readonly string[]): Promise<string> {
  const { stdout: variables } = await clone.run(["env", "--stack", "dev"]);
  const options = { cwd: clone.directory, maxBuffer: 64 * 1024 * 1024 };
  const { stdout } = await promisify(execFile)("bash", ["-c", `eval "$KAZOO_ENV"; exec pulumi "$@"`, "bash", ...args], {
    ...options,
    env: { ...process.env, KAZOO_ENV: variables },
  });
  return stdout;
}
