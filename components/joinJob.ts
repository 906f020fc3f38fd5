import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { DatabaseKind } from "../config/compatibility";
import { workloadLabels } from "./labels";
import { databasePort } from "./bigcouch";
import { containerSecurity, podSecurity, users } from "./security";

export interface JoinJobArgs {
  readonly namespace: pulumi.Input<string>;
  /** An image with `sh` and `curl`. */
  readonly image: string;
  readonly kind: DatabaseKind;
  /** Host of the database node in this zone that the others are made known to. */
  readonly host: string;
  /** All database nodes of the ring, this zone's own first to be waited for, each with its zone. */
  readonly nodes: readonly { readonly host: string; readonly zone: string; readonly own: boolean }[];
  /** Secret with the keys `username` and `password`. */
  readonly credentialsSecret: pulumi.Input<string>;
}

/**
 * Makes the database nodes of a ring known to this zone's first node, each with its zone, so that placement works; from there the list
 * replicates. Idempotent; a ring that grows gets a new Job.
 */
export class JoinJob extends pulumi.ComponentResource {
  readonly job: k8s.batch.v1.Job;

  constructor(name: string, args: JoinJobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:JoinJob", name, {}, opts);
    const labels = workloadLabels("bigcouch-join");
    const credential = (key: string) => ({ secretKeyRef: { name: args.credentialsSecret, key } });
    this.job = new k8s.batch.v1.Job(
      `${name}-job`,
      {
        // A Job that failed is made anew by the next up.
        metadata: { namespace: args.namespace, labels, annotations: { "pulumi.com/replaceUnready": "true" } },
        spec: {
          backoffLimit: 2,
          // Three tries of the five minutes for which the script waits.
          activeDeadlineSeconds: 1000,
          podFailurePolicy: endWhenRefused("join"),
          template: {
            metadata: { labels },
            spec: {
              // Each try is a pod of its own, which stays with its log and its reason.
              restartPolicy: "Never",
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              securityContext: podSecurity(users.nobody),
              containers: [
                {
                  name: "join",
                  image: args.image,
                  command: ["sh", "-c", joinScript(args)],
                  env: [
                    { name: "DATABASE_USER", valueFrom: credential("username") },
                    { name: "DATABASE_PASSWORD", valueFrom: credential("password") },
                  ],
                  // The script's last words become the pod's message, which `pulumi up` shows.
                  terminationMessagePolicy: "FallbackToLogsOnError",
                  resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "64Mi" } },
                  securityContext: containerSecurity(true),
                },
              ],
            },
          },
        },
      },
      // Longer than the Job itself has.
      { parent: this, customTimeouts: { create: "20m", update: "20m" } },
    );
    this.registerOutputs({ job: this.job });
  }
}

/** Exit code with which a script says that the database refuses user or password. */
const refused = 3;

/** A Job that the database refuses ends at its first try: more of them would have CouchDB 3.4 and later lock the address out. */
export const endWhenRefused = (containerName: string): k8s.types.input.batch.v1.PodFailurePolicy => ({
  rules: [{ action: "FailJob", onExitCodes: { containerName, operator: "In", values: [refused] } }],
});

const functions = readFileSync(join(__dirname, "join.sh"), "utf8");

/**
 * The script. The node-local interface, where nodes are listed, is port 5986 up to CouchDB 2 and `/_node/_local` on the usual port in
 * CouchDB 3 (docs.couchdb.org, "Cluster management"). Each own node is joined at itself first, where its own document is: a node without
 * a zone gets no copies where the ring places them.
 */
export function joinScript({ kind, host, nodes }: Pick<JoinJobArgs, "kind" | "host" | "nodes">): string {
  const listOf = (at: string): string =>
    kind.engine === "couchdb-3"
      ? `http://${at}:${databasePort}/_node/_local/_nodes`
      : `http://${at}:${kind.adminPort}/${kind.engine === "bigcouch" ? "nodes" : "_nodes"}`;
  const own = nodes.filter((node) => node.own);
  const waits = own.map((node) => `wait_for http://${node.host}:${databasePort}/`);
  const joinAt = (at: string, node: { readonly host: string; readonly zone: string }): string =>
    `join ${listOf(at)} ${kind.nodeName}@${node.host} ${node.zone}`;
  const joins = [...own.map((node) => joinAt(node.host, node)), ...nodes.map((node) => joinAt(host, node))];
  return [functions, ...waits, ...new Set(joins), ""].join("\n");
}
