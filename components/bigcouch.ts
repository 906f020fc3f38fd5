import { pbkdf2Sync } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { type DatabaseKind, requireDatabaseKind } from "../config/compatibility";
import { podHosts, serviceHost, services } from "../config/hosts";
import { databaseImage } from "../config/images";
import { sizes } from "../config/schema/sizes";
import { databaseFiles, writeDatabaseFiles } from "./databaseFiles";
import { doNotWait, rollTimeouts, selectorLabels, spread, workloadLabels } from "./labels";
import { databasePort, workloads } from "./names";
import type { Rolled } from "./order";
import { nodeMinutes, podMetadata, podSpec } from "./pods";
import { type Resources, containerResources, resourcesOf } from "./resources";
import { afterRollout } from "./rollout";
import { containerSecurity, users } from "./security";
import {
  type Volume,
  type WorkloadArgs,
  defaultClusterDomain,
  fromSecret,
  loginFrom,
  oneAtATime,
  sorted,
  volumeClaim,
} from "./workload";

/** Shards (q), copies (n), and on BigCouch the copies that a read (r) and a write (w) wait for. */
export interface Quorum {
  readonly q: number;
  readonly n: number;
  readonly r?: number;
  readonly w?: number;
}

/** Settings of the database's ini, by section. */
export type DatabaseSettings = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface BigCouchArgs extends WorkloadArgs, Partial<Volume> {
  /** Name of a Secret in the namespace with the keys `username`, `password` and `cookie` (of the database's own Erlang nodes). */
  readonly credentials: pulumi.Input<string>;
  /** Name of a Secret with the key `ring.ini`, see {@link ringConfig}. @default each node has its own identity and sessions */
  readonly ringSecret?: pulumi.Input<string>;
  /** `bigcouch-0.4.2`, `couchdb-2.3.1`, `couchdb-3.3.3`. @default couchdb-2.3.1 */
  readonly version?: string;
  /** @default the official image of the version */
  readonly image?: pulumi.Input<string>;
  /** @default one shard, one copy */
  readonly quorum?: Quorum;
  /** Copies of each document by zone. @default the database spreads them over its nodes */
  readonly placement?: Readonly<Record<string, number>>;
  /** Settings beyond the component's own. @default none */
  readonly settings?: DatabaseSettings;
  /** Whether the nodes expose metrics to Prometheus, on a port without a login; CouchDB can from 3.2 on. @default false */
  readonly metrics?: boolean;
  /** Number of nodes. @default 1 */
  readonly replicas?: number;
  /** What each node requests and may use. @default 500m and 1Gi, at most 2Gi */
  readonly resources?: Resources;
  /** Whether Pulumi refuses to delete or replace the database. @default true */
  readonly protect?: boolean;
}

/** A node may wait for its peers: allow up to 10 minutes. */
const startup = { periodSeconds: 5, failureThreshold: 120 };

/** A node of a database: its host, and the name of its Erlang node. */
export interface DatabaseNode {
  readonly host: string;
  readonly name: string;
}

/**
 * The database nodes of a datacenter, BigCouch or CouchDB: the headless Service `bigcouch` gives them their names, `bigcouchbal` balances
 * over them. A {@link JoinJob} makes them one ring with the nodes of other zones.
 * @example
 * const database = new BigCouch("bigcouch", { namespace, credentials: secret.metadata.name });
 */
export class BigCouch extends pulumi.ComponentResource {
  /** Fully qualified name of the Service that balances over the nodes. */
  readonly host: pulumi.Output<string>;
  readonly nodes: pulumi.Output<DatabaseNode[]>;
  /** Port of the node-local interface; for CouchDB 3, which has none, the usual port. */
  readonly adminPort: number;
  /** What dependents must wait for: everything is created and rolled out. */
  readonly rolled: Rolled;

  constructor(name: string, args: BigCouchArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:BigCouch", name, {}, opts);
    const {
      clusterDomain = defaultClusterDomain,
      version = "couchdb-2.3.1",
      image = databaseImage(version),
      quorum = { q: 1, n: 1 },
      placement,
      settings = {},
      metrics = false,
      ringSecret,
      replicas = sizes.database.replicas,
      resources = resourcesOf(sizes.database),
      storage = sizes.database.storage,
      protect = true,
      probes = {},
    } = args;
    const keys = args.secretKeys?.database;
    const cookie = fromSecret(args.credentials, "cookie", keys);
    const minutes = nodeMinutes(15, startup, args);
    const volume = { ...args, storage };
    const kind = requireDatabaseKind(version);
    // BigCouch has no official image, so it is unknown where an image writes. Its own vm.args sets a cookie, which takes precedence over a file.
    const files = kind.engine === "bigcouch" ? undefined : databaseFiles;
    const service = (key: "database" | "databaseNodes") =>
      pulumi.output(args.namespace).apply((namespace) => serviceHost(services[key], namespace, clusterDomain));
    const parent = { parent: this };
    const labels = workloadLabels(workloads.database);
    const selector = selectorLabels(workloads.database);
    const metadata = { name: services.databaseNodes, namespace: args.namespace, labels };

    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      {
        metadata: { namespace: args.namespace, labels },
        immutable: true,
        data: {
          "kazoo.ini": databaseConfig({
            kind,
            quorum,
            settings,
            metrics,
            ...(placement === undefined ? {} : { placement }),
          }),
        },
      },
      parent,
    );
    const ports = [
      { name: "data", port: databasePort, targetPort: "data" },
      ...(kind.adminPort === undefined ? [] : [{ name: "admin", port: kind.adminPort, targetPort: "admin" }]),
    ];
    const headless = new k8s.core.v1.Service(
      `${name}-headless`,
      // Nodes must find each other before they are ready, otherwise none ever is.
      { metadata, spec: { clusterIP: "None", publishNotReadyAddresses: true, selector, ports } },
      parent,
    );
    new k8s.core.v1.Service(
      `${name}-balanced`,
      { metadata: { ...metadata, name: services.database, annotations: doNotWait }, spec: { selector, ports } },
      parent,
    );
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      parent,
    );
    new k8s.policy.v1.PodDisruptionBudget(`${name}-disruption`, { metadata, spec: oneAtATime(selector) }, parent);

    const statefulSet = new k8s.apps.v1.StatefulSet(
      `${name}-nodes`,
      {
        metadata,
        spec: {
          serviceName: headless.metadata.name,
          replicas: args.drained === true ? 0 : replicas,
          // Nodes start together: a node may wait for its peers.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
          template: {
            metadata: podMetadata(labels, args),
            spec: {
              serviceAccountName: account.metadata.name,
              topologySpreadConstraints: spread(selector, args.topologySpread),
              terminationGracePeriodSeconds: 60,
              ...podSpec(users.database, args, args.pullSecrets),
              ...(files === undefined ? {} : { initContainers: [writeDatabaseFiles(image, cookie, resources)] }),
              containers: [
                {
                  name: "bigcouch",
                  image,
                  env: [
                    { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
                    ...loginFrom(args.credentials, ["COUCHDB_USER", "COUCHDB_PASSWORD"], keys),
                    ...(files?.env ?? [{ name: "DATABASE_COOKIE", valueFrom: cookie }]),
                    {
                      name: "ERL_FLAGS",
                      value: service("databaseNodes").apply((host) =>
                        erlangFlags(
                          kind,
                          `$(POD_NAME).${host}`,
                          files === undefined ? "$(DATABASE_COOKIE)" : undefined,
                        ),
                      ),
                    },
                  ],
                  ports: [
                    { name: "data", containerPort: databasePort },
                    ...(kind.adminPort === undefined ? [] : [{ name: "admin", containerPort: kind.adminPort }]),
                    ...(metrics && kind.metricsPort !== undefined
                      ? [{ name: "metrics", containerPort: kind.metricsPort }]
                      : []),
                  ],
                  startupProbe: { tcpSocket: { port: "data" }, ...startup, ...probes.startup },
                  livenessProbe: {
                    tcpSocket: { port: "data" },
                    periodSeconds: 30,
                    timeoutSeconds: 10,
                    ...probes.liveness,
                  },
                  readinessProbe: {
                    // BigCouch 0.4 has no /_up; its welcome page answers once the node serves requests.
                    httpGet: { path: kind.engine === "bigcouch" ? "/" : "/_up", port: "data" },
                    periodSeconds: 10,
                    timeoutSeconds: 5,
                    ...probes.readiness,
                  },
                  resources: containerResources(resources),
                  securityContext: containerSecurity(files !== undefined),
                  volumeMounts: [
                    { name: "data", mountPath: `/opt/${kind.nodeName}/data` },
                    ...(files?.volumeMounts ?? []),
                    { name: "config", mountPath: configPaths(kind).kazoo, subPath: "kazoo.ini", readOnly: true },
                    ...(ringSecret === undefined
                      ? []
                      : [
                          {
                            name: "ring",
                            mountPath: configPaths(kind).ring,
                            subPath: keys?.["ring.ini"] ?? "ring.ini",
                            readOnly: true,
                          },
                        ]),
                  ],
                },
              ],
              volumes: [
                { name: "config", configMap: { name: config.metadata.name } },
                ...(ringSecret === undefined
                  ? []
                  : [{ name: "ring", secret: { secretName: ringSecret, defaultMode: 0o440 } }]),
                ...(files?.volumes ?? []),
              ],
            },
          },
          volumeClaimTemplates: [volumeClaim("data", labels, volume)],
        },
      },
      { ...parent, protect, customTimeouts: rollTimeouts(replicas * minutes) },
    );
    this.host = service("database");
    this.nodes = service("databaseNodes").apply((headless) =>
      podHosts("bigcouch", replicas, headless).map((host) => ({ host, name: `${kind.nodeName}@${host}` })),
    );
    this.adminPort = kind.adminPort ?? databasePort;
    this.rolled = afterRollout(this, statefulSet, metadata, args.rollouts, Math.max(20, minutes));
    this.registerOutputs({ host: this.host, nodes: this.nodes, adminPort: this.adminPort });
  }
}

/**
 * The node's full name, its cookie and its ports of Erlang distribution, for ERL_FLAGS; flags override the image's vm.args, which a
 * non-root user can't edit.
 * @param cookie visible in the list of processes. @default the one in the home of the node's user
 */
export function erlangFlags({ nodeName, distribution }: DatabaseKind, host: string, cookie?: string): string {
  const { first, last } = distribution;
  return [
    `-name ${nodeName}@${host}`,
    ...(cookie === undefined ? [] : [`-setcookie ${cookie}`]),
    `-kernel inet_dist_listen_min ${first} inet_dist_listen_max ${last}`,
  ].join(" ");
}

/** The database's configuration, without what is secret: a file of `etc/default.d`. */
export function databaseConfig({
  kind,
  quorum,
  placement,
  settings = {},
  metrics = false,
}: {
  readonly kind: DatabaseKind;
  readonly quorum: Quorum;
  /** Settings beyond those here. @default none */
  readonly settings?: DatabaseSettings;
  /** Whether the port for Prometheus is open. @default false */
  readonly metrics?: boolean;
  readonly placement?: Readonly<Record<string, number>>;
}): string {
  const { q, n, r, w } = quorum;
  const places = Object.entries(placement ?? {}).map(([zone, copies]) => `${zone}:${copies}`);
  const onlyAdministrators = kind.engine !== "bigcouch";
  const own: Sections = {
    // Makes new databases readable by administrators only; the bootstrap Job does so for existing ones. CouchDB 3 does it by default,
    // BigCouch cannot.
    couchdb: onlyAdministrators ? { default_security: "admin_only" } : {},
    cluster: { q, n, r, w, placement: places.length === 0 ? undefined : places.join(",") },
    chttpd: {
      bind_address: "0.0.0.0",
      port: databasePort,
      ...(onlyAdministrators ? { admin_only_all_dbs: true } : {}),
    },
    prometheus:
      metrics && kind.metricsPort !== undefined
        ? { additional_port: true, bind_address: "0.0.0.0", port: kind.metricsPort }
        : {},
    httpd: kind.adminPort === undefined ? {} : { bind_address: "0.0.0.0", port: kind.adminPort },
    // Only for the node-local port of CouchDB 2, where shards and `_replicate` would be open. The same setting for the other port would refuse
    // `/_up` to the probes.
    couch_httpd_auth: kind.engine === "couchdb-2" ? { require_valid_user: true } : {},
  };
  const others = sorted(settings).map(([section, given]) => [
    section,
    { ...own[section], ...Object.fromEntries(sorted(given)) },
  ]);
  return iniFile({ ...own, ...Object.fromEntries(others) });
}

/** The values that the nodes of a ring share in {@link ringConfig}. */
export interface DatabaseRingSettings {
  readonly kind: DatabaseKind;
  /** The administrators. */
  readonly users: readonly { readonly name: string; readonly password: string }[];
  readonly uuid: string;
  /** The secret that signs sessions. */
  readonly authSecret: string;
}

/**
 * Configuration that the nodes of a ring must have in common (docs.couchdb.org, "Cluster set up"): a file of `etc/local.d`, secret. A session
 * is signed with the secret and the administrator's salt, so the hashed password is part of it. The image's entrypoint creates no hash of its own
 * if it finds one right below `[admins]`, so each administrator has a section. BigCouch uses another hash: its image creates the administrator.
 */
export function ringConfig({ kind, users, uuid, authSecret }: DatabaseRingSettings): string {
  const iterations = 10; // CouchDB 2's own default: it hashes the password for each request
  const hash = (password: string) => pbkdf2Sync(password, uuid, iterations, 20, "sha1").toString("hex");
  const shared = {
    couchdb: { uuid },
    // CouchDB 3 reads the first, CouchDB 2 and BigCouch the second.
    chttpd_auth: { secret: authSecret },
    couch_httpd_auth: { secret: authSecret },
  };
  const administrators = users.map(({ name, password }) => ({
    admins: { [name]: `-pbkdf2-${hash(password)},${uuid},${iterations}` },
  }));
  return [shared, ...(kind.engine === "bigcouch" ? [] : administrators)].map(iniFile).join("\n");
}

type Sections = Record<string, Record<string, string | number | boolean | undefined>>;

/** An ini file of the given sections; a key without a value and a section without keys are omitted. */
function iniFile(sections: Sections): string {
  return Object.entries(sections)
    .map(
      ([section, settings]) => [section, Object.entries(settings).filter(([, value]) => value !== undefined)] as const,
    )
    .filter(([, settings]) => settings.length > 0)
    .map(([section, settings]) =>
      [`[${section}]`, ...settings.map(([key, value]) => `${key} = ${value}`), ""].join("\n"),
    )
    .join("\n");
}

/** Paths of the files of {@link databaseConfig} and {@link ringConfig}; CouchDB writes to the last file of `local.d`, which must be another one. */
export const configPaths = ({ nodeName }: DatabaseKind) => ({
  kazoo: `/opt/${nodeName}/etc/default.d/kazoo.ini`,
  ring: `/opt/${nodeName}/etc/local.d/00-ring.ini`,
});
