import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { workloadLabels } from "../../components/labels";
import { nodeMinutes } from "../../components/pods";
import { ConfigError, type Problem } from "../../config/problem";
import { deployWithMocks, objects, platformFrom } from "../support/mocks";

type Tree = Record<string, unknown>;

const stack = (workloads: Tree, near: Tree = {}): Tree => ({
  image: { prebuilt: "registry.example.com/kazoo:4.3" },
  clusters: { east: { context: "prod-east" } },
  workloads,
  regions: { "us-east": { cluster: "east", workloads: {}, datacenters: { nyc: { workloads: near } } } },
});

interface Template {
  readonly metadata: { readonly labels: Tree; readonly annotations?: Tree };
  readonly spec: Tree & { readonly containers: readonly Tree[]; readonly initContainers?: readonly Tree[] };
}

interface Workload extends Tree {
  readonly metadata: { readonly annotations?: Tree; readonly labels: Tree };
  readonly spec: { readonly template: Template; readonly selector?: { readonly matchLabels: Tree } };
}

/** The StatefulSets and Jobs of a stack, by name. */
async function workloadsOf(config: Tree): Promise<Record<string, Workload>> {
  const { resources } = await deployWithMocks(platformFrom(config));
  const found = { ...objects(resources, "StatefulSet"), ...objects(resources, "Job") };
  return Object.fromEntries(
    Object.entries(found).map(([name, object]) => [name.replace("us-east-nyc/", ""), object as Workload]),
  );
}

const everywhere = {
  nodeSelector: { "example.com/pool": "voice" },
  tolerations: [{ key: "example.com/voice", operator: "Exists", effect: "NoExecute", tolerationSeconds: 60 }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          { matchExpressions: [{ key: "example.com/cores", operator: "Gt", values: ["8"] }] },
          { matchFields: [{ key: "metadata.name", operator: "In", values: ["node-1"] }] },
        ],
      },
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 10, preference: { matchExpressions: [{ key: "example.com/ssd", operator: "Exists" }] } },
      ],
    },
    podAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, podAffinityTerm: { topologyKey: "example.com/rack", namespaceSelector: {}, labelSelector: {} } },
      ],
    },
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        {
          topologyKey: "kubernetes.io/hostname",
          namespaces: ["other"],
          labelSelector: {
            matchLabels: { app: "noisy" },
            matchExpressions: [{ key: "tier", operator: "NotIn", values: ["quiet"] }],
          },
        },
      ],
    },
  },
  priorityClassName: "voice",
  schedulerName: "packing",
  terminationGracePeriodSeconds: 7,
};
const described = { annotations: { "example.com/scrape": "true" }, labels: { team: "voice" } };
const ephemeral = { requests: { ephemeralStorage: "1024Mi" }, limits: { ephemeralStorage: "2Gi" } };
const settings = { ...everywhere, ...described, resources: ephemeral };
const probes = {
  startup: { periodSeconds: 11, failureThreshold: 12 },
  liveness: { timeoutSeconds: 13 },
  readiness: { failureThreshold: 14 },
};
const nodes = { ...settings, topologySpread: "DoNotSchedule", probes };

describe("with all settings, all pods", () => {
  let plain: Record<string, Workload>;
  let set: Record<string, Workload>;
  before(async () => {
    plain = await workloadsOf(stack({}));
    set = await workloadsOf(stack({ kazoo: nodes, rabbitmq: nodes, database: nodes, jobs: settings }));
  });

  const each = (check: (workload: Workload, before: Workload, name: string) => void) => {
    assert.equal(Object.keys(set).length, 6, "four StatefulSets and two Jobs");
    for (const [name, workload] of Object.entries(set)) check(workload, plain[name] as Workload, name);
  };

  test("run on the configured nodes", () =>
    each(({ spec: { template } }, _, name) => {
      const { nodeSelector, tolerations, affinity, priorityClassName, schedulerName } = template.spec;
      const { terminationGracePeriodSeconds } = template.spec;
      assert.deepEqual(
        { nodeSelector, tolerations, affinity, priorityClassName, schedulerName, terminationGracePeriodSeconds },
        everywhere,
        name,
      );
    }));

  test("carry labels and annotations, while selectors and the objects themselves stay as they are", () =>
    each(({ metadata, spec }, before, name) => {
      assert.deepEqual(spec.template.metadata.annotations, described.annotations, name);
      assert.deepEqual(spec.template.metadata.labels, { team: "voice", ...before.metadata.labels }, name);
      assert.deepEqual(metadata, before.metadata, name);
      assert.deepEqual(spec.selector, before.spec.selector, name);
    }));

  test("request and limit ephemeral storage in every container, in canonical quantities", () =>
    each(({ spec: { template } }, _, name) => {
      for (const { resources } of [...(template.spec.initContainers ?? []), ...template.spec.containers]) {
        const { requests, limits } = resources as { requests: Tree; limits: Tree };
        assert.deepEqual([requests["ephemeral-storage"], limits["ephemeral-storage"]], ["1Gi", "2Gi"], name);
        assert.equal("ephemeralStorage" in requests, false, name);
      }
    }));

  test("use the configured probe timings, and the defaults for the rest", () =>
    each(({ spec: { template } }, before, name) => {
      const [container = {}] = template.spec.containers;
      const [was = {}] = before.spec.template.spec.containers;
      for (const [probe, timing] of Object.entries(probes)) {
        const key = `${probe}Probe`;
        if (was[key] === undefined) assert.equal(container[key], undefined, `${name} is a Job`);
        else assert.deepEqual(container[key], { ...(was[key] as Tree), ...timing }, `${name} ${probe}`);
      }
    }));

  test("are spread over nodes", () =>
    each(({ spec: { template } }, before, name) => {
      const { topologySpreadConstraints: constraints } = template.spec as { topologySpreadConstraints?: Tree[] };
      const was = before.spec.template.spec.topologySpreadConstraints as Tree[] | undefined;
      assert.deepEqual(
        constraints,
        was?.map((one) => ({ ...one, whenUnsatisfiable: "DoNotSchedule" })),
        name,
      );
    }));
});

test("the nearest level wins, key by key in mappings, and lists as a whole", async () => {
  const far = { nodeSelector: { pool: "far", disk: "far" }, tolerations: [{ operator: "Exists" }], probes };
  const near = { nodeSelector: { pool: "near" }, tolerations: [], probes: { startup: { periodSeconds: 1 } } };
  const { kazoo } = await workloadsOf(stack({ kazoo: far }, { kazoo: near }));
  const spec = kazoo?.spec.template.spec;
  assert.deepEqual([spec?.nodeSelector, spec?.tolerations], [{ pool: "near", disk: "far" }, []]);
  const { periodSeconds, failureThreshold } = spec?.containers[0]?.startupProbe as Tree;
  assert.deepEqual([periodSeconds, failureThreshold], [1, 12]);
});

test("an update waits as long as the slowest node may take to stop and start", () => {
  const usual = { periodSeconds: 5, failureThreshold: 120 };
  assert.equal(nodeMinutes(15, usual, {}), 15);
  assert.equal(nodeMinutes(15, usual, { probes: { startup: { failureThreshold: 720 } } }), 63);
  assert.equal(nodeMinutes(15, usual, { terminationGracePeriodSeconds: 600 }), 23);
});

function problemsOf(config: Tree): readonly Problem[] {
  try {
    platformFrom(config);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

const anti = (term: Tree) => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } },
});
const nodeTerms = (...nodeSelectorTerms: Tree[]) => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
});
const required = "requiredDuringSchedulingIgnoredDuringExecution";
const aNodeTerm = `affinity.nodeAffinity.${required}.nodeSelectorTerms`;

/** Invalid settings of the database, with the key and the expectation that the error names. */
const wrong: Record<string, [settings: Tree, key: string, expected: RegExp]> = {
  "a node's label that is a boolean": [{ nodeSelector: { fast: true } }, "nodeSelector.fast", /in quotes/],
  "a node's label with a blank": [{ nodeSelector: { "a b": "c" } }, "nodeSelector.a b", /letters, digits, dashes/],
  "tolerations that are no list": [{ tolerations: { key: "a" } }, "tolerations", /a list of tolerations/],
  "an unknown effect": [
    { tolerations: [{ operator: "Exists" }, { key: "a", operator: "Exists", effect: "Never" }] },
    "tolerations.1.effect",
    /NoSchedule, PreferNoSchedule, NoExecute/,
  ],
  "a misspelt key of a toleration": [{ tolerations: [{ keys: "a" }] }, "tolerations.0.keys", /did you mean key\?/],
  "a toleration that exists and has a value": [
    { tolerations: [{ key: "a", operator: "Exists", value: "b" }] },
    "tolerations.0",
    /never both/,
  ],
  "a toleration without a key": [{ tolerations: [{ value: "b" }] }, "tolerations.0", /without a key operator: Exists/],
  "seconds without NoExecute": [
    { tolerations: [{ key: "a", operator: "Exists", tolerationSeconds: 5 }] },
    "tolerations.0",
    /only with effect: NoExecute/,
  ],
  "an unknown affinity": [{ affinity: { nodesAffinity: {} } }, "affinity.nodesAffinity", /did you mean nodeAffinity\?/],
  "no terms": [nodeTerms(), aNodeTerm, /one or more/],
  "In without values": [
    nodeTerms({ matchExpressions: [{ key: "a", operator: "In" }] }),
    `${aNodeTerm}.0.matchExpressions.0`,
    /one or more for In/,
  ],
  "Gt of two": [
    nodeTerms({ matchExpressions: [{ key: "a", operator: "Gt", values: ["1", "2"] }] }),
    `${aNodeTerm}.0.matchExpressions.0`,
    /one number for Gt/,
  ],
  "Gt of pods": [
    anti({ topologyKey: "a", labelSelector: { matchExpressions: [{ key: "a", operator: "Gt", values: ["1"] }] } }),
    `affinity.podAntiAffinity.${required}.0.labelSelector.matchExpressions.0.operator`,
    /In, NotIn, Exists, DoesNotExist/,
  ],
  "a term without a topology": [
    anti({ labelSelector: {} }),
    `affinity.podAntiAffinity.${required}.0.topologyKey`,
    /a name/,
  ],
  "a weight of 0": [
    { affinity: { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 0 }] } } },
    "affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution.0.weight",
    /1 to 100/,
  ],
  "another spread": [{ topologySpread: "Never" }, "topologySpread", /ScheduleAnyway or DoNotSchedule/],
  "a priority that is no name": [{ priorityClassName: "Very High" }, "priorityClassName", /name of a PriorityClass/],
  "a scheduler that is no name": [{ schedulerName: "" }, "schedulerName", /name of a scheduler/],
  "an annotation that is a boolean": [{ annotations: { scrape: true } }, "annotations.scrape", /text, in quotes/],
  "an annotation without a name": [{ annotations: { "/a": "b" } }, "annotations./a", /a DNS name and a slash/],
  "a label that is too long": [{ labels: { team: "x".repeat(64) } }, "labels.team", /at most 63/],
  "no time to stop": [{ terminationGracePeriodSeconds: 0 }, "terminationGracePeriodSeconds", /from 1 to 86400/],
  "a probe without time between": [
    { probes: { startup: { periodSeconds: 0 } } },
    "probes.startup.periodSeconds",
    /from 1 to 3600/,
  ],
  "an unknown probe": [{ probes: { start: {} } }, "probes.start", /did you mean startup\?/],
  "ephemeral storage without a unit": [
    { resources: { requests: { ephemeralStorage: "1000" } } },
    "resources.requests.ephemeralStorage",
    /binary unit/,
  ],
};

describe("an error names the key, what is expected and an example, for", () => {
  for (const [what, [given, key, expected]] of Object.entries(wrong)) {
    test(what, () => {
      const found = problemsOf(stack({ database: given }));
      assert.ok(
        found.some((one) => one.key === `kazoo:workloads.database.${key}` && expected.test(one.expected)),
        JSON.stringify(found, null, 2),
      );
      assert.ok(
        found.every(({ example }) => example !== ""),
        JSON.stringify(found),
      );
    });
  }

  test("each label of the program's own, and those of Kubernetes' controllers", () => {
    const taken = [
      ...Object.keys(workloadLabels("bigcouch")),
      "controller-revision-hash",
      "batch.kubernetes.io/job-name",
    ];
    for (const label of taken) {
      const [found] = problemsOf(stack({ jobs: { labels: { [label]: "mine" } } }));
      assert.equal(found?.key, `kazoo:workloads.jobs.labels.${label}`);
      assert.equal(found?.found, JSON.stringify(label));
      assert.match(found?.expected ?? "", /none of the labels that the program and Kubernetes set/);
    }
  });

  test("a limit of ephemeral storage below the request", () => {
    const resources = { requests: { ephemeralStorage: "2Gi" }, limits: { ephemeralStorage: "1Gi" } };
    assert.deepEqual(
      problemsOf(stack({ kazoo: { resources }, jobs: { resources } })).map(({ key }) => key),
      ["kazoo", "jobs"].map(
        (name) => `kazoo:regions.us-east.datacenters.nyc.workloads.${name}.resources.limits.ephemeralStorage`,
      ),
    );
  });

  test("keys of Jobs that only nodes have", () => {
    const keys = ["probes", "replicas", "storage", "topologySpread"];
    const found = problemsOf(stack({ jobs: Object.fromEntries(keys.map((key) => [key, {}])) }));
    assert.deepEqual(
      found.map(({ key }) => key).sort(),
      keys.map((key) => `kazoo:workloads.jobs.${key}`),
    );
  });

  test("each of them on plain Docker", () => {
    const onDocker = {
      clusters: { local: { docker: {} } },
      regions: { local: { cluster: "local", datacenters: { dev: {} } } },
      workloads: { rabbitmq: nodes, jobs: settings },
    };
    const expected = [
      ...Object.keys(nodes).filter((key) => key !== "resources"),
      "resources.limits.ephemeralStorage",
      "resources.requests",
    ];
    assert.deepEqual(
      problemsOf(onDocker)
        .map(({ key }) => key)
        .sort(),
      [...expected.map((key) => `kazoo:workloads.rabbitmq.${key}`), "kazoo:workloads.jobs"].sort(),
    );
  });
});
