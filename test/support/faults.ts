import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isFromRun } from "../../tools/cli/cluster/leftBehind";
import { identify, processName } from "../../tools/shared/processes";
import type { Run } from "./clone";
import { type SandboxStack, sandboxStack } from "./sandboxStack";
import { until } from "./until";

/** A process that one of the project's commands has started. */
export interface Started {
  readonly pid: number;
  readonly name: string;
}

/** What must survive every fault: the values of Secrets and the identities of volumes, by name. */
export type Kept = Readonly<Record<string, unknown>>;

/** A stack on a sandbox whose commands use a separate temporary folder, so that their leftovers can be recognised. */
export interface FaultStack extends SandboxStack {
  /** The environment of all commands, including their TMPDIR. */
  readonly environment: NodeJS.ProcessEnv;
  readonly run: (args: readonly string[]) => Promise<Run>;
  /** Runs a command and calls `act` once its output has matched this many times, and `next` when it prints more. Fails if the command ends before. */
  readonly at: (
    args: readonly string[],
    point: { readonly line: RegExp; readonly times: number },
    act: (kazoo: { readonly pid: number }) => void,
    next?: (kazoo: { readonly pid: number }) => void,
  ) => Promise<Run>;
  /** The running Pulumi, language host and providers. */
  readonly started: () => Started[];
  readonly kept: () => Promise<Kept>;
  /**
   * Asserts that the next `up` works and keeps all this, that a preview then shows no change, that objects have one owner, and that nothing is left
   * behind.
   */
  readonly converges: (before?: Kept) => Promise<Run>;
  /** Asserts that no process keeps running and no temporary file is left. */
  readonly leavesNothing: () => Promise<void>;
}

/** Matches the line that Pulumi prints for each finished resource. */
export const done = / (created|updated|replaced|deleted)\b/g;

/**
 * @param environment of all commands
 * @param stack name of the stack that the commands run on
 */
export async function faultStack(environment: NodeJS.ProcessEnv = {}, stackName = "dev"): Promise<FaultStack> {
  const stack = await sandboxStack();
  const { clone, api } = stack;
  const temporary = mkdtempSync(join(tmpdir(), "kazoo-faults-"));
  const env = { ...environment, TMPDIR: temporary };
  const of = (args: readonly string[]) => [...args, "--stack", stackName];
  const run: FaultStack["run"] = (args) => clone.run(of(args), env);
  const started = () => processesWith(temporary);
  const leavesNothing = async () => {
    await until("everything to end", () => started().length === 0, 10_000).catch(() => undefined);
    assert.deepEqual(started(), [], "nothing of ours runs on");
    assert.deepEqual(readdirSync(temporary), [], "no temporary file is left");
  };
  return {
    ...stack,
    clone: {
      ...clone,
      dispose: async () => {
        for (const { pid } of started()) process.kill(pid, "SIGKILL");
        await clone.dispose();
        rmSync(temporary, { recursive: true, force: true });
      },
    },
    environment: env,
    run,
    at: async (args, { line, times }, act, next = () => undefined) => {
      const acts = [act, next];
      const result = await clone.watch(
        of(args),
        ({ pid }, stdout) => {
          if (pid !== undefined && (stdout.match(line) ?? []).length >= times) acts.shift()?.({ pid });
        },
        env,
      );
      assert.ok(
        acts.length < 2,
        `it ended before ${String(line)} had come ${times} times\n${result.stdout}\n${result.stderr}`,
      );
      return result;
    },
    started,
    kept: () => keptIn(api),
    converges: async (before = {}) => {
      const up = await run(["up", "--yes"]);
      assert.equal(up.code, 0, up.stdout + up.stderr);
      const after = await keptIn(api);
      for (const [name, value] of Object.entries(before)) assert.deepEqual(after[name], value, `${name} is the same`);
      const preview = await run(["preview"]);
      assert.equal(preview.code, 0, preview.stdout + preview.stderr);
      assert.match(preview.stdout, /\d+ unchanged/);
      assert.doesNotMatch(preview.stdout, /to (create|update|replace|delete)/);
      assert.deepEqual(await sharedIn(api), [], "no interrupted run can hold up a change");
      await leavesNothing();
      return up;
    },
    leavesNothing,
  };
}

const mine = "?labelSelector=app.kubernetes.io%2Fpart-of%3Dkazoo";

/** Secrets with their values, and volume claims with their volumes, in all of the program's namespaces. */
async function keptIn({ list }: SandboxStack["api"]): Promise<Kept> {
  const [secrets, claims] = await Promise.all([list(`/api/v1/secrets${mine}`), list("/api/v1/persistentvolumeclaims")]);
  const name = (kind: string, { metadata }: { metadata?: { namespace?: string; name?: string } }) =>
    `${kind} ${metadata?.namespace}/${metadata?.name}`;
  return Object.fromEntries([
    ...secrets.map((secret) => [name("Secret", secret), secret.data]),
    ...claims
      // A claim that is already being deleted.
      .filter(({ metadata }) => metadata?.deletionTimestamp === undefined)
      .map((claim) => [name("claim", claim), claim.metadata?.uid]),
  ]) as Kept;
}

/** The program's objects that several of its runs own. */
async function sharedIn({ list }: SandboxStack["api"]): Promise<string[]> {
  const kinds = [
    "api/v1/secrets",
    "api/v1/services",
    "apis/apps/v1/statefulsets",
    "apis/policy/v1/poddisruptionbudgets",
  ];
  const objects = (await Promise.all(kinds.map((kind) => list(`/${kind}${mine}`)))).flat();
  return objects.flatMap(({ metadata }) => {
    const runs = (metadata?.managedFields ?? []).filter((entry) => isFromRun({ metadata: { managedFields: [entry] } }));
    return runs.length > 1 ? [`${metadata?.name}: ${runs.map(({ manager }) => manager).join(", ")}`] : [];
  });
}

/** Processes whose TMPDIR is in a folder. */
function processesWith(folder: string): Started[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => identify(pid) !== undefined)
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "latin1").split("\0");
        if (!environment.some((variable) => variable.startsWith(`TMPDIR=${folder}/`))) return [];
        return [{ pid, name: processName(pid) ?? "" }];
      } catch {
        return []; // another user's process, or ended
      }
    });
}

/** Reproducible random numbers from a seed (mulberry32): whole numbers from `least` to `most`. */
export function randomFrom(seed: number): (least: number, most: number) => number {
  let state = seed >>> 0;
  return (least, most) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return least + (((mixed ^ (mixed >>> 14)) >>> 0) % (most - least + 1));
  };
}
