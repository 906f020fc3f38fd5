import type { Command } from "commander";
import { rolloutProgress, workloads } from "../../../components/names";
import { confirmed } from "../choose";
import { asking, clientsOf } from "../kubernetes";
import { type SelectedZone, selectZone } from "../nodes";
import { runPulumi } from "../pulumi";
import { isThrowAway, openStack } from "../openStack";
import { UserError, reportToStderr } from "../../shared/terminal";
import { onKubernetes, zoneCommand } from "./inside";
import { begin } from "./lifecycle";
import { type DeployOptions, type Part, apply, everything, nodes, service, target } from "./apply";
import { edit } from "./edit";
import { history, rollback } from "./rollback";

/** `kazoo kube-…`: the deployment of a zone's Kazoo, changed through Pulumi alone, so that state and cluster agree. */
export function deployCommands(): Command[] {
  const command = (name: string, description: string, action: (options: DeployOptions) => Promise<void>): Command =>
    zoneCommand(name, description).action(async (options: DeployOptions) => {
      await action(
        await onKubernetes(options, name, `make launch-net STACK=${options.stack} and its like are for Docker`),
      );
    });
  const changing = (name: string, description: string, action: (options: DeployOptions) => Promise<void>): Command =>
    command(name, description, action).option(
      "-y, --yes",
      "do not ask (never asked for sandbox and docker stacks that are not protected)",
    );
  return [
    changing("kube-deploy-service", "create the zone's Service kazoo, if it is not there", (options) =>
      deploy(options, "kube-deploy-service", service, { mustLack: true }),
    ),
    changing("kube-apply-service", "make the zone's Service kazoo be as the config says", (options) =>
      deploy(options, "kube-apply-service", service),
    ),
    changing(
      "kube-delete-service",
      "delete the zone's Service kazoo; nodes go on, nobody reaches them by it",
      (options) => remove(options, service, "Service", "kazoo is no longer reached by its Service"),
    ),
    changing("kube-deploy", "deploy the zone's Kazoo as the config says; recorded in the stack's history", (options) =>
      deploy(options, "kube-deploy", everything),
    ),
    changing("kube-deploy-edit", "edit the zone's run environment in $EDITOR, preview, apply, wait", edit).addHelpText(
      "after",
      "\nThe editor: KUBE_EDITOR, else VISUAL, else EDITOR, else vi.",
    ),
    changing(
      "kube-deploy-rollback",
      "bring back the environment and image that the zone's Kazoo ran with before",
      rollback,
    ).option("--to <number>", "of an update in kube-rollout-history; default: the last one that differs"),
    command("kube-rollout-status", "wait until the zone's Kazoo has rolled", rolloutStatus)
      .option("--timeout <seconds>", "how long", "900")
      .addHelpText("after", "\nExit code 1: it has not rolled in that time, or there is nothing to roll."),
    command(
      "kube-rollout-history",
      "show the updates of the stack, and what they changed in the zone's Kazoo",
      history,
    ),
    changing(
      "kube-delete-deployment",
      "delete the zone's Kazoo nodes; database, brokers and credentials stay",
      (options) => remove(options, nodes, "StatefulSet", "all calls and the API of this zone end"),
    ),
  ];
}

async function deploy(options: DeployOptions, what: string, part: Part, { mustLack = false } = {}): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  await begin(stack);
  const selected = await selectZone(stack, options);
  if (mustLack && (await exists(selected, part))) {
    throw new UserError(
      `Service kazoo of zone ${selected.name} is there already`,
      `make kube-apply-service STACK=${stack.name} updates it`,
    );
  }
  await apply(stack, selected.name, part, what, options);
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
 * Deletes a part of a zone in the cluster, and then has Pulumi see that it is gone. Pulumi's own destroy would want to delete all that
 * depends on it too: the Kazoo of the ring's other zones.
 */
async function remove(options: DeployOptions, part: Part, kind: string, consequence: string): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  await begin(stack);
  const selected = await selectZone(stack, options);
  if (!(await exists(selected, part))) {
    throw new UserError(
      `zone ${selected.name} has no ${kind} kazoo`,
      `make kube-deploy STACK=${stack.name} ZONE=${selected.name} makes it`,
    );
  }
  const again = part === service ? "kube-deploy-service" : "kube-deploy";
  reportToStderr(
    `${kind} kazoo of zone ${selected.name} will be deleted: ${consequence}, until make ${again} STACK=${stack.name} (or make up) brings it back. ` +
      `Data is not touched.${stack.platform.protect ? " This stack is protected, since what it holds is not for throwing away." : ""}`,
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
        `kubectl --context ${cluster.context} -n ${selected.zone.namespace} describe ${part.kind} kazoo shows what holds it; ` +
          `once it is gone, make ${again} STACK=${stack.name} ZONE=${selected.name} brings it back`,
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
      `read what pulumi says above; make ${again} STACK=${stack.name} ZONE=${selected.name} brings it back all the same`,
      code,
    );
}

async function until(seconds: number, otherwise: () => UserError, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw otherwise();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function rolloutStatus(options: DeployOptions): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  const selected = await selectZone(stack, options);
  const cluster = clusterOf(selected);
  const { apps } = await clientsOf(cluster);
  const seconds = Number(options.timeout);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new UserError(`--timeout ${options.timeout} is no number of seconds`, "e.g. --timeout 900");
  let said = "";
  await until(
    seconds,
    () =>
      new UserError(
        `zone ${selected.name} has not rolled within ${seconds} s: ${said}`,
        `kubectl --context ${cluster.context} -n ${selected.zone.namespace} describe pods shows what holds it; --timeout waits longer`,
      ),
    async () => {
      const set = await asking(
        cluster,
        () => apps.readNamespacedStatefulSet({ name: workloads.kazoo, namespace: selected.zone.namespace }),
        new UserError(
          `zone ${selected.name} has no StatefulSet kazoo`,
          `make kube-deploy STACK=${stack.name} ZONE=${selected.name} makes it`,
        ),
      );
      const { done, text: progress } = rolloutProgress(set);
      if (progress !== said) process.stdout.write(`zone ${selected.name}: ${progress}\n`);
      said = progress;
      return done;
    },
  );
}
