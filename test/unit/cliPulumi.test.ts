import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { clearDeadRuns } from "../../tools/cli/pulumi/runFolder";
import {
  beforeRun,
  checkPassphrase,
  ensureLocalState,
  ensureStack,
  readSnapshot,
  recover,
  stopForRoom,
} from "../../tools/cli/pulumi/localState";
import { type PulumiContext, askPulumi, runPulumi } from "../../tools/cli/pulumi/pulumi";
import { deployedIn, noneIfUnknown } from "../../tools/cli/stack/deployed";
import { lastRunFailed } from "../../tools/cli/stack/history";
import { runBeside } from "../../tools/shared/beside";
import { identify } from "../../tools/shared/processes";
import { UserError } from "../../tools/shared/terminal";
import { until } from "../support/until";

const project = resolve(__dirname, "../..");
let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "kazoo-pulumi-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A Pulumi CLI that records its arguments and then runs the script. */
function pulumiThat(script: string): PulumiContext {
  const binary = join(directory, "pulumi");
  writeFileSync(binary, `#!/bin/sh\necho "$PWD: $*" >> '${directory}/calls'\n${script}\n`, { mode: 0o755 });
  return { binary, directory, env: process.env };
}
const calls = (): string =>
  existsSync(join(directory, "calls")) ? readFileSync(join(directory, "calls"), "utf8").replaceAll(directory, ".") : "";

describe("running pulumi", () => {
  test("its exit code is passed on; if a signal ended it, the code is 128 plus the signal's number", async () => {
    assert.equal(await runPulumi(pulumiThat("exit 7"), ["up"]), 7);
    assert.equal(await runPulumi(pulumiThat("kill -KILL $$"), ["up"]), 137);
    assert.equal(calls(), ".: up\n.: up\n");
  });

  test("a failing query prints pulumi's own error, without a stack trace", async () => {
    const failing = pulumiThat("echo 'error: no stack named x' >&2; exit 255");
    await assert.rejects(askPulumi(failing, ["stack", "output", "--json"]), (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.message, "pulumi stack output: no stack named x");
      return true;
    });
  });

  test("only a stack that the backend does not have counts as not deployed", async () => {
    const deployed = (script: string) => deployedIn({ name: "x", pulumi: pulumiThat(script) }).catch(noneIfUnknown);
    assert.deepEqual(await deployed(`echo "error: no stack named 'org/kazoo/x' found" >&2; exit 255`), []);
    await assert.rejects(deployed("echo 'error: SlowDown: reduce your request rate' >&2; exit 255"), /SlowDown/);
  });

  test("one of several runs is stopped by its own signal, once, and never started after it", async () => {
    const context = pulumiThat(
      `trap 'echo stopped >> "${directory}/stopped"' INT
      touch '${directory}/started'
      while [ ! -e '${directory}/end' ]; do sleep 0.02; done
      exit 9`,
    );
    const file = (name: string) => join(directory, name);
    const stop = new AbortController();
    const run = () => runBeside({ name: "us-east", stop: stop.signal }, () => runPulumi(context, ["up"]));
    const ended = run();
    await until("pulumi to start", () => existsSync(file("started")));
    stop.abort();
    await until("the signal", () => existsSync(file("stopped")));
    // Ctrl-C also reaches this process, whose other handler has aborted the signal. A second one would make Pulumi abandon its work.
    const deaf = () => undefined;
    process.on("SIGINT", deaf);
    process.emit("SIGINT");
    process.off("SIGINT", deaf);
    writeFileSync(file("end"), "");
    assert.equal(await ended, 9);
    assert.equal(readFileSync(file("stopped"), "utf8"), "stopped\n");
    assert.equal(await run(), 130);
    assert.equal(calls(), ".: up\n");
  });

  test("a disk that fills up during a run stops pulumi gracefully, once, and says how to continue", async () => {
    const context = pulumiThat(
      `trap 'echo got >> "${directory}/got"' INT
      touch '${directory}/started'
      while [ ! -e '${directory}/got' ]; do sleep 0.02; done
      sleep 2; exit 9`,
    );
    const state = ensureLocalState(directory);
    const room = () => (existsSync(join(directory, "started")) ? 12 : 1024) * 1024 ** 2;
    await assert.rejects(
      runPulumi({ ...context, mustStop: () => stopForRoom(state, "dev", room) }, ["up"]),
      (error: unknown) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, /^pulumi was stopped: only 12 MiB are free for the state in .*\.state/);
        assert.match(error.next ?? "", /free some space, then run the same command again/);
        return true;
      },
    );
    assert.equal(readFileSync(join(directory, "got"), "utf8"), "got\n");
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    for (const whom of ["the command alone", "its whole group"] as const) {
      test(`${signal} to ${whom} reaches pulumi once, which then ends on its own`, async () => {
        const context = pulumiThat(
          `trap 'echo got >> "${directory}/got"' ${signal.slice(3)}
          touch '${directory}/started'
          while [ ! -e '${directory}/got' ]; do sleep 0.02; done
          sleep 0.3; exit 9`,
        );
        const command = runInProcess(context);
        await until("pulumi runs", () => existsSync(join(directory, "started")));
        const ended = once(command, "exit");
        process.kill(whom === "its whole group" ? -Number(command.pid) : Number(command.pid), signal);
        const [code] = (await ended) as [number | null];
        assert.equal(code, 9, "the command waits for pulumi and has its exit code");
        assert.equal(readFileSync(join(directory, "got"), "utf8"), "got\n");
      });
    }
  }

  /** A command in its own process group, without a terminal, that runs pulumi. */
  function runInProcess(context: PulumiContext): ChildProcess {
    const script = join(directory, "command.ts");
    writeFileSync(
      script,
      `import { runPulumi } from ${JSON.stringify(join(project, "tools", "cli", "pulumi", "pulumi"))};
       void runPulumi({ binary: ${JSON.stringify(context.binary)}, directory: ".", env: process.env }, ["up"])
         .then((code) => { process.exitCode = code; });`,
    );
    return spawn(process.execPath, ["--import", "tsx", script], { cwd: project, detached: true, stdio: "ignore" });
  }
});

describe("the state of throw-away stacks", () => {
  test("has a lasting passphrase that only its owner can read", () => {
    const state = ensureLocalState(directory);
    const passphrase = readFileSync(state.passphraseFile, "utf8");
    assert.ok(passphrase.length >= 32);
    assert.equal(statSync(state.passphraseFile).mode & 0o777, 0o600);
    assert.equal(statSync(state.directory).mode & 0o777, 0o700);
    ensureLocalState(directory);
    assert.equal(readFileSync(state.passphraseFile, "utf8"), passphrase);
  });

  test("a stack is created once, and its file is not changed", async () => {
    const state = ensureLocalState(directory);
    const text = "config:\n  kazoo:protect: false # a comment\n";
    writeFileSync(join(directory, "Pulumi.dev.yaml"), text);
    // Pulumi adds its salt to the stack file in the folder where it runs.
    const stacks = join(state.directory, ".pulumi/stacks/kazoo");
    const context = pulumiThat(
      `echo 'encryptionsalt: x' >> Pulumi.dev.yaml; mkdir -p '${stacks}'; echo '{}' > '${stacks}/dev.json'`,
    );
    const copy = await ensureStack(context, state, "dev");
    assert.equal(readFileSync(copy, "utf8"), text);
    await ensureStack(context, state, "dev");
    const init = "--non-interactive stack init dev --secrets-provider passphrase --no-select";
    assert.equal(calls(), `./.state/configs: ${init}\n`);
    assert.equal(readFileSync(join(directory, "Pulumi.dev.yaml"), "utf8"), text);
  });
});

describe("the temporary folder of a run", () => {
  const dead = { pid: 4_000_000, startTime: "another boot/1" };
  const folderOf = (name: string, owner: object): string => {
    const folder = join(directory, `kazoo-run-${name}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "owner"), JSON.stringify(owner));
    return folder;
  };
  /** A process that a run started, under the name of the given program. */
  async function startIn(folder: string, program: string): Promise<ChildProcess> {
    const binary = join(directory, program);
    copyFileSync("/bin/sleep", binary);
    const child = spawn(binary, ["300"], { stdio: "ignore", env: { TMPDIR: folder } });
    await once(child, "spawn");
    await until(`${program} runs`, () => readFileSync(`/proc/${child.pid}/comm`, "utf8").trim() === program);
    return child;
  }
  const said: string[] = [];
  const clear = () => clearDeadRuns((line) => said.push(line), directory);

  test("is removed, with the processes that the run left, once its command is dead; nothing else is", async () => {
    const [killed, ours] = [folderOf("killed", dead), folderOf("ours", identify(process.pid) ?? {})];
    const [left, used, other] = [
      await startIn(killed, "pulumi-language"),
      await startIn(ours, "pulumi-resource"),
      await startIn(directory, "pulumi-other"),
    ];
    // If the command could still clean up, the folder is gone already.
    const gone = await startIn(join(directory, "kazoo-run-gone"), "pulumi-gone");
    try {
      const ended = Promise.all([once(left, "exit"), once(gone, "exit")]);
      await clear();
      await ended;
      assert.equal(existsSync(killed), false);
      assert.equal(existsSync(ours), true);
      assert.deepEqual([used.exitCode, used.signalCode, other.exitCode, other.signalCode], [null, null, null, null]);
      assert.match(said.join(), /ending 1 processes that a killed pulumi left behind/);
    } finally {
      for (const child of [left, used, other, gone]) child.kill("SIGKILL");
    }
  });

  test("stays while its pulumi still runs, if only the command was killed", async () => {
    const folder = folderOf("busy", dead);
    const pulumi = await startIn(folder, "pulumi");
    try {
      await clear();
      assert.equal(existsSync(folder), true);
      assert.equal(pulumi.exitCode ?? pulumi.signalCode, null);
    } finally {
      pulumi.kill("SIGKILL");
    }
  });

  test("stays if it belongs to another user, whose process may not be visible", async (t) => {
    if (process.getuid?.() !== 0) return t.skip("needs root, to make a folder of another user");
    const folder = folderOf("foreign", dead);
    chownSync(folder, 12345, 12345);
    await clear();
    assert.equal(existsSync(folder), true);
  });

  test("is removed at the end of its command, also after an error", async () => {
    const script = `require("tsx/cjs");
      console.log(require(${JSON.stringify(join(project, "tools", "cli", "pulumi", "runFolder.ts"))}).runFolder());
      throw new Error("wrong");`;
    const child = spawn(process.execPath, ["-e", script], {
      cwd: project,
      env: { ...process.env, TMPDIR: directory },
      stdio: ["ignore", "pipe", "ignore"],
    });
    let printed = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
    await once(child, "close");
    assert.match(printed, new RegExp(`^${directory}/kazoo-run-`));
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.startsWith("kazoo-run-")),
      [],
    );
  });
});

test("the last run on a stack's clusters is found behind refreshes, which change none", async () => {
  const failed = (...runs: [kind: string, result: string][]) => {
    const history = JSON.stringify(runs.map(([kind, result]) => ({ kind, result })));
    return lastRunFailed({ name: "dev", pulumi: pulumiThat(`echo '${history}'`) });
  };
  assert.equal(await failed(["refresh", "succeeded"], ["update", "failed"], ["update", "succeeded"]), true);
  assert.equal(await failed(["refresh", "failed"], ["update", "succeeded"], ["update", "failed"]), false);
  assert.equal(await failed(["destroy", "failed"]), true);
  assert.equal(await failed(), false);
});

describe("before a run", () => {
  const withState = (text: string) => {
    const state = ensureLocalState(directory);
    const stacks = join(state.directory, ".pulumi/stacks/kazoo");
    mkdirSync(stacks, { recursive: true });
    writeFileSync(join(stacks, "dev.json"), text);
    return { state, path: join(stacks, "dev.json") };
  };
  const good = JSON.stringify({ checkpoint: { latest: { resources: [{}] } } });

  test("too little space for the state is refused, with the free space in the message", () => {
    const { state } = withState(good);
    const few = () => 12 * 1024 ** 2;
    assert.throws(() => beforeRun(state, "dev", few), /only 12 MiB are free for the state in .*\.state, .* 64 MiB/);
    beforeRun(state, "dev", () => 1024 ** 3);
  });

  test("a truncated state is an error that names the last good copy", () => {
    const { state, path } = withState(good);
    beforeRun(state, "dev", () => 1024 ** 3);
    writeFileSync(path, good.slice(0, 20));
    writeFileSync(`${path}.bak`, good.slice(0, 20));
    const check = (error: unknown): boolean => {
      assert.ok(error instanceof UserError);
      assert.ok(error.message.includes(path), error.message);
      const copy = /: cp '([^']+)' '([^']+)', then make up STACK=dev$/.exec(error.next ?? "");
      assert.equal(copy?.[2], path);
      assert.equal(readFileSync(copy?.[1] ?? "", "utf8"), good);
      return true;
    };
    assert.throws(() => beforeRun(state, "dev", () => 1024 ** 3), check);
    assert.throws(() => readSnapshot(state, "dev"), check);
  });
});

describe("after a run that failed", () => {
  test("a passphrase that does not match the state is named as the cause, with its file", () => {
    const state = ensureLocalState(directory);
    const stacks = join(state.directory, ".pulumi/stacks/kazoo");
    mkdirSync(stacks, { recursive: true });
    // As Pulumi writes it with the passphrase `right`.
    const salt = "v1:4WtoO/7XZ5E=:v1:bKJbuw7WGVJZ69ZD:c5VqE8Y+pCg9upJRcYS2qzvutESSAA==";
    const latest = { secrets_providers: { type: "passphrase", state: { salt } } };
    writeFileSync(join(stacks, "dev.json"), JSON.stringify({ checkpoint: { latest } }));
    writeFileSync(state.passphraseFile, "right\n");
    checkPassphrase(state, "dev");
    writeFileSync(state.passphraseFile, "wrong");
    assert.throws(
      () => checkPassphrase(state, "dev"),
      (error: unknown) => {
        assert.ok(error instanceof UserError);
        assert.match(
          error.message,
          /^the state of stack dev was encrypted with another passphrase .*\.state\/passphrase$/,
        );
        assert.match(error.next ?? "", /restore that file, .* make restore STACK=dev FROM=FILE/);
        return true;
      },
    );
    checkPassphrase(state, "none");
  });
});

describe("what a killed pulumi leaves behind", () => {
  const stack = (context: PulumiContext) => ({ name: "dev", pulumi: context, selection: ["--stack", "dev"] });
  const leave = (pid: number | undefined, pending: number): ReturnType<typeof ensureLocalState> => {
    const state = ensureLocalState(directory);
    const backend = join(state.directory, ".pulumi");
    mkdirSync(join(backend, "stacks/kazoo"), { recursive: true });
    const latest = { resources: [{}], pending_operations: Array.from({ length: pending }, () => ({})) };
    writeFileSync(join(backend, "stacks/kazoo/dev.json"), JSON.stringify({ checkpoint: { latest } }));
    mkdirSync(join(backend, "locks/organization/kazoo/dev"), { recursive: true });
    if (pid !== undefined) writeFileSync(join(backend, "locks/organization/kazoo/dev/1.json"), JSON.stringify({ pid }));
    return state;
  };
  const silent = (): void => undefined;

  test("nothing: nothing is changed", async () => {
    const context = pulumiThat("");
    await recover(stack(context), leave(undefined, 0), silent);
    assert.equal(calls(), "");
  });

  test("a lock whose process is gone, or is not pulumi, is removed", async () => {
    const context = pulumiThat("");
    await recover(stack(context), leave(process.pid, 0), silent);
    assert.equal(calls(), ".: --non-interactive cancel --yes --stack dev\n");
  });

  test("a half-written lock is removed, once nothing writes it any more", async () => {
    const state = leave(undefined, 0);
    const lock = join(state.directory, ".pulumi/locks/organization/kazoo/dev/1.json.tmp");
    writeFileSync(lock, "");
    await recover(stack(pulumiThat("")), state, silent);
    assert.equal(existsSync(lock), true);
    utimesSync(lock, new Date(0), new Date(0));
    await recover(stack(pulumiThat("")), state, silent);
    assert.equal(existsSync(lock), false);
  });

  test("half-written attributes of the state are removed, complete ones stay", async () => {
    const state = leave(undefined, 0);
    const attributes = join(state.directory, ".pulumi/stacks/kazoo/dev.json.attrs");
    for (const [content, stays] of [
      ['{"user.content_type":"application/json"}', true],
      ["", false],
      ['{"user.content_', false],
    ] as const) {
      writeFileSync(attributes, content);
      await recover(stack(pulumiThat("")), state, silent);
      assert.equal(existsSync(attributes), stays, content);
    }
  });

  test("the lock of a running pulumi is respected, and the error names the process", async () => {
    const sleeper = join(directory, "pulumi-asleep");
    copyFileSync("/bin/sleep", sleeper);
    const other = spawn(sleeper, ["600"], { stdio: "ignore" });
    try {
      await once(other, "spawn");
      await until("it runs", () => readFileSync(`/proc/${other.pid}/comm`, "utf8").startsWith("pulumi"));
      const recovering = recover(stack(pulumiThat("")), leave(Number(other.pid), 1), silent);
      await assert.rejects(recovering, new RegExp(`another pulumi \\(process ${other.pid}\\) is working on stack dev`));
      assert.equal(calls(), "");
    } finally {
      other.kill("SIGKILL");
    }
  });

  test("interrupted operations are resolved by a refresh, without asking", async () => {
    const said: string[] = [];
    await recover(stack(pulumiThat("")), leave(undefined, 3), (line) => said.push(line));
    assert.match(calls(), /^\.: refresh --stack dev --yes --skip-preview .*--clear-pending-creates\n$/);
    assert.match(said.join(), /3 operations were interrupted/);
    await assert.rejects(recover(stack(pulumiThat("exit 1")), leave(undefined, 3), silent), /could not be refreshed/);
  });
});
