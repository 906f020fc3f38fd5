import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Platform, Ring } from "../../../config/platform";
import { choose } from "../../shared/choose";
import { judged } from "../stackFile/judged";
import { tryFile } from "../stackFile/tryFile";
import { movesShards, givenCopies } from "../runbook/liveRing";
import { zonesOf } from "../cluster/nodes";
import { type Stack, isThrowAway, stackFile } from "../stack/openStack";
import { type RunbookOptions, type RunbookStep, follow } from "../runbook/runbook";
import { type NewDatacenter, withDatacenter, withPlacement } from "../stackFile/stackEdit";
import { beginWhole, openWhole, refuseDocker, requireNoChanges, requireStacks, upOrAgain } from "../runbook/wholeRing";
import { UserError, reportToStderr } from "../../shared/terminal";
import { rebalance } from "./rebalance";
import { previewReport } from "./report";
import { requireHealthy } from "../cluster/health";

interface AddOptions extends RunbookOptions {
  readonly region: string;
  readonly datacenter: string;
  readonly ring?: string;
  readonly cluster?: string;
  readonly context?: string;
  readonly copies?: string;
}

/** Adds a datacenter to a ring: it is deployed, its database nodes join, and existing shards get copies there. */
export async function add(options: AddOptions): Promise<void> {
  const stack = await openWhole(options.stack);
  const { platform } = stack;
  const name = await choose("ring", "RING", Object.keys(platform.rings), options.ring);
  const ring = platform.rings[name] as Ring;
  refuseDocker(
    platform,
    name,
    platform.zones.filter((zone) => zone.ring === name),
    "add",
  );
  const wanted = await datacenterOf(platform, name, options);
  const { region, datacenter, cluster, context } = wanted;
  const path = stackFile(stack.name);
  const file = basename(path);
  const isThere = findIn(platform, wanted) !== undefined;
  const text = isThere ? readFileSync(path, "utf8") : newText(readFileSync(path, "utf8"), wanted, options, file);
  const after = judged(text, file, "with the datacenter");
  const zone = findIn(after, wanted);
  const { placement } = after.rings[name] as Ring;
  if (zone?.ring !== name)
    throw new UserError(
      `datacenter ${region}/${datacenter} is in ring ${zone?.ring} already`,
      "choose another name: DATACENTER=",
    );

  const again = `make add STACK=${stack.name} REGION=${region} DATACENTER=${datacenter} RING=${name}`;
  const steps: RunbookStep[] = [
    {
      title: `${file} gets datacenter ${region}/${datacenter}`,
      touches: [
        `ring ${name}, cluster ${cluster}${context === undefined ? "" : ` with context ${context}`}, namespace ${zone.namespace}`,
        "only if a preview with it replaces and deletes nothing that is protected or holds data",
      ],
      isDone: () => Promise.resolve(isThere),
      run: () => write(stack, path, text, after, again),
    },
    {
      title: `${zone.name} is deployed, and its database nodes join the ring`,
      touches: [
        `namespace ${zone.namespace} of cluster ${cluster}: all that a datacenter has`,
        `${ring.zones.filter((other) => other !== zone.name).join(", ")}: Kazoo restarts with the new zone's brokers`,
        ...(JSON.stringify(placement) === JSON.stringify(ring.placement) && !isThere
          ? []
          : ["the database's nodes restart, zone by zone, with the copies of new databases"]),
      ],
      isDone: () => Promise.resolve(false),
      run: () => upOrAgain(stack.name, again),
    },
    ...(movesShards(ring.database)
      ? [
          {
            title: "Existing databases get copies where the stack's file wants them",
            touches: [`as make rebalance STACK=${stack.name} RING=${name} does`],
            isDone: () => Promise.resolve(false),
            run: () => rebalance({ stack: stack.name, ring: name, yes: true }),
          },
        ]
      : []),
  ];
  if (options.dryRun !== true) {
    await beginWhole(stack);
    if (!isThere)
      await requireHealthy(
        stack,
        (await zonesOf(stack)).filter((each) => each.zone.ring === name),
      );
  }
  await follow(
    {
      name: `add zone ${zone.name} to ring ${name}`,
      notes: [
        placement === undefined
          ? "new databases get copies on nodes of all zones"
          : `copies of new databases: ${Object.entries(placement)
              .map(([where, copies]) => `${copies} in ${where}`)
              .join(", ")}`,
        ...(placement === undefined || zone.name in placement
          ? []
          : [`none in ${zone.name}, since the stack's file has a placement: give it some with COPIES=`]),
        ...(movesShards(ring.database)
          ? []
          : [`existing databases of ${ring.database.version} keep their copies; docs/runbooks.md#move-shards by hand`]),
        "until its database nodes have joined, Kazoo cannot create databases",
      ],
      steps,
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(platform) },
    reportToStderr,
  );
}

/** The stack's file with the datacenter, and with copies there in the ring's placement if the operator wants any. */
function newText(before: string, wanted: NewDatacenter, { copies }: AddOptions, file: string): string {
  const text = withDatacenter(before, wanted);
  if (copies === undefined) return text;
  const platform = judged(text, file, "with the datacenter");
  const [zone, placement] = [findIn(platform, wanted)?.name ?? "", platform.rings[wanted.ring]?.placement];
  if (placement === undefined)
    throw new UserError(`ring ${wanted.ring} has no placement: its copies are spread over all zones`, "omit COPIES=");
  return withPlacement(text, wanted.ring, { ...placement, [zone]: givenCopies(copies).copies ?? 1 });
}

const findIn = ({ zones }: Platform, { region, datacenter }: Pick<NewDatacenter, "region" | "datacenter">) =>
  zones.find((zone) => zone.region === region && zone.datacenter === datacenter);

/** What the file gets. A new cluster needs a context; by default the datacenter is in its region's cluster, or in the only one. */
async function datacenterOf(
  { zones, clusters }: Platform,
  ring: string,
  { region, datacenter, cluster, context }: AddOptions,
): Promise<NewDatacenter> {
  const wanted = { region, datacenter, ring, context };
  if (context === undefined) {
    const inRegion = [...new Set(zones.filter((zone) => zone.region === region).map((zone) => zone.cluster))];
    const known = inRegion.length === 1 ? inRegion : Object.keys(clusters);
    return {
      ...wanted,
      cluster: await choose("cluster", "CLUSTER", cluster === undefined ? known : Object.keys(clusters), cluster),
    };
  }
  if (cluster === undefined) throw new UserError("the new cluster has no name", "give it one: CLUSTER=west");
  const found = clusters[cluster];
  if (found !== undefined && (found.kind === "docker" || found.context !== context))
    throw new UserError(
      `the stack has a cluster ${cluster} already, with another context`,
      "omit CONTEXT= to use it, or give the new cluster another name",
    );
  return { ...wanted, cluster };
}

/** Writes the stack's file, and restores it if the preview fails or shows that the new one would do harm. */
async function write(stack: Stack, path: string, text: string, after: Platform, again: string): Promise<void> {
  if (after.stacks === "region") await requireStacks(stack, after);
  await requireNoChanges(stack.name, again);
  await tryFile(path, text, async (keep) => {
    const code = await previewReport({ stack: stack.name });
    if (code === 2) return keep();
    throw new UserError(
      code === 3
        ? "the update would replace or delete what is protected or holds data"
        : "the preview with the datacenter fails",
      `see the report above; ${basename(path)} is restored, and nothing has changed`,
      1,
    );
  });
}
