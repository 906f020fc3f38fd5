import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { workloads } from "../../../components/names";
import { type UpgradeStep, brokerPlugins } from "../../../config/compatibility";
import type { Platform, Ring, Zone } from "../../../config/platform";
import { ConfigError } from "../../../config/problem";
import { platformOfBytes } from "../../../config/stackFile";
import { choose } from "../../shared/choose";
import { healthOf, isHealthy } from "../cluster/health";
import { askInside } from "../cluster/insideNode";
import { unlessSimulated } from "../cluster/kubernetes";
import { setsOf } from "../runbook/liveZone";
import { hostsIn, nodesOf, zonesOf } from "../cluster/nodes";
import { type Stack, isThrowAway, stackFile } from "../stack/openStack";
import { type RunbookOptions, type RunbookStep, follow } from "../runbook/runbook";
import { namedImage, withKazoo, withNamedImage, withRing } from "../stackFile/stackEdit";
import {
  enableFlags,
  flagProblem,
  migrateData,
  migrationProblems,
  wantedBrokers,
  wantedDatabase,
  wantedKazoo,
  type Upgraded,
  phases,
  unfinishedUpgrade,
} from "../runbook/upgradePaths";
import { beginWhole, inBrokers, openWhole, refuseDocker, requireNoChanges, upOrAgain } from "../runbook/wholeRing";
import { UserError, reportToStderr } from "../../shared/terminal";

export type { Upgraded };

interface UpgradeOptions extends RunbookOptions {
  readonly ring?: string;
  readonly to: string;
  readonly image?: string;
}

/** How another version gets into a stack's file and its zones. */
interface Change {
  readonly title: string;
  /** Returns the stack's file with the new version. */
  readonly edit: (text: string) => string;
  /** The keys that this changes, for people. */
  readonly keys: string;
  /** What restarts in a zone of a ring, for people. @param ring with the new version */
  readonly restarts: (ring: Ring) => string;
}

/** Upgrades a ring's brokers or database, or the Kazoo of all rings of a stack. */
export async function upgrade(what: Upgraded, options: UpgradeOptions): Promise<void> {
  const stack = await openWhole(options.stack);
  const { platform } = stack;
  const path = stackFile(stack.name);
  const file = basename(path);
  const text = () => readFileSync(path, "utf8");
  const rings = await ringsOf(platform, what, options.ring);
  const names = rings.map(({ name }) => name);
  const zones = platform.zones.filter(({ ring }) => names.includes(ring));
  refuseDocker(platform, names.join(", "), zones, "upgrade");
  refuseDrained(zones, what);
  const change = changes[what](platform, rings, options, text());
  const after = readText(change.edit(text()), file);
  const isEdited = () => isDeepStrictEqual(readText(change.edit(text()), file), readText(text(), file));
  refuseUnfinished(stack, rings, phases[what], isEdited());
  if (options.dryRun !== true) await beginWhole(stack);

  /** Writes the file, with the next step of these rings' upgrade. */
  const write = (changed: string, left: UpgradeStep | undefined, ...of: readonly string[]) =>
    writeFileSync(
      path,
      of.reduce((result, ring) => withRing(result, ring, ["upgrading"], left), changed),
    );
  const isPast = (phase: UpgradeStep, ring: string): boolean => {
    const left = readText(text(), file).rings[ring]?.upgrading;
    return isEdited() && (left === undefined || phases[what].indexOf(left) > phases[what].indexOf(phase));
  };
  const roll = (phase: UpgradeStep, next?: UpgradeStep): RunbookStep => ({
    title: change.title,
    touches: [
      `${file}: ${change.keys}`,
      ...zones.map(({ namespace, ring }) => `namespace ${namespace}: ${change.restarts(after.rings[ring] as Ring)}`),
    ],
    isDone: async () => names.every((ring) => isPast(phase, ring)),
    run: async () => {
      if (!isEdited()) {
        await requireReady(stack, names);
        await requireNoChanges(stack.name, commandOf(stack.name, what, options));
      }
      write(change.edit(text()), phase, ...names);
      await upOrAgain(stack.name, commandOf(stack.name, what, options));
      write(text(), next, ...names);
    },
  });
  const flags = (ring: Ring, series: string, isDone: () => boolean, then: () => void): RunbookStep => ({
    title: `The brokers enable all stable feature flags of RabbitMQ ${series}`,
    touches: zones.map(({ namespace }) => `namespace ${namespace}: rabbitmqctl enable_feature_flag all in each broker`),
    isDone: async () => isDone(),
    run: async () => {
      await inBrokers(stack, ring.name, enableFlags, (printed, where) => requireFlags(printed, where, options.to));
      then();
    },
  });
  const migration = (ring: Ring): RunbookStep => ({
    title: `Kazoo migrates the data of ring ${ring.name}`,
    touches: [
      `namespace ${zones.find(({ ring: of }) => of === ring.name)?.namespace}: sup kapps_maintenance migrate in one Kazoo node, a second or more for each database`,
    ],
    isDone: async () => isPast("migrate", ring.name),
    run: async () => {
      await migrate(stack, ring.name);
      write(text(), undefined, ring.name);
    },
  });
  const steps: Readonly<Record<Upgraded, () => RunbookStep[]>> = {
    kazoo: () => [roll("kazoo", "migrate"), ...rings.map(migration)],
    rabbitmq: () =>
      rings.flatMap((ring) => [
        flags(ring, ring.rabbitmq, isEdited, () => undefined),
        roll("rabbitmq", "flags"),
        flags(
          ring,
          options.to,
          () => isPast("flags", ring.name),
          () => write(text(), undefined, ring.name),
        ),
      ]),
    database: () => [roll("database")],
  };
  await follow(
    {
      name: `upgrade ${what} of ring ${names.join(", ")} to ${options.to}`,
      notes: ["an upgrade cannot be undone"],
      steps: steps[what](),
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(platform) },
    reportToStderr,
  );
}

type Changing = (platform: Platform, rings: readonly Ring[], options: UpgradeOptions, text: string) => Change;

/** @throws UserError if the versions do not allow it, or the image is missing */
const changes: Readonly<Record<Upgraded, Changing>> = {
  kazoo: ({ image, ...platform }, rings, { to, image: given, ...options }) => {
    const version = wantedKazoo(to, rings, image);
    if (image.kind === "build" && given !== undefined)
      throw new UserError("the stack builds its Kazoo image", "omit IMAGE=: the stack builds the version in TO=");
    if (image.kind === "prebuilt" && given === undefined)
      throw new UserError(
        `the stack runs the image ${image.reference}, which it does not build`,
        `name the image of Kazoo ${to}: ${commandOf(options.stack, "kazoo", { to })} IMAGE=registry.example.com/kazoo:${to}`,
      );
    return {
      title: `Kazoo is upgraded to ${to}, the first zone before the others`,
      edit: (text) =>
        rings.reduce(
          (result, { name }) => withRing(result, name, ["kazoo"], version),
          withKazoo(text, { ...platform, image }, given === undefined ? { sources: to } : { reference: given }),
        ),
      keys: `kazoo:image, and kazoo: "${version}" of ring ${rings.map(({ name }) => name).join(", ")}`,
      restarts: ({ name }) => {
        const now = brokerPlugins(platform.rings[name]?.kazoo ?? version);
        const others = isDeepStrictEqual(now, brokerPlugins(version))
          ? ""
          : `${setsOf.rabbitmq.join(", then ")} restart with another plugin; then `;
        return `${others}${workloads.kazoo} restarts with ${given ?? "the image that the stack builds"}, one pod after the other`;
      },
    };
  },
  rabbitmq: (_, [ring], options, text) => {
    const series = wantedBrokers(options.to, ring as Ring);
    const withImage = storeImage("rabbitmq", (ring as Ring).rabbitmq === series, options, text);
    return {
      title: `The brokers are upgraded to RabbitMQ ${series}, alpha before beta`,
      edit: (text) => withRing(withImage(text), (ring as Ring).name, ["rabbitmq"], series),
      keys: `rabbitmq: "${series}" of ring ${ring?.name}`,
      restarts: ({ images }) => `${setsOf.rabbitmq.join(", then ")} restart with ${images.rabbitmq}`,
    };
  },
  database: (_, [ring], options, text) => {
    const { version, engine } = wantedDatabase(options.to, ring as Ring);
    const { database: now } = ring as Ring;
    const withImage = storeImage("database", now.version === version, options, text);
    return {
      title: `The database is upgraded to ${version}, zone by zone`,
      edit: (text) => withRing(withImage(text), (ring as Ring).name, ["database"], version),
      keys: `database: ${version} of ring ${ring?.name}`,
      restarts: ({ images }) =>
        `${setsOf.database.join()} restarts with ${images.database}, one pod after the other${engine === now.engine ? "" : `; then ${workloads.kazoo} restarts with other database ports`}`,
    };
  },
};

/** The edit of the brokers' or database's image, if the stack's file names it. @throws UserError if that image has another version */
function storeImage(
  key: "rabbitmq" | "database",
  isRunning: boolean,
  { image }: UpgradeOptions,
  text: string,
): (text: string) => string {
  const named = namedImage(text, key);
  if (image !== undefined) return (before) => withNamedImage(before, key, image);
  if (named === undefined || isRunning) return (before) => before;
  throw new UserError(
    `kazoo:images.${key} names the image of the running version, ${named}`,
    "set IMAGE= to the image of the new version, or remove that key",
  );
}

/** The rings of an upgrade: one, or, for Kazoo, all rings of the stack, because they share one image. */
async function ringsOf({ rings }: Platform, what: Upgraded, given: string | undefined): Promise<Ring[]> {
  const all = Object.values(rings);
  if (what !== "kazoo") {
    const name = await choose("ring", "RING", Object.keys(rings), given);
    return all.filter((ring) => ring.name === name);
  }
  if (given !== undefined && all.length > 1)
    throw new UserError("all rings of a stack run the same Kazoo image, and are upgraded together", "omit RING=");
  return all;
}

/** Refuses zones in which the workload is drained: it would return with another version. */
function refuseDrained(zones: readonly Zone[], what: Upgraded): void {
  const away = zones.find(({ drained }) => drained.includes(what));
  if (away === undefined) return;
  throw new UserError(`zone ${away.name} is drained`, `first run make return ZONE=${away.name}`);
}

/** Refuses to start before another upgrade of a ring is finished. @param continues whether the stack's file already has the wanted version */
function refuseUnfinished(
  { name: stack }: Stack,
  rings: readonly Ring[],
  own: readonly UpgradeStep[],
  continues: boolean,
): void {
  for (const ring of rings) {
    const left = unfinishedUpgrade(ring);
    if (left === undefined || (continues && own.includes(left.step))) continue;
    throw new UserError(
      `an upgrade of ring ${ring.name} is not finished: upgrading is ${left.step}`,
      `finish it: ${commandOf(stack, left.what, { ring: ring.name, to: left.to })}`,
    );
  }
}

/** Refuses to start while something in the rings is not ready: an upgrade would also stop what replaces it. */
async function requireReady(stack: Stack, rings: readonly string[]): Promise<void> {
  const zones = (await zonesOf(stack)).filter(({ zone }) => rings.includes(zone.ring));
  const sick = (await healthOf(zones)).filter((zone) => !isHealthy(zone));
  if (sick.length === 0) return;
  throw new UserError(
    `not everything in ${sick.map(({ zone }) => zone).join(", ")} is ready`,
    `make status STACK=${stack.name} shows what is wrong; upgrade when all is ready`,
  );
}

function requireFlags(printed: string, where: string, to: string): void {
  const problem = flagProblem(printed, to);
  if (problem === undefined) return;
  throw new UserError(
    `${where}: ${problem}`,
    "rabbitmqctl list_feature_flags shows them, and the broker's log shows why one cannot be enabled; run the same command again to continue",
  );
}

/** Migrates a ring's data, and shows Kazoo's output. */
async function migrate(stack: Stack, ring: string): Promise<void> {
  const selected = (await zonesOf(stack)).find(({ zone }) => zone.ring === ring);
  const [node] = selected === undefined ? [] : nodesOf(hostsIn(selected.zone), selected.cluster);
  if (node?.workload !== workloads.kazoo || node.place.kind !== "pod")
    throw new UserError(`ring ${ring} has no Kazoo node`, `make status STACK=${stack.name}`);
  const { place } = node;
  const heard = (chunk: Buffer) => void process.stderr.write(chunk);
  const said = await unlessSimulated(() => askInside(place, migrateData, { heard }));
  const [first, ...others] = said === undefined ? [] : migrationProblems(said);
  if (first === undefined) return;
  throw new UserError(
    `${first}${others.length === 0 ? "" : `, and ${others.length} more above`}`,
    `run the same command to migrate again; if the result is acceptable, remove upgrading of ring ${ring} from the stack's file`,
  );
}

const commandOf = (stack: string, what: Upgraded, { ring, to, image }: Omit<UpgradeOptions, "stack">): string =>
  [
    `make upgrade STACK=${stack}`,
    ...(ring === undefined || what === "kazoo" ? [] : [`RING=${ring}`]),
    `WHAT=${what} TO=${to}`,
    ...(image === undefined ? [] : [`IMAGE=${image}`]),
  ].join(" ");

/** @throws UserError if the text is not a valid config */
function readText(text: string, file: string): Platform {
  try {
    return platformOfBytes(Buffer.from(text), file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new UserError(`with this version, ${file} would be invalid: ${error.message}`, "nothing was changed");
  }
}
