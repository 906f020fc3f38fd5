import { hostsOf, type DockerCluster, type Platform, type Zone } from "../platform";
import { nodeSettings } from "../schema/podSettings";
import { problem, type Problem, zoneKey } from "../problem";
import type { Given, GivenDatacenter } from "../schema";

/**
 * Checks datacenters on plain Docker: one per engine and alone in its ring, because container names are fixed and other zones cannot be
 * reached, and without keys that only Kubernetes supports. Returns all problems.
 */
export function dockerProblems(given: Given, platform: Platform): Problem[] {
  const clusters = Object.values(platform.clusters).filter((cluster) => cluster.kind === "docker");
  return [
    ...clusters.flatMap((cluster, index) => [
      ...sharedEngine(cluster, clusters.slice(0, index)),
      ...hostNames(cluster, platform),
      ...crowd(given, cluster, platform),
      ...existingSecrets(cluster, platform),
    ]),
    ...kubernetesOnly(
      given,
      platform.zones.filter(({ cluster }) => platform.clusters[cluster]?.kind === "docker"),
    ),
  ];
}

function sharedEngine(cluster: DockerCluster, before: readonly DockerCluster[]): Problem[] {
  return before
    .filter(({ host }) => host === cluster.host)
    .slice(0, 1)
    .map(({ name }) =>
      problem(
        `kazoo:clusters.${cluster.name}.docker.host`,
        cluster.host,
        `a separate engine: cluster ${name} already uses this one, and container names are fixed`,
        "tcp://docker-2.example.com:2376",
      ),
    );
}

/** Longest host name of an Erlang node: Linux's limit of 64 characters for a host name. */
const longestHost = 64;

function hostNames(cluster: DockerCluster, platform: Platform): Problem[] {
  const zone = platform.zones.find((candidate) => candidate.cluster === cluster.name);
  const host = zone === undefined ? "" : hostsOf(zone, cluster).broker("alpha");
  return host.length <= longestHost
    ? []
    : [
        problem(
          `kazoo:clusters.${cluster.name}.docker.network`,
          cluster.network,
          `a shorter name: the host name ${host} has ${host.length} characters, and ${longestHost} is the most that Linux takes`,
          "local",
        ),
      ];
}

function crowd(given: Given, cluster: DockerCluster, platform: Platform): Problem[] {
  const [first, ...others] = platform.zones.filter((zone) => zone.cluster === cluster.name);
  if (first === undefined) return [];
  return [
    ...others.map((zone) =>
      problem(
        `${zoneKey(zone)}.cluster`,
        zone.cluster,
        `another cluster, since ${first.region}/${first.datacenter} is on ${cluster.name} already and a Docker Engine holds one datacenter`,
        "a cluster with sandbox: true or a context",
      ),
    ),
    ...(others.length === 0 && (platform.rings[first.ring]?.zones.length ?? 1) > 1
      ? [
          problem(
            `${zoneKey(first)}.ring`,
            first.ring,
            "a ring of its own, because containers on plain Docker cannot be reached from other zones",
            given.regions[first.region]?.datacenters[first.datacenter]?.ring === undefined
              ? `ring: ${first.name}, and ${first.name}: {} in kazoo:rings`
              : "remove it",
          ),
        ]
      : []),
  ];
}

function existingSecrets(cluster: DockerCluster, platform: Platform): Problem[] {
  return platform.zones
    .filter((zone) => zone.cluster === cluster.name)
    .flatMap((zone) =>
      Object.entries(platform.rings[zone.ring]?.secrets ?? {}).map(([part, name]) => ({
        key: `kazoo:credentials.${zone.ring}.${part}`,
        found: `the Secret ${name}`,
        expected: "a value, since plain Docker has no Secrets",
        example: `pulumi config set --secret --path kazoo:credentials.${zone.ring}.${part}`,
      })),
    );
}

/** Keys of a level that only work on Kubernetes. */
const kubernetesKeys: readonly (readonly string[])[] = [
  ["namespace"],
  ["adopt"],
  ["drained"],
  ["mediaNetworks"],
  ["monitoring"],
  ["ingress"],
  ["gateway"],
  ["workloads", "kazoo", "replicas"],
  ["workloads", "kazoo", "service"],
  ["workloads", "kazoo", "resources", "requests"],
  ["workloads", "rabbitmq", "storage"],
  ["workloads", "rabbitmq", "storageClass"],
  ["workloads", "rabbitmq", "resources", "requests"],
  ["workloads", "database", "replicas"],
  ["workloads", "database", "storage"],
  ["workloads", "database", "storageClass"],
  ["workloads", "database", "resources", "requests"],
  ...["kazoo", "rabbitmq", "database"].flatMap((workload) =>
    [...Object.keys(nodeSettings).map((key) => [key]), ["resources", "limits", "ephemeralStorage"]].map((path) => [
      "workloads",
      workload,
      ...path,
    ]),
  ),
  ["workloads", "jobs"],
];

type Level = Pick<
  GivenDatacenter,
  "namespace" | "adopt" | "drained" | "mediaNetworks" | "monitoring" | "ingress" | "gateway" | "workloads"
>;

function kubernetesOnly(given: Given, zones: readonly Zone[]): Problem[] {
  const problems = zones.flatMap((zone) => {
    const region = given.regions[zone.region];
    const regionKey = `kazoo:regions.${zone.region}`;
    const levels: [prefix: string, level: Level][] = [
      ["kazoo:", given],
      [`${regionKey}.`, region ?? {}],
      [`${regionKey}.datacenters.${zone.datacenter}.`, region?.datacenters[zone.datacenter] ?? {}],
    ];
    return levels.flatMap(([prefix, level]) =>
      kubernetesKeys.flatMap((path) => {
        const found = path.reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], level);
        return found === undefined
          ? []
          : [
              problem(
                `${prefix}${path.join(".")}`,
                found,
                `nothing that only Kubernetes has, since ${zone.region}/${zone.datacenter} is on plain Docker`,
                "remove it, or set it only in regions on Kubernetes",
              ),
            ];
      }),
    );
  });
  return [...new Map(problems.map((found) => [found.key, found])).values()];
}
