import { Command } from "commander";
import { kubeconfigOf, openStack } from "../stack";
import { table } from "../table";
import { UserError, reportToStderr } from "../terminal";
import { readZones } from "../zones";

/** `kazoo status`: the zones of a stack, with how many pods of each StatefulSet are ready. */
export function statusCommand(): Command {
  return new Command("status")
    .description("show a stack's zones and how many of their pods are ready")
    .option("-s, --stack <name>", "which Pulumi.<name>.yaml", "dev")
    .action(async (options: { stack: string }) => {
      const stack = await openStack(options.stack, reportToStderr);
      const zones = Object.entries(await readZones(stack));
      if (zones.length === 0) throw new UserError(`stack ${stack.name} is not up`, `make up STACK=${stack.name}`);
      const rows = await Promise.all(
        zones.map(async ([zone, { cluster, namespace }]) => {
          const target = stack.platform.clusters[cluster];
          if (target === undefined) throw new UserError(`zone ${zone} is on ${cluster}, which the stack's file lacks`);
          if (target.kind === "docker")
            throw new UserError(`zone ${zone} is on Docker`, "docker ps shows its containers");
          const sets = await readyCounts(target.context, kubeconfigOf(target), namespace);
          return sets.map(([set, ready]) => [zone, target.context, set, ready]);
        }),
      );
      process.stdout.write(table([["ZONE", "CONTEXT", "STATEFULSET", "READY"], ...rows.flat()]));
    });
}

async function readyCounts(
  context: string,
  kubeconfig: string | undefined,
  namespace: string,
): Promise<[set: string, ready: string][]> {
  // Loaded only here: the client takes longer than all the rest of the command.
  const { AppsV1Api, KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(kubeconfig);
  config.setCurrentContext(context);
  try {
    const { items } = await config.makeApiClient(AppsV1Api).listNamespacedStatefulSet({ namespace });
    return items.map((set) => [
      set.metadata?.name ?? "",
      `${set.status?.readyReplicas ?? 0}/${set.spec?.replicas ?? 1}`,
    ]);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new UserError(`context ${context} does not answer: ${reason}`, "make sandbox-status shows what runs here");
  }
}
