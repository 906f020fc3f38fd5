import { createHash } from "node:crypto";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { brokerPlugins } from "../config/compatibility";
import { serviceHost, services } from "../config/hosts";
import { brokerImage } from "../config/images";
import { byteCount } from "../config/quantity";
import { sizes } from "../config/schema/sizes";
import { rollTimeouts, selectorLabels, spread, workloadLabels } from "./labels";
import { rabbitmqPorts, workloads } from "./names";
import type { Rolled } from "./order";
import { nodeMinutes, podMetadata, podSpec } from "./pods";
import { type Resources, containerResources, resourcesOf } from "./resources";
import { byAge, type StoreUser } from "./ring";
import { afterRollout } from "./rollout";
import { containerSecurity, users } from "./security";
import { type Volume, type WorkloadArgs, defaultClusterDomain, loginFrom, sorted, volumeClaim } from "./workload";

export interface RabbitMQArgs extends WorkloadArgs, Partial<Volume> {
  /** Which of the zone's two brokers. It names the objects, so each role can exist once in a namespace. */
  readonly role: "alpha" | "beta";
  /** Name of a Secret in the namespace with the keys `username` and `password`; the same for both roles. */
  readonly credentials: pulumi.Input<string>;
  /** Name of a Secret with the key `definitions.json`, see {@link brokerDefinitions}. @default the user in `credentials` */
  readonly definitions?: pulumi.Input<string>;
  /** @default rabbitmq:3.13-management */
  readonly image?: pulumi.Input<string>;
  /** Plugins to enable. @default what Kazoo 4.1 and newer need */
  readonly plugins?: readonly string[];
  /** Permits transient non-exclusive queues, which RabbitMQ 4.3 refuses otherwise and Kazoo declares. @default false */
  readonly permitTransientQueues?: boolean;
  /** Other keys of rabbitmq.conf; watermarks of memory and disk among them override the component's. @default none */
  readonly settings?: Readonly<Record<string, string>>;
  /** What the broker requests and may use. @default 250m and 512Mi, at most 1Gi */
  readonly resources?: Resources;
  /** Whether Pulumi refuses to delete or replace the broker. @default true */
  readonly protect?: boolean;
}

/** Reading a long queue at the start takes minutes: allow up to 10. */
const startup = { periodSeconds: 5, failureThreshold: 120 };

/**
 * One RabbitMQ broker of a zone, never clustered with the other: Kazoo itself fails over from alpha to beta.
 * Reached as the headless Service `rabbitmq-ROLE`. Its node is `rabbit@rabbitmq-ROLE-0`, by the pod's own short name: no other node joins it.
 * @example
 * const alpha = new RabbitMQ("alpha", { namespace, role: "alpha", credentials: secret.metadata.name });
 */
export class RabbitMQ extends pulumi.ComponentResource {
  /** Fully qualified name of the Service. */
  readonly host: pulumi.Output<string>;
  /** `HOST:PORT` for AMQP. */
  readonly endpoint: pulumi.Output<string>;
  /** What dependents must wait for: everything is created and rolled out. */
  readonly rolled: Rolled;

  constructor(name: string, args: RabbitMQArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:RabbitMQ", name, {}, opts);
    const {
      clusterDomain = defaultClusterDomain,
      image = brokerImage("3.13"),
      plugins = brokerPlugins("4.3"),
      permitTransientQueues = false,
      settings = {},
      resources = resourcesOf(sizes.rabbitmq),
      storage = sizes.rabbitmq.storage,
      protect = true,
      probes = {},
    } = args;
    const keys = args.secretKeys?.rabbitmq;
    const minutes = nodeMinutes(15, startup, args);
    const volume = { ...args, storage };
    const parent = { parent: this };
    const fixedName = services[args.role];
    const labels = workloadLabels(workloads.rabbitmq, fixedName);
    const selector = selectorLabels(workloads.rabbitmq, fixedName);
    const metadata = { name: fixedName, namespace: args.namespace, labels };

    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      {
        metadata: { namespace: args.namespace, labels },
        immutable: true,
        data: {
          "kazoo.conf": brokerConfig({
            resources,
            storage,
            permitTransientQueues,
            settings,
            loadsDefinitions: args.definitions !== undefined,
          }),
          enabled_plugins: enabledPlugins(plugins),
        },
      },
      parent,
    );
    const service = new k8s.core.v1.Service(
      `${name}-service`,
      {
        metadata,
        spec: {
          clusterIP: "None",
          selector,
          ports: [
            { name: "amqp", port: rabbitmqPorts.amqp, targetPort: "amqp" },
            { name: "management", port: rabbitmqPorts.management, targetPort: "management" },
            { name: "metrics", port: rabbitmqPorts.metrics, targetPort: "metrics" },
          ],
        },
      },
      parent,
    );
    const account = new k8s.core.v1.ServiceAccount(
      `${name}-account`,
      { metadata, automountServiceAccountToken: false },
      parent,
    );

    const statefulSet = new k8s.apps.v1.StatefulSet(
      `${name}-nodes`,
      {
        metadata,
        spec: {
          serviceName: service.metadata.name,
          replicas: args.drained === true ? 0 : 1,
          // With `OrderedReady`, a reverted change would not reach a pod that the change has broken.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
          template: {
            metadata: podMetadata(labels, args),
            spec: {
              serviceAccountName: account.metadata.name,
              topologySpreadConstraints: spread({ "app.kubernetes.io/name": "rabbitmq" }, args.topologySpread),
              // Time to write messages to disk before the node is killed.
              terminationGracePeriodSeconds: 120,
              ...podSpec(users.rabbitmq, args, args.pullSecrets),
              containers: [
                {
                  name: "rabbitmq",
                  image,
                  env: [
                    { name: "HOME", value: brokerHome },
                    ...loginFrom(args.credentials, ["RABBITMQ_DEFAULT_USER", "RABBITMQ_DEFAULT_PASS"], keys),
                  ],
                  ports: [
                    { name: "amqp", containerPort: rabbitmqPorts.amqp },
                    { name: "management", containerPort: rabbitmqPorts.management },
                    { name: "metrics", containerPort: rabbitmqPorts.metrics },
                  ],
                  // A broker in memory alarm is still alive, so liveness only checks the port of its VM.
                  startupProbe: { tcpSocket: { port: rabbitmqPorts.distribution }, ...startup, ...probes.startup },
                  livenessProbe: {
                    tcpSocket: { port: rabbitmqPorts.distribution },
                    periodSeconds: 30,
                    timeoutSeconds: 10,
                    ...probes.liveness,
                  },
                  readinessProbe: {
                    tcpSocket: { port: "amqp" },
                    initialDelaySeconds: 10,
                    periodSeconds: 10,
                    timeoutSeconds: 5,
                    failureThreshold: 3,
                    ...probes.readiness,
                  },
                  resources: containerResources(resources),
                  securityContext: containerSecurity(true),
                  volumeMounts: [
                    { name: "data", mountPath: "/var/lib/rabbitmq" },
                    { name: "home", mountPath: brokerHome },
                    // The log of upgrades, and all other logs if a setting sends them to files.
                    { name: "log", mountPath: "/var/log/rabbitmq" },
                    { name: "temporary", mountPath: "/tmp" },
                    {
                      name: "config",
                      mountPath: "/etc/rabbitmq/conf.d/90-kazoo.conf",
                      subPath: "kazoo.conf",
                      readOnly: true,
                    },
                    {
                      name: "config",
                      mountPath: "/etc/rabbitmq/enabled_plugins",
                      subPath: "enabled_plugins",
                      readOnly: true,
                    },
                    ...(args.definitions === undefined
                      ? []
                      : [{ name: "definitions", mountPath: definitionsFolder, readOnly: true }]),
                  ],
                },
              ],
              volumes: [
                { name: "config", configMap: { name: config.metadata.name } },
                ...(args.definitions === undefined
                  ? []
                  : [{ name: "definitions", secret: { secretName: args.definitions, defaultMode: 0o440 } }]),
                { name: "home", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
                { name: "log", emptyDir: { sizeLimit: "1Gi" } },
                { name: "temporary", emptyDir: { sizeLimit: "1Gi" } },
              ],
            },
          },
          volumeClaimTemplates: [volumeClaim("data", labels, volume)],
        },
      },
      // Kubernetes cannot change it: a StatefulSet that was created with another policy keeps that one.
      {
        ...parent,
        protect,
        ignoreChanges: ["spec.podManagementPolicy"],
        customTimeouts: rollTimeouts(minutes),
      },
    );
    this.host = pulumi.output(args.namespace).apply((namespace) => serviceHost(fixedName, namespace, clusterDomain));
    this.endpoint = pulumi.interpolate`${this.host}:${rabbitmqPorts.amqp}`;
    this.rolled = afterRollout(this, statefulSet, metadata, args.rollouts, Math.max(20, minutes));
    this.registerOutputs({ host: this.host, endpoint: this.endpoint });
  }
}

/**
 * Home of the broker's user, where Erlang writes its cookie for the broker and its command line. The image has it on the data volume, but if
 * the files' group changes there, for example when a volume is restored, Erlang refuses the cookie, and the broker does not start. Nothing else
 * needs the cookie, so each start can create another one.
 */
export const brokerHome = "/home/rabbitmq";

const definitionsFolder = "/etc/rabbitmq/definitions";

/**
 * Definitions (rabbitmq.com/docs/definitions) of users with all permissions. A broker loads them at each start, before it accepts connections;
 * it then creates no user of its own, and deletes none.
 */
export const brokerDefinitions = (users: readonly StoreUser[]): pulumi.Output<string> =>
  pulumi.all(byAge(users)).apply((all) => {
    // A run with targets leaves the values of resources that it does not create undefined, and creates nothing of them.
    if (all.some(({ password }) => (password as string | undefined) === undefined)) return "";
    return JSON.stringify({
      vhosts: [{ name: "/" }],
      users: all.map(({ name, password }) => ({
        name,
        password_hash: passwordHash(name, password),
        hashing_algorithm: "rabbit_password_hashing_sha256",
        tags: "administrator",
      })),
      permissions: all.map(({ name: user }) => ({ user, vhost: "/", configure: ".*", write: ".*", read: ".*" })),
    });
  });

/** A password hashed like RabbitMQ's (rabbitmq.com/docs/passwords), with a salt that is the same in each run. */
function passwordHash(user: string, password: string): string {
  const sha256 = (...parts: (string | Buffer)[]) =>
    createHash("sha256").update(Buffer.concat(parts.map((part) => Buffer.from(part))));
  const salt = sha256(user, "\0", password).digest().subarray(0, 4);
  return Buffer.concat([salt, sha256(salt, password).digest()]).toString("base64");
}

/** The file `enabled_plugins`, an Erlang term. */
export function enabledPlugins(plugins: readonly string[]): string {
  return `[${[...new Set(plugins)].join(",")}].\n`;
}

/**
 * The broker's configuration. Memory alarm at 60 % of the limit: the VM needs room for garbage collection (rabbitmq.com/docs/memory). A
 * watermark among the settings, absolute or relative, takes the place of the one here.
 */
export function brokerConfig({
  resources,
  storage,
  permitTransientQueues,
  settings,
  loadsDefinitions = false,
}: {
  readonly resources: Resources;
  readonly storage: string;
  readonly permitTransientQueues: boolean;
  readonly settings: Readonly<Record<string, string>>;
  /** @default false */
  readonly loadsDefinitions?: boolean;
}): string {
  const watermarks = {
    vm_memory_high_watermark: Math.floor(byteCount(resources.limits.memory) * 0.6),
    disk_free_limit: Math.floor(byteCount(storage) / 10),
  };
  const isGiven = (watermark: string) => Object.keys(settings).some((key) => key.startsWith(`${watermark}.`));
  return [
    ...Object.entries(watermarks)
      .filter(([watermark]) => !isGiven(watermark))
      .map(([watermark, bytes]) => `${watermark}.absolute = ${bytes}`),
    "loopback_users.guest = true",
    ...(permitTransientQueues ? ["deprecated_features.permit.transient_nonexcl_queues = true"] : []),
    ...(loadsDefinitions ? [`load_definitions = ${definitionsFolder}/definitions.json`] : []),
    ...sorted(settings).map(([key, value]) => `${key} = ${value}`),
    "",
  ].join("\n");
}
