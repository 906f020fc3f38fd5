import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cloneProject, type Clone, type Run } from "../support/clone";
import { clusterApi, eventually } from "../support/clusterApi";
import { plainPulumi } from "../support/plainPulumi";

/** A bootstrap Job that fails. Containers never fail in the sandbox, so the test stops the simulation and plays the kubelet. */
describe("a first boot that fails", () => {
  let clone: Clone;
  let api: Awaited<ReturnType<typeof clusterApi>>;
  const reason = "bootstrap failed: sup create_account: failed to create 'example'";

  before(async () => {
    clone = await cloneProject();
    writeFileSync(
      stackFile(),
      `config:
  kazoo:protect: false
  kazoo:clusters:
    local: { sandbox: true }
  kazoo:rings:
    main: { masterAccount: { name: example, realm: sip.example.com, user: admin } }
  kazoo:regions:
    local: { cluster: local, datacenters: { dev: { ring: main } } }
`,
    );
    succeeded(await clone.run(["up"]));
    api = await clusterApi(clone.directory, "local");
  });
  after(() => clone?.dispose());

  const stackFile = () => join(clone.directory, "Pulumi.dev.yaml");
  const edit = (from: string, to: string) =>
    writeFileSync(stackFile(), readFileSync(stackFile(), "utf8").replace(from, to));
  const job = async () => (await api.call("GET", "/apis/batch/v1/namespaces/local-dev/jobs/kazoo-bootstrap")).body;
  const failed = (status: unknown) =>
    ((status as { conditions?: { type: string }[] } | undefined)?.conditions ?? []).some(
      ({ type }) => type === "Failed",
    );

  test("shows its reason in the output of up", async () => {
    const { stdout } = await clone.run(["sandbox", "status", "--json"]);
    const [cluster] = JSON.parse(stdout) as { running: { kwok: number } }[];
    process.kill(cluster?.running.kwok ?? assert.fail("the simulation does not run"), "SIGTERM");

    edit("user: admin", "user: other");
    let playing = true;
    const kubelet = (async () => {
      while (playing) {
        await failPods();
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    })();
    // Without the command, which would start the simulation again.
    const config = join(clone.directory, ".state", "configs", "Pulumi.dev.yaml");
    const up = ["up", "--yes", "--skip-preview", "--suppress-outputs", "--config-file", config];
    const run = await plainPulumi(clone, up);
    playing = false;
    await kubelet;
    assert.notEqual(run.code, 0);
    assert.ok(run.stdout.includes(reason), run.stdout + run.stderr);
    assert.match(run.stdout, /BackoffLimitExceeded/);
    assert.ok(failed((await job()).status));
  });

  test("is recreated by the next up, and does not delay a rollout of Kazoo", async () => {
    edit("config:\n", "config:\n  kazoo:environment: { KAZOO_LOG_LEVEL: debug }\n");
    const up = succeeded(await clone.run(["up"]));
    assert.match(up.stdout, /StatefulSet local-dev-kazoo-nodes updated[\s\S]*Job ring-main-bootstrap-job/);
    const { status } = await eventually("the Job", job, (found) => !failed(found.status));
    assert.equal((status as { succeeded: number }).succeeded, 1);
    succeeded(await clone.run(["preview", "--", "--expect-no-changes"]));
  });

  /** Reports, like a kubelet, that the container ended with this reason, for the Job's scheduled pods. */
  async function failPods(): Promise<void> {
    const pods = await api.list(
      "/api/v1/namespaces/local-dev/pods?labelSelector=batch.kubernetes.io/job-name%3Dkazoo-bootstrap",
    );
    for (const pod of pods) {
      if (pod.status?.["phase"] !== "Pending" || pod.spec?.["nodeName"] === undefined) continue;
      const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
      const terminated = { exitCode: 1, reason: "Error", message: reason, startedAt: time, finishedAt: time };
      const condition = (type: string, status: string) => ({
        type,
        status,
        reason: "PodFailed",
        lastTransitionTime: time,
      });
      const status = {
        phase: "Failed",
        conditions: [
          condition("Initialized", "True"),
          condition("Ready", "False"),
          condition("ContainersReady", "False"),
        ],
        containerStatuses: [
          { name: "bootstrap", image: "kazoo", imageID: "", ready: false, restartCount: 0, state: { terminated } },
        ],
      };
      const path = `/api/v1/namespaces/local-dev/pods/${pod.metadata?.name}/status`;
      const answer = await api.call("PATCH", path, { status }, "application/strategic-merge-patch+json");
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    }
  }
});

function succeeded(run: Run): Run {
  assert.equal(run.code, 0, `${run.stdout}\n${run.stderr}`);
  return run;
}
