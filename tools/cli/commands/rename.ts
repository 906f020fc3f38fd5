import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Platform } from "../../../config/platform";
import { partOf, regionStack, regionsOf } from "../../../config/stackPart";
import { UserError, reportToStderr } from "../../shared/terminal";
import { recover, renameStack } from "../pulumi/localState";
import { type Stack, backendOf, isThrowAway, projectDirectory, readPlatform, stackFile } from "../stack/openStack";
import { askPulumi } from "../pulumi/pulumi";
import { type RunbookOptions, type RunbookStep, follow } from "../runbook/runbook";
import { withStackLabel } from "../stackFile/stackEdit";
import { requireNoChanges } from "../runbook/wholeRing";

interface RenameOptions extends RunbookOptions {
  readonly to: string;
}

type Backend = Pick<Stack, "state" | "pulumi">;

/** Renames a live stack. Clusters are not touched: the labels of its objects keep the first name. */
export async function rename({ stack: from, to, dryRun, yes }: RenameOptions): Promise<void> {
  const platform = readPlatform(from);
  const file = stackFile(from);
  const renamed = join(projectDirectory, `Pulumi.${to}.yaml`);
  const again = `make rename STACK=${from} TO=${to}`;
  refuse(platform, from, to, renamed);
  const backend = await backendOf(from, platform, reportToStderr);
  const stacks = stacksOf(platform, from, to);
  const there = await stacksIn(backend);
  const both = stacks.find((pair) => pair.every((name) => there.includes(name)));
  if (both !== undefined)
    throw new UserError(
      `the backend already has a stack ${both[1]}`,
      `choose another name; if it is empty: eval "$(npx kazoo env -s ${from})" && pulumi stack rm ${both[1]}`,
    );
  if (stacks.some((pair) => pair.every((name) => !there.includes(name))))
    throw new UserError(
      `stack ${from} was never deployed: the backend does not have it`,
      `rename its file: mv ${basename(file)} ${basename(renamed)}`,
    );

  const steps: RunbookStep[] = [
    {
      title: "The labels keep their name",
      touches: [
        `${basename(file)}: kazoo:stackLabel: ${platform.stackLabel ?? from}, after a preview has shown no changes`,
      ],
      isDone: async () => (await stacksIn(backend)).some((name) => stacks.some(([, after]) => after === name)),
      run: async () => {
        await requireNoChanges(from, again);
        if (platform.stackLabel === undefined) writeFileSync(file, withStackLabel(readFileSync(file, "utf8"), from));
      },
    },
    ...stacks.map(([before, after]): RunbookStep => ({
      title: `Stack ${before} becomes ${after}`,
      touches: ["the stack's name in the backend, and in the URNs of its state"],
      isDone: async () => (await stacksIn(backend)).includes(after),
      run: () => renameIn(backend, before, after),
    })),
    {
      title: `${basename(file)} becomes ${basename(renamed)}`,
      touches: [basename(renamed), "a preview, which must show no change"],
      isDone: () => Promise.resolve(false),
      run: async () => {
        // In the user's own backend, Pulumi has renamed it.
        if (existsSync(file)) renameSync(file, renamed);
        await requireNoChanges(to, `make preview STACK=${to}`);
      },
    },
  ];
  await follow(
    {
      name: `rename stack ${from} to ${to}`,
      notes: [
        `no cluster is touched; make backup STACK=${from} saves the state first`,
        `do not use the name ${platform.stackLabel ?? from} for another stack in the same clusters, because the labels keep it`,
      ],
      steps,
    },
    { dryRun, unasked: yes === true || isThrowAway(platform) },
    reportToStderr,
  );
}

/** The Pulumi stacks with their new names; the one with the file's name comes last. */
export function stacksOf(platform: Platform, from: string, to: string): (readonly [before: string, after: string])[] {
  const regions = platform.stacks === "region" ? regionsOf(platform) : [];
  return [...regions.map((region) => [regionStack(from, region), regionStack(to, region)] as const), [from, to]];
}

function refuse(platform: Platform, from: string, to: string, renamed: string): void {
  const { whole } = partOf(platform, from);
  if (whole !== from)
    throw new UserError(`stack ${from} is a region of stack ${whole}`, `rename that stack: STACK=${whole}`);
  if (!/^[A-Za-z0-9][-\w.]{0,99}$/.test(to) || partOf(platform, to).whole !== to)
    throw new UserError(
      `${JSON.stringify(to)} is not a valid name for this stack`,
      "use letters, digits, dashes, dots and underscores, without the suffix of a region's stack, e.g. TO=prod",
    );
  if (existsSync(renamed)) throw new UserError(`${basename(renamed)} already exists`, "choose another name: TO=");
}

/** Names of the project's stacks in a backend. */
async function stacksIn({ pulumi }: Backend): Promise<string[]> {
  const stacks = JSON.parse(await askPulumi(pulumi, ["stack", "ls", "--json"])) as { name: string }[];
  return stacks.map(({ name }) => basename(name));
}

async function renameIn({ state, pulumi }: Backend, before: string, after: string): Promise<void> {
  if (state === undefined) {
    await askPulumi(pulumi, ["stack", "rename", after, "--stack", before]);
    return;
  }
  await recover({ name: before, pulumi, selection: ["--stack", before] }, state, reportToStderr);
  await renameStack(pulumi, state, before, after);
}
