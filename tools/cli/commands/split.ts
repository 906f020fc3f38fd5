import { readFileSync, writeFileSync } from "node:fs";
import { type Platform } from "../../../config/platform";
import { regionStack, regionsOf } from "../../../config/stackPart";
import { UserError, reportToStderr } from "../../shared/terminal";
import * as fleet from "../run/fleet";
import { ensureStack, readClusterIds, recover, writeClusterIds } from "../pulumi/localState";
import { deployedIn, noneIfUnknown } from "../stack/deployed";
import { type Stack, isThrowAway, readPlatform, stackFile } from "../stack/openStack";
import { askPulumi, readOutputs } from "../pulumi/pulumi";
import { type RunbookOptions, type RunbookStep, follow } from "../runbook/runbook";
import { withStacks } from "../stackFile/stackEdit";
import { datacentersOf, moveState } from "../stack/stateMove";
import { openWhole, requireNoChanges, requireStacks } from "../runbook/wholeRing";

/** Moves the datacenters of a live stack to a stack per region. Clusters are not touched. */
export async function split(options: RunbookOptions): Promise<void> {
  const stack = await openWhole(options.stack);
  const { name, platform } = stack;
  const again = `make split STACK=${name}`;
  await followOn(options, stack, `give each region of stack ${name} a stack of its own`, [
    {
      title: `Pulumi.${name}.yaml describes a stack per region`,
      touches: ["kazoo:stacks: region, after a preview has shown no changes"],
      isDone: () => Promise.resolve(readPlatform(name).stacks === "region"),
      run: async () => {
        await requireStacks(stack, platform);
        await requireNoChanges(name, again);
        edit(name, "region");
      },
    },
    ...regionsOf(platform).map((region): RunbookStep => {
      const own = regionStack(name, region);
      return {
        title: `Region ${region} moves to stack ${own}`,
        touches: [`datacenters ${zoneNames(platform, region).join(", ")}: only in the state of stack ${name}`],
        isDone: async () => (await datacenters(stack, name, platform, region)).length === 0,
        run: async () => {
          if (stack.state !== undefined) await ensureStack(stack.pulumi, stack.state, own);
          await move(stack, name, own, await datacenters(stack, name, platform, region));
        },
      };
    }),
    recordStep(stack, true),
  ]);
}

/** Moves the datacenters of all regions' stacks back to one stack. Clusters are not touched. */
export async function join(options: RunbookOptions): Promise<void> {
  const stack = await openWhole(options.stack);
  const { name, platform } = stack;
  const regions = regionsOf(platform);
  const left = async (region: string) =>
    (await deployedIn({ name: regionStack(name, region), pulumi: stack.pulumi }).catch(noneIfUnknown)).length > 0;
  await followOn(options, stack, `merge the stacks of all regions into stack ${name}`, [
    ...regions.map((region): RunbookStep => {
      const own = regionStack(name, region);
      return {
        title: `Region ${region} moves to stack ${name}`,
        touches: [
          `datacenters ${zoneNames(platform, region).join(", ")}: only in the state of stack ${own}`,
          `stack ${own} is empty afterwards, and is removed`,
        ],
        isDone: async () => !(await left(region)),
        run: async () => {
          // Once a region has moved, a preview shows changes until all have.
          if ((await Promise.all(regions.map(left))).every(Boolean) && !(await holds(stack)))
            await requireNoChanges(name, `make join STACK=${name}`);
          await move(stack, own, name, await datacenters(stack, own, platform, region));
          await askPulumi(stack.pulumi, ["stack", "rm", own, "--yes", "--force", "--preserve-config"]);
        },
      };
    }),
    {
      title: `Pulumi.${name}.yaml describes one stack`,
      touches: ["kazoo:stacks is removed"],
      isDone: () => Promise.resolve(readPlatform(name).stacks === "one"),
      run: () => Promise.resolve(edit(name, undefined)),
    },
    recordStep(stack, false),
  ]);
}

async function followOn(
  { dryRun, yes }: RunbookOptions,
  stack: Stack,
  name: string,
  steps: readonly RunbookStep[],
): Promise<void> {
  if (stack.state !== undefined && dryRun !== true) await recover(stack, stack.state, reportToStderr);
  const notes = [`no cluster is touched; make backup STACK=${stack.name} saves the state first`];
  await follow(
    { name, notes, steps },
    { dryRun, unasked: yes === true || isThrowAway(stack.platform) },
    reportToStderr,
  );
}

/** The last step: an update that changes no object, only the stacks' outputs and lists of providers. */
const recordStep = ({ name, pulumi }: Stack, perRegion: boolean): RunbookStep => ({
  title: "An update records the outputs of each stack",
  touches: ["outputs and providers in the states; an object changes only if someone has changed it in the meantime"],
  isDone: async () => "credentials" in (await readOutputs<object>(pulumi, name)) === perRegion,
  run: async () => {
    const code = await fleet.up({ stack: name, yes: true }, ["--skip-preview", "--suppress-outputs"]);
    if (code !== 0) throw new UserError(`it ended with exit code ${code}`, `make up STACK=${name} continues`, code);
  },
});

const zoneNames = ({ zones }: Platform, region: string): string[] =>
  zones.filter((zone) => zone.region === region).map(({ name }) => name);

/** URNs of a region's datacenters in a stack's state. */
async function datacenters({ pulumi }: Stack, name: string, platform: Platform, region?: string): Promise<string[]> {
  const zones = region === undefined ? platform.zones.map((zone) => zone.name) : zoneNames(platform, region);
  return datacentersOf(await deployedIn({ name, pulumi }), zones);
}

const holds = async (stack: Stack): Promise<boolean> =>
  (await datacenters(stack, stack.name, stack.platform)).length > 0;

async function move({ pulumi, state }: Stack, from: string, to: string, urns: readonly string[]): Promise<void> {
  if (state !== undefined)
    for (const name of [from, to]) await recover({ name, pulumi, selection: ["--stack", name] }, state, reportToStderr);
  await moveState(pulumi, from, to, urns);
  // Otherwise the next command would consider the sandbox's clusters new.
  if (state !== undefined) writeClusterIds(state, to, { ...readClusterIds(state, to), ...readClusterIds(state, from) });
}

function edit(name: string, stacks: "region" | undefined): void {
  const path = stackFile(name);
  writeFileSync(path, withStacks(readFileSync(path, "utf8"), stacks));
}
