import type * as k8s from "@pulumi/kubernetes";

/** Exit code with which a script says that the database refuses user or password. */
const refused = 3;

/** A Job that the database refuses ends at its first try: more of them would have CouchDB 3.4 and later lock the address out. */
export const endWhenRefused = (containerName: string): k8s.types.input.batch.v1.PodFailurePolicy => ({
  rules: [{ action: "FailJob", onExitCodes: { containerName, operator: "In", values: [refused] } }],
});
