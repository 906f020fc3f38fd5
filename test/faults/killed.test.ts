import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../support/until";
import { type FaultStack, done, faultStack, randomFrom } from "../support/faults";

/** `KILLS=10` kills each command at ten points, `SEED=` repeats the points of an earlier run. */
const kills = Number(process.env["KILLS"] ?? "1");
const seed = Number(process.env["SEED"] ?? (kills === 1 ? "13" : String(Date.now() % 1_000_000)));
const random = randomFrom(seed);

/** Changes two workloads and their ConfigMaps. */
const changed = {
  "kazoo:environment": { KAZOO_LOG_LEVEL: "debug" },
  "kazoo:workloads": {
    kazoo: { replicas: 2 },
    rabbitmq: { labels: { "example.com/team": "voice" } },
    database: { labels: { "example.com/team": "voice" } },
  },
};

describe(`killed with -9, at points of seed ${seed}`, { concurrency: 1 }, () => {
  let stack: FaultStack;
  before(async () => {
    stack = await faultStack();
  });
  after(() => stack?.clone.dispose());

  /** Kills Pulumi, or the command as well, once this many resources are done; the next command must clean up. */
  async function killedAt(command: "up" | "destroy", most: number): Promise<string> {
    const times = random(1, most);
    const both = random(0, 1) === 1;
    const run = await stack.at([command], { line: done, times }, (kazoo) => {
      if (both) process.kill(kazoo.pid, "SIGKILL");
      for (const { pid, name } of stack.started()) if (name === "pulumi") process.kill(pid, "SIGKILL");
    });
    if (both) assert.match(run.stderr, /SIGKILL/);
    else {
      assert.equal(run.code, 137);
      if (command === "up") assert.match(run.stderr, /exit code 137\n.*next: make up STACK=dev continues from here/);
      await stack.leavesNothing();
    }
    return `${command}: ${both ? "the command and its pulumi" : "pulumi"} killed after ${times} resources`;
  }

  for (let round = 1; round <= kills; round++) {
    test(`round ${round}: a first up, a change and a destroy`, async (t) => {
      if (round > 1) {
        const destroy = await stack.run(["destroy"]);
        assert.equal(destroy.code, 0, destroy.stdout + destroy.stderr);
        assert.deepEqual(await stack.kept(), {});
      }
      stack.configure({});
      t.diagnostic(await killedAt("up", 45));
      let kept = await stack.kept();
      await stack.converges(kept);

      stack.configure(changed);
      kept = await stack.kept();
      t.diagnostic(await killedAt("up", 5));
      await stack.converges(kept);

      t.diagnostic(await killedAt("destroy", 40));
      // Deletions in progress continue; until a namespace is gone, an up says so and exits.
      await until("namespaces to be gone or stay", async () =>
        (await stack.api.list("/api/v1/namespaces")).every(({ metadata }) => !metadata?.deletionTimestamp),
      );
      const secrets = Object.entries(await stack.kept()).filter(([name]) => name.startsWith("Secret"));
      await stack.converges(Object.fromEntries(secrets));
    });
  }
});
