import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { type DatabaseKind, requireDatabaseKind } from "../config/compatibility";
import { defaultCurlImage } from "../config/images";
import type { DatabaseNode } from "./bigcouch";
import { endWhenRefused } from "./jobs";
import { workloadLabels } from "./labels";
import { databasePort, workloads } from "./names";
import { type JobSettings, podMetadata, podSpec } from "./pods";
import { scriptResources } from "./resources";
import { containerSecurity, users } from "./security";
import { type SecretArgs, loginFrom } from "./workload";

export interface JoinJobArgs extends JobSettings, SecretArgs {
  readonly namespace: pulumi.Input<string>;
  /** Name of a Secret in the namespace with the keys `username` and `password`. */
  readonly credentials: pulumi.Input<string>;
  /** Version of the database. @default couchdb-2.3.1 */
  readonly version?: string;
  /** Name of the zone whose database joins. */
  readonly zone: string;
  /** The database nodes of all the ring's zones, by zone. */
  readonly zones: readonly { readonly zone: string; readonly nodes: pulumi.Input<readonly DatabaseNode[]> }[];
  /** An image with `sh` and `curl`. @default curlimages/curl:8.11.1 */
  readonly image?: string;
  /** Names of Secrets in the namespace for pulling the image. @default none */
  readonly pullSecrets?: readonly string[];
  /** Whether the zone's database is drained: then an existing Job does not change. @default false */
  readonly drained?: boolean;
}

/** A database node, for the script. */
interface JoiningNode {
  readonly host: string;
  readonly zone: string;
  /** Whether it belongs to the joining zone. */
  readonly own: boolean;
}

/**
 * Registers the database nodes of a ring, each with its zone, on this zone's first node, so that placement works; the list replicates from there.
 * Idempotent; a ring that grows gets a new Job.
 * @example
 * new JoinJob("join", { namespace, credentials, zone: "us-east-nyc", zones: [{ zone: "us-east-nyc", nodes: database.nodes }] });
 */
export class JoinJob extends pulumi.ComponentResource {
  readonly job: k8s.batch.v1.Job;

  constructor(name: string, args: JoinJobArgs, opts?: pulumi.ComponentResourceOptions) {
    super("kazoo:index:JoinJob", name, {}, opts);
    const labels = workloadLabels(workloads.join);
    const kind = requireDatabaseKind(args.version ?? "couchdb-2.3.1");
    const script = pulumi.all(args.zones.map(({ zone, nodes }) => pulumi.all([zone, nodes]))).apply((zones) => {
      const all = zones.flatMap(([zone, nodes]) => nodes.map(({ host }) => ({ host, zone, own: zone === args.zone })));
      return joinScript({ kind, host: all.find(({ own }) => own)?.host ?? "", nodes: all });
    });
    this.job = new k8s.batch.v1.Job(
      `${name}-job`,
      {
        // The next update replaces a Job that has failed.
        metadata: { namespace: args.namespace, labels, annotations: { "pulumi.com/replaceUnready": "true" } },
        spec: {
          backoffLimit: 2,
          // Three tries of five minutes, which the script waits for.
          activeDeadlineSeconds: 1000,
          podFailurePolicy: endWhenRefused("join"),
          template: {
            metadata: podMetadata(labels, args),
            spec: {
              // Each try has its own pod, which stays with its log and its reason.
              restartPolicy: "Never",
              ...podSpec(users.nobody, args, args.pullSecrets),
              containers: [
                {
                  name: "join",
                  image: args.image ?? defaultCurlImage,
                  command: ["sh", "-c", script],
                  env: [
                    ...loginFrom(args.credentials, ["DATABASE_USER", "DATABASE_PASSWORD"], args.secretKeys?.database),
                  ],
                  // The script's last output becomes the pod's message, which `pulumi up` shows.
                  terminationMessagePolicy: "FallbackToLogsOnError",
                  resources: scriptResources("32Mi", "64Mi", args.resources),
                  securityContext: containerSecurity(true),
                },
              ],
            },
          },
        },
      },
      // Longer than the Job's own deadline.
      {
        parent: this,
        customTimeouts: { create: "20m", update: "20m" },
        ...(args.drained === true ? { ignoreChanges: ["spec"] } : {}),
      },
    );
    this.registerOutputs({ job: this.job });
  }
}

const functions = readFileSync(join(__dirname, "join.sh"), "utf8");

/**
 * The script; `host` is the node of the joining zone on which the others are registered. The node-local interface, where nodes are listed,
 * is port 5986 up to CouchDB 2 and `/_node/_local` on the usual port in CouchDB 3 (docs.couchdb.org, "Cluster management"). Each own node
 * is first registered on itself, where its own document is: a node without a zone gets no copies in a ring with a placement.
 */
export function joinScript({
  kind,
  host,
  nodes,
}: {
  readonly kind: DatabaseKind;
  readonly host: string;
  readonly nodes: readonly JoiningNode[];
}): string {
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
