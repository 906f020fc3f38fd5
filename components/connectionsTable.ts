import { requireDatabaseKind } from "../config/compatibility";
import { withGenerated } from "../config/generated";
import { type Connection, type Port, type Source, type Target, connections } from "./connections";

/**
 * A page with the table of connections between its markers. `npm run reference` writes it into docs/networking.md; a unit test fails if the
 * page is out of date.
 */
export const withConnections = (page: string): string => withGenerated(page, "connections", table());

function table(): string {
  const rows = connections.map((row) => [
    row.from.map((source) => sourceText(source, row)).join(", "),
    ends[row.to],
    portsText(row),
    row.why,
  ]);
  const head = ["from", "to", "ports", "why"];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const ends: Record<Source | Target, string> = {
  kazoo: "Kazoo nodes",
  rabbitmq: "brokers",
  database: "database nodes",
  join: "join Job",
  bootstrap: "bootstrap Job",
  everyPod: "every pod",
  media: "`mediaNetworks`",
  clients: "`controllerNamespace` of `ingress` or `gateway`, without one anywhere",
  stores: "hosts in the run environment",
  monitoring: "`monitoring.namespace`, without one anywhere",
  outside: "anywhere else",
  anywhere: "anywhere",
};

const networks: readonly (Source | Target)[] = [
  "everyPod",
  "media",
  "monitoring",
  "clients",
  "stores",
  "outside",
  "anywhere",
];

/** Between two pods, the text also says how far apart they may be. */
const sourceText = (source: Source, { to, within = "zone" }: Connection): string =>
  networks.includes(source) || networks.includes(to) ? ends[source] : `${ends[source]} of the ${within}`;

/** The ports with CouchDB 2, and those with other databases if they differ. */
function portsText({ ports }: Connection): string {
  const text = (version: string) =>
    ports({ database: requireDatabaseKind(version), databaseMetrics: true, outsideStores: [] })
      .map(portText)
      .join(", ");
  const usual = text("couchdb-2.3.1");
  const others = Object.entries({ "CouchDB 3": text("couchdb-3.3.3"), BigCouch: text("bigcouch-0.4.2") })
    .filter(([, found]) => found !== usual)
    .map(([name, found]) => `${name}: ${found}`);
  if (others.length === 0) return usual === "" ? "theirs" : usual;
  return usual === "" ? others.join("; ") : `${usual} (${others.join("; ")})`;
}

function portText({ protocol, port, endPort }: Port): string {
  if (port === undefined) return `all of ${protocol}`;
  return `${port}${endPort === undefined ? "" : ` to ${endPort}`}${protocol === "TCP" ? "" : `/${protocol}`}`;
}
