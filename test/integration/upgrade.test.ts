import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { type Clone, cloneProject } from "../support/clone";
import { temporaryEngine } from "../support/engine";

/** One resource's step in `pulumi preview --json`. */
interface Step {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: Resource;
  readonly newState?: Resource;
  readonly detailedDiff?: Record<string, { readonly kind: string }> | null;
}
interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly protect?: boolean;
  readonly retainOnDelete?: boolean;
}

const folder = join(__dirname, "../fixtures/states");
const fixtures = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name: version }) =>
    readdirSync(join(folder, version))
      .filter((file) => file.endsWith(".json"))
      .map((file) => ({ version, stack: file.slice(0, -".json".length) })),
  );

/**
 * Live stacks of earlier versions, from their states, with today's program: the real engine and providers compare the two. They need no
 * cluster for that: the kubernetes provider compares the program's objects with those in the state, and knows which fields force a
 * replacement. Only whether Jobs have completed is unknown.
 */
describe("a live stack of an earlier version", { concurrency: 2 }, () => {
  let clone: Clone;
  before(async () => {
    clone = await cloneProject();
  });
  after(() => clone?.dispose());

  for (const { version, stack } of fixtures) {
    test(`${version}/${stack}: nothing is replaced or deleted, and all credentials are kept`, async (t) => {
      const steps = await preview(version, stack);
      tell(t, steps);

      const lost = steps.filter(({ op, oldState }) => !harmless.has(op) && !replaceable.has(oldState?.type ?? ""));
      assert.deepEqual(lost.map(told), []);

      // Kubernetes accepts a changed credential in place, but the pods and databases that use the old one do not.
      const credentials = steps.filter(
        ({ op, oldState, detailedDiff }) =>
          op === "update" &&
          (/^random:/.test(oldState?.type ?? "") ||
            (oldState?.type === "kubernetes:core/v1:Secret" &&
              Object.keys(detailedDiff ?? {}).some((path) => /^(stringData|data|immutable|type)\b/.test(path)))),
      );
      assert.deepEqual(credentials.map(told), []);

      const kept = steps.flatMap(({ oldState, newState }) =>
        oldState && newState && !replaceable.has(oldState.type) ? [{ oldState, newState }] : [],
      );
      assert.ok(kept.length > 20, `${kept.length} resources are kept`);
      for (const guard of ["protect", "retainOnDelete"] as const) {
        const dropped = kept.filter(({ oldState, newState }) => oldState[guard] && !newState[guard]);
        assert.deepEqual(
          dropped.map(({ newState }) => newState.urn),
          [],
          `what had ${guard} still has it`,
        );
      }
    });
  }

  /** What today's program would do to each resource of the stack, including those that stay the same. */
  async function preview(version: string, stack: string): Promise<Step[]> {
    // Two versions may have stacks of the same name, which is in every URN of the state.
    const engine = await temporaryEngine();
    const own = mkdtempSync(join(clone.directory, ".upgrade-"));
    const config = join(own, `Pulumi.${stack}.yaml`);
    const run = async (directory: string, ...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await engine.run(directory, [...args, "--stack", stack]);
      assert.equal(code, 0, `pulumi ${args.join(" ")}: exit code ${code}\n${stderr}\n${failures(stdout)}`);
      return stdout;
    };
    try {
      copyFileSync(join(clone.directory, "Pulumi.yaml"), join(own, "Pulumi.yaml"));
      await run(own, "stack", "init", "--secrets-provider", "passphrase", "--no-select");
      await run(own, "stack", "import", "--file", join(folder, version, `${stack}.json`));
      copyFileSync(join(folder, version, `${stack}.yaml`), config);
      const output = await run(clone.directory, "preview", "--json", "--show-sames", "--config-file", config);
      return (JSON.parse(output) as { steps: Step[] }).steps;
    } finally {
      engine.dispose();
    }
  }
});

/** Kinds that are replaced when their content changes, and hold neither data nor identity: this is how a changed setting reaches the pods. */
const replaceable = new Set(["kubernetes:batch/v1:Job", "kubernetes:core/v1:ConfigMap"]);
const harmless = new Set(["same", "update", "create"]);

const told = ({ op, urn, detailedDiff }: Step): string =>
  [`${op} ${urn.split("::").slice(2).join(" ")}`, ...Object.keys(detailedDiff ?? {})].join("\n    ");

/** Lists the changes, for the program's developers. */
function tell(t: TestContext, steps: readonly Step[]): void {
  for (const step of steps) if (step.op !== "same") t.diagnostic(told(step));
}

/** The part of a failed preview's output that says why it failed. */
function failures(stdout: string): string {
  try {
    const { diagnostics = [] } = JSON.parse(stdout) as { diagnostics?: { severity: string; message: string }[] };
    return diagnostics
      .filter(({ severity }) => severity === "error")
      .map(({ message }) => message)
      .join("\n");
  } catch {
    return stdout.slice(-4000);
  }
}
