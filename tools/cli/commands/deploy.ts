import { rolloutProgress, workloads } from "../../../components/names";
import { confirmed } from "../../shared/choose";
import { asking, clientsOf } from "../cluster/kubernetes";
import { type SelectedZone, selectZone } from "../cluster/nodes";
import { runPulumi } from "../pulumi/pulumi";
import { until } from "../../shared/until";
import { isThrowAway, openStack } from "../stack/openStack";
import { UserError, reportToStderr } from "../../shared/terminal";
import { begin } from "../run/oneStack";
import { type DeployOptions, type Part, apply, everything, nodes, service, target } from "../run/apply";

/** Creates the zone's Service. */
export const createService = (options: DeployOptions): Promise<void> =>
  deploy(options, "kube-deploy-service", service, { mustLack: true });

/** Updates the zone's Service as configured. */
export const applyService = (options: DeployOptions): Promise<void> => deploy(options, "kube-apply-service", service);

/** Deploys all of the zone's Kazoo. */
export const deployKazoo = (options: DeployOptions): Promise<void> => deploy(options, "kube-deploy", everything);

/** Deletes the zone's Service. */
export const deleteService = (options: DeployOptions): Promise<void> =>
  remove(options, service, "Service", "Kazoo cannot be reached through its Service");

/** Deletes the zone's Kazoo nodes. */
export const deleteNodes = (options: DeployOptions): Promise<void> =>
  remove(options, nodes, "StatefulSet", "calls and the API of this zone stop");

async function deploy(options: DeployOptions, what: string, part: Part, { mustLack = false } = {}): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  await begin(stack);
  const selected = await selectZone(stack, options);
  if (mustLack && (await exists(selected, part))) {
    throw new UserError(
      `Service kazoo of zone ${selected.name} already exists`,
      `make kube-apply-service STACK=${stack.name} updates it`,
    );
  }
  await apply(stack, selected.name, target(selected.name, part), what, options);
}

const clusterOf = ({ name, cluster }: SelectedZone) => {
  if (cluster.kind === "docker") throw new UserError(`zone ${name} is on Docker`);
  return cluster;
};

async function exists(selected: SelectedZone, { kind, object }: Part): Promise<boolean> {
  const cluster = clusterOf(selected);
  const { core, apps } = await clientsOf(cluster);
  const { namespace } = selected.zone;
  const { items } = await asking<{ items: { metadata?: { name?: string } }[] }>(cluster, () =>
    kind === "services" ? core.listNamespacedService({ namespace }) : apps.listNamespacedStatefulSet({ namespace }),
  );
  return items.some(({ metadata }) => metadata?.name === object);
}

/**
 * Deletes a part of a zone in the cluster, then refreshes Pulumi's state. Pulumi's own destroy would also delete everything that depends on
 * it: Kazoo in the ring's other zones.
 */
async function remove(options: DeployOptions, part: Part, kind: string, consequence: string): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  await begin(stack);
  const selected = await selectZone(stack, options);
  if (!(await exists(selected, part))) {
    throw new UserError(
      `zone ${selected.name} has no ${kind} kazoo`,
      `make kube-deploy STACK=${stack.name} ZONE=${selected.name} creates it`,
    );
  }
  const again = part === service ? "kube-deploy-service" : "kube-deploy";
  reportToStderr(
    `${kind} kazoo of zone ${selected.name} will be deleted: ${consequence}, until make ${again} STACK=${stack.name} (or make up) restores it. ` +
      `Data is not touched.${stack.platform.protect ? " This stack is protected: it is not a throw-away stack." : ""}`,
  );
  const yes = options.yes === true || isThrowAway(stack.platform);
  if (!(await confirmed(`delete ${kind} kazoo of zone ${selected.name}?`, yes))) return;

  const cluster = clusterOf(selected);
  const { core, apps } = await clientsOf(cluster);
  const object = { name: part.object, namespace: selected.zone.namespace };
  await asking<unknown>(cluster, () =>
    part === service
      ? core.deleteNamespacedService(object)
      : apps.deleteNamespacedStatefulSet({ ...object, propagationPolicy: "Foreground" }),
  );
  await until(
    300,
    () =>
      new UserError(
        `${kind} kazoo of zone ${selected.name} is still being deleted`,
        `kubectl --context ${cluster.context} -n ${selected.zone.namespace} describe ${part.kind} kazoo shows why; ` +
          `once it is gone, make ${again} STACK=${stack.name} ZONE=${selected.name} restores it`,
      ),
    async () => !(await exists(selected, part)),
  );
  const code = await runPulumi(stack.pulumi, [
    ...["refresh", ...stack.selection, ...target(selected.name, part)],
    ...["--yes", "--skip-preview", "--suppress-outputs", "--message", `delete ${kind} kazoo ZONE=${selected.name}`],
  ]);
  if (code !== 0)
    throw new UserError(
      `${kind} kazoo is deleted, but pulumi refresh ended with exit code ${code}`,
      `see pulumi's messages above; make ${again} STACK=${stack.name} ZONE=${selected.name} restores it anyway`,
      code,
    );
}

/** Waits until the zone's Kazoo is rolled out. */
export async function rolloutStatus(options: DeployOptions): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  const selected = await selectZone(stack, options);
  const cluster = clusterOf(selected);
  const { apps } = await clientsOf(cluster);
  const seconds = Number(options.timeout);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new UserError(`--timeout ${options.timeout} is not a number of seconds`, "e.g. --timeout 900");
  let said = "";
  await until(
    seconds,
    () =>
      new UserError(
        `zone ${selected.name} was not rolled out within ${seconds} s: ${said}`,
        `kubectl --context ${cluster.context} -n ${selected.zone.namespace} describe pods shows why; --timeout waits longer`,
      ),
    async () => {
      const set = await asking(
        cluster,
        () => apps.readNamespacedStatefulSet({ name: workloads.kazoo, namespace: selected.zone.namespace }),
        new UserError(
          `zone ${selected.name} has no StatefulSet kazoo`,
          `make kube-deploy STACK=${stack.name} ZONE=${selected.name} creates it`,
        ),
      );
      const { done, text: progress } = rolloutProgress(set);
      if (progress !== said) process.stdout.write(`zone ${selected.name}: ${progress}\n`);
      said = progress;
      return done;
    },
  );
}
