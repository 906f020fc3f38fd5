import { z } from "zod";
import { gateway, ingress } from "./access";
import { variables } from "./environment";
import { monitoring } from "./monitoring";
import { workloads } from "./workloads";
import { cidr, dnsLabel, field, mapping, named, text, dnsLabelWords, scalar } from "./fields";

const environment = mapping(variables, "Run environment of the Kazoo nodes.", "{ KAZOO_LOG_LEVEL: debug }").prefault(
  {},
);

const extraEnvironment = named(text(/^[A-Za-z_][A-Za-z0-9_]*$/), scalar("Value of a variable.", '"value"'), {
  description:
    "Other variables, passed to the Kazoo containers unchanged. Not for secrets: they are stored in a ConfigMap.",
  expected: "a mapping from names of environment variables to values",
  example: "{ TZ: America/New_York }",
}).default({});

const mediaNetworks = field(z.array(cidr), {
  description:
    "Networks of the FreeSWITCH and Kamailio servers, which may connect to Kazoo and the brokers, and Kazoo to them.",
  expected: "a list of networks in CIDR notation",
  example: "[192.0.2.0/24]",
}).default([]);

const ringName = field(dnsLabel, {
  description: "Ring of the datacenters, by its name in `kazoo:rings`.",
  expected: "the name of a ring defined in kazoo:rings",
  example: "main",
  default: "a ring of each datacenter's own, named like its zone",
}).optional();

/** The keys of the platform, a region or a datacenter; the nearest one wins, key by key. */
export const everyLevel = {
  ring: ringName,
  workloads,
  environment,
  extraEnvironment,
  mediaNetworks,
  monitoring,
  ingress,
  gateway,
};

const clusterReference = field(dnsLabel, {
  description: "Cluster, by its name in `kazoo:clusters`.",
  expected: "the name of a cluster defined in kazoo:clusters",
  example: "east",
});

/** Workloads in the order in which a datacenter is drained; each uses those after it. */
const drainOrder = ["kazoo", "rabbitmq", "database"] as const;

/** The schema of a datacenter. */
export const datacenter = mapping(
  {
    cluster: clusterReference.optional(),
    namespace: field(dnsLabel, {
      description: "Namespace of the datacenter. It is part of every node's name, so it cannot change later.",
      expected: dnsLabelWords,
      example: "us-east-nyc",
      default: "the zone's name",
    }).optional(),
    adopt: field(z.boolean(), {
      description:
        "Whether the namespace may exist already, created by others. Its pods then get Pod Security `restricted` and the datacenter's NetworkPolicies like all others. `destroy` keeps it, and removes only what the stack created.",
      expected: "true or false",
      example: "true",
    }).default(false),
    drained: field(
      z.array(z.enum(drainOrder)).refine((list) => {
        const first = drainOrder.slice(0, list.length);
        return first.every((workload) => list.includes(workload));
      }),
      {
        description:
          "Workloads that run no pods, for maintenance: they stop in this order, and start again in reverse. Volumes stay. `make drain` and `make return` set it, see docs/runbooks.md.",
        expected:
          "[kazoo], [kazoo, rabbitmq] or [kazoo, rabbitmq, database]: a workload only together with those that use it",
        example: "[kazoo, rabbitmq]",
      },
    ).default([]),
    ...everyLevel,
  },
  "A datacenter: one zone, with a full set of workloads.",
  "{ workloads: { kazoo: { replicas: 2 } } }",
);

/** The schema of a region. */
export const region = mapping(
  {
    cluster: clusterReference.optional(),
    datacenters: named(dnsLabel, datacenter, {
      description: "The region's datacenters, by `DATACENTER`.",
      expected: `a mapping from datacenters (each ${dnsLabelWords}) to what they hold`,
      example: "{ nyc: {}, bos: {} }",
    }),
    ...everyLevel,
  },
  "A region.",
  "{ cluster: east, datacenters: { nyc: {} } }",
);
