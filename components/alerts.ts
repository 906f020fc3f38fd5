import { services } from "../config/hosts";
import { workloads } from "./names";

/** An alert of a zone. */
export interface Alert {
  /** Its name, and the heading in docs/monitoring.md that says what to do. */
  readonly name: string;
  readonly expression: string;
  /** How long the expression must hold. */
  readonly for: string;
  readonly severity: "critical" | "warning";
  /** What is wrong, in one sentence. */
  readonly summary: string;
}

/** What the alerts of a zone depend on. */
export interface AlertedZone {
  readonly namespace: string;
  /** Whether the database exports metrics. @default false */
  readonly databaseMetrics?: boolean;
  /** Name of the Certificate (cert-manager) of the zone's Ingress. @default none */
  readonly certificate?: string;
}

/**
 * The alerts of a zone: each names something that needs attention. Series of brokers come from rabbitmq_prometheus, `kube_` from
 * kube-state-metrics, `couchdb_` from CouchDB 3, `certmanager_` from cert-manager.
 */
export function alertsOf({ namespace, databaseMetrics = false, certificate }: AlertedZone): Alert[] {
  const here = `namespace="${namespace}"`;
  const broker = (name: string) => `${here}, pod=~"${name}-.*"`;
  const each = [services.alpha, services.beta].map((name): Alert => ({
    name: `Kazoo${name === services.alpha ? "Alpha" : "Beta"}BrokerDown`,
    expression: `absent(up{${broker(name)}} == 1)`,
    for: "5m",
    severity: "warning",
    summary: `Broker ${name} does not answer; Kazoo uses the zone's other one.`,
  }));
  const ready = (set: string) => `kube_statefulset_status_replicas_ready{${here}, statefulset="${set}"}`;
  return [
    ...each,
    {
      name: "KazooBothBrokersDown",
      expression: `absent(up{${broker("rabbitmq-(alpha|beta)")}} == 1)`,
      for: "1m",
      severity: "critical",
      summary: "Neither broker of the zone answers: its Kazoo nodes cannot work.",
    },
    {
      name: "KazooBrokerMemoryAlarm",
      expression: `rabbitmq_alarms_memory_used_watermark{${here}} == 1`,
      for: "1m",
      severity: "critical",
      summary: "Broker {{ $labels.pod }} is in memory alarm and blocks what is published.",
    },
    {
      name: "KazooBrokerDiskAlarm",
      expression: `rabbitmq_alarms_free_disk_space_watermark{${here}} == 1`,
      for: "1m",
      severity: "critical",
      summary: "Broker {{ $labels.pod }} is in disk alarm and blocks what is published.",
    },
    {
      name: "KazooMessagesPileUp",
      expression: `sum by (namespace, pod, queue) (rabbitmq_detailed_queue_messages_ready{${here}}) > 1000 unless on (namespace, pod, queue) rabbitmq_detailed_queue_consumers{${here}} > 0`,
      for: "10m",
      severity: "warning",
      summary: "Nobody consumes {{ $labels.queue }} of broker {{ $labels.pod }}: {{ $value }} messages wait.",
    },
    {
      name: "KazooDatabaseNodeAway",
      expression: `kube_statefulset_replicas{${here}, statefulset="${services.databaseNodes}"} > on (namespace, statefulset) ${ready(services.databaseNodes)}`,
      for: "10m",
      severity: "warning",
      summary: "A database node is not ready: the ring has fewer copies than it should.",
    },
    {
      name: "KazooRingNotJoined",
      // The Job gives up after 17 minutes.
      expression: `kube_job_status_succeeded{${here}, job_name=~".*-bigcouch-join-job-.*"} == 0`,
      for: "20m",
      severity: "warning",
      summary:
        "The database nodes of the zone have not all joined their ring: the Job {{ $labels.job_name }} did not succeed.",
    },
    ...(databaseMetrics ? [ringNotWhole(here)] : []),
    {
      name: "KazooDatabaseDown",
      expression: `${ready(services.databaseNodes)} == 0`,
      for: "1m",
      severity: "critical",
      summary: "No database node of the zone is ready.",
    },
    {
      name: "KazooDown",
      expression: `${ready(workloads.kazoo)} == 0`,
      for: "2m",
      severity: "critical",
      summary: "No Kazoo node of the zone is ready: it takes no calls.",
    },
    {
      name: "KazooRestarts",
      expression: `increase(kube_pod_container_status_restarts_total{${here}}[1h]) > 3`,
      for: "5m",
      severity: "warning",
      summary: "Container {{ $labels.container }} of pod {{ $labels.pod }} restarts again and again.",
    },
    ...(certificate === undefined ? [] : [certificateEnds(namespace, certificate)]),
  ];
}

/** Compares the nodes that CouchDB is connected to with those that it knows; versions without this metric raise no alert. */
const ringNotWhole = (here: string): Alert => ({
  name: "KazooRingNotWhole",
  expression: `couchdb_membership{${here}, nodes="all_nodes"} < ignoring (nodes) couchdb_membership{${here}, nodes="cluster_nodes"}`,
  for: "10m",
  severity: "warning",
  summary:
    "Database node {{ $labels.pod }} is connected to {{ $value }} nodes of its ring, itself included, and not to all.",
});

/** cert-manager renews more than a week ahead. If it is scraped without `honorLabels`, the label has cert-manager's own namespace. */
function certificateEnds(namespace: string, certificate: string): Alert {
  const expiry = (label: string) =>
    `certmanager_certificate_expiration_timestamp_seconds{${label}="${namespace}", name="${certificate}"}`;
  return {
    name: "KazooCertificateEnds",
    expression: `(${expiry("namespace")} or ${expiry("exported_namespace")}) - time() < 7 * 86400`,
    for: "1h",
    severity: "warning",
    summary: "The certificate {{ $labels.name }} of the zone's Ingress ends within a week, and was not renewed.",
  };
}
