import { createServer, type Server } from "node:net";
import { run } from "../../image/support/commands";
import { until } from "../../support/until";
import type { Cluster } from "./cluster";

/** The clouds' metadata address, which hands out credentials. */
const credentials = "169.254.169.254";

/** Ports of pods that something listens on. */
const listening = {
  alpha: [4369, 5672, 15672, 15692, 25672],
  database: [5984, 5986],
  kazoo: [4369, 8000],
} as const;

/** What is open from where: `monitoring` is Prometheus, `stranger` a pod with Kazoo's labels in an unrelated namespace, `other-ring` the same in another ring. */
export const closedAndOpen: Readonly<Record<string, string>> = {
  "kazoo -> alpha": "5672 15672",
  "kazoo -> database": "5984 5986",
  "kazoo -> kazoo": "4369 8000",
  "kazoo -> alpha of the other zone": "5672",
  "kazoo -> database of the other zone": "5984 5986",
  "monitoring -> alpha": "15692",
  "monitoring -> database": "",
  "stranger -> alpha": "",
  "stranger -> database": "",
  "stranger -> kazoo": "8000",
  "other-ring -> alpha": "",
  "other-ring -> database": "",
  "other-ring -> kazoo": "8000",
  "alpha -> database": "",
  "alpha -> kazoo": "",
  "database -> alpha": "",
  "database -> kazoo": "",
  "kazoo -> internet": "443",
  "alpha -> internet": "",
  "database -> internet": "",
  "stranger -> internet": "443",
  "kazoo -> credentials": "",
  "stranger -> credentials": "80",
  "kazoo -> API server": "",
  "stranger -> API server": "443",
};

/** Tries each connection of {@link closedAndOpen} and returns the ports that answered. */
export async function reachable(
  cluster: Cluster,
  [one, two]: readonly [string, string],
): Promise<Record<string, string>> {
  const ip = (namespace: string, pod: string) =>
    cluster.kubectl(["get", "pod", "-n", namespace, pod, "-o", "jsonpath={.status.podIP}"]);
  const image = await cluster.kubectl([
    "get",
    "pod",
    "-n",
    one,
    "bigcouch-0",
    "-o",
    "jsonpath={.spec.containers[0].image}",
  ]);
  await cluster.kubectl(["create", "-f", "-"], JSON.stringify(strangers(image)));
  await run("ip", ["address", "add", `${credentials}/32`, "dev", cluster.link]);
  const servers = [await listen(cluster.hostAddress, 443), await listen(credentials, 80)];
  try {
    for (const namespace of ["stranger", "other-ring"])
      await until(
        `the pod of ${namespace}`,
        async () =>
          (await cluster.kubectl(["get", "pod", "-n", namespace, "kazoo-0", "-o", "jsonpath={.status.phase}"])) ===
          "Running",
      );
    const from: Record<string, readonly [namespace: string, pod: string]> = {
      kazoo: [one, "kazoo-0"],
      alpha: [one, "rabbitmq-alpha-0"],
      database: [one, "bigcouch-0"],
      monitoring: ["monitoring", "prometheus"],
      stranger: ["stranger", "kazoo-0"],
      "other-ring": ["other-ring", "kazoo-0"],
    };
    const to: Record<string, readonly [address: string, ports: readonly number[]]> = {
      alpha: [await ip(one, "rabbitmq-alpha-0"), listening.alpha],
      database: [await ip(one, "bigcouch-0"), listening.database],
      kazoo: [await ip(one, "kazoo-1"), listening.kazoo],
      "alpha of the other zone": [await ip(two, "rabbitmq-alpha-0"), listening.alpha],
      "database of the other zone": [await ip(two, "bigcouch-0"), listening.database],
      internet: [cluster.hostAddress, [443]],
      credentials: [credentials, [80]],
      "API server": [
        await cluster.kubectl(["get", "service", "-n", "default", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"]),
        [443],
      ],
    };
    // Pods always reach themselves, which proves that something listens.
    for (const name of ["alpha", "database"] as const)
      await until(`all ports of ${name}`, async () => {
        const open = await openPorts(cluster, from[name]!, to[name]!);
        return open === listening[name].join(" ");
      });
    const tried = Object.keys(closedAndOpen).map(async (way) => {
      const [source = "", target = ""] = way.split(" -> ");
      return [way, await openPorts(cluster, from[source]!, to[target]!)] as const;
    });
    return Object.fromEntries(await Promise.all(tried));
  } finally {
    for (const server of servers) server.close();
    await run("ip", ["address", "del", `${credentials}/32`, "dev", cluster.link]);
    await cluster.kubectl(["delete", "namespace", "stranger", "other-ring"]);
  }
}

/** The ports of an address that accept a connection from inside a pod; refused or unanswered ones are closed. */
async function openPorts(
  cluster: Cluster,
  [namespace, pod]: readonly [string, string],
  [address, ports]: readonly [string, readonly number[]],
): Promise<string> {
  const tries = `for port in ${ports.join(" ")}; do timeout 5 bash -c ": </dev/tcp/${address}/$port" 2>/dev/null && echo $port & done; wait`;
  const open = (await cluster.exec(namespace, pod, ["bash", "-c", tries])).split("\n");
  return ports.filter((port) => open.includes(String(port))).join(" ");
}

function listen(address: string, port: number): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  return new Promise((resolve, reject) => server.once("error", reject).listen(port, address, () => resolve(server)));
}

/** Pods that look like Kazoo's, in namespaces without NetworkPolicies. */
function strangers(image: string): object {
  const namespaces = { stranger: {}, "other-ring": { "kazoo/stack": "e2e", "kazoo/ring": "other" } };
  const items = Object.entries(namespaces).flatMap(([namespace, labels]) => [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "kazoo-0", namespace, labels: { "app.kubernetes.io/name": "kazoo" } },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        containers: [{ name: "stranger", image, command: ["sleep", "infinity"] }],
      },
    },
  ]);
  return { apiVersion: "v1", kind: "List", items };
}
