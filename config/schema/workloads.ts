import { bytes, cores } from "../quantity";
import { service } from "./access";
import { ephemeralStorage, jobSettings, nodeSettings } from "./podSettings";
import { sizes } from "./sizes";
import { dnsName, field, mapping, wholeNumber } from "./fields";

const amounts = {
  cpu: (what: string) =>
    field(cores, {
      description: `Processor time, ${what}, in cores.`,
      expected: "cores, as a number or in thousandths",
      example: "500m",
    }),
  memory: (what: string) =>
    field(bytes, {
      description: `Memory, ${what}.`,
      expected: "an amount with a binary unit (Ki, Mi, Gi)",
      example: "2Gi",
    }),
};

const resources = (defaults: { readonly cpu: string; readonly memory: string; readonly limit: string }) =>
  mapping(
    {
      requests: mapping(
        {
          cpu: amounts.cpu("requested for each pod").default(defaults.cpu),
          memory: amounts.memory("requested for each pod").default(defaults.memory),
          ephemeralStorage: ephemeralStorage.requests.exactOptional(),
        },
        "Requested resources of each pod.",
        "{ memory: 2Gi }",
      ).prefault({}),
      limits: mapping(
        {
          cpu: amounts.cpu("limit of each pod").exactOptional(),
          memory: amounts.memory("limit of each pod").default(defaults.limit),
          ephemeralStorage: ephemeralStorage.limits.exactOptional(),
        },
        "Limits of each pod.",
        "{ memory: 2Gi }",
      ).prefault({}),
    },
    "Requests and limits of each pod.",
    "{ requests: { cpu: 500m, memory: 1Gi } }",
  ).prefault({});

const storage = (fallback: string) => ({
  storage: field(bytes, {
    description: "Size of each pod's volume.",
    expected: "an amount with a binary unit (Mi, Gi, Ti)",
  }).default(fallback),
  storageClass: field(dnsName, {
    description: "StorageClass of the volumes. With the reclaim policy `Retain`, data survives even a deleted claim.",
    expected: "the name of a StorageClass",
    example: "fast-retain",
    default: "the cluster's default class",
  }).exactOptional(),
});

const replicas = (what: string, fallback: number) =>
  field(wholeNumber(1, 99), {
    description: `Number of ${what} in the datacenter.`,
    expected: "a whole number from 1 to 99",
  }).default(fallback);

/** The schema of `kazoo:workloads`. */
export const workloads = mapping(
  {
    kazoo: mapping(
      {
        replicas: replicas("Kazoo nodes", sizes.kazoo.replicas),
        resources: resources(sizes.kazoo),
        service,
        ...nodeSettings,
      },
      "The Kazoo nodes.",
      "{ replicas: 2 }",
    ).prefault({}),
    rabbitmq: mapping(
      { ...storage(sizes.rabbitmq.storage), resources: resources(sizes.rabbitmq), ...nodeSettings },
      "Each of the two brokers.",
      "{ storage: 8Gi }",
    ).prefault({}),
    database: mapping(
      {
        replicas: replicas("database nodes", sizes.database.replicas),
        ...storage(sizes.database.storage),
        resources: resources(sizes.database),
        ...nodeSettings,
      },
      "The database's nodes.",
      "{ replicas: 3, storage: 100Gi }",
    ).prefault({}),
    jobs: mapping(
      jobSettings,
      "The Jobs that join the databases and complete the first boot. After a change they run again, without changing what exists.",
      "{ nodeSelector: { example.com/pool: voice } }",
    ).prefault({}),
  },
  "The workloads: sizes, where their pods run, and how they are described.",
  "{ kazoo: { replicas: 2 } }",
).prefault({});
