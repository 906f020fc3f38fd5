import type * as k8s from "@pulumi/kubernetes";
import { type EphemeralStorage, scriptResources } from "./resources";
import { containerSecurity } from "./security";

/**
 * Init container of a zone's Kazoo pods: all but the first wait until a node of the zone answers, because several that start on an empty
 * database would race to fill it. The StatefulSet does not order its pods (`OrderedReady`): a rollout stuck at a pod would then stay stuck after
 * the change is reverted (kubernetes.io/docs/concepts/workloads/controllers/statefulset, "Forced rollback").
 * @param image an image with `sh` and `curl`
 * @param port of Crossbar
 * @param resources of the node
 */
export function firstNode(image: string, port: number, resources: EphemeralStorage): k8s.types.input.core.v1.Container {
  return {
    name: "first-node",
    image,
    command: ["sh", "-c", firstNodeScript(port)],
    env: [{ name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
    resources: scriptResources("32Mi", "64Mi", resources),
    securityContext: containerSecurity(true),
  };
}

/** It gives up after 15 minutes, the time for a first boot: a lost first node must not keep the others down. */
export const firstNodeScript = (port: number): string => `set -eu
case "$POD_NAME" in *-0) exit 0 ;; esac
tries=0
until curl --silent --output /dev/null --max-time 5 http://kazoo-nodes:${port}/; do
  tries=$((tries + 1))
  if [ "$tries" -gt 180 ]; then echo "no node of this zone answers: starting all the same"; exit 0; fi
  echo "waiting for a node of this zone to answer"
  sleep 5
done
`;
