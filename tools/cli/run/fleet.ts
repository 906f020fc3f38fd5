import { cpus } from "node:os";
import type { Platform } from "../../../config/platform";
import { regionStack } from "../../../config/stackPart";
import { datacenterTypes, kazooParts } from "../../../components/names";
import { parseUrn } from "../../report/digest";
import { interruptible } from "../../shared/interrupt";
import { runBeside } from "../../shared/beside";
import { Board } from "../../shared/board";
import { sideBySide } from "../../shared/turns";
import { UserError, colours, printError, reportToStderr } from "../../shared/terminal";
import { choose, confirmed } from "../../shared/choose";
import * as one from "./oneStack";
import { deployedIn, noneIfUnknown } from "../stack/deployed";
import {
  type Stack,
  isThrowAway,
  openRegions,
  openStack,
  readPlatform,
  regionsIn,
  sandboxClusters,
  startClusters,
} from "../stack/openStack";
import { type Outcome, type RegionPlan, atOnce, inOrder, limitOf, planUp } from "../stack/regionPlan";
import { type ZoneView, readZones, summary } from "../stack/zones";

export interface FleetOptions extends one.StackOptions {
  /** One region of a stack whose regions have stacks of their own. */
  readonly region?: string;
  /** How many regions run at a time. */
  readonly jobs?: string;
  /** Whether to leave out the stacks of its regions, if they have some. */
  readonly alone?: boolean;
}

/** A stack whose regions have stacks of their own. */
interface Fleet {
  readonly name: string;
  readonly regions: readonly string[];
  readonly platform: Platform;
  readonly jobs: number;
}

/** The name of the Pulumi stack that `--region` chooses, or of the stack itself. @throws UserError if the region does not exist */
export async function stackOf({ stack, region }: FleetOptions): Promise<string> {
  if (region === undefined) return stack;
  const regions = regionsIn(stack);
  if (regions === undefined)
    throw new UserError(
      `the regions of stack ${stack} have no stacks of their own`,
      `omit REGION=; kazoo:stacks: region in Pulumi.${stack}.yaml gives each region a stack of its own: docs/regions.md`,
    );
  return regionStack(stack, await choose("region", "REGION", regions, region));
}

/** All stacks of a stack's regions; undefined if the command is for one Pulumi stack. */
function fleetOf({ stack, region, jobs }: FleetOptions): Fleet | undefined {
  if (region !== undefined) return undefined;
  const platform = readPlatform(stack);
  const regions = regionsIn(stack, platform);
  return regions && { name: stack, regions, platform, jobs: jobsOf(jobs) };
}

/** How many regions run at a time: as given, else as many as there are cores. */
export function jobsOf(given: string | undefined): number {
  if (given === undefined) return Math.max(1, cpus().length);
  if (/^[1-9]\d{0,2}$/.test(given)) return Number(given);
  throw new UserError(`${JSON.stringify(given)} is not a number of regions`, "JOBS=4 runs four at a time");
}

/** `up` of one stack, or of all of its regions' stacks: the shared one first. */
export async function up(options: FleetOptions, args: readonly string[]): Promise<number> {
  const fleet = fleetOf(options);
  if (fleet === undefined) return one.up({ ...options, stack: await stackOf(options) }, args);
  const shared = await open(fleet);
  if (options.alone === true) return one.up(options, args);
  const asks = !isThrowAway(fleet.platform) && options.yes !== true;
  if (asks) {
    const code = await one.preview(options, args);
    if (code !== 0) return code;
    finish(fleet, "preview", await previewAll(fleet, args));
  }
  if (!(await confirmed(`deploy stack ${fleet.name} and its ${fleet.regions.length} regions?`, !asks))) return 0;
  await one.up({ ...options, yes: true }, args);
  const upOf = (stack: string) => one.up({ ...options, stack, yes: true }, args);
  finish(fleet, "up", await runAll(fleet, await planOf(fleet, shared), upOf));
  const stacks = await openRegions(fleet.name, reportToStderr);
  const zones = Object.assign({}, ...(await sideBySide(fleet.jobs, stacks, readZones))) as Record<string, ZoneView>;
  process.stdout.write(`\n${summary(fleet.name, zones, one.clusterHints({ ...shared, platform: fleet.platform }))}`);
  return 0;
}

/** `preview` of one stack, or of all. */
export async function preview(options: FleetOptions, args: readonly string[]): Promise<number> {
  const fleet = fleetOf(options);
  if (fleet === undefined) return one.preview({ ...options, stack: await stackOf(options) }, args);
  await open(fleet);
  const code = await one.preview(options, args);
  finish(fleet, "preview", await previewAll(fleet, args));
  return code;
}

const previewAll = (fleet: Fleet, args: readonly string[]) =>
  runAll(fleet, atOnce(fleet.regions), (stack) => one.preview({ stack }, args));

/** `destroy` of one stack, or of all: the shared one last, once all regions are destroyed. */
export async function destroy(options: FleetOptions, args: readonly string[]): Promise<number> {
  const fleet = fleetOf(options);
  if (fleet !== undefined && !(await destroyRegions(fleet, options, args))) return 0;
  const stack = fleet === undefined ? { stack: await stackOf(options) } : { yes: true };
  const code = await one.destroy({ ...options, ...stack }, args);
  if (code === 0 && sandboxClusters(readPlatform(options.stack)).length > 0)
    reportToStderr(`${colours.cyan("next:")} the sandbox still runs; make sandbox-down stops it`);
  return code;
}

/** Returns whether the user agreed. */
async function destroyRegions(fleet: Fleet, { yes }: FleetOptions, args: readonly string[]): Promise<boolean> {
  await open(fleet);
  const question = `destroy stack ${fleet.name} and its regions ${fleet.regions.join(", ")}?`;
  if (!(await confirmed(question, yes === true || isThrowAway(fleet.platform)))) return false;
  const destroyOf = (stack: string) => one.destroy({ stack, yes: true }, args);
  finish(fleet, "destroy", await runAll(fleet, atOnce(fleet.regions), destroyOf));
  return true;
}

/**
 * Provides the toolchain and starts the sandbox clusters, once for all; returns the shared stack.
 * @throws UserError if the shared stack still holds datacenters, from when it was a single stack: an update would delete them
 */
async function open({ name, platform }: Fleet): Promise<Stack> {
  const shared = await openStack(name, reportToStderr, { shared: true });
  // A stack that the backend does not have holds nothing; its `up` reports that it is missing.
  const resources = await deployedIn(shared).catch(noneIfUnknown);
  const whole = resources.find(
    ({ type }) => type === "kubernetes:core/v1:Namespace" || type === datacenterTypes.docker,
  );
  if (whole !== undefined)
    throw new UserError(
      `stack ${name} itself holds datacenters, such as ${parseUrn(whole.urn).name}: an update would delete them`,
      `make split STACK=${name} moves them to the stacks of their regions; make join STACK=${name} keeps one stack`,
    );
  await startClusters({ ...shared, platform }, reportToStderr);
  return shared;
}

/** The regions' stacks in the order of an `up`, and how many of them may run at a time where each runs alone; none if there are none. */
export async function orderOfUp(stack: string): Promise<{ regions: string[]; atOnce: number }> {
  const fleet = fleetOf({ stack });
  if (fleet === undefined) return { regions: [], atOnce: 1 };
  const plans = await planOf(fleet, await openStack(stack, reportToStderr, { shared: true }));
  return { regions: plans.map(({ region }) => regionStack(stack, region)), atOnce: limitOf(plans) };
}

/** The order of an `up`, derived from the states of the regions. */
async function planOf({ name, platform, regions, jobs }: Fleet, { pulumi }: Stack): Promise<RegionPlan[]> {
  const states = new Map(
    await sideBySide(jobs, regions, async (region) => {
      // A stack that the backend does not have is not deployed; its `up` reports that it is missing.
      const resources = await deployedIn({ name: regionStack(name, region), pulumi }).catch(noneIfUnknown);
      return [region, resources.map(({ urn }) => parseUrn(urn).name)] as const;
    }),
  );
  const kazoos = new Set([...states.values()].flat());
  return planUp(
    platform,
    (region) => (states.get(region)?.length ?? 0) > 0,
    (zone) => kazoos.has(`${zone}-kazoo-${kazooParts.nodes}`),
  );
}

/**
 * Runs a command on the stacks of regions; a failing region does not stop those that do not need it. Each line of output starts with the region. On
 * a terminal, a line for each region shows what it does, and its output follows at its end.
 */
const runAll = (fleet: Fleet, plans: readonly RegionPlan[], command: (stack: string) => Promise<number>) =>
  interruptible(async (signal) => {
    const terminals = [process.stdout, process.stderr].filter(({ isTTY }) => isTTY);
    const board = process.stdout.isTTY ? new Board(plans.length, process.stdout, terminals.slice(1)) : undefined;
    const run = async (name: string, stop: AbortSignal) => {
      board?.begin(name);
      const show = board === undefined ? {} : { show: (line: string) => board.show(name, line) };
      const work = () => problemOf(() => command(regionStack(fleet.name, name)));
      return runBeside({ name, stop, ...show }, work).finally(() => board?.end(name));
    };
    const outcomes = await inOrder(plans, fleet.jobs, run, signal).finally(() => board?.close());
    if (signal.aborted) {
      process.stderr.write(outcomeLines(outcomes));
      throw signal.reason;
    }
    return outcomes;
  });

/** Runs a command; returns its error, if it fails. */
async function problemOf(command: () => Promise<number>): Promise<string | undefined> {
  try {
    const code = await command();
    return code === 0 ? undefined : `it ended with exit code ${code}`;
  } catch (error) {
    printError(error);
    const { message, next } = error as UserError;
    return next === undefined ? message : `${message}\nnext: ${next}`;
  }
}

/** The summary of a run, one region after the other. */
export const outcomeLines = (outcomes: readonly Outcome[]): string =>
  outcomes
    .map((outcome) => {
      const { region } = outcome;
      if (outcome.kind === "done") return `${colours.green("done")}     ${region}\n`;
      if (outcome.kind === "failed")
        return `${colours.red("failed")}   ${region}: ${outcome.problem.replaceAll("\n", "\n           ")}\n`;
      const reason = outcome.for.length === 0 ? "interrupted" : `it waits for ${outcome.for.join(", ")}`;
      return `${colours.yellow("not run")}  ${region}: ${reason}\n`;
    })
    .join("");

/** Prints the summary. @throws UserError unless all regions succeeded */
function finish({ name }: Fleet, command: string, outcomes: readonly Outcome[]): void {
  process.stdout.write(`\n${outcomeLines(outcomes)}`);
  const bad = outcomes.filter(({ kind }) => kind !== "done").map(({ region }) => region);
  if (bad.length === 0) return;
  throw new UserError(
    `${command} did not succeed for ${bad.length} of ${outcomes.length} regions: ${bad.join(", ")}`,
    `make ${command} STACK=${name} continues with them`,
  );
}
