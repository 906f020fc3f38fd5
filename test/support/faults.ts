import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identify, processName } from "../../tools/shared/processes";
import type { Run } from "./clone";
import { type SandboxStack, sandboxStack } from "./sandboxStack";
import { until } from "./until";

/** A process that a command of ours has started. */
export interface Started {
  readonly pid: number;
  readonly name: string;
}

/** What must survive every fault: the values of Secrets and the identity of volumes, by name. */
export type Kept = Readonly<Record<string, unknown>>;

/** A stack on a sandbox whose commands have a temporary folder of their own, so that what they leave behind can be told from what others do. */
export interface FaultStack extends SandboxStack {
  /** Of all commands, their TMPDIR among it. */
  readonly environment: NodeJS.ProcessEnv;
  readonly run: (args: readonly string[]) => Promise<Run>;
  /** Runs a command and calls `act` once, as soon as its output has matched so many times, and `next` when it prints more. Fails if it ends before. */
  readonly at: (
    args: readonly string[],
    point: { readonly line: RegExp; readonly times: number },
    act: (kazoo: { readonly pid: number }) => void,
    next?: (kazoo: { readonly pid: number }) => void,
  ) => Promise<Run>;
  /** Pulumi, its language host and its providers that run now. */
  readonly started: () => Started[];
  readonly kept: () => Promise<Kept>;
  /** Asserts that the next `up` works, that it has kept all this, that a preview then shows no change, and that nothing is left behind. */
  readonly converges: (before?: Kept) => Promise<Run>;
  /** Asserts that no process runs on and that no temporary file is left. */
  readonly leavesNothing: () => Promise<void>;
}

/** A line of Pulumi's output for each resource that is done. */
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
      await leavesNothing();
      return up;
    },
    leavesNothing,
  };
}

/** Secrets with their values, and volume claims with their volumes, of all of the program's namespaces. */
async function keptIn({ list }: SandboxStack["api"]): Promise<Kept> {
  const mine = "?labelSelector=app.kubernetes.io%2Fpart-of%3Dkazoo";
  const [secrets, claims] = await Promise.all([list(`/api/v1/secrets${mine}`), list("/api/v1/persistentvolumeclaims")]);
  const name = (kind: string, { metadata }: { metadata?: { namespace?: string; name?: string } }) =>
    `${kind} ${metadata?.namespace}/${metadata?.name}`;
  return Object.fromEntries([
    ...secrets.map((secret) => [name("Secret", secret), secret.data]),
    ...claims
      // One that waits for its deletion is on its way already.
      .filter(({ metadata }) => metadata?.deletionTimestamp === undefined)
      .map((claim) => [name("claim", claim), claim.metadata?.uid]),
  ]) as Kept;
}

/** Processes whose TMPDIR lies in a folder. */
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
        return []; // another user's, or ended
      }
    });
}

/** Random numbers that a seed makes again: mulberry32. Returns whole numbers from `least` to `most`. */
export function randomFrom(seed: number): (least: number, most: number) => number {
  let state = seed >>> 0;
  return (least, most) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return least + (((mixed ^ (mixed >>> 14)) >>> 0) % (most - least + 1));
  };
}
