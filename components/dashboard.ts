import { createHash } from "node:crypto";
import { services } from "../config/hosts";
import { workloads } from "./names";

/** A zone on a dashboard. */
export interface DashboardZone {
  readonly name: string;
  readonly namespace: string;
}

export interface DashboardArgs {
  readonly stack: string;
  readonly ring: string;
  /** The ring's zones. */
  readonly zones: readonly DashboardZone[];
}

/** A panel without its position. */
interface Panel {
  readonly type: "stat" | "table" | "timeseries";
  readonly title: string;
  /** Width in columns, of 24. */
  readonly width: number;
  readonly height: number;
  readonly queries: readonly { readonly expression: string; readonly legend: string }[];
  /** Grafana's name of the unit. @default plain numbers */
  readonly unit?: string;
}

/** The dashboard of a ring in Grafana's format: readiness, firing alerts, then brokers, pods and database. */
export const dashboardOf = (args: DashboardArgs, databaseMetrics: boolean): object => ({
  // Grafana allows 40 characters; links to the dashboard contain it.
  uid: `kazoo-${createHash("sha256").update(`${args.stack}/${args.ring}`).digest("hex").slice(0, 12)}`,
  title: `Kazoo ring ${args.ring} (${args.stack})`,
  tags: ["kazoo"],
  schemaVersion: 39,
  editable: false,
  refresh: "30s",
  time: { from: "now-3h", to: "now" },
  templating: { list: [datasource, zoneVariable(args.zones)] },
  panels: placed([...overview(args.zones), ...brokerPanels, ...podPanels, ...(databaseMetrics ? databasePanels : [])]),
});

const datasource = { name: "datasource", label: "Prometheus", type: "datasource", query: "prometheus" };

/** The choice of zones to show, by their namespaces. */
const zoneVariable = (zones: readonly DashboardZone[]) => ({
  name: "namespace",
  label: "Zone",
  type: "custom",
  query: zones.map(({ name, namespace }) => `${name} : ${namespace}`).join(", "),
  multi: true,
  includeAll: true,
  current: { text: "All", value: "$__all" },
});

const here = 'namespace=~"$namespace"';
const byPod = "by (namespace, pod)";
const pod = "{{namespace}} {{pod}}";

/** The sum for each pod, over all targets that it is scraped from. */
const ofPod = (name: string) => `sum ${byPod} (${name}{${here}})`;
const perSecond = (name: string) => `sum ${byPod} (rate(${name}{${here}}[5m]))`;

const graph = (title: string, ...queries: Panel["queries"]): Panel => ({
  type: "timeseries",
  title,
  width: 8,
  height: 8,
  queries,
});

function overview(zones: readonly DashboardZone[]): Panel[] {
  const stat = (title: string, expression: string): Panel => ({
    type: "stat",
    title,
    width: 8,
    height: 4,
    queries: [{ expression, legend: "{{namespace}}" }],
  });
  const ready = (set: string) =>
    `sum by (namespace) (kube_statefulset_status_replicas_ready{${here}, statefulset="${set}"})`;
  return [
    stat("Kazoo nodes ready", ready(workloads.kazoo)),
    stat(
      "Brokers that answer",
      `sum by (namespace) (min ${byPod} (up{${here}, pod=~"(${services.alpha}|${services.beta})-.*"}))`,
    ),
    stat("Database nodes ready", ready(workloads.database)),
    {
      type: "table",
      title: "Alerts",
      width: 24,
      height: 6,
      queries: [
        {
          expression: `sum by (zone, severity, alertname, alertstate, pod, queue) (ALERTS{alertname=~"Kazoo.*", zone=~"${zones.map(({ name }) => name).join("|")}"})`,
          legend: "",
        },
      ],
    },
  ];
}

const brokerPanels: readonly Panel[] = [
  graph("Connections to brokers", { expression: ofPod("rabbitmq_connections"), legend: pod }),
  graph("Messages published, per second", {
    expression: perSecond("rabbitmq_global_messages_received_total"),
    legend: pod,
  }),
  graph("Messages that wait", { expression: ofPod("rabbitmq_queue_messages_ready"), legend: pod }),
  graph("Longest queues without consumer", {
    expression: `topk(10, sum by (namespace, pod, queue) (rabbitmq_detailed_queue_messages_ready{${here}}) unless on (namespace, pod, queue) rabbitmq_detailed_queue_consumers{${here}} > 0)`,
    legend: `${pod} {{queue}}`,
  }),
  {
    ...graph("Memory of brokers, as a share of the alarm's mark", {
      expression: `${ofPod("rabbitmq_process_resident_memory_bytes")} / ${ofPod("rabbitmq_resident_memory_limit_bytes")}`,
      legend: pod,
    }),
    unit: "percentunit",
  },
  {
    ...graph(
      "Free disk of brokers",
      { expression: ofPod("rabbitmq_disk_space_available_bytes"), legend: pod },
      { expression: ofPod("rabbitmq_disk_space_available_limit_bytes"), legend: `${pod}: alarm` },
    ),
    unit: "bytes",
  },
];

const podPanels: readonly Panel[] = [
  graph("Restarts within an hour", {
    expression: `sum by (namespace, pod, container) (increase(kube_pod_container_status_restarts_total{${here}}[1h]))`,
    legend: `${pod} {{container}}`,
  }),
];

const databasePanels: readonly Panel[] = [
  graph("Database nodes: known and connected", {
    expression: `sum by (namespace, pod, nodes) (couchdb_membership{${here}})`,
    legend: `${pod} {{nodes}}`,
  }),
  graph("Changes to copy to other database nodes", {
    expression: ofPod("couchdb_internal_replication_jobs"),
    legend: pod,
  }),
];

/** Panels placed from left to right and from top to bottom; those in a row have the same height. */
function placed(panels: readonly Panel[]): object[] {
  let [x, y] = [0, 0];
  return panels.map(({ type, title, width, height, queries, unit }, index) => {
    const gridPos = { x, y, w: width, h: height };
    [x, y] = x + width + (panels[index + 1]?.width ?? 0) > 24 ? [0, y + height] : [x + width, y];
    return {
      id: index + 1,
      type,
      title,
      gridPos,
      datasource: { type: "prometheus", uid: "${datasource}" },
      fieldConfig: { defaults: unit === undefined ? {} : { unit }, overrides: [] },
      targets: queries.map(({ expression, legend }, at) => ({
        refId: String.fromCharCode("A".charCodeAt(0) + at),
        expr: expression,
        ...(type === "table" ? { format: "table", instant: true } : { legendFormat: legend }),
      })),
    };
  });
}
