import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { secrets } from "../config/hosts";
import { requireDatabaseKind } from "../config/compatibility";
import { defaultCurlImage } from "../config/images";
import { bootstrapScript } from "./bootstrapScript";
import { endWhenRefused } from "./jobs";
import { workloadLabels } from "./labels";
import { databasePort, workloads } from "./names";
import { bootstrapPolicies } from "./networkPolicies";
import { type JobSettings, podMetadata, podSpec } from "./pods";
import { scriptResources } from "./resources";
import { containerSecurity, users } from "./security";
import { type SecretArgs, cookieVolume, fromSecret, loginFrom } from "./workload";

/** A ring's master account, with its administrator. */
export interface MasterAccount {
  readonly name: string;
  readonly realm: string;
  readonly user: string;
  /** Folder of Monster UI's apps on the Kazoo nodes, and the API that they call. @default the apps are not registered */
  readonly monsterUi?: { readonly path: string; readonly url: string };
  /** Folder of recordings in the Kazoo image, and their language. @default no recordings are imported */
  readonly prompts?: { readonly path: string; readonly language: string };
}

export interface BootstrapJobArgs extends JobSettings, SecretArgs {
  /** Namespace of the ring's first zone. */
  readonly namespace: pulumi.Input<string>;
  /** Version of the database. @default couchdb-2.3.1 */
  readonly databaseVersion?: string;
  /** Host of the zone's database. */
  readonly databaseHost: pulumi.Input<string>;
  /** Name of a Secret with the keys `username` and `password` of the database. */
  readonly databaseSecret: pulumi.Input<string>;
  /** An image with `sh` and `curl`, for a ring without master account. @default curlimages/curl:8.11.1 */
  readonly curlImage?: string;
  /** Names of Secrets in the namespace for pulling the image. @default none */
  readonly pullSecrets?: readonly string[];
  /** Whether the zone's Kazoo is drained: then an existing Job does not change. @default false */
  readonly drained?: boolean;
  /** The ring's master account. @default none is created */
  readonly account?: MasterAccount & {
    /** Secret. */
    readonly password: pulumi.Input<string>;
    /** The Kazoo image: its `sup` creates the account. */
    readonly image: pulumi.Input<string>;
    /** Name of the Erlang node that creates the account: `kazoo_apps@HOST`. */
    readonly node: pulumi.Input<string>;
    /** Name of a Secret with the key `cookie`. */
    readonly cookieSecret: pulumi.Input<string>;
  };
}

/** The system databases of a database version; BigCouch creates its own. */
export const systemDatabases = (version: string): readonly string[] =>
  requireDatabaseKind(version).engine === "bigcouch" ? [] : ["_users", "_replicator", "_global_changes"];

/** Path of the image's entrypoint; `render` writes the files from which `sup` reads the node and the cookie. */
const entrypoint = "/usr/local/lib/kazoo/entrypoint";

const name = workloads.bootstrap;

/**
 * The first boot of a ring: one Job that creates the system databases and the master account. It never changes what exists, so it can run again,
 * and does with each new image. Its name is fixed, so that two never run at once. Nothing depends on it.
 */
export class BootstrapJob extends pulumi.ComponentResource {
  readonly job: k8s.batch.v1.Job;

  constructor(resourceName: string, args: BootstrapJobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:BootstrapJob", resourceName, {}, opts);
    const parent = { parent: this };
    const labels = workloadLabels(name);
    const metadata = { name, namespace: args.namespace, labels };
    const { account } = args;

    const policies = Object.entries(bootstrapPolicies()).map(
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
              metadata: { ...metadata, name: secrets.masterAccount },
              type: "Opaque",
              stringData: { password: account.password },
            },
            parent,
          );

    this.job = new k8s.batch.v1.Job(
      `${resourceName}-job`,
      {
        // The next update replaces a Job that has failed.
        metadata: { ...metadata, annotations: { "pulumi.com/replaceUnready": "true" } },
        spec: {
          backoffLimit: 2,
          podFailurePolicy: endWhenRefused("bootstrap"),
          activeDeadlineSeconds: 25 * 60,
          template: {
            metadata: podMetadata(labels, args),
            spec: {
              // Each attempt has its own pod, which stays with its log and its reason.
              restartPolicy: "Never",
              ...podSpec(account === undefined ? users.nobody : users.kazoo, args, args.pullSecrets),
              containers: [
                {
                  name: "bootstrap",
                  image: account?.image ?? args.curlImage ?? defaultCurlImage,
                  command: ["sh", "-c", bootstrapScript],
                  env: [
                    ...Object.entries(
                      bootstrapEnvironment({
                        databaseVersion: args.databaseVersion ?? "couchdb-2.3.1",
                        databaseUrl: pulumi.interpolate`http://${args.databaseHost}:${databasePort}`,
                        ...(account === undefined ? {} : { account, node: nodeOf(account.node) }),
                      }),
                    ).map(([variable, value]) => ({ name: variable, value })),
                    ...loginFrom(
                      args.databaseSecret,
                      ["DATABASE_USER", "DATABASE_PASSWORD"],
                      args.secretKeys?.database,
                    ),
                    ...(secret === undefined
                      ? []
                      : [{ name: "ACCOUNT_PASSWORD", valueFrom: fromSecret(secret.metadata.name, "password") }]),
                  ],
                  // The script's last output becomes the pod's message, which `pulumi up` shows.
                  terminationMessagePolicy: "FallbackToLogsOnError",
                  resources: scriptResources("64Mi", "256Mi", args.resources),
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
                      cookieVolume(account.cookieSecret, args.secretKeys?.cookie),
                      { name: "configuration", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
                      { name: "temporary", emptyDir: { sizeLimit: "64Mi" } },
                    ],
                  }),
            },
          },
        },
      },
      // Importing a prompt takes a quarter of a second.
      {
        ...parent,
        dependsOn: policies,
        customTimeouts: { create: "30m" },
        ...(args.drained === true ? { ignoreChanges: ["spec"] } : {}),
      },
    );
    this.registerOutputs({ job: this.job });
  }
}

/** The script's variables that are not secret. */
export function bootstrapEnvironment<T extends pulumi.Input<string>>({
  databaseVersion,
  databaseUrl,
  account,
  node,
}: {
  readonly databaseVersion: string;
  readonly databaseUrl: T;
  readonly account?: MasterAccount;
  /** The Erlang node that creates the account. */
  readonly node?: { readonly vm: T; readonly host: T };
}): Record<string, T | string> {
  const database = {
    DATABASE_URL: databaseUrl,
    SYSTEM_DATABASES: systemDatabases(databaseVersion).join(" "),
    ...(requireDatabaseKind(databaseVersion).engine === "bigcouch" ? {} : { CLOSE_DATABASES: "yes" }),
  };
  if (account === undefined || node === undefined) return database;
  return {
    ...database,
    KAZOO_ENTRYPOINT: entrypoint,
    ERLANG_VM: node.vm,
    ERLANG_HOSTNAME: node.host,
    ACCOUNT_NAME: account.name,
    ACCOUNT_REALM: account.realm,
    ACCOUNT_USER: account.user,
    ...(account.monsterUi === undefined ? {} : { APPS_PATH: account.monsterUi.path, APPS_URL: account.monsterUi.url }),
    ...(account.prompts === undefined
      ? {}
      : { PROMPTS_PATH: account.prompts.path, PROMPTS_LANGUAGE: account.prompts.language }),
  };
}

/** Short name and host of an Erlang node, whose full name is `NAME@HOST`. */
function nodeOf(name: pulumi.Input<string>): { vm: pulumi.Output<string>; host: pulumi.Output<string> } {
  const parts = pulumi.output(name).apply((full) => full.split("@"));
  return { vm: parts.apply(([vm = ""]) => vm), host: parts.apply(([, host = ""]) => host) };
}
