import { z } from "zod";
import { gateway, ingress, service } from "./access";
import { databaseKind, kazooVersions, rabbitmqVersions, type KazooVersion, upgradeSteps } from "./compatibility";
import { isBrokerPassword, isCookie, isDatabasePassword, type Rotated, rotationSteps, storedKeys } from "./credentials";
import { variables } from "./environment";
import {
  cidr,
  dnsLabel,
  dnsName,
  field,
  imagePrefix,
  imageReference,
  mapping,
  named,
  registryHost,
  text,
  unset,
  wholeNumber,
} from "./fields";
import { defaultCurlImage, seedImage } from "./images";
import { monitoring } from "./monitoring";
import { patches } from "./patches";
import { ephemeralStorage, jobSettings, nodeSettings } from "./podSettings";
import { bytes, cores } from "./quantity";
import { sizes } from "./sizes";

/**
 * The shape of a stack's config: every key below `kazoo:`, with its default. A default that depends on other keys is given in words; topology.ts
 * computes it. Relations between keys are in checks.ts. The config reference and the JSON Schema are generated from here.
 */

const label = "a name of lower-case letters, digits and dashes, at most 63 characters";

const yesOrNo = "true or false, without quotes";

/** A version, as text or as the number that YAML makes of it without quotes. */
const version = <T extends string>(versions: readonly T[]) =>
  z.union([
    z.enum(versions),
    z
      .number()
      .transform((found) => (Number.isInteger(found) ? `${found}.0` : String(found)))
      .pipe(z.enum(versions)),
  ]);

const image = (description: string, example: string, fallback: string) =>
  field(imageReference, {
    description,
    expected: "an image reference, preferably pinned by digest",
    example,
    default: fallback,
  }).optional();

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

const workloads = mapping(
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

const environment = mapping(variables, "Run environment of the Kazoo nodes.", "{ KAZOO_LOG_LEVEL: debug }").prefault(
  {},
);

const scalar = (description: string, example: string) =>
  field(z.union([z.string(), z.number().transform(String), z.boolean().transform(String)]), {
    description,
    expected: "text, a number, true or false",
    example,
  });

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
export const drainOrder = ["kazoo", "rabbitmq", "database"] as const;

const datacenter = mapping(
  {
    cluster: clusterReference.optional(),
    namespace: field(dnsLabel, {
      description: "Namespace of the datacenter. It is part of every node's name, so it cannot change later.",
      expected: label,
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

const region = mapping(
  {
    cluster: clusterReference.optional(),
    datacenters: named(dnsLabel, datacenter, {
      description: "The region's datacenters, by `DATACENTER`.",
      expected: `a mapping from datacenters (each ${label}) to what they hold`,
      example: "{ nyc: {}, bos: {} }",
    }),
    ...everyLevel,
  },
  "A region.",
  "{ cluster: east, datacenters: { nyc: {} } }",
);

const engine = text(/^(unix:\/\/\/|tcp:\/\/|ssh:\/\/)\S+$/);

const publishedPort = (what: string, fallback: number) =>
  field(wholeNumber(1, 65535), {
    description: `Published port of ${what}.`,
    expected: "a port, a whole number from 1 to 65535",
  }).default(fallback);

/** The Docker Engine of this machine. */
export const localEngine = "unix:///var/run/docker.sock";

const dockerCluster = mapping(
  {
    host: field(engine, {
      description: "Address of the Docker Engine.",
      expected: "unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST",
    }).default(localEngine),
    network: field(dnsLabel, {
      description: "Name of the Docker network, which the stack creates; host names end in it, as in `kazoo.local`.",
      expected: label,
    }).default("local"),
    address: field(z.union([z.ipv4(), z.ipv6()]), {
      description: "Address on which Kazoo's ports are published; `0.0.0.0` for all.",
      expected: "an IP address",
    }).default("127.0.0.1"),
    ports: mapping(
      {
        crossbar: publishedPort("Crossbar's API", 8000),
        websockets: publishedPort("Blackhole's websockets", 5555),
      },
      "Kazoo's published ports.",
      "{ crossbar: 18000 }",
    ).prefault({}),
  },
  "A Docker Engine instead of Kubernetes: one datacenter, for development and tests on one machine.",
  "{ network: local }",
).optional();

/**
 * How fast the provider asks a cluster's API server: a stack of many datacenters sends thousands of requests, and the provider's own limits, 50 and
 * 120, make it wait.
 */
export const requestLimits = { qps: 200, burst: 400, timeout: 32 } as const;

const apiClient = mapping(
  {
    qps: field(wholeNumber(1, 10_000), {
      description: "Requests per second, on average.",
      expected: "a whole number from 1 to 10000",
    }).default(requestLimits.qps),
    burst: field(wholeNumber(1, 10_000), {
      description: "Requests at once.",
      expected: "a whole number from 1 to 10000",
    }).default(requestLimits.burst),
    timeout: field(wholeNumber(1, 3600), {
      description: "Seconds until a request that is not answered fails.",
      expected: "a whole number of seconds from 1 to 3600",
    }).default(requestLimits.timeout),
  },
  "How fast Pulumi's provider asks the cluster's API server. If the key is missing, `kazoo` uses these defaults, unless `PULUMI_K8S_CLIENT_QPS`, `PULUMI_K8S_CLIENT_BURST` and `PULUMI_K8S_CLIENT_TIMEOUT` are set.",
  "{ qps: 50, burst: 100 }",
).optional();

const cluster = mapping(
  {
    sandbox: field(z.boolean(), {
      description: "The embedded control plane with simulated nodes, instead of `context`.",
      expected: yesOrNo,
      example: "true",
    }).default(false),
    context: field(z.string().min(1), {
      description: "The cluster's context in the kubeconfig.",
      expected: "the name of a context in your kubeconfig",
      example: "prod-east",
    }).optional(),
    kubeconfig: field(z.string().min(1), {
      description: "Path of the kubeconfig, relative to the project's folder.",
      expected: "the path of a kubeconfig file",
      example: "./kubeconfig.yaml",
      default: "`$KUBECONFIG`, else `~/.kube/config`",
    }).optional(),
    clusterDomain: field(dnsName, {
      description:
        "DNS domain of the cluster. It is part of every node's name, so it cannot change later. A ring over several clusters needs a different one in each.",
      expected: "a DNS domain",
      example: "east.internal",
    }).default("cluster.local"),
    docker: dockerCluster,
    podNetwork: field(cidr, {
      description:
        "Network of the cluster's pods, routed to the ring's other clusters. Required if a ring spans several clusters.",
      expected: "a network in CIDR notation",
      example: "10.8.0.0/14",
    }).optional(),
    apiClient,
  },
  "A Kubernetes cluster, `sandbox: true` or a `context`, or a Docker Engine, `docker`.",
  "{ context: prod-east, clusterDomain: east.internal }",
);

const count = (description: string, fallback: string) =>
  field(wholeNumber(1, 99), {
    description,
    expected: "a whole number from 1 to 99",
    example: "3",
    default: fallback,
  }).optional();

const absolutePath = text(/^\/[A-Za-z0-9._/-]*$/);

/** Folder of Monster UI's apps in the Kazoo image. */
export const appsPath = "/var/www/html/monster-ui/apps";

const masterAccount = mapping(
  {
    name: field(z.string().min(1).max(128), {
      description: "The account's name.",
      expected: "text of 1 to 128 characters",
      example: "example",
    }),
    realm: field(dnsName.min(4), {
      description: "The account's SIP realm.",
      expected: "a DNS name of at least 4 characters",
      example: "sip.example.com",
    }),
    user: field(text(/^[A-Za-z0-9@._+-]{1,256}$/), {
      description: "Name of the account's administrator.",
      expected: "1 to 256 letters, digits, `@`, `.`, `_`, `+` or `-`",
      example: "admin",
    }),
    monsterUi: mapping(
      {
        url: field(text(/^https?:\/\/\S+$/), {
          description: "Address of Crossbar's API for browsers, which the apps call.",
          expected: "an http or https URL",
          example: "https://kazoo.example.com/v2",
          default: "that of the `ingress` or `gateway` of the ring's first zone that has one",
        }).optional(),
        path: field(absolutePath, {
          description: "Folder of Monster UI's apps on the Kazoo nodes.",
          expected: "an absolute path",
        }).default(appsPath),
      },
      "Monster UI's apps, registered with the account (`init_apps`). Without this key, they are not.",
      "{ url: https://kazoo.example.com/v2 }",
    ).optional(),
    prompts: mapping(
      {
        path: field(absolutePath, {
          description: "Folder of recordings (`*.wav`, `*.mp3`) in the Kazoo image.",
          expected: "an absolute path",
          example: "/opt/kazoo/sounds/en-us",
        }),
        language: field(text(/^[a-z]{2}(-[a-z]{2})?$/), {
          description: "Language of the recordings.",
          expected: "a language in lower case, with or without a country",
        }).default("en-us"),
      },
      "System prompts to import (`import_prompts`). Without this key, none are.",
      "{ path: /opt/kazoo/sounds/en-us }",
    ).optional(),
  },
  "The master account, created on first boot (on Docker by `make init-account`), unless the ring already has accounts. Without this key, none is created.",
  "{ name: example, realm: sip.example.com, user: admin }",
).optional();

/** The Kazoo that runs unless a ring says otherwise; the image's Dockerfile has the same default. */
export const defaultKazooVersion: KazooVersion = "4.3";

const rotation = (what: Rotated, of: string, first: string) => {
  const steps = {
    add: "`add` creates it beside the previous one",
    move: "`move` switches to it",
    remove: "`remove` removes the previous one",
  };
  const all = rotationSteps[what];
  return mapping(
    {
      number: field(wholeNumber(2, 9999), {
        description: `Number of the current or next ${of}.`,
        expected: "a whole number from 2 to 9999",
        example: "2",
      }),
      step: field(z.enum(all), {
        description: `Current step of the rotation: ${all.map((step) => steps[step]).join(", ")}. Each step needs an update, in this order.`,
        expected: `one of ${all.join(", ")}`,
        example: all[0],
        default: "the rotation is done",
      }).optional(),
    },
    `The ${of}. Unless given: ${first}.`,
    `{ number: 2, step: ${all[0]} }`,
  ).optional();
};

const ring = mapping(
  {
    kazoo: field(version(kazooVersions), {
      description:
        "Kazoo's version, that of the image. An image that the stack builds uses it, unless `kazoo:image.build.args.KAZOO_VERSION` names a tag or branch of that version.",
      expected: `one of ${kazooVersions.join(", ")}`,
    }).default(defaultKazooVersion),
    database: field(
      z.string().refine((found) => databaseKind(found) !== undefined),
      {
        description: "The database, by engine and version.",
        expected: "bigcouch-0.4.x, couchdb-2.x.y or couchdb-3.x.y",
      },
    ).default("couchdb-2.3.1"),
    rabbitmq: field(version(rabbitmqVersions), {
      description: "RabbitMQ's release series.",
      expected: `one of ${rabbitmqVersions.join(", ")}, in quotes, so that YAML does not read 3.10 as 3.1 (upgrade RabbitMQ 3.8, whose image logs its password, to 3.9 first, then rotate the password: make rotate)`,
    }).default("3.13"),
    permitTransientQueues: field(z.boolean(), {
      description:
        "Whether brokers permit transient non-exclusive queues (`deprecated_features.permit.transient_nonexcl_queues`, from RabbitMQ 3.13 on). Kazoo needs this on 4.3.",
      expected: yesOrNo,
      example: "true",
    }).default(false),
    quorum: mapping(
      {
        q: count("Shards of each database.", "3, or 1 on a single node"),
        n: count(
          "Copies of each document; with a placement, at least its sum. In BigCouch and CouchDB before 3.2, uploads hang in older databases with more copies, so never lower it there.",
          "3, or the number of nodes if that is lower; with a placement its sum, and at least 4 in BigCouch and CouchDB before 3.2",
        ),
        r: count("Copies that must agree on a read; BigCouch only.", "2, or n if that is lower"),
        w: count("Copies that must agree on a write; BigCouch only.", "2, or n if that is lower"),
      },
      "Shards, copies and quorums of the database ring. Shards and copies apply to databases created afterwards. CouchDB always requires a majority of the copies.",
      "{ q: 3, n: 3 }",
    ).optional(),
    placement: named(
      dnsLabel,
      field(wholeNumber(1, 9), {
        description: "Copies kept in a zone.",
        expected: "a whole number from 1 to 9",
        example: "2",
      }),
      {
        description:
          "Copies of each document by zone. Unless given: in a ring of two zones 2 each (as far as they have nodes), of three 1 each; in more, the database spreads its n copies over the zones if all have equally many nodes. If not, a placement must be given.",
        expected: "a mapping from the ring's zones to numbers of copies",
        example: "{ us-east-nyc: 2, us-east-bos: 2 }",
      },
    ).optional(),
    brokerSettings: named(z.string(), scalar("Value of a setting.", "1024"), {
      description:
        "Other settings of the brokers, as in `rabbitmq.conf`. Watermarks of memory and disk override the program's. Not for secrets: they are stored in a ConfigMap.",
      expected: "a mapping from keys of rabbitmq.conf to values",
      example: "{ channel_max: 1024, log.console.level: warning }",
    }).default({}),
    brokerPlugins: field(z.array(text(/^[a-z][a-z0-9_]*$/)), {
      description: "Other plugins of the brokers, which their image must have.",
      expected: "a list of plugins",
      example: "[rabbitmq_shovel, rabbitmq_shovel_management]",
    }).default([]),
    databaseSettings: named(
      z.string(),
      named(z.string(), scalar("Value of a setting.", "8000000"), {
        description: "Settings of a section.",
        expected: "a mapping from keys to values",
        example: "{ max_document_size: 8000000 }",
      }),
      {
        description:
          "Other settings of the database, as in its ini files. Not for secrets: they are stored in a ConfigMap.",
        expected: "a mapping from sections to keys to values",
        example: "{ couchdb: { max_document_size: 8000000 } }",
      },
    ).default({}),
    masterAccount,
    rotations: mapping(
      {
        rabbitmq: rotation("rabbitmq", "user of the brokers, 2 being `kazoo-2`", "`kazoo`"),
        database: rotation("database", "administrator of the database, 2 being `kazoo-2`", "`kazoo`"),
        cookie: rotation("cookie", "Erlang cookie of the Kazoo nodes", "the first one"),
        databaseCookie: rotation("databaseCookie", "Erlang cookie of the database's nodes", "the first one"),
        masterAccount: rotation("masterAccount", "password of the master account's administrator", "the first one"),
      },
      "How far the credentials were rotated. `make rotate` writes it; see docs/runbooks.md#rotate-a-credential.",
      "{ rabbitmq: { number: 2 } }",
    ).default({}),
    upgrading: field(z.enum(upgradeSteps), {
      description:
        "The next step of an unfinished upgrade. `make upgrade` writes it, and removes it at the end; see docs/runbooks.md#upgrade.",
      expected: `one of ${upgradeSteps.join(", ")}`,
      example: "migrate",
      default: "no upgrade is in progress",
    }).optional(),
  },
  "A ring: the zones that are one Kazoo system and share database, cookie and credentials.",
  '{ kazoo: "4.3", database: couchdb-2.3.1 }',
);

const secret = <S extends z.ZodType>(value: S, key: string, description: string, expected: string) =>
  field(value, {
    description,
    expected,
    example: `pulumi config set --secret --path kazoo:credentials.main.${key}`,
    default: "random",
    secret: true,
  }).optional();

const secretKey = z.string().regex(/^[-._a-zA-Z0-9]{1,253}$/);

/** A secret, or the name of an existing Secret that has it. */
const storedSecret = (
  key: keyof typeof storedKeys,
  description: string,
  isRight: (text: string) => boolean,
  expected: string,
) =>
  secret(
    z.union([
      z.string().refine(isRight),
      z.strictObject({
        secretName: dnsName,
        keys: z
          .strictObject(Object.fromEntries(storedKeys[key].map((name) => [name, secretKey.optional()])))
          .optional(),
      }),
    ]),
    key,
    description,
    `${expected}; or { secretName: NAME } of an existing Secret with ${storedKeys[key].map((name) => `\`${name}\``).join(", ")}, ` +
      `or with the keys that \`keys: { ${storedKeys[key][0]}: KEY }\` names`,
  );

const credentials = named(
  dnsLabel,
  mapping(
    {
      cookie: storedSecret(
        "cookie",
        "Erlang cookie of the Kazoo nodes.",
        isCookie,
        "1 to 255 printable ASCII characters without blanks and double quotes",
      ),
      rabbitmq: storedSecret(
        "rabbitmq",
        "Password of the brokers' user `kazoo`.",
        isBrokerPassword,
        "1 to 255 bytes without double quotes and control characters; not guest, which everyone knows",
      ),
      database: storedSecret(
        "database",
        "Password of the database's administrator `kazoo`.",
        isDatabasePassword,
        "1 to 255 bytes without double quotes, control characters, `@` and `/`, since Kazoo puts it into a URL without encoding; not true or false, which Kazoo reads as booleans",
      ),
      masterAccount: secret(
        // Kazoo's schema for users accepts no more.
        text(/^[A-Za-z0-9._~-]{8,32}$/),
        "masterAccount",
        "Password of the master account's administrator.",
        "8 to 32 letters, digits, `.`, `_`, `~` or `-`",
      ),
    },
    "Existing credentials of a ring, to take over a live system. The others are random, and kept. Weak ones are accepted with a warning.",
    "{ cookie: { secure: … } }",
  ),
  {
    description:
      "Credentials by ring, or by zone for a datacenter without a ring. Must be Pulumi secrets, or names of Secrets that exist in the cluster.",
    expected: "a mapping from rings to their credentials",
    example: "{ main: { cookie: { secure: … } } }",
    secret: true,
  },
).default({});

/** This project's folder with the Kazoo image. */
export const imageFolder = "image";

const build = mapping(
  {
    registry: field(text(/^[a-zA-Z0-9][-a-zA-Z0-9.]*(:[0-9]+)?$/), {
      description: "Registry to push the image to. Without it, the image stays in the Docker Engine that builds it.",
      expected: "the host of a registry, with its port if it has one, without http://",
      example: "registry.example.com:5000",
    }).optional(),
    repository: field(text(/^[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/), {
      description: "Repository of the image, without registry and tag.",
      expected: "a repository's name of lower-case letters, digits, `.`, `_`, `-` and `/`",
      example: "telephony/kazoo",
    }),
    tags: field(z.array(text(/^[A-Za-z0-9_][-.A-Za-z0-9_]{0,127}$/)).min(1), {
      description: "Tags of the image, all pushed. They are for people: pods use the digest.",
      expected: "a list of at least one tag",
      example: '["4.3", latest]',
    }).default(["latest"]),
    plainHttp: field(z.boolean(), {
      description: "Whether the registry is used without TLS.",
      expected: yesOrNo,
      example: "true",
    }).default(false),
    username: field(text(/^\S+$/), {
      description:
        "User of the registry, unless `kazoo:registries` has its login; the password is `kazoo:registryPassword`.",
      expected: "a user name without spaces",
      example: "ci",
      default: "none, for a registry that needs no login",
    }).optional(),
    platform: field(text(/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9]+)?$/), {
      description: "Platform of the image.",
      expected: "a platform as OS/ARCHITECTURE",
      example: "linux/amd64",
      default: "that of the Docker Engine",
    }).optional(),
    network: field(text(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/), {
      description:
        "Network of the build's steps; `host` if mirrors of packages and sources are only reachable through the engine's host.",
      expected: "host, none, or the name of a Docker network",
      example: "host",
      default: "the engine's",
    }).optional(),
    docker: field(engine, {
      description: "Address of the Docker Engine that builds and pushes.",
      expected: "unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST",
      example: localEngine,
      default: `that of the stack's Docker cluster, else ${localEngine}`,
    }).optional(),
    context: field(z.string().min(1), {
      description: "Folder with the Dockerfile, relative to the project's folder.",
      expected: "the path of a folder",
    }).default(imageFolder),
    args: named(
      text(/^[A-Za-z_][A-Za-z0-9_]*$/),
      field(z.union([z.string(), z.number().transform(String)]), {
        description: "Value of a build argument.",
        expected: "text or a number (a version in quotes, so that YAML does not read 4.10 as 4.1)",
        example: '"4.3"',
      }),
      {
        description:
          "Build variables, the Dockerfile's `ARG`s: `KAZOO_VERSION`, `ERLANG_VERSION`, … Not for secrets: they are stored in the image.",
        expected: "a mapping from the Dockerfile's arguments to values",
        example: '{ KAZOO_VERSION: "4.3.12" }',
      },
    ).default({}),
    digest: field(text(/^sha256:[a-f0-9]{64}$/), {
      description:
        "Runs an image built earlier instead of building one. `make kube-deploy-rollback` sets it; remove it to build again.",
      expected: "a digest in the registry or, without a registry, an image ID in the engine",
      example: `sha256:${"0".repeat(64)}`,
      default: "none, the image is built",
    }).optional(),
  },
  "Builds and pushes the Kazoo image.",
  "{ registry: registry.example.com, repository: kazoo }",
);

/** All config keys of a stack, without the prefix `kazoo:`. */
export const schema = mapping(
  {
    image: mapping(
      {
        prebuilt: image(
          "The Kazoo image, by name or digest; instead of `build`.",
          "registry.example.com/kazoo:4.3",
          `\`${seedImage}\` in the sandbox and on Docker; a real cluster needs another`,
        ),
        build: build.optional(),
      },
      "The Kazoo image: `prebuilt` or `build`.",
      "{ build: { registry: registry.example.com, repository: kazoo } }",
    ).prefault({}),
    images: mapping(
      {
        rabbitmq: image(
          "Image of the brokers.",
          "mirror.example.com/rabbitmq:3.13-management",
          "`rabbitmq:VERSION-management`",
        ),
        database: image(
          "Image of the database; BigCouch has no default.",
          "mirror.example.com/couchdb:2.3.1",
          "`couchdb:VERSION`",
        ),
        curl: field(imageReference, {
          description:
            "Image with `sh` and `curl`, for the Job that joins the database's nodes and for the init container of Kazoo's nodes.",
          expected: "an image reference, preferably pinned by digest",
        }).default(defaultCurlImage),
      },
      "Other images, for example from a mirror.",
      "{ rabbitmq: mirror.example.com/rabbitmq:3.13-management }",
    ).prefault({}),
    imageMirror: field(imagePrefix, {
      description:
        "Registry to pull Docker Hub's images from: `rabbitmq:3.13-management` as `MIRROR/library/rabbitmq:3.13-management`, `curlimages/curl:8.11.1` as `MIRROR/curlimages/curl:8.11.1`. Images in `kazoo:images` that name another registry, and the Kazoo image that the config names or builds, keep their names.",
      expected: "a registry's host, optionally with port and path, without https:// and without a trailing slash",
      example: "registry.example.com/mirror",
      default: "none, images come from Docker Hub",
    }).optional(),
    registries: named(
      field(registryHost, {
        description: "Host of a registry.",
        expected:
          "a registry's host in lower case, with its port if it has one, without https:// and a path; docker.io is Docker Hub",
        example: "registry.example.com:5000",
      }),
      mapping(
        {
          username: field(text(/^[^\s:]+$/), {
            description: "User of the registry.",
            expected: "a user name without spaces and colons",
            example: "ci",
            default: "none, with a `secretName`",
          }).optional(),
          password: field(z.string().min(1), {
            description: "The user's password or token. Must be a Pulumi secret.",
            expected: "a password",
            example: `pulumi config set --secret --path 'kazoo:registries["registry.example.com"].password'`,
            default: "none, with a `secretName`",
            secret: true,
          }).optional(),
          secretName: field(dnsName, {
            description:
              "Instead of a login: name of a Secret of the type `kubernetes.io/dockerconfigjson`, which something else creates in each namespace.",
            expected: "the name of a Secret",
            example: "registry-pull",
            default: "none, with a `username` and a `password`",
          }).optional(),
        },
        "A login, or a Secret that holds one.",
        "{ username: ci, password: { secure: … } }",
      ),
      {
        description:
          "Logins for private registries, by the host part of image names. All pods of the stack and Docker Engines pull with them, and the stack's own image is pushed with the login of its registry.",
        expected: "a mapping from registries' hosts to logins",
        example: "{ registry.example.com: { username: ci, password: { secure: … } } }",
      },
    ).default({}),
    protect: field(z.boolean(), {
      description:
        "Whether Pulumi refuses to delete or replace what holds data: cookie, credentials, namespaces, brokers, databases. Set it to false only for throw-away stacks.",
      expected: yesOrNo,
      example: "false",
    }).default(true),
    policy: field(z.boolean(), {
      description:
        "Whether `make preview`, `preview-report` and `up` enforce the rules of `policy/` on the stack; see docs/policy.md.",
      expected: yesOrNo,
      example: "true",
    }).default(false),
    stacks: field(z.enum(["one", "region"]), {
      description:
        "Whether everything is one Pulumi stack, or each region has its own, `NAME.REGION`, beside `NAME` with what they share: docs/regions.md.",
      expected: "one or region",
      example: "region",
    }).default("one"),
    stackLabel: field(text(/^[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/), {
      description:
        "The stack's name on its namespaces' labels and in its dashboards. `make rename` sets it to the first name, so that nothing changes in the clusters.",
      expected: "the name of a stack, at most 63 characters",
      example: "prod",
      default: "the stack's name",
    }).optional(),
    clusters: named(dnsLabel, cluster, {
      description:
        "The clusters, by a name of your choice. Do not change the name later: everything in the cluster would be deleted and created again.",
      expected: `a mapping from names (each ${label}) to clusters`,
      example: "{ east: { context: prod-east } }",
    }),
    rings: named(dnsLabel, ring, {
      description:
        "The rings, by a name of your choice. Do not change the name later: the ring's credentials are stored under it.",
      expected: `a mapping from names (each ${label}) to rings`,
      example: '{ main: { kazoo: "4.3" } }',
    }).default({}),
    regions: named(dnsLabel, region, {
      description: "The regions, by `REGION`.",
      expected: `a mapping from regions (each ${label}) to what they hold`,
      example: "{ us-east: { cluster: east, datacenters: { nyc: {} } } }",
    }),
    patches,
    credentials,
    registryPassword: field(z.string().min(1), {
      description: "Password or token of `kazoo:image.build.username`. Must be a Pulumi secret.",
      expected: "a password",
      example: "pulumi config set --secret kazoo:registryPassword",
      secret: true,
    }).optional(),
    ...everyLevel,
  },
  "The stack.",
  "clusters: { local: { sandbox: true } }",
);

/** The same keys without defaults, for a config as written in its file. */
export const givenSchema = unset(schema);

/** A config as written in its file. */
export type Given = z.output<typeof givenSchema>;
export type GivenRegion = Given["regions"][string];
export type GivenDatacenter = GivenRegion["datacenters"][string];
/** A config with its defaults. */
export type Config = z.output<typeof schema>;
export type RingConfig = z.output<typeof ring>;
export type ClusterConfig = z.output<typeof cluster>;
export type BuildConfig = z.output<typeof build>;
export type DatacenterConfig = z.output<typeof datacenter>;

/** A ring that no key describes. */
export const defaultRing: RingConfig = ring.parse({});
