import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import * as pulumi from "@pulumi/pulumi";
import { clusterRollouts } from "../../components/rollout";
import { until } from "../support/until";

/** The API server's answers, one after the other; the last one repeats. */
type Answers = readonly (number | object)[];

describe("waiting for a roll", () => {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-roll-"));
  const kubeconfig = join(folder, "config");
  const access = { context: "prod-east", kubeconfig };
  let server: Server;
  let answers: Answers = [];
  let asked = 0;
  /** The API server's answers about everything except the StatefulSet, by path. */
  let besides: Record<string, string> = {};

  before(async () => {
    server = createServer((request, response) => {
      const path = request.url?.split("?")[0] ?? "";
      const type = path.endsWith("/log") ? "text/plain" : "application/json";
      if (path in besides) return response.setHeader("Content-Type", type).end(besides[path]);
      if (path !== "/apis/apps/v1/namespaces/us-east-nyc/statefulsets/kazoo") return response.writeHead(400).end();
      const answer = answers[Math.min(asked, answers.length - 1)] ?? 500;
      asked += 1;
      response.writeHead(typeof answer === "number" ? answer : 200, { "Content-Type": "application/json" });
      response.end(JSON.stringify(typeof answer === "number" ? { message: `status ${answer}` } : answer));
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as AddressInfo;
    writeFileSync(
      kubeconfig,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }],
        users: [{ name: "u", user: {} }],
        contexts: [{ name: "prod-east", context: { cluster: "c", user: "u" } }],
      }),
    );
  });
  after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  const set = (observedGeneration: number, updatedReplicas: number, readyReplicas: number) => ({
    metadata: { generation: 2 },
    spec: { replicas: 2 },
    status: { observedGeneration, updatedReplicas, readyReplicas, currentRevision: "a", updateRevision: "b" },
  });

  /** Waits with these answers; returns the reported lines. */
  async function wait(
    t: TestContext,
    given: Answers,
    minutes = 1,
    grace = 120,
  ): Promise<{ told: string[]; warnings: string[] }> {
    const warn = t.mock.method(pulumi.log, "warn", async () => undefined);
    const told: string[] = [];
    [answers, asked] = [given, 0];
    const report = (progress: string) => void told.push(progress);
    await clusterRollouts(access, { grace, look: 0 }).wait({
      namespace: "us-east-nyc",
      name: "kazoo",
      minutes,
      report,
    });
    return { told, warnings: warn.mock.calls.map((call) => String((call.arguments as unknown[])[0])) };
  }

  test("ends once all pods are new and ready, and reports each step on the way", async (t) => {
    const old = { ...set(1, 0, 2), status: { ...set(1, 0, 2).status, updateRevision: "a" } };
    const { told } = await wait(t, [old, set(2, 1, 1), set(2, 1, 1), set(2, 2, 2)]);
    assert.deepEqual(told, [
      "waiting for StatefulSet us-east-nyc/kazoo: the controller has not seen the change yet",
      "waiting for StatefulSet us-east-nyc/kazoo: 1 of 2 nodes updated, 1 ready",
    ]);
    assert.equal(asked, 4);
  });

  const inNamespace = "/api/v1/namespaces/us-east-nyc";
  const pod = (status: object, spec: object = {}) => ({
    metadata: { name: "kazoo-1", namespace: "us-east-nyc", ownerReferences: [{ name: "kazoo" }] },
    spec,
    status,
  });
  /** What the API server says beside the StatefulSet: its pods, all events, and claims. */
  const around = (
    t: TestContext,
    pods: readonly object[],
    events: readonly object[] = [],
    claims: readonly object[] = [],
  ) => {
    t.after(() => (besides = {}));
    const list = (items: readonly object[]) => JSON.stringify({ items });
    besides = {
      [`${inNamespace}/pods`]: list(pods),
      [`${inNamespace}/events`]: list(events),
      [`${inNamespace}/persistentvolumeclaims`]: list(claims),
    };
  };
  const crashing = pod({
    containerStatuses: [
      {
        name: "kazoo",
        state: { waiting: { reason: "CrashLoopBackOff" } },
        lastState: { terminated: { exitCode: 64 } },
      },
    ],
  });
  const crash =
    "StatefulSet us-east-nyc/kazoo: pod kazoo-1: container kazoo: CrashLoopBackOff, exit code 64: error: COUCHDB_PASS is empty; " +
    "next: kubectl logs --previous shows more of its output; correct the cause and run up again";

  test("warns once about what keeps pods from becoming ready, with a crashing container's last lines", async (t) => {
    around(t, [crashing]);
    besides[`${inNamespace}/pods/kazoo-1/log`] = "error: COUCHDB_PASS is empty\n";
    const { warnings } = await wait(t, [set(2, 1, 1), set(2, 1, 1), set(2, 2, 2)]);
    assert.deepEqual(warnings, [crash]);
  });

  test("warns about a pod that is refused now, but not about one that was created since", async (t) => {
    const event = (reason: string, lastTimestamp: string) => ({
      reason,
      lastTimestamp,
      message: `${reason}: no quota`,
    });
    const refused = event("FailedCreate", "2026-01-01T10:00:00Z");
    around(t, [], [event("SuccessfulCreate", "2026-01-01T09:00:00Z"), refused]);
    assert.match(
      (await wait(t, [set(2, 1, 1), set(2, 2, 2)])).warnings.join(),
      /kazoo: FailedCreate: no quota; next: /,
    );
    around(t, [], [refused, event("SuccessfulCreate", "2026-01-01T11:00:00Z")]);
    assert.deepEqual((await wait(t, [set(2, 1, 1), set(2, 2, 2)])).warnings, []);
  });

  test("warns about a claim that gets no volume", async (t) => {
    const waits = pod({}, { volumes: [{ persistentVolumeClaim: { claimName: "data-kazoo-1" } }] });
    const claim = { metadata: { name: "data-kazoo-1" }, status: { phase: "Pending" } };
    const message = 'storageclass "fast" not found';
    const event = { type: "Warning", reason: "ProvisioningFailed", message, involvedObject: { name: "data-kazoo-1" } };
    around(t, [waits], [event], [claim]);
    const { warnings } = await wait(t, [set(2, 1, 1), set(2, 2, 2)]);
    assert.match(warnings.join(), /kazoo: claim data-kazoo-1 is not bound: storageclass "fast" not found; next: check/);
  });

  for (const rights of ["the cluster", "its namespace"])
    test(`warns while the provider still waits for the StatefulSet, if the user may see ${rights}`, async (t) => {
      const warn = t.mock.method(pulumi.log, "warn", async () => undefined);
      around(t, [crashing]);
      besides[`${inNamespace}/pods/kazoo-1/log`] = "error: COUCHDB_PASS is empty\n";
      const name = { namespace: "us-east-nyc", name: "kazoo" };
      const rolling = set(2, 1, 1);
      if (rights === "the cluster")
        besides["/apis/apps/v1/statefulsets"] = JSON.stringify({
          items: [{ ...rolling, metadata: { ...rolling.metadata, ...name } }],
        });
      [answers, asked] = [[{ ...rolling, metadata: { ...rolling.metadata, ...name } }], 0];
      const rollouts = clusterRollouts(access, { grace: 120, look: 0.05 });
      rollouts.begins(name);
      await until("the warning", () => warn.mock.callCount() > 0);
      [answers, asked] = [[rolling, set(2, 2, 2)], 0];
      await rollouts.wait({ ...name, minutes: 1, report: () => undefined });
      assert.deepEqual(
        warn.mock.calls.map((call) => String((call.arguments as unknown[])[0])),
        [crash],
      );
    });

  test("does not wait if the StatefulSet was deleted by hand, and says how to restore it", async (t) => {
    assert.deepEqual(await wait(t, [404]), {
      told: [],
      warnings: [
        "StatefulSet us-east-nyc/kazoo was deleted by hand, and this update does not restore it; npx kazoo up does",
      ],
    });
  });

  test("continues with a warning if the cluster does not answer, because then this update has not changed it", async (t) => {
    const { warnings } = await wait(t, [503]);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /^StatefulSet us-east-nyc\/kazoo: cannot see whether it is rolled out: /);
  });

  test("waits for a cluster that stops answering in the middle of a rollout, so that the next step does not stop more nodes", async (t) => {
    const away = Array.from({ length: 8 }, () => 503);
    const { told, warnings } = await wait(t, [set(2, 1, 1), ...away, set(2, 1, 1), set(2, 2, 2)]);
    assert.deepEqual(warnings, []);
    assert.match(told[1] ?? "", /^waiting for StatefulSet us-east-nyc\/kazoo: its cluster does not answer: /);
    assert.equal(told.length, 3);
  });

  test("continues with a warning if nodes are unavailable without a rollout, because an update may be what repairs them", async (t) => {
    const { status, ...rest } = set(2, 2, 1);
    const { warnings } = await wait(t, [{ ...rest, status: { ...status, updateRevision: "a" } }], 1, 0);
    assert.deepEqual(warnings, [
      "StatefulSet us-east-nyc/kazoo: 2 of 2 nodes updated, 1 ready, but no rollout is in progress; continuing",
    ]);
  });

  test("ends the run if it takes too long, with what to look at", async (t) => {
    await assert.rejects(wait(t, [set(2, 1, 1)], 0), (error: Error) => {
      assert.ok(pulumi.RunError.isInstance(error));
      assert.match(
        error.message,
        /was not rolled out within 0 minutes: 1 of 2 nodes updated, 1 ready; kubectl --context prod-east -n us-east-nyc/,
      );
      return true;
    });
  });
});
