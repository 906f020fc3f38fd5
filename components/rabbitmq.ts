import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { byteCount } from "../config/quantity";
import type { Zone } from "../config/platform";
import { rollTimeouts, selectorLabels, spread, workloadLabels } from "./labels";
import { afterRoll, type Waiting } from "./rollout";
import { containerSecurity, podSecurity, users } from "./security";

export interface RabbitMQArgs extends Waiting {
  readonly namespace: pulumi.Input<string>;
  /** Which of the two brokers of the zone. */
  readonly role: "alpha" | "beta";
  readonly image: string;
  /** Plugins to enable. */
  readonly plugins: readonly string[];
  /** Whether transient non-exclusive queues are permitted; RabbitMQ 4.3 refuses Kazoo's queues otherwise. */
  readonly permitTransientQueues: boolean;
  /** Secret with the keys `username` and `password`. */
  readonly credentialsSecret: pulumi.Input<string>;
  readonly size: Zone["rabbitmq"];
  /** Whether Pulumi refuses to delete or replace the broker. */
  readonly protect: boolean;
}

/** Ports of a broker (rabbitmq.com/docs/networking). */
export const rabbitmqPorts = {
  amqp: 5672,
  management: 15672,
  metrics: 15692,
  distribution: 25672,
  epmd: 4369,
} as const;

/**
 * One RabbitMQ broker of a zone, alone in its cluster: Kazoo itself fails over from alpha to beta.
 * Reached as the headless Service `rabbitmq-ROLE`. Its node is `rabbit@rabbitmq-ROLE-0`, by the pod's own short name: nobody joins it.
 */
export class RabbitMQ extends pulumi.ComponentResource {
  /** What to depend on for all of it to be what this update makes it. */
  readonly rolled: readonly pulumi.Input<pulumi.Resource>[];

  constructor(name: string, args: RabbitMQArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:RabbitMQ", name, {}, opts);
    const parent = { parent: this };
    const fixedName = `rabbitmq-${args.role}`;
    const labels = workloadLabels("rabbitmq", fixedName);
    const selector = selectorLabels("rabbitmq", fixedName);
    const metadata = { name: fixedName, namespace: args.namespace, labels };

    const config = new k8s.core.v1.ConfigMap(
      `${name}-config`,
      {
        metadata: { namespace: args.namespace, labels },
        immutable: true,
        data: { "kazoo.conf": brokerConfig(args), enabled_plugins: enabledPlugins(args.plugins) },
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
    const credential = (key: string) => ({ secretKeyRef: { name: args.credentialsSecret, key } });

    const statefulSet = new k8s.apps.v1.StatefulSet(
      `${name}-nodes`,
      {
        metadata,
        spec: {
          serviceName: service.metadata.name,
          replicas: 1,
          // In order, a change that is taken back would not reach a pod that it has broken.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector },
          persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
          template: {
            metadata: { labels },
            spec: {
              serviceAccountName: account.metadata.name,
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              securityContext: podSecurity(users.rabbitmq),
              topologySpreadConstraints: spread({ "app.kubernetes.io/name": "rabbitmq" }),
              // Time to hand messages over to disk before the node is killed.
              terminationGracePeriodSeconds: 120,
              containers: [
                {
                  name: "rabbitmq",
                  image: args.image,
                  env: [
                    { name: "RABBITMQ_DEFAULT_USER", valueFrom: credential("username") },
                    { name: "RABBITMQ_DEFAULT_PASS", valueFrom: credential("password") },
                  ],
                  ports: [
                    { name: "amqp", containerPort: rabbitmqPorts.amqp },
                    { name: "management", containerPort: rabbitmqPorts.management },
                    { name: "metrics", containerPort: rabbitmqPorts.metrics },
                  ],
                  // A start with a long queue to read takes minutes. Afterwards a broker in memory alarm still lives, so liveness asks no more than the port of its VM.
                  startupProbe: {
                    tcpSocket: { port: rabbitmqPorts.distribution },
                    periodSeconds: 5,
                    failureThreshold: 120,
                  },
                  livenessProbe: {
                    tcpSocket: { port: rabbitmqPorts.distribution },
                    periodSeconds: 30,
                    timeoutSeconds: 10,
                  },
                  readinessProbe: {
                    tcpSocket: { port: "amqp" },
                    initialDelaySeconds: 10,
                    periodSeconds: 10,
                    timeoutSeconds: 5,
                    failureThreshold: 3,
                  },
                  resources: args.size.resources,
                  securityContext: containerSecurity(false),
                  volumeMounts: [
                    { name: "data", mountPath: "/var/lib/rabbitmq" },
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
                  ],
                },
              ],
              volumes: [{ name: "config", configMap: { name: config.metadata.name } }],
            },
          },
          volumeClaimTemplates: [volumeClaim("data", labels, args.size)],
        },
      },
      // What can't be changed: what was made with another goes on with it.
      {
        ...parent,
        protect: args.protect,
        ignoreChanges: ["spec.podManagementPolicy"],
        customTimeouts: rollTimeouts(15),
      },
    );
    this.rolled = afterRoll(this, statefulSet, args);
    this.registerOutputs({ statefulSet });
  }
}

/** The claim of each pod's volume; a changed one would replace the StatefulSet, see README, "Growing a volume". */
export function volumeClaim(
  name: string,
  labels: Record<string, string>,
  size: { readonly storage: string; readonly storageClass?: string },
): k8s.types.input.core.v1.PersistentVolumeClaim {
  return {
    metadata: { name, labels },
    spec: {
      accessModes: ["ReadWriteOnce"],
      ...(size.storageClass === undefined ? {} : { storageClassName: size.storageClass }),
      resources: { requests: { storage: size.storage } },
    },
  };
}

/** The file `enabled_plugins`: a term of Erlang. */
export function enabledPlugins(plugins: readonly string[]): string {
  return `[${plugins.join(",")}].\n`;
}

/** The broker's configuration. Memory alarm at 60 % of the limit: the VM needs room for garbage collection (rabbitmq.com/docs/memory). */
export function brokerConfig(args: Pick<RabbitMQArgs, "size" | "permitTransientQueues">): string {
  const watermark = Math.floor(byteCount(args.size.resources.limits.memory) * 0.6);
  return [
    `vm_memory_high_watermark.absolute = ${watermark}`,
    `disk_free_limit.absolute = ${Math.floor(byteCount(args.size.storage) / 10)}`,
    "loopback_users.guest = true",
    ...(args.permitTransientQueues ? ["deprecated_features.permit.transient_nonexcl_queues = true"] : []),
    "",
  ].join("\n");
}
