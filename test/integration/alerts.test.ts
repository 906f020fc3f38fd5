import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import { Monitoring } from "../../components/monitoring";
import { testPrograms } from "../programs";
import { objects, withMocks } from "../support/mocks";

const zone = "us-east-nyc";
const certificate = "kazoo-tls";

/** Series by name and labels, with one value per minute, in promtool's notation. */
type Series = Readonly<Record<string, string>>;

const inZone = (name: string, labels: string) => `${name}{namespace="${zone}", ${labels}}`;
const up = (pod: string) => inZone("up", `pod="${pod}", container="rabbitmq"`);
const broker = (name: string, role: string) => inZone(name, `pod="rabbitmq-${role}-0"`);
const queue = (name: string) => inZone(`rabbitmq_detailed_queue_${name}`, `pod="rabbitmq-alpha-0", queue="callmgr"`);
const ready = (set: string) => inZone("kube_statefulset_status_replicas_ready", `statefulset="${set}"`);
const restarts = inZone("kube_pod_container_status_restarts_total", `pod="kazoo-0", container="kazoo"`);
const joined = inZone("kube_job_status_succeeded", `job_name="${zone}-bigcouch-join-job-1f2e"`);
const members = (nodes: string) => inZone("couchdb_membership", `pod="bigcouch-0", nodes="${nodes}"`);
const certificateEnd = (label: string) =>
  `certmanager_certificate_expiration_timestamp_seconds{${label}="${zone}", name="${certificate}"}`;

/** A healthy zone, for three hours. */
const healthy: Series = {
  [up("rabbitmq-alpha-0")]: "1x180",
  [up("rabbitmq-beta-0")]: "1x180",
  [broker("rabbitmq_alarms_memory_used_watermark", "alpha")]: "0x180",
  [broker("rabbitmq_alarms_free_disk_space_watermark", "alpha")]: "0x180",
  // A long queue with consumers.
  [queue("messages_ready")]: "5000x180",
  [queue("consumers")]: "1x180",
  [inZone("kube_statefulset_replicas", 'statefulset="bigcouch"')]: "3x180",
  [ready("bigcouch")]: "3x180",
  [ready("kazoo")]: "2x180",
  // A restart in each night's update is no reason for an alert.
  [restarts]: "0x60 1x120",
  [joined]: "1x180",
  [members("all_nodes")]: "3x180",
  [members("cluster_nodes")]: "3x180",
  [certificateEnd("namespace")]: `${60 * 86400}x180`,
};

/** Which alert fires, from which minute on, and its text; the fault exists from the first minute. */
interface Firing {
  readonly alert: string;
  readonly from: number;
  readonly severity: "critical" | "warning";
  readonly labels?: Readonly<Record<string, string>>;
  readonly summary: string;
}

const alphaDown: Firing = {
  alert: "KazooAlphaBrokerDown",
  from: 5,
  severity: "warning",
  summary: "Broker rabbitmq-alpha does not answer; Kazoo uses the zone's other one.",
};
const betaDown: Firing = {
  alert: "KazooBetaBrokerDown",
  from: 5,
  severity: "warning",
  summary: "Broker rabbitmq-beta does not answer; Kazoo uses the zone's other one.",
};
const nodeAway: Firing = {
  alert: "KazooDatabaseNodeAway",
  from: 10,
  severity: "warning",
  labels: { statefulset: "bigcouch" },
  summary: "A database node is not ready: the ring has fewer copies than it should.",
};
const pileUp: Firing = {
  alert: "KazooMessagesPileUp",
  from: 10,
  severity: "warning",
  labels: { pod: "rabbitmq-alpha-0", queue: "callmgr" },
  summary: "Nobody consumes callmgr of broker rabbitmq-alpha-0: 5000 messages wait.",
};
const certificateEnds: Firing = {
  alert: "KazooCertificateEnds",
  // An hour after the moment at which the certificate is about to expire.
  from: 61,
  severity: "warning",
  labels: { name: certificate },
  summary: "The certificate kazoo-tls of the zone's Ingress ends within a week, and was not renewed.",
};
/** A week after the beginning, so less than a week away from the first minute on. */
const nearEnd = `${7 * 86400}x180`;

/** Faults, as differences from the healthy zone; undefined: the series is missing. */
const faults: Readonly<
  Record<string, { readonly series: Readonly<Record<string, string | undefined>>; readonly fires: readonly Firing[] }>
> = {
  "alpha does not answer": { series: { [up("rabbitmq-alpha-0")]: "0x180" }, fires: [alphaDown] },
  "alpha is gone": { series: { [up("rabbitmq-alpha-0")]: undefined }, fires: [alphaDown] },
  "beta does not answer": { series: { [up("rabbitmq-beta-0")]: "0x180" }, fires: [betaDown] },
  "neither broker answers": {
    series: { [up("rabbitmq-alpha-0")]: "0x180", [up("rabbitmq-beta-0")]: undefined },
    fires: [
      alphaDown,
      betaDown,
      {
        alert: "KazooBothBrokersDown",
        from: 1,
        severity: "critical",
        summary: "Neither broker of the zone answers: its Kazoo nodes cannot work.",
      },
    ],
  },
  "beta is in memory alarm": {
    series: { [broker("rabbitmq_alarms_memory_used_watermark", "beta")]: "1x180" },
    fires: [
      {
        alert: "KazooBrokerMemoryAlarm",
        from: 1,
        severity: "critical",
        labels: { pod: "rabbitmq-beta-0" },
        summary: "Broker rabbitmq-beta-0 is in memory alarm and blocks what is published.",
      },
    ],
  },
  "alpha is in disk alarm": {
    series: { [broker("rabbitmq_alarms_free_disk_space_watermark", "alpha")]: "1x180" },
    fires: [
      {
        alert: "KazooBrokerDiskAlarm",
        from: 1,
        severity: "critical",
        labels: { pod: "rabbitmq-alpha-0" },
        summary: "Broker rabbitmq-alpha-0 is in disk alarm and blocks what is published.",
      },
    ],
  },
  "a long queue has no consumer": { series: { [queue("consumers")]: "0x180" }, fires: [pileUp] },
  "a long queue says nothing of consumers": { series: { [queue("consumers")]: undefined }, fires: [pileUp] },
  "a short queue has no consumer": {
    series: { [queue("consumers")]: "0x180", [queue("messages_ready")]: "1000x180" },
    fires: [],
  },
  "a database node is away": { series: { [ready("bigcouch")]: "2x180" }, fires: [nodeAway] },
  "no database node is ready": {
    series: { [ready("bigcouch")]: "0x180" },
    fires: [
      nodeAway,
      {
        alert: "KazooDatabaseDown",
        from: 1,
        severity: "critical",
        labels: { statefulset: "bigcouch" },
        summary: "No database node of the zone is ready.",
      },
    ],
  },
  "the join Job does not succeed": {
    series: { [joined]: "0x180" },
    fires: [
      {
        alert: "KazooRingNotJoined",
        from: 20,
        severity: "warning",
        labels: { job_name: `${zone}-bigcouch-join-job-1f2e` },
        summary: `The database nodes of the zone have not all joined their ring: the Job ${zone}-bigcouch-join-job-1f2e did not succeed.`,
      },
    ],
  },
  "a database node has lost another": {
    series: { [members("all_nodes")]: "2x180" },
    fires: [
      {
        alert: "KazooRingNotWhole",
        from: 10,
        severity: "warning",
        labels: { pod: "bigcouch-0" },
        summary: "Database node bigcouch-0 is connected to 2 nodes of its ring, itself included, and not to all.",
      },
    ],
  },
  "no Kazoo node is ready": {
    series: { [ready("kazoo")]: "0x180" },
    fires: [
      {
        alert: "KazooDown",
        from: 2,
        severity: "critical",
        labels: { statefulset: "kazoo" },
        summary: "No Kazoo node of the zone is ready: it takes no calls.",
      },
    ],
  },
  "a container restarts every ten minutes": {
    series: { [restarts]: range(181, (minute) => Math.floor(minute / 10)).join(" ") },
    fires: [
      {
        alert: "KazooRestarts",
        // The fourth counted restart, plus five minutes.
        from: 45,
        severity: "warning",
        labels: { pod: "kazoo-0", container: "kazoo" },
        summary: "Container kazoo of pod kazoo-0 restarts again and again.",
      },
    ],
  },
  "the certificate ends within a week": {
    series: { [certificateEnd("namespace")]: nearEnd },
    fires: [certificateEnds],
  },
  "the certificate ends, and cert-manager is scraped without honorLabels": {
    series: { [certificateEnd("namespace")]: undefined, [certificateEnd("exported_namespace")]: nearEnd },
    fires: [{ ...certificateEnds, labels: { name: certificate, exported_namespace: zone } }],
  },
  "another zone's brokers and nodes are down": {
    series: {
      'up{namespace="us-east-bos", pod="rabbitmq-alpha-0"}': "0x180",
      'kube_statefulset_status_replicas_ready{namespace="us-east-bos", statefulset="kazoo"}': "0x180",
    },
    fires: [],
  },
};

function range<T>(length: number, value: (index: number) => T): T[] {
  return Array.from({ length }, (_, index) => value(index));
}

/** Prometheus' own tool for testing rules, on the deployed rules. */
describe("on made-up series", async () => {
  let folder: string;
  let promtool: string;
  let names: string[];
  before(async () => {
    promtool = (await testPrograms(["promtool"], () => undefined))("promtool");
    folder = mkdtempSync(join(tmpdir(), "kazoo-alerts-"));
    const args = { namespace: zone, zone, databaseMetrics: true, certificate };
    const { resources } = await withMocks(() => new Monitoring("m", args));
    const { spec } = objects(resources, "PrometheusRule")[`${zone}/kazoo`] as {
      spec: { groups: { rules: { alert: string }[] }[] };
    };
    writeFileSync(join(folder, "rules.yaml"), stringify(spec));
    names = spec.groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Asserts that exactly these alerts fire at these minutes. */
  function assertFiring(
    series: Readonly<Record<string, string | undefined>>,
    minutes: number[],
    fires: readonly Firing[],
  ) {
    const rows = Object.entries(series).filter((row): row is [string, string] => row[1] !== undefined);
    const expected = (minute: number, name: string) =>
      fires
        .filter(({ alert, from }) => alert === name && from <= minute)
        .map(({ alert, severity, labels, summary }) => ({
          exp_labels: { severity, zone, namespace: zone, ...labels },
          exp_annotations: { summary, runbook: `docs/monitoring.md#${alert.toLowerCase()}` },
        }));
    const tests = {
      interval: "1m",
      input_series: rows.map(([name, values]) => ({ series: name, values })),
      alert_rule_test: minutes.flatMap((minute) =>
        names.map((name) => ({ eval_time: `${minute}m`, alertname: name, exp_alerts: expected(minute, name) })),
      ),
    };
    const file = join(folder, "test.yaml");
    writeFileSync(file, stringify({ rule_files: ["rules.yaml"], evaluation_interval: "1m", tests: [tests] }));
    const { status, stdout, stderr } = spawnSync(promtool, ["test", "rules", file], { encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
  }

  test("no alert fires in a healthy zone", () => assertFiring(healthy, [5, 30, 65, 120, 180], []));

  for (const [fault, { series, fires }] of Object.entries(faults)) {
    test(fault, () => {
      const moments = fires.flatMap(({ from }) => [from - 1, from]);
      assertFiring(
        { ...healthy, ...series },
        [...new Set([...moments, 120])].sort((a, b) => a - b),
        fires,
      );
    });
  }

  test("and every alert is among them", () => {
    const fired = Object.values(faults).flatMap(({ fires }) => fires.map(({ alert }) => alert));
    assert.deepEqual([...new Set(fired)].sort(), [...names].sort());
  });
});
