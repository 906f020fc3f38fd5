import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { brokerPlugins, requireDatabaseKind } from "../config/compatibility";
import { storeUser } from "../config/credentials";
import { byteCount, milliCores } from "../config/quantity";
import { configPaths, databaseConfig, erlangFlags } from "./bigcouch";
import type { RingSettings, ZoneArgs } from "./datacenter";
import { type Environment, hasCrossbar } from "./kazoo";
import { databasePort, kazooPorts, rabbitmqPorts } from "./names";
import { brokerConfig, brokerHome, enabledPlugins } from "./rabbitmq";
import type { Resources } from "./resources";
import { databaseRingConfig, type RingCredentials } from "./ring";
import { users } from "./security";
import { sorted } from "./workload";

/** Arguments of a container for the Docker provider, without its name and network. */
export type Container = Omit<docker.ContainerArgs, "name" | "networksAdvanced" | "hostname">;

/** One of the two brokers. `volume` keeps its data. */
export function brokerContainer(image: pulumi.Input<string>, { zone, ring, credentials, volume }: Store): Container {
  return {
    ...common(users.rabbitmq, zone.rabbitmq, 60),
    image,
    envs: environment({
      HOME: brokerHome,
      RABBITMQ_DEFAULT_USER: storeUser(1),
      RABBITMQ_DEFAULT_PASS: credentials.rabbitmq,
    }),
    tmpfs: { [brokerHome]: `mode=0700,size=16m,uid=${users.rabbitmq},gid=${users.rabbitmq}` },
    uploads: [
      {
        file: "/etc/rabbitmq/conf.d/90-kazoo.conf",
        content: brokerConfig({
          ...zone.rabbitmq,
          permitTransientQueues: ring.permitTransientQueues,
          settings: ring.brokerSettings,
        }),
      },
      {
        file: "/etc/rabbitmq/enabled_plugins",
        content: enabledPlugins([...brokerPlugins(ring.kazoo), ...ring.brokerPlugins]),
      },
    ],
    volumes: [{ volumeName: volume, containerPath: "/var/lib/rabbitmq" }],
    healthcheck: healthcheck(`: <${tcp(rabbitmqPorts.amqp)}`),
    waitTimeout: 600,
  };
}

/** The database, a single node. `volume` keeps its data. */
export function databaseContainer(
  image: pulumi.Input<string>,
  host: string,
  { zone, ring, credentials, volume }: Store,
): Container {
  const { quorum } = ring;
  const kind = requireDatabaseKind(ring.database.version);
  const paths = configPaths(kind);
  return {
    ...common(users.database, zone.database, 60),
    image,
    envs: environment({
      COUCHDB_USER: storeUser(1),
      COUCHDB_PASSWORD: credentials.database,
      ERL_FLAGS: credentials.databaseCookie.apply((cookie) => erlangFlags(kind, host, cookie)),
    }),
    uploads: [
      { file: paths.kazoo, content: databaseConfig({ kind, quorum, settings: ring.databaseSettings }) },
      { file: paths.ring, content: databaseRingConfig(kind.version, credentials) },
    ],
    volumes: [{ volumeName: volume, containerPath: `/opt/${kind.nodeName}/data` }],
    // BigCouch 0.4 has no /_up; its welcome page answers once the node serves requests.
    healthcheck: healthcheck(httpGet(databasePort, kind.engine === "bigcouch" ? "/" : "/_up")),
    waitTimeout: 600,
  };
}

/** The input of a broker's or database's container. */
export interface Store {
  readonly zone: ZoneArgs;
  readonly ring: RingSettings;
  readonly credentials: RingCredentials;
  readonly volume: pulumi.Input<string>;
}

export interface KazooContainerArgs {
  readonly zone: ZoneArgs;
  readonly credentials: RingCredentials;
  readonly host: string;
  /** The run environment, complete. */
  readonly environment: Environment;
  readonly published: { readonly address: string; readonly crossbar: number; readonly websockets: number };
}

/** The Kazoo node, its root read-only as in Kubernetes. */
export function kazooContainer(image: pulumi.Input<string>, args: KazooContainerArgs): Container {
  const { zone, credentials, host, published } = args;
  const own = `uid=${users.kazoo},gid=${users.kazoo}`;
  return {
    ...common(users.kazoo, zone.kazoo, 120),
    image,
    envs: environment({
      ...args.environment,
      ERLANG_HOSTNAME: host,
      // Not as a file: Docker can't put one into a container whose root is read-only. Anyone who can inspect containers already has root.
      ERLANG_COOKIE: credentials.cookie,
      RABBITMQ_USER: storeUser(1),
      RABBITMQ_PASS: credentials.rabbitmq,
      COUCHDB_USER: storeUser(1),
      COUCHDB_PASS: credentials.database,
    }),
    readOnly: true,
    tmpfs: {
      "/tmp": "mode=1777,size=1g",
      // In memory, since credentials are rendered into it.
      "/opt/kazoo/etc": `mode=0700,size=16m,${own}`,
      "/opt/kazoo/log": `mode=0700,size=1g,${own}`,
    },
    ports: (["crossbar", "websockets"] as const).map((port) => ({
      internal: kazooPorts[port],
      external: published[port],
      ip: published.address,
    })),
    healthcheck: healthcheck(
      hasCrossbar(args.environment) ? httpGet(kazooPorts.crossbar, "/") : `: <${tcp(kazooPorts.epmd)}`,
    ),
    // The first boot on an empty database takes minutes.
    waitTimeout: 900,
  };
}

/** Settings of all containers: an unprivileged user, limits, bounded logs, and seconds for a graceful stop. */
function common(user: number, size: { resources: Resources }, grace: number) {
  const { memory, cpu } = size.resources.limits;
  const mebibytes = Math.ceil(byteCount(memory) / 1024 ** 2);
  return {
    user: `${user}:${user}`,
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges:true"],
    memory: mebibytes,
    // The same amount means: no swap.
    memorySwap: mebibytes,
    ...(cpu === undefined ? {} : { cpus: String(milliCores(cpu) / 1000) }),
    logDriver: "json-file",
    logOpts: { "max-size": "10m", "max-file": "5" },
    restart: "unless-stopped",
    stopTimeout: grace,
    destroyGraceSeconds: grace,
    wait: true,
  };
}

/** Variables, sorted by name. */
function environment(variables: Readonly<Record<string, pulumi.Input<string>>>): pulumi.Input<string>[] {
  return sorted(variables).map(([name, value]) => pulumi.interpolate`${name}=${value}`);
}

const tcp = (port: number) => `/dev/tcp/127.0.0.1/${port}`;

/** In bash, because not every image has curl. The status line of an answer is `HTTP/1.1 200 OK`. */
const httpGet = (port: number, path: string) =>
  `exec 3<>${tcp(port)} && printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [[ $status == 2* ]]`;

/** The container is unhealthy after three failures, but not within its first five minutes. */
function healthcheck(script: string) {
  return {
    tests: ["CMD", "bash", "-c", script],
    interval: "3s",
    timeout: "5s",
    startPeriod: "5m0s",
    retries: 3,
  };
}
