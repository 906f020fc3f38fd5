import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { type EphemeralStorage, scriptResources } from "./resources";
import { containerSecurity } from "./security";

/** Home of the database's user: Erlang and its tools read the cookie there. */
const home = "/home/couchdb";

/** The folder to which CouchDB's entrypoint and CouchDB itself write settings; an unofficial image may have more files in it. */
const localSettings = "/opt/couchdb/etc/local.d";

/** Arguments of the Erlang VM. A cookie in them, such as the one in CouchDB's sources, would take precedence over the one in the file. */
const vmArguments = "/opt/couchdb/etc/vm.args";

/** Files that CouchDB's container needs besides its data, so that its root is read-only and its Erlang cookie is in no list of processes. */
export const databaseFiles = {
  env: [{ name: "HOME", value: home }],
  volumeMounts: [
    { name: "home", mountPath: home },
    { name: "home", mountPath: vmArguments, subPath: "vm.args", readOnly: true },
    { name: "settings", mountPath: localSettings },
    { name: "temporary", mountPath: "/tmp" },
  ],
  volumes: [
    // In memory, since the cookie and the administrator are written into them.
    { name: "home", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
    { name: "settings", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } },
    { name: "temporary", emptyDir: { sizeLimit: "1Gi" } },
  ],
} as const;

/**
 * Init container that writes these files. Erlang reads a cookie only from a file that no other user can read, which a mounted Secret never is for
 * a user other than root.
 * @param image of the database
 * @param cookie reference to the Secret with the cookie
 * @param resources of the node
 */
export function writeDatabaseFiles(
  image: pulumi.Input<string>,
  cookie: k8s.types.input.core.v1.EnvVarSource,
  resources: EphemeralStorage,
): k8s.types.input.core.v1.Container {
  return {
    name: "files",
    image,
    command: ["sh", "-c", script],
    env: [{ name: "DATABASE_COOKIE", valueFrom: cookie }],
    resources: scriptResources("32Mi", "64Mi", resources),
    securityContext: containerSecurity(true),
    volumeMounts: [
      { name: "home", mountPath: home },
      { name: "settings", mountPath: "/settings" },
    ],
  };
}

/** It may run again in the same pod, for example after a restart of the Kubernetes node. */
const script = `set -eu
umask 077
rm -f ${home}/.erlang.cookie
printf %s "$DATABASE_COOKIE" >${home}/.erlang.cookie
chmod 400 ${home}/.erlang.cookie
sed '/^ *-setcookie/d' ${vmArguments} >${home}/vm.args
cp -Rf ${localSettings}/. /settings
`;
