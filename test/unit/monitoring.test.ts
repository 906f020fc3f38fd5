import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parser } from "@prometheus-io/lezer-promql";
import { alertsOf } from "../../components/alerts";
import { dashboardOf } from "../../components/dashboard";
import { Monitoring } from "../../components/monitoring";
import { platformOfFile } from "../../config/stackFile";
import { deployWithMocks, objects, platformFrom, withMocks } from "../support/mocks";

const project = join(__dirname, "../..");
const alerts = alertsOf({ namespace: "us-east-nyc", databaseMetrics: true, certificate: "kazoo-tls" });

/** Where an expression is not valid PromQL. */
function errorsIn(expression: string): string[] {
  const errors: string[] = [];
  parser.parse(expression).iterate({
    enter: ({ type, from }) => {
      if (type.isError) errors.push(expression.slice(from));
    },
  });
  return errors;
}

describe("each alert", () => {
  for (const { name, expression } of alerts) {
    test(`${name} is valid PromQL about its own namespace`, () => {
      assert.deepEqual(errorsIn(expression), []);
      const selectors = [...expression.matchAll(/\{([^}]*)\}/g)].map(([, labels]) => labels);
      assert.ok(selectors.length > 0);
      for (const labels of selectors) assert.match(labels ?? "", /namespace="us-east-nyc"/);
    });
  }

  test("has a section in docs/monitoring.md that says what to do, and no section describes a removed alert", () => {
    const page = readFileSync(join(project, "docs/monitoring.md"), "utf8");
    const sections = [...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual(sections.sort(), alerts.map(({ name }) => name).sort());
  });
});

test("the component alone has a PodMonitor of the brokers' metrics and all alerts", async () => {
  const { resources } = await withMocks(() => new Monitoring("m", { namespace: "nyc", zone: "us-east-nyc" }));
  const monitor = objects(resources, "PodMonitor")["nyc/rabbitmq"] as { spec: { podMetricsEndpoints: object[] } };
  assert.deepEqual(monitor.spec.podMetricsEndpoints[0], { port: "metrics", path: "/metrics" });
  const rule = objects(resources, "PrometheusRule")["nyc/kazoo"] as {
    spec: { groups: { rules: { alert: string; labels: object }[] }[] };
  };
  const rules = rule.spec.groups[0]?.rules ?? [];
  assert.equal(rules.length, alertsOf({ namespace: "nyc" }).length);
  assert.deepEqual(rules[0]?.labels, { severity: "warning", zone: "us-east-nyc", namespace: "nyc" });
});

test("monitoring adds labelled objects, closes the metrics to others, and changes nothing else", async () => {
  const { resources } = await deployWithMocks(platformOfFile(join(project, "examples/monitoring.yaml")));
  const plain = (await deployWithMocks(platformOfFile(join(project, "examples/smallest.yaml")))).resources;
  const added = resources.filter(({ name }) => !plain.some((other) => other.name === name));
  assert.deepEqual(
    added.map(({ name, inputs }) => [name, (inputs.metadata as { labels: { release?: string } }).labels.release]),
    [
      ["us-east-nyc-monitoring-brokers", "prometheus"],
      ["us-east-nyc-monitoring-dashboard", undefined],
      ["us-east-nyc-monitoring-rules", "prometheus"],
    ],
  );
  const policy = (from: typeof resources) =>
    (objects(from, "NetworkPolicy")["us-east-nyc/rabbitmq"] as { spec: { ingress: { from?: object[] }[] } }).spec
      .ingress;
  assert.equal(policy(plain).at(-1)?.from, undefined);
  assert.deepEqual(policy(resources).at(-1)?.from, [
    { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } },
  ]);
});

describe("the dashboard of a ring", () => {
  interface Shown {
    readonly uid: string;
    readonly title: string;
    readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] };
    readonly panels: readonly {
      readonly title: string;
      readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
      readonly targets: readonly { readonly expr: string }[];
    }[];
  }
  const shown = (databaseMetrics: boolean, ring = "main") =>
    dashboardOf(
      { stack: "production", ring, zones: [{ name: "nyc1", namespace: "us-east-nyc" }] },
      databaseMetrics,
    ) as Shown;
  const titles = (databaseMetrics: boolean) => shown(databaseMetrics).panels.map(({ title }) => title);

  test("queries the chosen zones in valid PromQL", () => {
    for (const { expr } of shown(true).panels.flatMap(({ targets }) => targets)) {
      assert.deepEqual(errorsIn(expr), []);
      for (const [, labels] of expr.matchAll(/\{([^}]*)\}/g))
        assert.match(labels ?? "", /namespace=~"\$namespace"|zone=~"nyc1"/);
    }
  });

  test("shows readiness and alerts first, and CouchDB 3 last", () => {
    assert.deepEqual(titles(false).slice(0, 4), [
      "Kazoo nodes ready",
      "Brokers that answer",
      "Database nodes ready",
      "Alerts",
    ]);
    assert.deepEqual(titles(true).slice(titles(false).length), [
      "Database nodes: known and connected",
      "Changes to copy to other database nodes",
    ]);
  });

  test("has no overlapping panels", () => {
    const { panels } = shown(true);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    assert.equal(new Set(cells).size, cells.length);
    assert.ok(panels.every(({ gridPos: { x, w } }) => x + w <= 24));
  });

  test("has its own identifier, which Grafana accepts", () => {
    const ring = "r".repeat(63);
    assert.ok(shown(true, ring).uid.length <= 40);
    assert.notEqual(shown(true, ring).uid, shown(true).uid);
  });

  test("is in the first datacenter of each cluster that is configured for it, and lists all zones", async () => {
    const { resources } = await deployWithMocks(
      platformFrom({
        image: { prebuilt: "registry.example.com/kazoo:4.3" },
        clusters: {
          east: { context: "east", clusterDomain: "east.internal", podNetwork: "10.1.0.0/16" },
          west: { context: "west", clusterDomain: "west.internal", podNetwork: "10.2.0.0/16" },
        },
        ring: "main",
        rings: { main: {} },
        regions: {
          east: {
            cluster: "east",
            datacenters: { a: {}, b: { monitoring: { dashboards: true } }, c: { monitoring: { dashboards: true } } },
          },
          west: { cluster: "west", monitoring: { dashboards: true }, datacenters: { d: {}, e: {} } },
        },
      }),
    );
    const maps = resources.filter(({ name }) => name.endsWith("-monitoring-dashboard"));
    assert.deepEqual(
      maps.map(({ inputs }) => (inputs.metadata as { namespace: string }).namespace),
      ["east-b", "west-d"],
    );
    for (const { inputs } of maps) {
      const { metadata, data } = inputs as {
        metadata: { labels: Record<string, string> };
        data: Record<string, string>;
      };
      assert.equal(metadata.labels.grafana_dashboard, "1");
      assert.deepEqual(Object.keys(data), ["kazoo-test-main.json"]);
      const { templating } = JSON.parse(data["kazoo-test-main.json"] ?? "") as Shown;
      assert.equal(
        templating.list.find(({ name }) => name === "namespace")?.query,
        ["a", "b", "c"]
          .map((name) => `east-${name} : east-${name}`)
          .concat(["west-d : west-d", "west-e : west-e"])
          .join(", "),
      );
    }
  });
});

describe("CouchDB 3", () => {
  const platform = (database: string, monitoring: object) =>
    platformFrom({
      image: { prebuilt: "registry.example.com/kazoo:master" },
      clusters: { east: { context: "east" } },
      ring: "main",
      rings: { main: { kazoo: "master", database } },
      regions: { "us-east": { cluster: "east", datacenters: { nyc: { monitoring } } } },
    });
  const deployed = async (database: string, monitoring: object) => {
    const { resources } = await deployWithMocks(platform(database, monitoring));
    const set = objects(resources, "StatefulSet")["us-east-nyc/bigcouch"] as {
      spec: {
        template: {
          metadata: { annotations?: Record<string, string> };
          spec: { containers: [{ ports: { name: string; containerPort: number }[] }] };
        };
      };
    };
    const policy = objects(resources, "NetworkPolicy")["us-east-nyc/bigcouch"] as {
      spec: { ingress: { from?: object[]; ports: { port: number }[] }[] };
    };
    const config = resources.find(({ name }) => name === "us-east-nyc-bigcouch-config")?.inputs.data as object;
    const rules = objects(resources, "PrometheusRule")["us-east-nyc/kazoo"];
    return {
      ini: Object.values(config).join(),
      annotations: set.spec.template.metadata.annotations,
      ports: set.spec.template.spec.containers[0].ports.map(({ containerPort }) => containerPort),
      readers: policy.spec.ingress.filter(({ ports }) => ports.some(({ port }) => port === 17986)),
      monitor: objects(resources, "PodMonitor")["us-east-nyc/bigcouch"]?.spec,
      alerts: JSON.stringify(rules ?? ""),
    };
  };

  test("is scraped on its own port, which only the namespace of Prometheus can reach", async () => {
    const monitoring = { podMonitors: true, rules: true, namespace: "monitoring" };
    const { ini, annotations, ports, readers, monitor, alerts } = await deployed("couchdb-3.3.3", monitoring);
    assert.match(ini, /^\[prometheus\]\nadditional_port = true\nbind_address = 0\.0\.0\.0\nport = 17986$/m);
    assert.deepEqual(ports, [5984, 17986]);
    assert.equal(annotations, undefined);
    assert.deepEqual(readers, [
      {
        from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }],
        ports: [{ protocol: "TCP", port: 17986 }],
      },
    ]);
    assert.deepEqual(monitor, {
      selector: { matchLabels: { "app.kubernetes.io/name": "bigcouch" } },
      podMetricsEndpoints: [{ port: "metrics", path: "/_node/_local/_prometheus" }],
    });
    assert.match(alerts, /KazooRingNotWhole/);
  });

  test("is found by annotations without the operator", async () => {
    const { annotations, ports, monitor } = await deployed("couchdb-3.3.3", { annotations: true });
    assert.deepEqual(annotations, {
      "prometheus.io/scrape": "true",
      "prometheus.io/port": "17986",
      "prometheus.io/path": "/_node/_local/_prometheus",
    });
    assert.deepEqual(ports, [5984, 17986]);
    assert.equal(monitor, undefined);
  });

  for (const [what, database, monitoring] of [
    ["without monitoring", "couchdb-3.3.3", {}],
    ["before 3.2, which has no metrics,", "couchdb-3.1.2", { podMonitors: true, annotations: true, rules: true }],
    ["2", "couchdb-2.3.1", { podMonitors: true, annotations: true, rules: true }],
  ] as const) {
    test(`${what} has no such port`, async () => {
      const { ini, annotations, ports, readers, monitor, alerts } = await deployed(database, monitoring);
      assert.doesNotMatch(ini, /prometheus/);
      assert.ok(!ports.includes(17986));
      assert.deepEqual([annotations, readers, monitor], [undefined, [], undefined]);
      assert.doesNotMatch(alerts, /KazooRingNotWhole/);
    });
  }
});

test("the ring's alert matches the name that Kubernetes gives the Job", async () => {
  const { resources } = await deployWithMocks(platformOfFile(join(project, "examples/smallest.yaml")));
  const [job] = resources.filter(({ type, name }) => type.endsWith(":Job") && name.includes("join"));
  const expression = alerts.find(({ name }) => name === "KazooRingNotJoined")?.expression ?? "";
  const [, pattern] = /job_name=~"([^"]*)"/.exec(expression) ?? [];
  assert.match(`${job?.name}-1a2b3c4d`, new RegExp(`^(?:${pattern})$`));
  assert.equal((job?.inputs.metadata as { name?: string }).name, undefined);
});

test("brokers have the annotations, unless the config sets others", async () => {
  const brokers = async (annotations: object) => {
    const { resources } = await deployWithMocks(
      platformFrom({
        image: { prebuilt: "registry.example.com/kazoo:4.3" },
        clusters: { east: { context: "east" } },
        monitoring: { annotations: true },
        workloads: { rabbitmq: { annotations } },
        regions: { "us-east": { cluster: "east", datacenters: { nyc: {} } } },
      }),
    );
    const set = objects(resources, "StatefulSet")["us-east-nyc/rabbitmq-beta"] as {
      spec: { template: { metadata: { annotations: object } } };
    };
    return set.spec.template.metadata.annotations;
  };
  const found = { "prometheus.io/scrape": "true", "prometheus.io/port": "15692", "prometheus.io/path": "/metrics" };
  assert.deepEqual(await brokers({}), found);
  const own = { "prometheus.io/scrape": "false", "example.com/owner": "voice" };
  assert.deepEqual(await brokers(own), { ...found, ...own });
});

test("monitoring on plain Docker is refused", () => {
  assert.throws(
    () =>
      platformFrom({
        clusters: { local: { docker: {} } },
        regions: { local: { cluster: "local", datacenters: { dev: { monitoring: { rules: true } } } } },
      }),
    /kazoo:regions\.local\.datacenters\.dev\.monitoring: found \{"rules":true\}; expected nothing that only Kubernetes has/,
  );
});
