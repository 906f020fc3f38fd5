import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The image's entrypoint in the working tree. */
export const entrypoint = join(__dirname, "../../../image/entrypoint");

/** What `entrypoint render` did with an environment. */
export interface Rendering {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Contents by file name; empty if it refused. */
  readonly files: Readonly<Record<string, string>>;
  /** Permission bits by file name, e.g. 0o400. */
  readonly modes: Readonly<Record<string, number>>;
}

const fileNames = ["config.ini", "vm.args", "sys.config", ".erlang.cookie"];

/**
 * Renders the configuration from an environment alone: nothing of this process's environment but PATH goes in.
 * @param environment the variables; give PATH to put other commands first
 */
export function renderWith(environment: Readonly<Record<string, string>>): Rendering {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-render-"));
  try {
    const run = spawnSync("bash", [entrypoint, "render", folder], {
      env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", ...environment },
      encoding: "utf8",
    });
    const files: Record<string, string> = {};
    const modes: Record<string, number> = {};
    if (run.status === 0) {
      for (const name of fileNames) {
        files[name] = readFileSync(join(folder, name), "utf8");
        modes[name] = statSync(join(folder, name)).mode & 0o777;
      }
    }
    return { code: run.status, stdout: run.stdout, stderr: run.stderr, files, modes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
