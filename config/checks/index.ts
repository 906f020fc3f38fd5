import { accessProblems } from "./accessChecks";
import { incompatibilities } from "../compatibility";
import { namesSecret, type Rotated } from "../credentials";
import { dockerProblems } from "./dockerChecks";
import { extraValueProblem, reservedVariables, variables } from "../schema/environment";
import { oneOf } from "../schema/fields";
import { secrets } from "../hosts";
import { imageProblems } from "./imageChecks";
import { patchProblems } from "./patchChecks";
import { copiesOf, hostsOf, type Platform, type Ring, type Zone } from "../platform";
import { problem, type Problem, zoneKey } from "../problem";
import { byteCount, milliCores } from "../quantity";
import { registryProblems } from "./registryChecks";
import type { Given } from "../schema";
import { looksSecret } from "../secrets";
import { storeSettings } from "./storeSettings";

/** Checks the relations between the keys of a config with a valid shape. Returns all problems. */
export function check(given: Given, platform: Platform): Problem[] {
  return [
    ...references(given, platform),
    ...clusters(given),
    ...extraEnvironments(given),
    ...imageProblems(given, platform),
    ...registryProblems(given, platform),
    ...dockerProblems(given, platform),
    ...accessProblems(given, platform),
    ...zoneNames(platform),
    ...patchProblems(platform),
    ...platform.zones
      .filter(({ cluster }) => platform.clusters[cluster]?.kind !== "docker")
      .flatMap((zone) => [...namespaces(zone), ...nodeNames(platform, zone), ...resources(zone)]),
    ...platform.zones.flatMap((zone) => dataPort(platform, zone)),
    ...Object.values(platform.rings).flatMap((ring) => [
      ...versions(ring),
      ...localZone(platform, ring),
      ...sharedBrokers(platform, ring),
      ...majority(given, ring),
      ...quorum(platform, ring),
      ...spreadOfCopies(platform, ring),
      ...stretched(platform, ring),
      ...databaseImage(given, ring),
      ...accountMaker(platform, ring),
      ...storeSettings(ring),
      ...existingSecrets(ring),
      ...rotations(given, platform, ring),
    ]),
  ];
}

/** References to clusters and rings must be defined, and definitions used. */
function references(given: Given, platform: Platform): Problem[] {
  const clusterNames = Object.keys(given.clusters);
  const ringNames = Object.keys(given.rings ?? {});
  const problems = unknownRing("kazoo:ring", given.ring, ringNames);
  const usedClusters = new Set<string>();
  const usedRings = new Set(platform.zones.map((zone) => zone.ring));
  for (const [regionName, region] of Object.entries(given.regions)) {
    const regionKey = `kazoo:regions.${regionName}`;
    if (Object.keys(region.datacenters).length === 0) {
      problems.push(problem(`${regionKey}.datacenters`, {}, "at least one datacenter", "{ nyc: {} }"));
    }
    problems.push(...unknownRing(`${regionKey}.ring`, region.ring, ringNames));
    for (const [name, datacenter] of Object.entries(region.datacenters)) {
      const key = `${regionKey}.datacenters.${name}`;
      const cluster = datacenter.cluster ?? region.cluster;
      const clusterKey = datacenter.cluster === undefined ? `${regionKey}.cluster` : `${key}.cluster`;
      if (cluster === undefined || !clusterNames.includes(cluster)) {
        problems.push(
          problem(
            clusterKey,
            cluster,
            `a cluster defined in kazoo:clusters, ${oneOf(clusterNames, cluster)}`,
            clusterNames[0] ?? "east",
          ),
        );
      } else usedClusters.add(cluster);
      problems.push(...unknownRing(`${key}.ring`, datacenter.ring, ringNames));
    }
  }
  if (Object.keys(given.regions).length === 0) {
    problems.push(
      problem("kazoo:regions", {}, "at least one region", "{ us-east: { cluster: east, datacenters: { nyc: {} } } }"),
    );
  }
  if (problems.length > 0) return [...new Map(problems.map((found) => [found.key, found])).values()];
  const used = [...usedRings].sort();
  return [
    ...clusterNames
      .filter((name) => !usedClusters.has(name))
      .map((name) =>
        problem(
          `kazoo:clusters.${name}`,
          name,
          "a cluster that a datacenter uses",
          `remove it, or name it in a region: cluster: ${name}`,
        ),
      ),
    ...ringNames
      .filter((name) => !usedRings.has(name))
      .map((name) =>
        problem(`kazoo:rings.${name}`, name, "a ring that a datacenter uses", `remove it, or name it: ring: ${name}`),
      ),
    ...Object.keys(given.credentials ?? {})
      .filter((name) => !usedRings.has(name))
      .map((name) =>
        problem(`kazoo:credentials.${name}`, name, `the name of a ring, ${oneOf(used, name)}`, used[0] ?? "main"),
      ),
  ];
}

function unknownRing(key: string, ring: string | undefined, known: readonly string[]): Problem[] {
  return ring === undefined || known.includes(ring)
    ? []
    : [problem(key, ring, `a ring defined in kazoo:rings, ${oneOf(known, ring)}`, known[0] ?? "main")];
}

function clusters(given: Given): Problem[] {
  return Object.entries(given.clusters).flatMap(([name, cluster]) => {
    const key = `kazoo:clusters.${name}`;
    if (cluster.docker !== undefined) {
      return (["sandbox", "context", "kubeconfig", "clusterDomain", "podNetwork", "apiClient"] as const)
        .filter((other) => cluster[other] !== undefined)
        .map((other) => problem(`${key}.${other}`, cluster[other], "no key of Kubernetes next to docker", "remove it"));
    }
    if (cluster.sandbox !== true && cluster.context === undefined) {
      return [
        problem(
          `${key}.context`,
          undefined,
          "the name of a context in your kubeconfig, or sandbox: true or docker: {} instead",
          "prod-east",
        ),
      ];
    }
    if (cluster.sandbox === true && cluster.context !== undefined) {
      return [
        problem(
          `${key}.context`,
          cluster.context,
          "either sandbox: true or a context, not both",
          "remove one of the two",
        ),
      ];
    }
    if (cluster.sandbox === true && cluster.kubeconfig !== undefined) {
      return [
        problem(
          `${key}.kubeconfig`,
          cluster.kubeconfig,
          "no kubeconfig next to sandbox: true, because the sandbox has its own",
          "remove it",
        ),
      ];
    }
    return [];
  });
}

function extraEnvironments(given: Given): Problem[] {
  const levels: [string, Given["extraEnvironment"]][] = [["kazoo:extraEnvironment", given.extraEnvironment]];
  for (const [regionName, region] of Object.entries(given.regions)) {
    levels.push([`kazoo:regions.${regionName}.extraEnvironment`, region.extraEnvironment]);
    for (const [name, datacenter] of Object.entries(region.datacenters)) {
      levels.push([`kazoo:regions.${regionName}.datacenters.${name}.extraEnvironment`, datacenter.extraEnvironment]);
    }
  }
  return levels.flatMap(([level, extra]) =>
    Object.entries(extra ?? {}).flatMap(([variable, value]) => {
      const key = `${level}.${variable}`;
      if (Object.hasOwn(variables, variable)) {
        return [
          {
            key,
            found: "a variable of the list",
            expected: `${variable} under environment, where its value is checked`,
            example: `environment: { ${variable}: … }`,
          },
        ];
      }
      const source = Object.hasOwn(reservedVariables, variable) ? reservedVariables[variable] : undefined;
      if (source !== undefined) {
        return [
          {
            key,
            found: "a variable that the program sets",
            expected: `another variable, since ${variable} comes from ${source}`,
            example: "TZ: America/New_York",
          },
        ];
      }
      const wrong = extraValueProblem(variable, value);
      if (wrong !== undefined) return [{ key, found: "what is not shown", ...wrong }];
      if (looksSecret(variable, value)) {
        return [
          {
            key,
            found: "[a value that looks secret]",
            expected: "no secret here, since the environment ends in a ConfigMap that anyone in the namespace can read",
            example: "kazoo:credentials, for what has a key there",
          },
        ];
      }
      return [];
    }),
  );
}

/** One zone per datacenter: names unique over the stack, namespaces unique in their cluster. */
function zoneNames(platform: Platform): Problem[] {
  return platform.zones.flatMap((zone, index) => {
    const before = platform.zones.slice(0, index);
    const sameName = before.find((other) => other.name === zone.name);
    if (sameName !== undefined) {
      return [
        problem(
          `${zoneKey(zone)}.environment.KAZOO_ZONE`,
          zone.name,
          `a unique zone: ${sameName.region}/${sameName.datacenter} already has this one`,
          `${zone.region}-${zone.datacenter}`,
        ),
      ];
    }
    const sameNamespace = before.find((other) => other.namespace === zone.namespace && other.cluster === zone.cluster);
    return sameNamespace === undefined
      ? []
      : [
          problem(
            `${zoneKey(zone)}.namespace`,
            zone.namespace,
            `a unique namespace in cluster ${zone.cluster}: ${sameNamespace.region}/${sameNamespace.datacenter} already has this one`,
            `${zone.region}-${zone.datacenter}`,
          ),
        ];
  });
}

/** Namespaces that belong to the cluster. */
function namespaces(zone: Zone): Problem[] {
  return zone.namespace === "default" || zone.namespace.startsWith("kube-")
    ? [
        problem(
          `${zoneKey(zone)}.namespace`,
          zone.namespace,
          "a namespace of the datacenter's own, since it gets Pod Security restricted and a NetworkPolicy that denies by default, and destroy deletes it; default and kube-… belong to the cluster",
          `${zone.region}-${zone.datacenter}`,
        ),
      ]
    : [];
}

/** Longest host name of an Erlang node: Linux's limit of 64 characters for a host name. */
const longestHost = 64;

/**
 * Longest zone on Kubernetes. The provider names the Job that joins its database `ZONE-bigcouch-join-job-XXXXXXXX` and cuts nothing off, and the
 * API server makes that name a label of the Job's pods, which has at most 63 characters.
 */
const longestZone = 63 - "-bigcouch-join-job-XXXXXXXX".length;

function nodeNames(platform: Platform, zone: Zone): Problem[] {
  const cluster = platform.clusters[zone.cluster];
  const problems: Problem[] = [];
  if (zone.namespace.length > 63) {
    problems.push(
      problem(`${zoneKey(zone)}.namespace`, zone.namespace, "a namespace of at most 63 characters", "us-east-nyc"),
    );
  }
  if (zone.name.length > longestZone) {
    problems.push(
      problem(
        `${zoneKey(zone)}.environment.KAZOO_ZONE`,
        zone.name,
        `a zone of at most ${longestZone} characters, instead of ${zone.name.length}: its name is part of a Job's, which Kubernetes limits to 63`,
        zone.datacenter.slice(0, 8),
      ),
    );
  }
  if (cluster === undefined) return problems;
  const hosts = hostsOf(zone, cluster);
  const longest = [...hosts.databaseNodes, ...hosts.kazooNodes].reduce((a, b) => (b.length > a.length ? b : a));
  if (longest.length > longestHost) {
    problems.push(
      problem(
        `${zoneKey(zone)}.namespace`,
        zone.namespace,
        `a shorter namespace, region, datacenter or clusterDomain: the host name ${longest} has ${longest.length} characters, and ${longestHost} is the most that Linux takes`,
        `namespace: ${zone.datacenter.slice(0, 8)}`,
      ),
    );
  }
  return problems;
}

/** Kazoo makes the URL of the admin port from the other one by replacing the first occurrence of the data port's digits in it. */
function dataPort(platform: Platform, zone: Zone): Problem[] {
  const cluster = platform.clusters[zone.cluster];
  const ring = platform.rings[zone.ring];
  if (cluster === undefined || ring === undefined) return [];
  const { BIGCOUCH_DATA_PORT: data = String(ports.data), BIGCOUCH_HOST: host = hostsOf(zone, cluster).database } =
    zone.environment;
  const { BIGCOUCH_ADMIN_PORT: admin = String(ring.database.adminPort ?? ports.data) } = zone.environment;
  if (data === admin) return [];
  const why = `without the digits ${data} in it, which are the database's port: Kazoo would replace them by those of the admin port, ${admin}`;
  const given = zone.environment.BIGCOUCH_HOST !== undefined;
  return [
    ...(host.includes(data)
      ? [
          problem(
            `${zoneKey(zone)}.${given ? "environment.BIGCOUCH_HOST" : "namespace"}`,
            given ? host : zone.namespace,
            `a name ${why}`,
            given ? "bigcouchbal" : `${zone.region}-${zone.datacenter}`,
          ),
        ]
      : []),
    ...(ring.credentials.database?.includes(data) === true
      ? [problem(`kazoo:credentials.${ring.name}.database`, "", `a password ${why}`, "another password")]
      : []),
  ];
}

/** Port of the database's clustered interface, if the environment names none. */
const ports = { data: 5984 };

function resources(zone: Zone): Problem[] {
  const scratch = (["kazoo", "rabbitmq", "database", "jobs"] as const).flatMap((workload) => {
    const { requests, limits } = zone[workload].resources ?? {};
    const [least, most] = [requests?.ephemeralStorage, limits?.ephemeralStorage];
    return least === undefined || most === undefined || byteCount(least) <= byteCount(most)
      ? []
      : [
          problem(
            `${zoneKey(zone)}.workloads.${workload}.resources.limits.ephemeralStorage`,
            most,
            `at least what is requested, ${least}`,
            least,
          ),
        ];
  });
  const others = (["kazoo", "rabbitmq", "database"] as const).flatMap((workload) => {
    const { requests, limits } = zone[workload].resources;
    const key = `${zoneKey(zone)}.workloads.${workload}.resources.limits`;
    const problems: Problem[] = [];
    if (byteCount(limits.memory) < byteCount(requests.memory)) {
      problems.push(
        problem(`${key}.memory`, limits.memory, `at least what is requested, ${requests.memory}`, requests.memory),
      );
    }
    if (limits.cpu !== undefined && milliCores(limits.cpu) < milliCores(requests.cpu)) {
      problems.push(problem(`${key}.cpu`, limits.cpu, `at least what is requested, ${requests.cpu}`, requests.cpu));
    }
    return problems;
  });
  return [...others, ...scratch];
}

function versions(ring: Ring): Problem[] {
  return incompatibilities(ring).map(({ key, expected, example }) =>
    problem(
      `kazoo:rings.${ring.name}.${key}`,
      key === "database" ? ring.database.version : ring[key],
      expected,
      example,
    ),
  );
}

/** Kazoo calls its own zone `local`: a node would mistake another zone of that name for its own. */
function localZone(platform: Platform, ring: Ring): Problem[] {
  return platform.zones
    .filter((zone) => zone.ring === ring.name && zone.name === "local" && ring.zones.length > 1)
    .map((zone) =>
      problem(
        `${zoneKey(zone)}.environment.KAZOO_ZONE`,
        zone.name,
        `another name, since ring ${ring.name} has several zones and a Kazoo node calls its own one local, whatever its name`,
        `${zone.region}-${zone.datacenter}`,
      ),
    );
}

/**
 * Kazoo knows a broker by its host: one that two zones name would belong to one of them alone, so the image's entrypoint refuses a host that occurs
 * twice in a ring. A zone without others may name one host for both brokers.
 */
function sharedBrokers(platform: Platform, ring: Ring): Problem[] {
  if (ring.zones.length < 2) return [];
  const brokers = platform.zones
    .filter((zone) => zone.ring === ring.name)
    .flatMap((zone) => {
      const cluster = platform.clusters[zone.cluster];
      const hosts = cluster && hostsOf(zone, cluster);
      return (["alpha", "beta"] as const).map((role) => {
        const variable = brokerVariables[role];
        return { zone, variable, given: zone.environment[variable], own: hosts?.broker(role) };
      });
    });
  // The stack's own brokers come first, so that a problem is at a host that the config gives.
  const own = brokers.filter(({ given }) => given === undefined);
  const given = brokers.filter((broker) => broker.given !== undefined);
  return given.flatMap(({ zone, variable, given: host }, index) => {
    const other = [...own, ...given.slice(0, index)].find((broker) => (broker.given ?? broker.own) === host);
    return other === undefined
      ? []
      : [
          problem(
            `${zoneKey(zone)}.environment.${variable}`,
            host,
            `a host that ring ${ring.name} names once: zone ${other.zone.name} has it as ${other.variable}, and to Kazoo a broker belongs to one zone`,
            `mq.${zone.name}.example.com, or remove it for the stack's own broker`,
          ),
        ];
  });
}

/** The variables that name a zone's brokers. */
const brokerVariables = { alpha: "KAZOO_AMQP_HOST", beta: "KAZOO_SECONDARY_AMQP_HOST" } as const;

/** CouchDB's fabric wants a majority of the copies (mem3:quorum) unless a request says otherwise; only BigCouch reads r and w. */
function majority(given: Given, ring: Ring): Problem[] {
  if (ring.database.engine === "bigcouch") return [];
  const quorum = given.rings?.[ring.name]?.quorum;
  return (["r", "w"] as const)
    .filter((key) => quorum?.[key] !== undefined)
    .map((key) =>
      problem(
        `kazoo:rings.${ring.name}.quorum.${key}`,
        quorum?.[key],
        `nothing: ${ring.database.version} always requires a majority of the copies, ${Math.floor(copiesOf(ring) / 2) + 1} of ${copiesOf(ring)}; only BigCouch can be configured differently`,
        "remove it",
      ),
    );
}

function quorum(platform: Platform, ring: Ring): Problem[] {
  const key = `kazoo:rings.${ring.name}`;
  const zones = platform.zones.filter((zone) => zone.ring === ring.name);
  const nodes = zones.reduce((sum, zone) => sum + zone.database.replicas, 0);
  const { n, r, w } = ring.quorum;
  const problems: Problem[] = [];
  for (const [zoneName, copies] of Object.entries(ring.placement ?? {})) {
    const zone = zones.find((candidate) => candidate.name === zoneName);
    if (zone === undefined) {
      problems.push(
        problem(
          `${key}.placement.${zoneName}`,
          zoneName,
          `a zone of the ring, ${oneOf(ring.zones, zoneName)}`,
          `${ring.zones[0] ?? ""}: 1`,
        ),
      );
    } else if (copies > zone.database.replicas) {
      problems.push(
        problem(
          `${key}.placement.${zoneName}`,
          copies,
          `at most as many copies as the zone has database nodes, ${zone.database.replicas}`,
          String(zone.database.replicas),
        ),
      );
    }
  }
  const copies = copiesOf(ring);
  if (n < copies) {
    problems.push(problem(`${key}.quorum.n`, n, `at least the sum of the placement, ${copies}`, String(copies)));
  } else if (ring.placement === undefined && n > nodes) {
    problems.push(
      problem(
        `${key}.quorum.n`,
        n,
        `at most the ring's number of database nodes, ${nodes}, unless a placement says where the copies are`,
        String(nodes),
      ),
    );
  }
  for (const [name, value] of [
    ["r", r],
    ["w", w],
  ] as const) {
    if (value !== undefined && value > copies)
      problems.push(problem(`${key}.quorum.${name}`, value, `at most the number of copies, ${copies}`, String(copies)));
  }
  return problems;
}

/**
 * In four or more zones with different numbers of nodes, the database by default puts all copies of some shards into one zone (see
 * defaultPlacement in topology.ts), so the operator must decide which zones hold copies.
 */
function spreadOfCopies(platform: Platform, ring: Ring): Problem[] {
  const zones = platform.zones.filter((zone) => zone.ring === ring.name);
  const counts = new Set(zones.map((zone) => zone.database.replicas));
  if (ring.placement !== undefined || zones.length < 4 || counts.size < 2) return [];
  const largest = [...zones].sort((a, b) => b.database.replicas - a.database.replicas).slice(0, 3);
  return [
    problem(
      `kazoo:rings.${ring.name}.placement`,
      undefined,
      `the zones that hold copies of each document, since the ring's ${zones.length} zones have unequally many database nodes: without a placement some documents would have all copies in one zone`,
      `{ ${largest.map(({ name }) => `${name}: 1`).join(", ")} }`,
    ),
  ];
}

/** A ring over several clusters: names and networks must differ, because nodes are identified by them. */
function stretched(platform: Platform, ring: Ring): Problem[] {
  const names = [...new Set(platform.zones.filter((zone) => zone.ring === ring.name).map((zone) => zone.cluster))];
  const spanned = names.flatMap((name) => platform.clusters[name] ?? []).filter((cluster) => cluster.kind !== "docker");
  if (spanned.length < 2) return [];
  return spanned.flatMap((cluster, index) => {
    const problems: Problem[] = [];
    const same = spanned.slice(0, index).find((other) => other.clusterDomain === cluster.clusterDomain);
    if (same !== undefined) {
      problems.push(
        problem(
          `kazoo:clusters.${cluster.name}.clusterDomain`,
          cluster.clusterDomain,
          `a domain other than that of cluster ${same.name}, since ring ${ring.name} spans both and nodes are known by their names`,
          `${cluster.name}.internal`,
        ),
      );
    }
    if (cluster.podNetwork === undefined) {
      problems.push(
        problem(
          `kazoo:clusters.${cluster.name}.podNetwork`,
          undefined,
          `the network of the cluster's pods, since ring ${ring.name} spans several clusters and their pods must be let in`,
          "10.8.0.0/14",
        ),
      );
    }
    return problems;
  });
}

function databaseImage(given: Given, ring: Ring): Problem[] {
  return ring.database.engine === "bigcouch" && given.images?.database === undefined
    ? [
        problem(
          "kazoo:images.database",
          undefined,
          `an image, since ring ${ring.name} runs ${ring.database.version} and BigCouch has no official one`,
          "mirror.example.com/bigcouch:0.4.2",
        ),
      ]
    : [];
}

/** First boot runs on the first node of the ring's first zone. */
function accountMaker(platform: Platform, ring: Ring): Problem[] {
  const zone = platform.zones.find(({ name }) => name === ring.zones[0]);
  if (ring.masterAccount === undefined || zone === undefined || zone.environment.ERLANG_VM === "kazoo_apps") return [];
  return [
    problem(
      `kazoo:rings.${ring.name}.masterAccount`,
      ring.masterAccount.name,
      `ERLANG_VM kazoo_apps in zone ${zone.name}, the ring's first: sup asks Crossbar there to create the account`,
      `${zoneKey(zone)}.environment: { ERLANG_VM: kazoo_apps }`,
    ),
  ];
}

/** An existing Secret belongs to someone else: it must not have the name of a Secret that the stack creates. */
function existingSecrets(ring: Ring): Problem[] {
  const own: readonly string[] = Object.values(secrets);
  return Object.entries(ring.secrets)
    .filter(([, name]) => own.includes(name))
    .map(([part, name]) => ({
      key: `kazoo:credentials.${ring.name}.${part}`,
      found: `the Secret ${name}`,
      expected: "another name, since the stack itself creates, or has created, a Secret of this name",
      example: `{ secretName: kazoo-${part} }`,
    }));
}

/** The program can rotate only its own credentials, in stores that it creates. */
function rotations(given: Given, platform: Platform, ring: Ring): Problem[] {
  return Object.entries(ring.rotations).flatMap(([what, { number, step }]) => {
    const key = `kazoo:rings.${ring.name}.rotations.${what}`;
    const part = what === "databaseCookie" ? "database" : (what as Exclude<Rotated, "databaseCookie">);
    const credential = `kazoo:credentials.${ring.name}.${part}`;
    const zone = platform.zones.find(({ cluster, name }) => ring.zones.includes(name) && isDocker(platform, cluster));
    const value = given.credentials?.[ring.name]?.[part];
    const nothing = (why: string) => problem(key, { number }, `nothing ${why}`, "remove it");
    return [
      ...(zone === undefined ? [] : [nothing("on Docker, where the first credentials stay")]),
      ...(namesSecret(value) ? [nothing(`with an existing Secret in ${credential}: its owner rotates it`)] : []),
      ...(what === "database" && ring.database.engine === "bigcouch"
        ? [nothing("with BigCouch, whose image creates the administrator")]
        : []),
      ...(what === "masterAccount" && ring.masterAccount === undefined
        ? [nothing(`without kazoo:rings.${ring.name}.masterAccount`)]
        : []),
      ...(typeof value === "string" && step === undefined && what === part
        ? [problem(credential, value, `nothing: ${what} was rotated to number ${number}, which is random`, "remove it")]
        : []),
    ];
  });
}

const isDocker = (platform: Platform, cluster: string): boolean => platform.clusters[cluster]?.kind === "docker";
