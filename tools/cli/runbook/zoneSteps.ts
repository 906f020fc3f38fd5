import { readFileSync } from "node:fs";
import { workloads } from "../../../components/names";
import type { DrainedWorkload } from "../../../config/platform";
import { UserError, colours, reportToStderr } from "../../shared/terminal";
import { runScriptInside } from "../cluster/insideNode";
import { hostsIn, nodesOf } from "../cluster/nodes";
import { applyFile } from "../run/apply";
import { stackFile } from "../stack/openStack";
import { withSetting } from "../stackFile/stackEdit";
import { type LiveZone, setsOf, statefulSetsOf, targetsOf } from "./liveZone";
import type { RunbookOptions, RunbookStep } from "./runbook";

/** What can be drained, in the order in which it stops. */
export const drainable = Object.keys(setsOf) as DrainedWorkload[];
const names = { kazoo: "Kazoo", rabbitmq: "the brokers", database: "the database nodes" };

/** Kazoo's applications that handle calls; the nodes of other zones keep theirs. */
const callApps = ["callflow", "conference", "stepswitch", "trunkstore"];

/** The step in which Kazoo's nodes stop taking calls. */
export function callsStop(live: LiveZone): RunbookStep {
  const kazooNodes = nodesOf(hostsIn(live.selected.zone), live.cluster).filter(
    ({ workload }) => workload === workloads.kazoo,
  );
  return {
    title: "Kazoo's nodes stop taking calls",
    touches: [
      `pods ${kazooNodes.map(({ name }) => name).join(", ")}: sup kapps_controller stop_app ${callApps.join(", ")}`,
    ],
    isDone: async () => podsOf("kazoo", await statefulSetsOf(live)) === 0,
    run: async () => {
      for (const node of kazooNodes) await unlessSilent(() => runScriptInside(node, stopCallApps));
    },
  };
}

/** The step in which workloads stop. @param command the one that continues after a failure */
export const stop = (
  options: RunbookOptions,
  live: LiveZone,
  drained: readonly DrainedWorkload[],
  command: string,
): RunbookStep => scaling(options, live, drained, `${listed(drained)} stop, in this order`, command);

/** The step in which all workloads start again. */
export const start = (options: RunbookOptions, live: LiveZone): RunbookStep =>
  scaling(options, live, [], `${listed([...drainable].reverse())} start, in this order`, "return");

/** The step that, through the stack's file, removes the pods of some workloads and starts all others. */
function scaling(
  options: RunbookOptions,
  live: LiveZone,
  drained: readonly DrainedWorkload[],
  title: string,
  command: string,
): RunbookStep {
  const { stack, zone } = live;
  const pods = drained.length === 0;
  const sets = drainable.flatMap((workload) => (pods || drained.includes(workload) ? setsOf[workload] : []));
  const text = () =>
    withSetting(readFileSync(stackFile(stack.name), "utf8"), zone, ["drained"], pods ? undefined : drained);
  text(); // A file that cannot be edited is refused before the first step, not after calls have stopped.
  return {
    title,
    touches: [
      `Pulumi.${stack.whole}.yaml: drained of datacenter ${zone.region}/${zone.datacenter}: ${pods ? "none" : `[${drained.join(", ")}]`}`,
      ...sets.map((set) => `StatefulSet ${set} in namespace ${zone.namespace}: ${pods ? "its pods start" : "no pods"}`),
      "volumes stay as they are",
    ],
    isDone: async () => {
      if (zone.drained.join() !== drained.join()) return false;
      const sets = await statefulSetsOf(live);
      return drainable.every((workload) => (podsOf(workload, sets) === 0) === drained.includes(workload));
    },
    run: () =>
      applyFile({ ...options, stack: live.own, yes: true }, zone, text(), command, {
        // All StatefulSets, because an interrupted run may have changed any of them.
        targets: Object.values(setsOf)
          .flat()
          .flatMap((set) => targetsOf(zone, set, "nodes")),
        again: `make ${command} STACK=${stack.name} ZONE=${zone.name}`,
      }),
  };
}

/** How many pods a workload has, including stopping ones; the wanted number if none has started yet. */
const podsOf = (workload: DrainedWorkload, sets: Awaited<ReturnType<typeof statefulSetsOf>>): number =>
  setsOf[workload].reduce((sum, name) => {
    const { spec, status } = sets.get(name) ?? {};
    return sum + Math.max(spec?.replicas ?? 0, status?.replicas ?? 0);
  }, 0);

/** Stops applications on a Kazoo node. It reports applications that do not run, or a `sup` without this function, and continues. */
const stopCallApps = `for app in ${callApps.join(" ")}; do sup kapps_controller stop_app "$app" </dev/null || true; done
exit 0
`;

/** Runs work whose failure is only a warning. */
async function unlessSilent(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    reportToStderr(`${colours.yellow("warning:")} ${error.message}; continuing`);
  }
}

const listed = (of: readonly DrainedWorkload[]): string =>
  of
    .map((workload) => names[workload])
    .join(", ")
    .replace(/, ([^,]*)$/, " and $1")
    .replace(/^./, (first) => first.toUpperCase());
