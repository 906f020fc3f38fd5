import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { type EphemeralStorage, scriptResources } from "./resources";
import { containerSecurity } from "./security";

/** Home of the database's user: Erlang and its tools read the cookie there. */
const home = "/home/couchdb";

/** Where CouchDB's entrypoint and CouchDB itself write settings; the image has more than that in it if it is not the official one. */
const localSettings = "/opt/couchdb/etc/local.d";

/** Arguments of the Erlang VM. A cookie in them, as CouchDB's sources have one, would go before the one in the file. */
const vmArguments = "/opt/couchdb/etc/vm.args";

/** What CouchDB's container needs beside its data, so that its root is read-only and its Erlang cookie in no list of processes. */
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
 * Init container that writes these files. Erlang takes a cookie from a file that is its user's alone, which a mounted Secret never is where
 * the user is not root.
 * @param image of the database
 * @param cookie where it is
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

/** It may run again in the same pod, such as after a restart of the node. */
const script = `set -eu
umask 077
rm -f ${home}/.erlang.cookie
printf %s "$DATABASE_COOKIE" >${home}/.erlang.cookie
chmod 400 ${home}/.erlang.cookie
sed '/^ *-setcookie/d' ${vmArguments} >${home}/vm.args
cp -Rf ${localSettings}/. /settings
`;
