import { readFileSync } from "node:fs";
import type { V1PersistentVolumeClaim } from "@kubernetes/client-node";
import { rolloutProgress } from "../../../components/names";
import { byteCount, bytes } from "../../../config/quantity";
import { asking, clientsOf } from "../cluster/kubernetes";
import { type LiveZone, liveZone, setsOf, statefulSetsOf, targetsOf, dataClaimsOf } from "../runbook/liveZone";
import { isThrowAway, stackFile } from "../stack/openStack";
import { type RunbookOptions, type RunbookStep, follow } from "../runbook/runbook";
import { withSetting } from "../stackFile/stackEdit";
import { until } from "../../shared/until";
import { UserError, reportToStderr } from "../../shared/terminal";
import { applyFile } from "../run/apply";

interface GrowOptions extends RunbookOptions {
  readonly workload: "database" | "rabbitmq";
  readonly to: string;
}

/** Makes the volumes of a zone's database nodes or brokers bigger. */
export async function grow(options: GrowOptions): Promise<void> {
  const live = await liveZone(options);
  const { stack, zone, cluster } = live;
  const { workload } = options;
  const size = wantedSize(options.to, zone[workload].storage);
  const claims = await dataClaimsOf(live, workload);
  await requireExpansion(live, claims);
  const left = (all: readonly V1PersistentVolumeClaim[]) =>
    all.filter(
      ({ spec, status }) => Math.min(sizeOf(spec?.resources?.requests), sizeOf(status?.capacity)) < byteCount(size),
    );

  const claimStep: RunbookStep = {
    title: `Volumes grow to ${size}`,
    touches: claims.map(
      ({ metadata, status }) =>
        `claim ${metadata?.name} in namespace ${zone.namespace}: ${status?.capacity?.storage ?? "not bound"} to ${size}`,
    ),
    isDone: async () => left(await dataClaimsOf(live, workload)).length === 0,
    run: async () => {
      const { objects } = await clientsOf(cluster);
      for (const { metadata, spec } of left(claims)) {
        if (sizeOf(spec?.resources?.requests) >= byteCount(size)) continue;
        const claim = {
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          metadata: { name: metadata?.name ?? "", namespace: zone.namespace },
        };
        await asking(cluster, () => objects.patch({ ...claim, spec: { resources: { requests: { storage: size } } } }));
      }
      await until(
        600,
        () =>
          new UserError(
            "the volumes have not grown after 10 minutes",
            `kubectl --context ${cluster.context} -n ${zone.namespace} describe pvc shows why; run the same command to continue waiting`,
          ),
        async () => left(await dataClaimsOf(live, workload)).every(waitsForRestart),
      );
    },
  };
  const setSteps = setsOf[workload].map((set): RunbookStep => {
    const path = ["workloads", workload, "storage"];
    return {
      title: `StatefulSet ${set} is recreated, and adopts its running pods`,
      touches: [
        `Pulumi.${stack.whole}.yaml: ${path.join(".")} of datacenter ${zone.region}/${zone.datacenter}: ${size}`,
        `StatefulSet ${set} in namespace ${zone.namespace}: deleted without its pods, and recreated by Pulumi`,
        workload === "database"
          ? "its pods keep running"
          : "its pod restarts once, because its disk watermark depends on the size",
      ],
      isDone: async () => {
        const found = (await statefulSetsOf(live)).get(set);
        return found !== undefined && templateSize(found) === byteCount(size) && rolloutProgress(found).done;
      },
      run: async () => {
        await orphan(live, set, size);
        await applyFile(
          { ...options, stack: live.own, yes: true },
          zone,
          withSetting(readFileSync(stackFile(stack.name), "utf8"), zone, path, size),
          "grow",
          {
            targets: targetsOf(zone, set, "nodes", "config"),
            again: `make grow STACK=${stack.name} ZONE=${zone.name} WORKLOAD=${workload} TO=${size}`,
          },
        );
      },
    };
  });
  await follow(
    {
      name: `grow the volumes of ${workload} in zone ${zone.name} to ${size}`,
      notes: [],
      steps: [claimStep, ...setSteps],
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(stack.platform) },
    reportToStderr,
  );
}

/** The size in its canonical form. @throws UserError if it is invalid, or smaller than the volumes */
export function wantedSize(given: string, now: string): string {
  const parsed = bytes.safeParse(given);
  if (!parsed.success)
    throw new UserError(
      `${JSON.stringify(given)} is not a size`,
      "give an amount with a binary unit (Mi, Gi, Ti): TO=200Gi",
    );
  if (byteCount(parsed.data) < byteCount(now))
    throw new UserError(
      `${parsed.data} is less than the ${now} that the volumes have: a volume cannot shrink`,
      "choose a bigger size",
    );
  return parsed.data;
}

const sizeOf = (amounts: Readonly<Record<string, string>> | undefined): number => byteCount(amounts?.storage ?? "0");

const templateSize = (
  set: Awaited<ReturnType<typeof statefulSetsOf>> extends Map<string, infer S> ? S : never,
): number => sizeOf(set.spec?.volumeClaimTemplates?.[0]?.spec?.resources?.requests);

/** Whether only the file system has yet to grow, which happens when the pod restarts. */
const waitsForRestart = ({ status }: V1PersistentVolumeClaim): boolean =>
  status?.conditions?.some(({ type }) => type === "FileSystemResizePending") ?? false;

/** @throws UserError if a StorageClass does not allow volume expansion */
async function requireExpansion({ cluster }: LiveZone, claims: readonly V1PersistentVolumeClaim[]): Promise<void> {
  const { objects } = await clientsOf(cluster);
  for (const name of new Set(claims.flatMap(({ spec }) => spec?.storageClassName ?? []))) {
    const found = await asking(cluster, () =>
      objects.read({ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name } }),
    );
    if ((found as { allowVolumeExpansion?: boolean }).allowVolumeExpansion === true) continue;
    throw new UserError(
      `StorageClass ${name} does not allow volume expansion`,
      `if its driver supports it, set allowVolumeExpansion: true; otherwise move the data to another class`,
    );
  }
}

/** Deletes a StatefulSet with another size but keeps its pods, because Kubernetes cannot change the size. */
async function orphan(live: LiveZone, name: string, size: string): Promise<void> {
  const { cluster, zone } = live;
  const { namespace } = zone;
  const found = (await statefulSetsOf(live)).get(name);
  if (found === undefined || templateSize(found) === byteCount(size)) return;
  const { apps } = await clientsOf(cluster);
  await asking<unknown>(cluster, () =>
    apps.deleteNamespacedStatefulSet({ name, namespace, propagationPolicy: "Orphan" }),
  );
  await until(
    300,
    () =>
      new UserError(
        `StatefulSet ${name} is still being deleted`,
        `kubectl --context ${cluster.context} -n ${namespace} describe statefulset ${name} shows why; then run the same command again`,
      ),
    async () => (await statefulSetsOf(live)).get(name)?.metadata?.uid !== found.metadata?.uid,
  );
}
