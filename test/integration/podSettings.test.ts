import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import { cloneProject, type Clone, type Run } from "../support/clone";
import { clusterApi } from "../support/clusterApi";

const sameHost = {
  topologyKey: "kubernetes.io/hostname",
  labelSelector: { matchLabels: { "example.com/noisy": "yes" } },
};

/** The fields of a pod's spec that equal the config. */
const placed = {
  nodeSelector: { "kubernetes.io/os": "linux" },
  tolerations: [{ key: "example.com/voice", operator: "Exists", effect: "NoExecute", tolerationSeconds: 60 }],
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 1,
          preference: { matchExpressions: [{ key: "example.com/disk", operator: "In", values: ["nvme"] }] },
        },
      ],
    },
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [sameHost] },
  },
  priorityClassName: "system-cluster-critical",
  schedulerName: "default-scheduler",
  terminationGracePeriodSeconds: 77,
};
const annotations = { "example.com/scrape": "true" };
const labels = { "example.com/team": "voice" };
const resources = { requests: { ephemeralStorage: "64Mi" }, limits: { ephemeralStorage: "1024Mi" } };
const jobs = { ...placed, annotations, labels, resources };
const nodes = { ...jobs, probes: { startup: { periodSeconds: 3, failureThreshold: 99 } } };

const stack = {
  config: {
    "kazoo:protect": false,
    "kazoo:clusters": { local: { sandbox: true } },
    "kazoo:workloads": { kazoo: nodes, rabbitmq: nodes, database: nodes, jobs },
    "kazoo:regions": { local: { cluster: "local", datacenters: { dev: {} } } },
  },
};

interface Template {
  readonly metadata: { readonly labels: Record<string, string>; readonly annotations?: Record<string, string> };
  readonly spec: Record<string, unknown> & {
    readonly containers: readonly {
      readonly startupProbe?: { readonly periodSeconds: number; readonly failureThreshold: number };
      readonly resources: { readonly requests: Record<string, string>; readonly limits: Record<string, string> };
    }[];
  };
}

describe("a stack with all settings of its pods", () => {
  let clone: Clone;
  before(async () => {
    clone = await cloneProject();
    writeFileSync(join(clone.directory, "Pulumi.pods.yaml"), stringify(stack));
  });
  after(() => clone.dispose());

  test("is deployed, and a second preview is empty", async () => {
    succeeded(await clone.run(["up", "--stack", "pods"]));
    succeeded(await clone.run(["preview", "--stack", "pods", "--", "--expect-no-changes"]));
  });

  test("has all of them in the API server's StatefulSets and Jobs", async () => {
    const api = await clusterApi(clone.directory, "local");
    const workloads = [...(await api.list("/apis/apps/v1/statefulsets")), ...(await api.list("/apis/batch/v1/jobs"))];
    assert.equal(workloads.length, 6);
    for (const { metadata, spec } of workloads) {
      const name = metadata?.name;
      const template = spec?.template as Template;
      const found = Object.keys(placed).map((key) => [key, template.spec[key]]);
      assert.deepEqual(Object.fromEntries(found), placed, name);
      assert.deepEqual(template.metadata.annotations, annotations, name);
      assert.equal(template.metadata.labels["example.com/team"], "voice", name);
      const [container] = template.spec.containers;
      assert.equal(container?.resources.requests["ephemeral-storage"], "64Mi", name);
      assert.equal(container?.resources.limits["ephemeral-storage"], "1Gi", name);
      const { startupProbe } = container ?? {};
      if (startupProbe !== undefined)
        assert.deepEqual([startupProbe.periodSeconds, startupProbe.failureThreshold], [3, 99], name);
    }
  });
});

function succeeded(run: Run): void {
  assert.equal(run.code, 0, run.stdout + run.stderr);
}
