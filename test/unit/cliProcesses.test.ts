import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { withLock } from "../../tools/shared/lock";
import { type ProcessId, endProcess, identify, isAlive, startDetached } from "../../tools/shared/processes";
import { until } from "../support/until";

let directory: string;
let started: ProcessId[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kazoo-processes-"));
  started = [];
});
afterEach(async () => {
  await Promise.all(started.map((id) => endProcess(id, 0)));
  rmSync(directory, { recursive: true, force: true });
});

function start(script: string): ProcessId {
  const log = join(directory, "log");
  const options = { binary: process.execPath, args: ["-e", script], directory, log, env: {} };
  const id = startDetached(options);
  started.push(id);
  return id;
}

/** Ends a test's program and leaves it as a zombie, as a careless init would: its parent sleeps. */
async function zombie(): Promise<number> {
  const parent = spawn("/bin/sh", ["-c", "sh -c 'echo $$' & exec sleep 600"], { stdio: ["ignore", "pipe", "ignore"] });
  if (parent.pid !== undefined) started.push(identify(parent.pid) as ProcessId);
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  return Number(line.toString());
}

describe("processes", () => {
  test("a process is identified by its start time, not by its pid alone", () => {
    const id = start("setInterval(() => {}, 1000)");
    assert.equal(isAlive(id), true);
    assert.equal(isAlive({ ...id, startTime: `${id.startTime}1` }), false);
    assert.equal(isAlive({ ...id, pid: process.pid }), false);
  });

  test("a zombie counts as ended", async () => {
    const pid = await zombie();
    await until("a zombie", () => {
      const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
      return stat.includes(") Z ");
    });
    assert.equal(identify(pid), undefined);
  });

  test("a process that ignores SIGTERM is killed; another process with the same pid is not touched", async () => {
    const id = start("process.on('SIGTERM', () => {}); console.log('ready'); setInterval(() => {}, 1000)");
    await until("it ignores the signal", () => readFileSync(join(directory, "log"), "utf8").includes("ready"));
    await endProcess({ ...id, startTime: "another boot/1" }, 0);
    assert.equal(isAlive(id), true);
    await endProcess(id, 100);
    assert.equal(isAlive(id), false);
  });

  test("a start keeps the previous start's log", async () => {
    start("console.log('first')");
    await until("the first line", () => readFileSync(join(directory, "log"), "utf8") === "first\n");
    start("console.log('second')");
    await until("the second line", () => readFileSync(join(directory, "log"), "utf8") === "second\n");
    assert.equal(readFileSync(join(directory, "log.previous"), "utf8"), "first\n");
  });
});

describe("the lock", () => {
  test("admits one process at a time, and says once which one it waits for", async () => {
    const path = join(directory, "deep", "lock");
    let inside = 0;
    let most = 0;
    const waits: number[] = [];
    const one = () =>
      withLock(
        path,
        (pid) => waits.push(pid),
        async () => {
          most = Math.max(most, ++inside);
          await sleep(20);
          inside--;
        },
      );
    await Promise.all([one(), one(), one()]);
    assert.equal(most, 1);
    assert.deepEqual(waits, [process.pid, process.pid]);
    assert.equal(existsSync(path), false);
  });

  test("is taken over if its holder was killed", async () => {
    const path = join(directory, "lock");
    const holder = start("setInterval(() => {}, 1000)");
    writeFileSync(path, JSON.stringify(holder));
    let waited = false;
    const entered = withLock(
      path,
      () => (waited = true),
      () => Promise.resolve("entered"),
    );
    await until("it waits while the holder lives", () => waited);
    process.kill(holder.pid, "SIGKILL");
    assert.equal(await entered, "entered");
  });

  test("is released after an error, and waiting for it ends with a signal", async () => {
    const path = join(directory, "lock");
    const fail = () => Promise.reject(new Error("work failed"));
    await assert.rejects(
      withLock(path, () => undefined, fail),
      /work failed/,
    );
    writeFileSync(path, JSON.stringify(identify(process.pid)));
    const controller = new AbortController();
    const waiting = withLock(
      path,
      () => controller.abort(new Error("interrupted")),
      () => Promise.resolve(),
      controller.signal,
    );
    await assert.rejects(waiting, /interrupted/);
    assert.ok(existsSync(path), "the holder's lock stays");
  });
});
