import type { KubernetesObject, V1ManagedFieldsEntry } from "@kubernetes/client-node";
import type { KubernetesCluster } from "../../../config/platform";
import type { UnseenCluster } from "../../report/model";
import { reportToStderr } from "../../shared/terminal";
import { type ObjectName, asking, clientsOf, readObject } from "./kubernetes";
import { deployedIn, isKnown, knownObjects, objectList } from "../stack/deployed";
import type { Stack } from "../stack/openStack";
import { fixedObjects } from "./strangers";

/**
 * Objects that an interrupted run has applied without a record in the state. For server-side apply, each run that creates an object is a field
 * manager of its own, so the API server would refuse every later change of such an object as a conflict with the interrupted run.
 */

/** In the format FieldsV1: the label that all objects of the program have, and that never changes. */
const mark = { "f:metadata": { "f:labels": { "f:app.kubernetes.io/part-of": {} } } };

/**
 * Whether a field manager is a run of this program that can hold up a change. Another Pulumi program may own fields, but not the label.
 * @param run the only run that counts. @default all
 */
function isRun({ manager = "", operation, fieldsV1 }: V1ManagedFieldsEntry, run = manager): boolean {
  const { "f:labels": labels = {} } = ((fieldsV1 ?? {}) as Partial<typeof mark>)["f:metadata"] ?? {};
  if (operation !== "Apply" || manager !== run || !manager.startsWith("pulumi-kubernetes-")) return false;
  return "f:app.kubernetes.io/part-of" in labels && JSON.stringify(fieldsV1) !== JSON.stringify(mark);
}

/** Whether a run of this program is a field manager of an object. @param run the only run that counts. @default all */
export const isFromRun = ({ metadata }: KubernetesObject, run?: string): boolean =>
  (metadata?.managedFields ?? []).some((entry) => isRun(entry, run));

/**
 * The field managers of an object once runs no longer hold up changes. They keep the label: for an object without managers, the API server would
 * invent one that owns all fields.
 * @param run the only run to release. @default all
 */
export const released = ({ metadata }: KubernetesObject, run?: string): V1ManagedFieldsEntry[] =>
  (metadata?.managedFields ?? []).map((entry) => (isRun(entry, run) ? { ...entry, fieldsV1: mark } : entry));

const attempts = 5;

/** Lets an object be changed although runs have left it behind. Its fields stay as they are. @param run the only run to release. @default all */
export async function release(cluster: KubernetesCluster, object: ObjectName, run?: string): Promise<void> {
  const { PatchStrategy } = await import("@kubernetes/client-node");
  const { objects } = await clientsOf(cluster);
  await asking(cluster, async () => {
    for (let left = attempts; left > 0; left--) {
      const found = await readObject(cluster, object);
      const { name, namespace, resourceVersion } = found.metadata ?? {};
      const metadata = { name, namespace, resourceVersion, managedFields: released(found, run) };
      const body = { apiVersion: object.apiVersion, kind: object.kind, metadata } as KubernetesObject;
      try {
        await objects.patch(body, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch);
        return;
      } catch (error) {
        // A controller has changed its status in between.
        if ((error as { code?: unknown }).code !== 409 || left === 1) throw error;
      }
    }
  });
}

/**
 * Releases the objects of a stack that exist in its clusters, but not in its state. Without this, an `up` would share them with the interrupted run
 * and say nothing.
 * @param unseen clusters that do not answer; they are skipped
 */
export async function releaseUnrecorded(stack: Stack, unseen: readonly UnseenCluster[]): Promise<void> {
  const { clusters, zones } = stack.platform;
  const known = knownObjects(await deployedIn(stack));
  for (const zone of zones) {
    const cluster = clusters[zone.cluster];
    if (cluster === undefined || cluster.kind === "docker" || unseen.some((away) => away.cluster === cluster.name))
      continue;
    const { namespace } = zone;
    const found = (await fixedObjects(cluster, zone)).flatMap(({ apiVersion, kind, item }): ObjectName[] =>
      isFromRun(item) ? [{ apiVersion, kind, name: item.metadata?.name ?? "", namespace }] : [],
    );
    const left = found.filter((object) => !isKnown(known, { cluster: cluster.name, ...object }));
    if (left.length === 0) continue;
    reportToStderr(
      `an interrupted run left ${objectList(left)} behind in namespace ${namespace}; adopting these objects`,
    );
    for (const object of left) await release(cluster, object);
  }
}
