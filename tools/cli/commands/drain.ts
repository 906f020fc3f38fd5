import { readFileSync } from "node:fs";
import { workloads as containers } from "../../../components/names";
import type { DrainedWorkload, Platform, Zone } from "../../../config/platform";
import { onlyThere, readShardMaps, shardMapsScript } from "../runbook/shards/copies";
import { healthOf, isHealthy } from "../cluster/health";
import { askInside, runScriptInside } from "../cluster/insideNode";
import { SimulatedPodError } from "../cluster/kubernetes";
import { type LiveZone, liveZone, setsOf, statefulSetsOf, targetsOf } from "../runbook/liveZone";
import { type SelectedZone, hostsIn, nodesOf, zonesOf } from "../cluster/nodes";
import { type Stack, isThrowAway } from "../stack/openStack";
import { type RunbookOptions, type RunbookStep, follow } from "../runbook/runbook";
import { withSetting } from "../stackFile/stackEdit";
import { UserError, colours, reportToStderr } from "../../shared/terminal";
import { applyFile, stackFile } from "./apply";

const workloads = Object.keys(setsOf) as DrainedWorkload[];
const names = { kazoo: "Kazoo", rabbitmq: "the brokers", database: "the database nodes" };

/** Kazoo's applications that handle calls; the nodes of other zones keep theirs. */
const callApps = ["callflow", "conference", "stepswitch", "trunkstore"];

/** Takes a zone out of service: its Kazoo nodes, its brokers and, if the ring stays complete without them, its database nodes. */
export async function drain(options: RunbookOptions): Promise<void> {
  const live = await liveZone(options);
  const { stack, zone, selected } = live;
  const others = (await zonesOf(stack)).filter(({ name, zone: { ring } }) => ring === zone.ring && name !== zone.name);
  const away = others.filter(({ name }) => drainedIn(stack.platform, name).length > 0);
  const staying = others.filter((other) => !away.includes(other));
  await requireHealthy(stack, staying);
  const storing = others.filter(({ name }) => !drainedIn(stack.platform, name).includes("database"));
  const gone = [selected, ...others.filter((other) => !storing.includes(other))].flatMap(
    ({ zone: { nodes } }) => nodes.database,
  );
  const obstacle = zone.drained.includes("database")
    ? undefined
    : (copiesElsewhere(stack.platform, zone, storing) ?? (await shardsElsewhere(live, staying, gone)));
  const wanted = workloads.filter((workload) => workload !== "database" || obstacle === undefined);

  await follow(
    {
      name: `drain zone ${zone.name}`,
      notes: [
        staying.length === 0
          ? "no other zone of its ring is in service: there are no calls until the zone returns"
          : `new calls go to ${staying.map(({ name }) => name).join(", ")}`,
        ...(obstacle === undefined ? [] : [`the database nodes keep running: ${obstacle}`]),
      ],
      steps: [callsStop(live), stops(options, live, wanted, "drain")],
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(stack.platform) },
    reportToStderr,
  );
}

/** Returns a drained zone to service. */
export async function returnZone(options: RunbookOptions): Promise<void> {
  const live = await liveZone(options);
  const { stack, zone } = live;
  const title = `${listed([...workloads].reverse())} start, in this order`;
  await follow(
    { name: `return zone ${zone.name}`, notes: [], steps: [scaling(options, live, [], title, "return")] },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(stack.platform) },
    reportToStderr,
  );
}

/** The step in which Kazoo's nodes stop taking calls. */
export function callsStop(live: LiveZone): RunbookStep {
  const kazooNodes = nodesOf(hostsIn(live.selected.zone), live.cluster).filter(
    ({ workload }) => workload === containers.kazoo,
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
export const stops = (
  options: RunbookOptions,
  live: LiveZone,
  drained: readonly DrainedWorkload[],
  command: string,
): RunbookStep => scaling(options, live, drained, `${listed(drained)} stop, in this order`, command);

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
  const sets = workloads.flatMap((workload) => (pods || drained.includes(workload) ? setsOf[workload] : []));
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
      return workloads.every((workload) => (podsOf(workload, sets) === 0) === drained.includes(workload));
    },
    run: () =>
      applyFile(
        { ...options, stack: live.own, yes: true },
        zone,
        withSetting(readFileSync(stackFile(stack.name), "utf8"), zone, ["drained"], pods ? undefined : drained),
        command,
        {
          // All StatefulSets, because an interrupted run may have changed any of them.
          targets: Object.values(setsOf)
            .flat()
            .flatMap((set) => targetsOf(zone, set, "nodes")),
          again: `make ${command} STACK=${stack.name} ZONE=${zone.name}`,
        },
      ),
  };
}

const drainedIn = ({ zones }: Platform, name: string): readonly DrainedWorkload[] =>
  zones.find((zone) => zone.name === name)?.drained ?? [];

/** How many pods a workload has, including stopping ones; the wanted number if none has started yet. */
const podsOf = (workload: DrainedWorkload, sets: Awaited<ReturnType<typeof statefulSetsOf>>): number =>
  setsOf[workload].reduce((sum, name) => {
    const { spec, status } = sets.get(name) ?? {};
    return sum + Math.max(spec?.replicas ?? 0, status?.replicas ?? 0);
  }, 0);

/** Refuses while something in these zones is not ready: the change would also stop what replaces it. */
export async function requireHealthy({ name: stack }: Stack, zones: readonly SelectedZone[]): Promise<void> {
  const sick = (await healthOf(zones)).filter((zone) => !isHealthy(zone));
  if (sick.length === 0) return;
  throw new UserError(
    `not everything in ${sick.map(({ zone }) => zone).join(", ")} is ready`,
    `make status STACK=${stack} shows what is wrong; run the same command again when all of it is ready`,
  );
}

/** Why, according to the config, other zones lack copies of some documents; undefined if they have all. */
function copiesElsewhere(platform: Platform, zone: Zone, others: readonly SelectedZone[]): string | undefined {
  const placement = platform.rings[zone.ring]?.placement;
  const places = others.filter(({ name }) => placement === undefined || (placement[name] ?? 0) > 0);
  return places.length > 0 ? undefined : "no other zone that runs its database has copies";
}

/** Why, according to the database itself, the ring would be incomplete: older databases keep the number of copies they were created with. */
async function shardsElsewhere(
  { stack, zone }: LiveZone,
  staying: readonly SelectedZone[],
  gone: readonly string[],
): Promise<string | undefined> {
  const [asked] = staying;
  const [node] = asked === undefined ? [] : nodesOf(hostsIn(asked.zone), asked.cluster);
  const kind = stack.platform.rings[zone.ring]?.database;
  if (kind === undefined) return undefined;
  if (asked === undefined || node?.place.kind !== "pod")
    return "no Kazoo node of another zone can tell where the copies are";
  try {
    const lost = onlyThere(
      readShardMaps(await askInside(node.place, shardMapsScript(kind, asked.zone.endpoints.database))),
      gone,
    );
    const some = lost.length > 3 ? `${lost.slice(0, 3).join(", ")} and ${lost.length - 3} more` : lost.join(", ");
    return lost.length === 0 ? undefined : `this zone has all copies of ${some}`;
  } catch (error) {
    if (error instanceof SimulatedPodError) return undefined;
    if (error instanceof UserError) return `could not find out where the copies are: ${error.message}`;
    throw error;
  }
}

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
