import type * as k8s from "@pulumi/kubernetes";

/** A script's exit code if the database refuses user or password. */
const refused = 3;

/** A refused Job ends after its first try: CouchDB 3.4 and later lock out an address that tries more often. */
export const endWhenRefused = (containerName: string): k8s.types.input.batch.v1.PodFailurePolicy => ({
  rules: [{ action: "FailJob", onExitCodes: { containerName, operator: "In", values: [refused] } }],
});
