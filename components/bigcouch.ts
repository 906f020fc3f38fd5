import { pbkdf2Sync } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { DatabaseKind } from "../config/compatibility";
import type { Ring, Zone } from "../config/platform";
import { doNotWait, rollTimeouts, selectorLabels, spread, workloadLabels } from "./labels";
import { volumeClaim } from "./rabbitmq";
import { afterRoll, type Waiting } from "./rollout";
import { containerSecurity, podSecurity, users } from "./security";

export interface BigCouchArgs extends Waiting {
  readonly namespace: pulumi.Input<string>;
  /** DNS suffix of the pods: `bigcouch.NAMESPACE.svc.DOMAIN`. */
  readonly suffix: string;
  readonly image: string;
  readonly kind: DatabaseKind;
  readonly quorum: Ring["quorum"];
  /** Copies of each document by zone; left out where the database is to choose. */
  readonly placement?: Ring["placement"];
  /** Secret with the keys `username`, `password` and `cookie`. */
  readonly credentialsSecret: pulumi.Input<string>;
  /** Secret with the key `ring.ini`, see {@link ringConfig}. */
  readonly ringSecret: pulumi.Input<string>;
  readonly size: Zone["database"];
  /** Whether Pulumi refuses to delete or replace the database. */
  readonly protect: boolean;
}

/** Port of the database's clustered HTTP interface. */
export const databasePort = 5984;

/**
 * The database nodes of a datacenter, BigCouch or CouchDB: the headless Service `bigcouch` gives them their names, `bigcouchbal` balances over them.
 * They are one ring with the nodes of the ring's other zones once the join Job has run.
 */
export class BigCouch extends pulumi.ComponentResource {
  /** What to depend on for all of it to be what this update makes it. */
  readonly rolled: readonly pulumi.Input<pulumi.Resource>[];

  constructor(name: string, args: BigCouchArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:BigCouch", name, {}, opts);
    const parent = { parent: this };
    const { kind } = args;
    const labels = workloadLabels("bigcouch");
    const selector = selectorLabels("bigcouch");
    const metadata = { name: "bigcouch", namespace: args.namespace, labels };

    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      { metadata: { namespace: args.namespace, labels }, immutable: true, data: { "kazoo.ini": databaseConfig(args) } },
      parent,
    );
    const ports = [
      { name: "data", port: databasePort, targetPort: "data" },
      ...(kind.adminPort === undefined ? [] : [{ name: "admin", port: kind.adminPort, targetPort: "admin" }]),
    ];
    const headless = new k8s.core.v1.Service(
      `${name}-headless`,
      // Nodes must find each other before any is ready, or none ever is.
      { metadata, spec: { clusterIP: "None", publishNotReadyAddresses: true, selector, ports } },
      parent,
    );
    new k8s.core.v1.Service(
      `${name}-balanced`,
      { metadata: { ...metadata, name: "bigcouchbal", annotations: doNotWait }, spec: { selector, ports } },
      parent,
    );
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      parent,
    );
    new k8s.policy.v1.PodDisruptionBudget(
      `${name}-disruption`,
      {
        metadata,
        spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow", selector: { matchLabels: selector } },
      },
      parent,
    );
    const credential = (key: string) => ({ secretKeyRef: { name: args.credentialsSecret, key } });

    const statefulSet = new k8s.apps.v1.StatefulSet(
      `${name}-nodes`,
      {
        metadata,
        spec: {
          serviceName: headless.metadata.name,
          replicas: args.size.replicas,
          // Nodes start together: a node may wait for its peers.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
          template: {
            metadata: { labels },
            spec: {
              serviceAccountName: account.metadata.name,
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              securityContext: podSecurity(users.database),
              topologySpreadConstraints: spread(selector),
              terminationGracePeriodSeconds: 60,
              containers: [
                {
                  name: "bigcouch",
                  image: args.image,
                  env: [
                    { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
                    { name: "COUCHDB_USER", valueFrom: credential("username") },
                    { name: "COUCHDB_PASSWORD", valueFrom: credential("password") },
                    { name: "DATABASE_COOKIE", valueFrom: credential("cookie") },
                    { name: "ERL_FLAGS", value: erlangFlags(kind, `$(POD_NAME).${args.suffix}`, "$(DATABASE_COOKIE)") },
                  ],
                  ports: [
                    { name: "data", containerPort: databasePort },
                    ...(kind.adminPort === undefined ? [] : [{ name: "admin", containerPort: kind.adminPort }]),
                  ],
                  startupProbe: { tcpSocket: { port: "data" }, periodSeconds: 5, failureThreshold: 120 },
                  livenessProbe: { tcpSocket: { port: "data" }, periodSeconds: 30, timeoutSeconds: 10 },
                  readinessProbe: {
                    // BigCouch 0.4 has no /_up; its welcome page answers when the node serves.
                    httpGet: { path: kind.engine === "bigcouch" ? "/" : "/_up", port: "data" },
                    periodSeconds: 10,
                    timeoutSeconds: 5,
                  },
                  resources: args.size.resources,
                  securityContext: containerSecurity(false),
                  volumeMounts: [
                    { name: "data", mountPath: `/opt/${kind.nodeName}/data` },
                    { name: "config", mountPath: configPaths(kind).kazoo, subPath: "kazoo.ini", readOnly: true },
                    { name: "ring", mountPath: configPaths(kind).ring, subPath: "ring.ini", readOnly: true },
                  ],
                },
              ],
              volumes: [
                { name: "config", configMap: { name: config.metadata.name } },
                { name: "ring", secret: { secretName: args.ringSecret, defaultMode: 0o440 } },
              ],
            },
          },
          volumeClaimTemplates: [volumeClaim("data", labels, args.size)],
        },
      },
      { ...parent, protect: args.protect, customTimeouts: rollTimeouts(args.size.replicas * 15) },
    );
    this.rolled = afterRoll(this, statefulSet, args);
    this.registerOutputs({ statefulSet });
  }
}

/**
 * The node's full name, its cookie and its ports of Erlang distribution, for ERL_FLAGS; flags override the image's vm.args, which a
 * non-root user can't edit.
 */
export function erlangFlags({ nodeName, distribution }: DatabaseKind, host: string, cookie: string): string {
  const { first, last } = distribution;
  return `-name ${nodeName}@${host} -setcookie ${cookie} -kernel inet_dist_listen_min ${first} inet_dist_listen_max ${last}`;
}

/** The database's configuration, without what is secret: a file of `etc/default.d`. */
export function databaseConfig({
  kind,
  quorum,
  placement,
}: Pick<BigCouchArgs, "kind" | "quorum" | "placement">): string {
  const { q, n, r, w } = quorum;
  const places = Object.entries(placement ?? {}).map(([zone, copies]) => `${zone}:${copies}`);
  const onlyAdministrators = kind.engine !== "bigcouch";
  return iniFile({
    // Makes new databases readable for administrators alone; the bootstrap Job sets it for those that a ring has already. CouchDB 3 does it
    // by default, BigCouch knows nothing like it.
    couchdb: onlyAdministrators ? { default_security: "admin_only" } : {},
    cluster: { q, n, r, w, placement: places.length === 0 ? undefined : places.join(",") },
    chttpd: {
      bind_address: "0.0.0.0",
      port: databasePort,
      ...(onlyAdministrators ? { admin_only_all_dbs: true } : {}),
    },
    httpd: kind.adminPort === undefined ? {} : { bind_address: "0.0.0.0", port: kind.adminPort },
    // Of the node-local port alone in CouchDB 2, where shards and `_replicate` would be open. For the other port there is no such setting: it
    // would refuse `/_up` to the probes.
    couch_httpd_auth: kind.engine === "couchdb-2" ? { require_valid_user: true } : {},
  });
}

/** What the nodes of a ring share in {@link ringConfig}. */
export interface RingSettings {
  readonly kind: DatabaseKind;
  /** The administrator. */
  readonly user: string;
  readonly password: string;
  readonly uuid: string;
  /** What sessions are signed with. */
  readonly authSecret: string;
}

/**
 * Configuration that the nodes of a ring must have in common (docs.couchdb.org, "Cluster set up"): a file of `etc/local.d`, secret. A session
 * is signed with the secret and the administrator's salt, so the hashed password is part of it; the image's entrypoint makes no hash of its
 * own where it finds one. BigCouch hashes otherwise: its image makes the administrator.
 */
export function ringConfig({ kind, user, password, uuid, authSecret }: RingSettings): string {
  const iterations = 10; // CouchDB 2's own default: it hashes the password anew for each request
  const key = pbkdf2Sync(password, uuid, iterations, 20, "sha1").toString("hex");
  return iniFile({
    couchdb: { uuid },
    // CouchDB 3 reads the first, CouchDB 2 and BigCouch the second.
    chttpd_auth: { secret: authSecret },
    couch_httpd_auth: { secret: authSecret },
    admins: kind.engine === "bigcouch" ? {} : { [user]: `-pbkdf2-${key},${uuid},${iterations}` },
  });
}

/** An ini file of the given sections; a key without a value and a section without keys are omitted. */
function iniFile(sections: Record<string, Record<string, string | number | boolean | undefined>>): string {
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

/** Where the files of {@link databaseConfig} and {@link ringConfig} belong; CouchDB writes to the last file of `local.d`, which must not be ours. */
export const configPaths = ({ nodeName }: DatabaseKind) => ({
  kazoo: `/opt/${nodeName}/etc/default.d/kazoo.ini`,
  ring: `/opt/${nodeName}/etc/local.d/00-ring.ini`,
});
