import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Clone, Run } from "./clone";

/** The output of `kazoo env`, by clone and stack: read once, while the config is valid. */
const environments = new Map<string, string>();

/** Runs plain Pulumi on a stack, in the environment that `kazoo env` prints, as docs/operations.md says. */
export async function plainPulumi(clone: Clone, args: readonly string[], stack = "dev", more = {}): Promise<Run> {
  const key = `${clone.directory} ${stack}`;
  if (!environments.has(key)) {
    const { code, stdout, stderr } = await clone.run(["env", "--stack", stack]);
    assert.equal(code, 0, stdout + stderr);
    environments.set(key, stdout);
  }
  const script = `${environments.get(key)}\nexec pulumi ${args.join(" ")} --stack ${stack} --non-interactive`;
  return promisify(execFile)("sh", ["-c", script], {
    cwd: clone.directory,
    env: { ...process.env, ...more },
    maxBuffer: 64 * 1024 * 1024,
  }).then(
    (done) => ({ code: 0, ...done }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}
