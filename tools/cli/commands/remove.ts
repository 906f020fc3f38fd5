import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { type Platform, type Ring, type Zone } from "../../../config/platform";
import { ConfigError } from "../../../config/problem";
import { platformOfBytes } from "../../../config/stackFile";
import { judged } from "../stackFile/judged";
import {
  type LiveRing,
  databaseOnLeaving,
  forgetStep,
  liveRing,
  maintenanceIn,
  requireNodes,
  shardPlan,
  shardStep,
  wantedCopies,
  givenCopies,
} from "../runbook/liveRing";
import { holderOf, liveZone, openWholeOf } from "../runbook/liveZone";
import { deployedIn } from "../stack/deployed";
import { zonesOf } from "../cluster/nodes";
import { type Stack, isThrowAway, stackFile } from "../stack/openStack";
import { askPulumi } from "../pulumi/pulumi";
import { type RunbookOptions, type RunbookStep, follow } from "../runbook/runbook";
import { withPlacement, withoutDatacenter } from "../stackFile/stackEdit";
import { datacentersOf, unprotect, withChildren } from "../stack/stateMove";
import { requireNoChanges, upOrAgain } from "../runbook/wholeRing";
import { UserError, reportToStderr } from "../../shared/terminal";
import { destroy } from "../run/oneStack";
import { requireHealthy } from "../cluster/health";
import { callsStop, stop } from "../runbook/zoneSteps";

export interface RemoveOptions extends RunbookOptions {
  readonly copies?: string;
}

/** Removes a datacenter from its ring: stops Kazoo and brokers, moves shards to the other zones, then deletes its resources. */
export async function remove(options: RemoveOptions): Promise<void> {
  if (await complete(options)) return;
  const live = await liveZone(options);
  const { stack, zone, selected } = live;
  const { platform } = stack;
  const ring = platform.rings[zone.ring] as Ring;
  refuse(stack, ring, zone);
  const path = stackFile(stack.name);
  const file = basename(path);
  const read = () => readFileSync(path, "utf8");
  const again = `make remove STACK=${stack.name} ZONE=${zone.name}`;

  const placement = placementWithout(platform, ring, zone, read(), file);
  const placed = (text: string) => (placement === undefined ? text : withPlacement(text, ring.name, placement));
  const after = judged(withoutDatacenter(placed(read()), zone, platform), file, "without the datacenter").rings[
    ring.name
  ] as Ring;
  const zones = (await zonesOf(stack)).filter((each) => each.zone.ring === ring.name);
  const others = zones.filter(({ name }) => name !== zone.name);
  const database = liveRing(stack, ring, zones, selected.zone.nodes.database);
  await requireHealthy(stack, others, maintenanceIn(database));
  const wanted = { ...wantedCopies(after), even: false, ...givenCopies(options.copies) };
  await refuseStopped(stack, zone, database);
  const plan = await shardPlan(database, wanted);
  if (plan !== undefined)
    requireNodes(plan, `first give ${others.map(({ name }) => name).join(" or ")} more database nodes (replicas)`);

  const isDrained = (workload: "kazoo" | "database") => zone.drained.includes(workload);
  const stopped = stop(options, live, ["kazoo", "rabbitmq"], "remove");
  const databaseStops = stop(options, live, ["kazoo", "rabbitmq", "database"], "remove");
  const shards = shardStep(database, wanted, "Shards move to the other zones", plan);
  const steps: RunbookStep[] = [
    ...(ring.placement === undefined
      ? []
      : [
          {
            title: `New databases get no copies in ${zone.name}`,
            touches: [
              `Pulumi.${stack.whole}.yaml: placement of ring ${ring.name}: ${text(placement ?? ring.placement)}`,
              "the database nodes of all zones restart, zone by zone",
            ],

            isDone: async () => placement === undefined && isDrained("kazoo"),
            run: async () => {
              writeFileSync(path, placed(read()));
              await upOrAgain(stack.name, again);
            },
          },
        ]),
    callsStop(live),
    // An earlier run may have stopped them together with the database.
    { ...stopped, isDone: async () => isDrained("database") || (await stopped.isDone()) },
    shards,
    { ...databaseStops, title: "The database nodes stop" },
    forgetStep(database),
    ...deletion(stack, zone),
  ];
  // Only before the first step: its update would also apply other changes.
  if (options.dryRun !== true && !isDrained("kazoo") && (placement !== undefined || ring.placement === undefined))
    await requireNoChanges(stack.name, again);
  await follow(
    {
      name: `remove zone ${zone.name} from ring ${ring.name}`,
      notes: [
        `its calls in progress end; new calls go to ${others.map(({ name }) => name).join(", ")}`,
        "first point SIP traffic and DNS to the other zones",
        ...(wanted.fewer === true ? [`each shard keeps ${wanted.copies} copies, even if it has more now`] : []),
      ],
      steps,
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(platform) },
    reportToStderr,
  );
}

const text = (placement: Readonly<Record<string, number>>): string =>
  Object.entries(placement)
    .map(([zone, copies]) => `${copies} in ${zone}`)
    .join(", ");

/** Refuses to remove a zone if no other zone of its ring, or not every one, could take over. */
export function refuse({ name, platform }: Pick<Stack, "name" | "platform">, ring: Ring, zone: Zone): void {
  if (ring.zones.length === 1)
    throw new UserError(
      `zone ${zone.name} is the only one of ring ${ring.name}: its databases would be lost`,
      `docs/operations.md#taking-a-protected-stack-down says how to take it down; make up STACK=${name} keeps it`,
    );
  // What is drained has no nodes that could be not ready, so it looks healthy.
  const away = platform.zones.find((each) => each.ring === ring.name && each !== zone && each.drained.length > 0);
  if (away !== undefined)
    throw new UserError(
      `zone ${away.name} is drained, so it cannot take over from ${zone.name}`,
      `first run make return STACK=${name} ZONE=${away.name}, or finish its removal if that was begun`,
    );
}

/**
 * Refuses to move shards away from database nodes that `drain` has stopped, because copies are read from running nodes. An earlier run of this
 * command is no reason: it stops them only once they have no copies.
 */
export async function refuseStopped({ name }: Pick<Stack, "name">, zone: Zone, database: LiveRing): Promise<void> {
  if (!zone.drained.includes("database")) return;
  const held = await databaseOnLeaving(database);
  if (held !== undefined)
    throw new UserError(
      `the database nodes of zone ${zone.name} are drained, but still have copies of ${held} to move`,
      `first run make return STACK=${name} ZONE=${zone.name}`,
    );
}

/**
 * The placement that the stack's file needs for the removal: the other zones' copies. It is set if the zone has copies, so that new databases
 * stay away from it, and it stays in the file: without it `n` might become smaller, which the ring's guard refuses.
 */
function placementWithout(platform: Platform, ring: Ring, zone: Zone, before: string, file: string) {
  const { [zone.name]: own, ...others } = ring.placement ?? {};
  if (own === undefined) return undefined;
  const nodesIn = (name: string) => platform.zones.find((each) => each.name === name)?.database.replicas ?? 1;
  const left = ring.zones.filter((name) => name !== zone.name);
  if (Object.keys(others).length === 0)
    return Object.fromEntries(left.map((name) => [name, Math.min(2, nodesIn(name))]));
  // The config's own choice for the remaining zones, if it makes one.
  const chosen = choices(withoutDatacenter(before, zone, platform), file)?.rings[ring.name]?.placement;
  return chosen ?? others;
}

/** The platform that a text describes; undefined if the text is invalid, for example if its placement names the zone. */
function choices(text: string, file: string): Platform | undefined {
  try {
    return platformOfBytes(Buffer.from(text), file);
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** The last steps: the zone's resources are deleted, with the Pulumi stack that holds them if it holds no other zone. */
function deletion(stack: Stack, zone: Zone): RunbookStep[] {
  const { name, pulumi, platform } = stack;
  const own = holderOf(stack, zone);
  const others = platform.zones.filter((each) => each !== zone);
  const isAlone = others.every((other) => holderOf(stack, other) !== own);
  const resources = [
    `namespace ${zone.namespace}: ${zone.adopt ? "the stack's objects in it are deleted" : "deleted with everything in it, including volume claims"}`,
    `the state of stack ${own}: the resources of ${zone.name} lose their protection`,
  ];
  const allow = async () => {
    const count = await unprotect(pulumi, own, (all) =>
      isAlone ? new Set(all.map(({ urn }) => urn)) : withChildren(all, datacentersOf(all, [zone.name])),
    );
    reportToStderr(`removed the protection from ${count} resources of ${zone.name}`);
  };
  return [
    ...(isAlone
      ? [
          {
            title: `Stack ${own} is destroyed, because ${zone.name} is the last zone of region ${zone.region}`,
            touches: resources,
            isDone: () => isEmpty(stack, own),
            run: async () => {
              await allow();
              const code = await destroy({ stack: own, yes: true }, []);
              if (code !== 0) throw new UserError(`pulumi destroy ended with exit code ${code}`, undefined, code);
            },
          },
        ]
      : []),
    {
      title: isAlone ? `Stack ${name} forgets ${zone.name}` : `The resources of ${zone.name} are deleted`,
      touches: [
        `Pulumi.${name}.yaml: datacenter ${zone.region}/${zone.datacenter} is removed`,
        ...(isAlone ? [`stack ${own}, which is empty, is removed`] : resources),
        `Kazoo of ${others.flatMap((other) => (other.ring === zone.ring ? other.name : [])).join(", ")} restarts without its brokers`,
      ],
      isDone: () => Promise.resolve(false),
      run: async () => {
        if (!isAlone) await allow();
        writeFileSync(stackFile(name), withoutDatacenter(readFileSync(stackFile(name), "utf8"), zone, platform));
        if (isAlone) await askPulumi(pulumi, ["stack", "rm", own, "--yes", "--preserve-config"]);
        await upOrAgain(name, `make up STACK=${name}`);
      },
    },
  ];
}

const isEmpty = async ({ pulumi }: Stack, name: string): Promise<boolean> =>
  (await deployedIn({ name, pulumi })).length === 0;

/** Completes a removal that was interrupted after the zone's stack had been destroyed, if it was: no output has the zone since then. */
async function complete({ stack: name, zone: given, dryRun, yes }: RemoveOptions): Promise<boolean> {
  const stack = await openWholeOf(name);
  const zone = stack.platform.zones.find((each) => each.name === given);
  if (stack.platform.stacks === "one" || zone?.drained.includes("database") !== true) return false;
  if (!(await isEmpty(stack, holderOf(stack, zone)))) return false;
  await follow(
    { name: `remove zone ${zone.name} from ring ${zone.ring}`, notes: [], steps: deletion(stack, zone) },
    { dryRun, unasked: yes === true || isThrowAway(stack.platform) },
    reportToStderr,
  );
  return true;
}
