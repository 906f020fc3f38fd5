import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/**
 * The folder of a Go module's files, downloaded once into Go's own cache.
 * @param module path and version, `example.com/module@v1.2.3`
 * @param sum its checksum, as go.sum has it
 */
export async function goModule(module: string, sum: string): Promise<string> {
  const cwd = mkdtempSync(join(tmpdir(), "kazoo-go-"));
  try {
    // The checksum is compared here, because the checksum database cannot be reached from everywhere.
    const env = { ...process.env, GOFLAGS: "-mod=mod", GONOSUMDB: "*" };
    const { stdout } = await promisify(execFile)("go", ["mod", "download", "-json", module], { cwd, env });
    const { Dir, Sum } = JSON.parse(stdout) as { Dir: string; Sum: string };
    assert.equal(Sum, sum, `the checksum of ${module}`);
    return Dir;
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
