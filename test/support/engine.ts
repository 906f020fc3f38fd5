import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ensureToolchain } from "../../tools/toolchain";
import type { Run } from "./clone";

/** Passphrase of all states in the fixtures. */
export const fixturePassphrase = "made up for tests";

/** The Pulumi CLI over a file backend in a temporary folder. */
export interface Engine {
  /** Runs `pulumi ARGS…` in a folder; never throws for an exit code. */
  readonly run: (directory: string, args: readonly string[]) => Promise<Run>;
  /** Removes the backend. */
  readonly dispose: () => void;
}

/** Creates an empty backend whose secrets are encrypted with {@link fixturePassphrase}. */
export async function temporaryEngine(): Promise<Engine> {
  const toolchain = await ensureToolchain(["pulumi", "language", "random", "kubernetes"], () => undefined);
  const backend = mkdtempSync(join(tmpdir(), "kazoo-backend-"));
  const env = {
    ...process.env,
    ...toolchain.env,
    TMPDIR: backend, // the kubernetes provider leaves files there
    PULUMI_BACKEND_URL: `file://${backend}`,
    PULUMI_CREDENTIALS_PATH: backend,
    PULUMI_CONFIG_PASSPHRASE: fixturePassphrase,
    PULUMI_CONFIG_PASSPHRASE_FILE: undefined,
    // The salt is in the state, so a stack's file need not have it.
    PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
    PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    // Never use one of the user's clusters by accident.
    KUBECONFIG: join(backend, "no-kubeconfig"),
  };
  return {
    run: (directory, args) =>
      promisify(execFile)(toolchain.binary("pulumi"), ["--non-interactive", "--color", "never", ...args], {
        cwd: directory,
        env,
        maxBuffer: 256 * 1024 * 1024,
      }).then(
        (done) => ({ code: 0, ...done }),
        (error: { code?: number; stdout?: string; stderr?: string; message: string }) => ({
          code: error.code ?? -1,
          stdout: error.stdout ?? "",
          stderr: error.stderr ?? error.message,
        }),
      ),
    dispose: () => rmSync(backend, { recursive: true, force: true }),
  };
}
