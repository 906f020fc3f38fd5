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
          backoffLimit: 6,
          activeDeadlineSeconds: 900,
          template: {
            metadata: { labels },
            spec: {
              restartPolicy: "OnFailure",
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

/**
 * The script. The node-local interface, where nodes are listed, is port 5986 up to CouchDB 2 and `/_node/_local` on the usual port in
 * CouchDB 3 (docs.couchdb.org, "Cluster management"). Each node lists itself without a zone at its first start, hence the read before the write.
 */
export function joinScript({ kind, host, nodes }: Pick<JoinJobArgs, "kind" | "host" | "nodes">): string {
  const listOf = (at: string): string =>
    kind.engine === "couchdb-3"
      ? `http://${at}:${databasePort}/_node/_local/_nodes`
      : `http://${at}:${kind.adminPort}/${kind.engine === "bigcouch" ? "nodes" : "_nodes"}`;
  const own = nodes.filter((node) => node.own);
  const waits = own.map((node) => `wait_for http://${node.host}:${databasePort}/`);
  const join = (at: string, node: { readonly host: string; readonly zone: string }): string =>
    `join ${listOf(at)} ${kind.nodeName}@${node.host} ${node.zone}`;
  // Each own node first, at itself, over the document that it wrote: one that is written elsewhere without having seen that is another
  // first revision, and of two the replication keeps either.
  const joins = [...own.map((node) => join(node.host, node)), ...nodes.map((node) => join(host, node))];
  return `set -eu
# The password goes through standard input: arguments can be read by every process.
request() { printf 'user = "%s:%s"\\n' "$DATABASE_USER" "$DATABASE_PASSWORD" | curl --silent --show-error --max-time 20 --config - "$@"; }
status() { request --output /dev/null --write-out '%{http_code}' "$@" || true; }
wait_for() {
  tries=0
  until [ "$(status "$1")" = 200 ]; do
    tries=$((tries + 1))
    if [ "$tries" -ge 60 ]; then echo "no answer from $1" >&2; exit 1; fi
    echo "waiting for $1"
    sleep 5
  done
}
join() {
  document=$(request "$1/$2")
  case "$document" in *'"zone":"'"$3"'"'*) echo "$2 is in zone $3"; return ;; esac
  revision=$(printf '%s' "$document" | sed -n 's/.*"_rev":"\\([^"]*\\)".*/"_rev":"\\1",/p')
  code=$(status --request PUT --header 'Content-Type: application/json' --data "{$revision\\"zone\\":\\"$3\\"}" "$1/$2")
  case "$code" in 201 | 202) echo "$2 joined in zone $3" ;; *) echo "joining $2 failed with HTTP status $code" >&2; exit 1 ;; esac
}
${[...waits, ...new Set(joins)].join("\n")}
`;
}
