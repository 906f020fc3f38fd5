import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { DatabaseKind } from "../config/compatibility";
import type { MasterAccount } from "../config/platform";
import { databasePort } from "./bigcouch";
import { bootstrapScript } from "./bootstrapScript";
import { kazooPorts } from "./kazoo";
import { workloadLabels } from "./labels";
import { containerSecurity, podSecurity, users } from "./security";

export interface BootstrapJobArgs {
  /** Namespace of the ring's first zone. */
  readonly namespace: pulumi.Input<string>;
  readonly kind: DatabaseKind;
  /** Host of the zone's database. */
  readonly databaseHost: string;
  /** Secret with the keys `username` and `password` of the database. */
  readonly databaseSecret: pulumi.Input<string>;
  /** An image with `sh` and `curl`, for a ring whose master account is not made here. */
  readonly curlImage: string;
  /** The ring's master account; left out: none is made. */
  readonly account?: {
    readonly facts: MasterAccount;
    /** Secret. */
    readonly password: pulumi.Input<string>;
    /** The Kazoo image: its `sup` makes the account. */
    readonly image: pulumi.Input<string>;
    /** Secret with which the image is pulled; left out: none is needed. */
    readonly pullSecret?: pulumi.Input<string>;
    /** The Kazoo node that is asked to. */
    readonly node: { readonly vm: string; readonly host: string };
    /** Secret with the key `cookie`. */
    readonly cookieSecret: pulumi.Input<string>;
  };
}

/** What a database needs of its own databases; BigCouch makes them itself. */
export const systemDatabases = (kind: DatabaseKind): readonly string[] =>
  kind.engine === "bigcouch" ? [] : ["_users", "_replicator", "_global_changes"];

/** Where the image's entrypoint lies; `render` writes the files that `sup` learns the node and the cookie from. */
const entrypoint = "/usr/local/lib/kazoo/entrypoint";

const name = "kazoo-bootstrap";

/**
 * The first boot of a ring: one Job that makes the database's own databases and the master account. It changes nothing that is there, so it
 * may run again, as it does with each new image. Its name is fixed: two never run at once. Nothing depends on it.
 */
export class BootstrapJob extends pulumi.ComponentResource {
  readonly job: k8s.batch.v1.Job;

  constructor(resourceName: string, args: BootstrapJobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:BootstrapJob", resourceName, {}, opts);
    const parent = { parent: this };
    const labels = workloadLabels(name);
    const metadata = { name, namespace: args.namespace, labels };
    const { account } = args;

    const policies = bootstrapPolicies().map(
      ([suffix, spec]) =>
        new k8s.networking.v1.NetworkPolicy(
          `${resourceName}-${suffix}`,
          { metadata: { ...metadata, name: `${name}-${suffix}` }, spec },
          parent,
        ),
    );
    const secret =
      account === undefined
        ? undefined
        : new k8s.core.v1.Secret(
            `${resourceName}-account`,
            {
              metadata: { ...metadata, name: "kazoo-master-account" },
              type: "Opaque",
              stringData: { password: account.password },
            },
            parent,
          );
    const from = (secretName: pulumi.Input<string>, key: string) => ({ secretKeyRef: { name: secretName, key } });

    this.job = new k8s.batch.v1.Job(
      `${resourceName}-job`,
      {
        // A Job that failed is made anew by the next up.
        metadata: { ...metadata, annotations: { "pulumi.com/replaceUnready": "true" } },
        spec: {
          backoffLimit: 2,
          activeDeadlineSeconds: 25 * 60,
          template: {
            metadata: { labels },
            spec: {
              // Each attempt is a pod of its own, which stays with its log and its reason.
              restartPolicy: "Never",
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              securityContext: podSecurity(account === undefined ? users.nobody : users.kazoo),
              ...(account?.pullSecret === undefined ? {} : { imagePullSecrets: [{ name: account.pullSecret }] }),
              containers: [
                {
                  name: "bootstrap",
                  image: account?.image ?? args.curlImage,
                  command: ["sh", "-c", bootstrapScript],
                  env: [
                    ...Object.entries(bootstrapEnvironment(args)).map(([variable, value]) => ({
                      name: variable,
                      value,
                    })),
                    { name: "DATABASE_USER", valueFrom: from(args.databaseSecret, "username") },
                    { name: "DATABASE_PASSWORD", valueFrom: from(args.databaseSecret, "password") },
                    ...(secret === undefined
                      ? []
                      : [{ name: "ACCOUNT_PASSWORD", valueFrom: from(secret.metadata.name, "password") }]),
                  ],
                  // What the script writes last becomes the pod's message, which `pulumi up` shows.
                  terminationMessagePolicy: "FallbackToLogsOnError",
                  resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "256Mi" } },
                  securityContext: containerSecurity(true),
                  ...(account === undefined
                    ? {}
                    : {
                        volumeMounts: [
                          { name: "erlang-cookie", mountPath: "/etc/secrets/erlang", readOnly: true },
                          { name: "configuration", mountPath: "/opt/kazoo/etc" },
                          { name: "temporary", mountPath: "/tmp" },
                        ],
                      }),
                },
              ],
              ...(account === undefined
                ? {}
                : {
                    volumes: [
                      { name: "erlang-cookie", secret: { secretName: account.cookieSecret, defaultMode: 0o440 } },
                      { name: "configuration", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
                      { name: "temporary", emptyDir: { sizeLimit: "64Mi" } },
                    ],
                  }),
            },
          },
        },
      },
      // Prompts take a quarter of a second each.
      { ...parent, dependsOn: policies, customTimeouts: { create: "30m" } },
    );
    this.registerOutputs({ job: this.job });
  }
}

/** What the script is told, without secrets. */
export function bootstrapEnvironment({
  kind,
  databaseHost,
  account,
}: Pick<BootstrapJobArgs, "kind" | "databaseHost" | "account">): Record<string, string> {
  const database = {
    DATABASE_URL: `http://${databaseHost}:${databasePort}`,
    SYSTEM_DATABASES: systemDatabases(kind).join(" "),
  };
  if (account === undefined) return database;
  const { facts, node } = account;
  return {
    ...database,
    KAZOO_ENTRYPOINT: entrypoint,
    ERLANG_VM: node.vm,
    ERLANG_HOSTNAME: node.host,
    ACCOUNT_NAME: facts.name,
    ACCOUNT_REALM: facts.realm,
    ACCOUNT_USER: facts.user,
    ...(facts.monsterUi === undefined ? {} : { APPS_PATH: facts.monsterUi.path, APPS_URL: facts.monsterUi.url }),
    ...(facts.prompts === undefined
      ? {}
      : { PROMPTS_PATH: facts.prompts.path, PROMPTS_LANGUAGE: facts.prompts.language }),
  };
}

/** The Job's way to database and Kazoo, at both ends; policies add up, so they stand beside those of the datacenter. */
function bootstrapPolicies(): [string, k8s.types.input.networking.v1.NetworkPolicySpec][] {
  const pods = (workload: string) => ({ matchLabels: { "app.kubernetes.io/name": workload } });
  const tcp = (port: number, endPort?: number) => ({
    protocol: "TCP",
    port,
    ...(endPort === undefined ? {} : { endPort }),
  });
  const ways = {
    bigcouch: [tcp(databasePort)],
    kazoo: [tcp(kazooPorts.epmd), tcp(kazooPorts.distribution.first, kazooPorts.distribution.last)],
  };
  return [
    [
      "out",
      {
        podSelector: pods(name),
        policyTypes: ["Egress"],
        egress: Object.entries(ways).map(([workload, ports]) => ({ to: [{ podSelector: pods(workload) }], ports })),
      },
    ],
    ...Object.entries(ways).map(([workload, ports]): [string, k8s.types.input.networking.v1.NetworkPolicySpec] => [
      `to-${workload}`,
      {
        podSelector: pods(workload),
        policyTypes: ["Ingress"],
        ingress: [{ from: [{ podSelector: pods(name) }], ports }],
      },
    ]),
  ];
}
