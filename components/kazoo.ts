import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { RunEnvironment } from "../config/environment";
import type { Zone } from "../config/platform";
import { firstNode } from "./firstNode";
import { doNotWait, rollTimeouts, selectorLabels, spread, workloadLabels } from "./labels";
import { afterRoll, type Waiting } from "./rollout";
import { containerSecurity, podSecurity, users } from "./security";

/** A zone as Kazoo must know it: its name and the hosts of its brokers, alpha first. */
export interface ZoneBrokers {
  readonly zone: string;
  readonly alpha: string;
  readonly beta: string;
}

/** A login at a registry. */
export interface RegistryLogin {
  /** `host` or `host:port`. */
  readonly address: string;
  readonly username: string;
  /** Secret. */
  readonly password: string;
}

export interface KazooArgs extends Waiting {
  readonly namespace: pulumi.Input<string>;
  /** DNS suffix of the pods: `kazoo-nodes.NAMESPACE.svc.DOMAIN`. */
  readonly suffix: string;
  /** The Kazoo image, best pinned by digest. */
  readonly image: pulumi.Input<string>;
  /** An image with `sh` and `curl`. */
  readonly curlImage: string;
  /** What the image is pulled with; left out: nothing is needed. */
  readonly registryLogin?: RegistryLogin;
  /** The run environment, complete. */
  readonly environment: RunEnvironment;
  /** The ring's other zones; Kazoo federates over their brokers by itself. */
  readonly otherZones: readonly ZoneBrokers[];
  /** Secret with the key `cookie`. */
  readonly cookieSecret: pulumi.Input<string>;
  /** Secret with the keys `username` and `password` of the brokers. */
  readonly brokerSecret: pulumi.Input<string>;
  /** Secret with the keys `username` and `password` of the database. */
  readonly databaseSecret: pulumi.Input<string>;
  readonly size: Zone["kazoo"];
}

/**
 * TCP ports of a Kazoo node: Crossbar's API, its TLS twin, Blackhole's websockets, fax over SMTP, the media proxy, epmd, and Erlang
 * distribution, which the image keeps within 11500 to 11999.
 */
export const kazooPorts = {
  crossbar: 8000,
  crossbarTls: 8443,
  websockets: 5555,
  fax: 19025,
  media: 24517,
  epmd: 4369,
  distribution: { first: 11500, last: 11999 },
} as const;

/** Name of the Secret that holds the registry's login. */
const pullSecretName = "kazoo-image-pull";

/**
 * The Kazoo nodes of a datacenter. The headless Service `kazoo-nodes` gives each the name that its Erlang node carries; `kazoo` balances
 * over those that are ready.
 */
export class Kazoo extends pulumi.ComponentResource {
  /** What to depend on for all of it to be what this update makes it. */
  readonly rolled: readonly pulumi.Input<pulumi.Resource>[];
  /** Secret with which the image is pulled; undefined: none is needed. */
  readonly pullSecret: string | undefined;

  constructor(name: string, args: KazooArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:Kazoo", name, {}, opts);
    const parent = { parent: this };
    const labels = workloadLabels("kazoo");
    const selector = selectorLabels("kazoo");
    const metadata = { name: "kazoo", namespace: args.namespace, labels };

    // Autonamed and immutable: a changed environment is another ConfigMap, and so rolls the pods.
    const environment = new k8s.core.v1.ConfigMap(
      `${name}-environment`,
      { metadata: { namespace: args.namespace, labels }, immutable: true, data: environmentData(args) },
      parent,
    );
    const ports = (["crossbar", "websockets"] as const).map((port) => ({
      name: port,
      port: kazooPorts[port],
      targetPort: port,
    }));
    const headless = new k8s.core.v1.Service(
      `${name}-headless`,
      {
        metadata: { ...metadata, name: "kazoo-nodes" },
        // A node needs its own name before it is ready.
        spec: { clusterIP: "None", publishNotReadyAddresses: true, selector, ports },
      },
      parent,
    );
    const { type, annotations } = args.size.service;
    new k8s.core.v1.Service(
      `${name}-balanced`,
      {
        metadata: {
          ...metadata,
          annotations: type === "LoadBalancer" ? annotations : { ...doNotWait, ...annotations },
        },
        spec: { type, selector, ports },
      },
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
    const pullSecret =
      args.registryLogin === undefined
        ? undefined
        : new k8s.core.v1.Secret(
            `${name}-image-pull`,
            {
              metadata: { ...metadata, name: pullSecretName },
              type: "kubernetes.io/dockerconfigjson",
              stringData: { ".dockerconfigjson": pulumi.secret(dockerConfig(args.registryLogin)) },
            },
            parent,
          );
    // By name alone: what takes its name from a Secret is replaced when that is, as where the address of the registry changes.
    this.pullSecret = pullSecret === undefined ? undefined : pullSecretName;
    const from = (secret: pulumi.Input<string>, key: string) => ({ secretKeyRef: { name: secret, key } });
    const answers = hasCrossbar(args.environment)
      ? { httpGet: { path: "/", port: "crossbar" } }
      : { tcpSocket: { port: "epmd" } };

    const statefulSet = new k8s.apps.v1.StatefulSet(
      `${name}-nodes`,
      {
        metadata,
        spec: {
          serviceName: headless.metadata.name,
          replicas: args.size.replicas,
          // The order of a first boot is kept by the init container.
          podManagementPolicy: "Parallel",
          selector: { matchLabels: selector },
          template: {
            metadata: { labels },
            spec: {
              serviceAccountName: account.metadata.name,
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              securityContext: podSecurity(users.kazoo),
              ...(pullSecret === undefined ? {} : { imagePullSecrets: [{ name: pullSecretName }] }),
              topologySpreadConstraints: spread(selector),
              terminationGracePeriodSeconds: 120,
              ...(hasCrossbar(args.environment)
                ? { initContainers: [firstNode(args.curlImage, kazooPorts.crossbar)] }
                : {}),
              containers: [
                {
                  name: "kazoo",
                  image: args.image,
                  envFrom: [{ configMapRef: { name: environment.metadata.name } }],
                  env: [
                    { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
                    { name: "ERLANG_HOSTNAME", value: `$(POD_NAME).${args.suffix}` },
                    { name: "RABBITMQ_USER", valueFrom: from(args.brokerSecret, "username") },
                    { name: "RABBITMQ_PASS", valueFrom: from(args.brokerSecret, "password") },
                    { name: "COUCHDB_USER", valueFrom: from(args.databaseSecret, "username") },
                    { name: "COUCHDB_PASS", valueFrom: from(args.databaseSecret, "password") },
                  ],
                  ports: [
                    ...(["crossbar", "websockets", "fax", "media", "epmd"] as const).map((port) => ({
                      name: port,
                      containerPort: kazooPorts[port],
                    })),
                    { name: "crossbar-tls", containerPort: kazooPorts.crossbarTls },
                  ],
                  // The first boot on an empty database takes minutes: up to 15 are given.
                  startupProbe: { ...answers, periodSeconds: 5, failureThreshold: 180 },
                  livenessProbe: { ...answers, periodSeconds: 30, timeoutSeconds: 10, failureThreshold: 4 },
                  readinessProbe: { ...answers, periodSeconds: 10, timeoutSeconds: 5 },
                  resources: args.size.resources,
                  securityContext: containerSecurity(true),
                  volumeMounts: [
                    { name: "erlang-cookie", mountPath: "/etc/secrets/erlang", readOnly: true },
                    { name: "configuration", mountPath: "/opt/kazoo/etc" },
                    { name: "log", mountPath: "/opt/kazoo/log" },
                    { name: "temporary", mountPath: "/tmp" },
                  ],
                },
              ],
              volumes: [
                { name: "erlang-cookie", secret: { secretName: args.cookieSecret, defaultMode: 0o440 } },
                // In memory, since credentials are rendered into it.
                { name: "configuration", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
                { name: "log", emptyDir: { sizeLimit: "1Gi" } },
                { name: "temporary", emptyDir: { sizeLimit: "1Gi" } },
              ],
            },
          },
        },
      },
      {
        ...parent,
        // It can't be changed, and what was made with another goes on with it.
        ignoreChanges: ["spec.podManagementPolicy"],
        customTimeouts: rollTimeouts(args.size.replicas * 20),
        ...(pullSecret === undefined ? {} : { dependsOn: pullSecret }),
      },
    );
    this.rolled = afterRoll(this, statefulSet, args);
    this.registerOutputs({ statefulSet });
  }
}

/** Whether a node answers on Crossbar's port; one of ecallmgr alone is known by epmd, which it starts. */
export const hasCrossbar = ({ ERLANG_VM }: RunEnvironment): boolean => ERLANG_VM !== "ecallmgr";

function environmentData({ environment, otherZones }: KazooArgs): RunEnvironment {
  if (otherZones.length === 0) return environment;
  return {
    ...environment,
    KAZOO_OTHER_ZONES: otherZones.map(({ zone, alpha, beta }) => `${zone}=${alpha},${beta}`).join(" "),
  };
}

/** A login as the kubelet reads it (kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry). */
function dockerConfig({ address, username, password }: RegistryLogin): string {
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  return JSON.stringify({ auths: { [address]: { username, password, auth } } });
}
