import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clone, cloneProject } from "./clone";
import { clusterApi } from "./clusterApi";

/** The throw-away stack `dev` of a clone, on its own running sandbox cluster `local`. */
export interface SandboxStack {
  readonly clone: Clone;
  readonly api: Awaited<ReturnType<typeof clusterApi>>;
  /** Writes its file: one datacenter, `local-dev`, and these keys. */
  readonly configure: (keys: object) => void;
  /** Runs a command of the project, which must succeed, and returns its output. */
  readonly succeeds: (...args: string[]) => Promise<string>;
  /** Asserts that a preview shows no change. */
  readonly isUnchanged: () => Promise<void>;
}

/** Its clone. Disposing of it stops the cluster. */
export async function sandboxStack(): Promise<SandboxStack> {
  const clone = await cloneProject();
  const succeeds = async (...args: string[]) => {
    const { code, stdout, stderr } = await clone.run(args);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  let api: SandboxStack["api"];
  try {
    await succeeds("sandbox", "up", "local");
    api = await clusterApi(clone.directory, "local");
  } catch (error) {
    await clone.dispose();
    throw error;
  }
  return {
    clone,
    api,
    configure: (keys) => {
      const config = {
        "kazoo:protect": false,
        "kazoo:clusters": { local: { sandbox: true } },
        "kazoo:regions": { local: { cluster: "local", datacenters: { dev: {} } } },
        ...keys,
      };
      writeFileSync(join(clone.directory, "Pulumi.dev.yaml"), JSON.stringify({ config }));
    },
    succeeds,
    isUnchanged: async () => {
      const preview = await succeeds("preview");
      assert.match(preview, /\d+ unchanged/);
      assert.doesNotMatch(preview, /to (create|update|replace|delete)/);
    },
  };
}
