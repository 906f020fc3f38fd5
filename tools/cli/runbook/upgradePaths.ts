import {
  type DatabaseKind,
  type KazooVersion,
  type RabbitmqVersion,
  type UpgradeStep,
  databaseFormat,
  databaseKind,
  incompatibilities,
  kazooVersions,
  rabbitmqVersions,
  upgradesTo,
  versionOfSources,
} from "../../../config/compatibility";
import type { Platform, Ring } from "../../../config/platform";
import { UserError } from "../../shared/terminal";

/** The versions that a ring can be upgraded to. The current one is accepted, because an interrupted upgrade has already set it in the stack's file. */

/** What can be upgraded. */
export type Upgraded = "kazoo" | "rabbitmq" | "database";

/** The steps after the first edit of the stack's file, in order. */
export const phases: Readonly<Record<Upgraded, readonly UpgradeStep[]>> = {
  kazoo: ["kazoo", "migrate"],
  rabbitmq: ["rabbitmq", "flags"],
  database: ["database"],
};

/** A ring's upgrade that has begun and is not finished, with its next step. */
export function unfinishedUpgrade({ upgrading, kazoo, rabbitmq, database }: Ring) {
  const what = (Object.keys(phases) as Upgraded[]).find((each) => phases[each].some((step) => step === upgrading));
  if (upgrading === undefined || what === undefined) return undefined;
  return { what, step: upgrading, to: { kazoo, rabbitmq, database: database.version }[what] };
}

const noWayBack = "keep the running version, or restore a backup of the data into a new ring";

/** The RabbitMQ series to upgrade a ring's brokers to. @throws UserError if that is not possible, with the reason */
export function wantedBrokers(given: string, ring: Ring): RabbitmqVersion {
  const to = rabbitmqVersions.find((series) => series === given);
  if (to === undefined)
    throw new UserError(
      `${JSON.stringify(given)} is not a RabbitMQ series that this program supports`,
      `set TO= to one of ${rabbitmqVersions.join(", ")}`,
    );
  const from = ring.rabbitmq;
  if (rabbitmqVersions.indexOf(to) < rabbitmqVersions.indexOf(from))
    throw new UserError(
      `the brokers of ring ${ring.name} run RabbitMQ ${from}, and cannot be downgraded to ${to}`,
      noWayBack,
    );
  const route = from === to ? [] : brokerRoute(from, to);
  if (route === undefined || route.length > 1)
    throw new UserError(
      `RabbitMQ ${from} cannot be upgraded to ${to} in one step`,
      route === undefined ? undefined : `upgrade in steps: ${route.map((series) => `TO=${series}`).join(", ")}`,
    );
  requireCompatible(ring, `RabbitMQ ${to}`, { rabbitmq: to });
  return to;
}

/** The series on the shortest upgrade path that RabbitMQ supports, including the last one; undefined if there is none. */
function brokerRoute(from: string, to: string): string[] | undefined {
  if (from === to) return [];
  for (const before of upgradesTo(to)) {
    const route = brokerRoute(from, before);
    if (route !== undefined) return [...route, to];
  }
  return undefined;
}

/** The database to upgrade a ring to. @param given `couchdb-3.3.3` or `3.3.3` @throws UserError if that is not possible, with the reason */
export function wantedDatabase(given: string, ring: Ring): DatabaseKind {
  const from = ring.database;
  const to = databaseKind(/^\d/.test(given) ? `couchdb-${given}` : given);
  if (to === undefined)
    throw new UserError(
      `${JSON.stringify(given)} is not a database version`,
      "set TO= to a version such as couchdb-3.3.3",
    );
  if ((from.engine === "bigcouch") !== (to.engine === "bigcouch"))
    throw new UserError(
      `${to.version} cannot read the files of ${from.version}`,
      "create another ring, and replicate each database into it",
    );
  const format = databaseFormat(to);
  const isOlder =
    ![format.state, ...format.from].includes(databaseFormat(from).state) || compare(to.version, from.version) < 0;
  if (isOlder)
    throw new UserError(`ring ${ring.name} runs ${from.version}, and cannot be downgraded to ${to.version}`, noWayBack);
  requireCompatible(ring, to.version, { database: to });
  return to;
}

/**
 * The version of Kazoo to upgrade all rings of a stack to.
 * @param given a series, branch or tag: `4.3`, `4.3.12`, `master`
 * @throws UserError if that is not possible, with the reason
 */
export function wantedKazoo(given: string, rings: readonly Ring[], image: Platform["image"]): KazooVersion {
  const to = versionOfSources(given);
  if (to === undefined)
    throw new UserError(
      `${JSON.stringify(given)} is not a Kazoo version that this program supports`,
      `set TO= to one of ${kazooVersions.join(", ")}, or to a tag such as 4.3.12`,
    );
  const [now, wanted] = [releaseOf(runs(image)), releaseOf(given)];
  for (const ring of rings) {
    const steps = kazooVersions.indexOf(to) - kazooVersions.indexOf(ring.kazoo);
    const isOlder = steps < 0 || (steps === 0 && now !== undefined && wanted !== undefined && compare(wanted, now) < 0);
    if (isOlder)
      throw new UserError(
        `ring ${ring.name} runs Kazoo ${steps === 0 ? now : ring.kazoo}, and cannot be downgraded to ${given}: its data was migrated`,
        noWayBack,
      );
    requireCompatible(ring, `Kazoo ${to}`, { kazoo: to });
  }
  return to;
}

/** The version in a stack's image settings: the tag or branch that it is built from, or its own tag. */
const runs = (image: Platform["image"]): string =>
  image.kind === "build" ? (image.args.KAZOO_VERSION ?? "") : (/:([^/@]+)(@|$)/.exec(image.reference)?.[1] ?? "");

/** The release in a tag, such as `4.3.12`; undefined if there is none. */
const releaseOf = (tag: string): string | undefined => /^v?(\d+\.\d+\.\d+)/.exec(tag)?.[1];

const compare = (one: string, other: string): number => one.localeCompare(other, "en", { numeric: true });

/** @throws UserError if a ring's versions would not work together */
function requireCompatible(ring: Ring, what: string, change: Partial<Ring>): void {
  const [problem] = incompatibilities({ ...ring, ...change });
  if (problem === undefined) return;
  throw new UserError(
    `${what} does not work in ring ${ring.name}: its ${problem.key} must be ${problem.expected}`,
    "docs/rings.md#which-versions-work-together lists the combinations that do",
  );
}

/** Enables all feature flags of a broker, and prints `NAME\tSTATE\tSTABILITY` for each, then the broker's version. */
export const enableFlags = `rabbitmqctl --quiet enable_feature_flag all </dev/null || exit 1
rabbitmqctl --quiet list_feature_flags name state stability </dev/null || exit 1
rabbitmqctl version </dev/null
exit $?
`;

/** Why a broker cannot be upgraded to a series, from the output of {@link enableFlags}; undefined if it can. */
export function flagProblem(printed: string, to: string): string | undefined {
  const lines = printed.split("\n").map((line) => line.trim().split(/\s+/));
  const flags = lines.flatMap(([name = "", state = "", stability = ""]) =>
    /^(enabled|disabled|unavailable|state_changing)$/.test(state) ? [{ name, state, stability }] : [],
  );
  const [, series, patch] = /^(\d+\.\d+)\.(\d+)/m.exec(printed) ?? [];
  if (flags.length === 0 || series === undefined) return "rabbitmqctl printed no feature flags, or no version";
  const missing = flags.filter(({ state, stability }) => stability !== "experimental" && state !== "enabled");
  if (missing.length > 0)
    return `feature flags that ${to} may require are not enabled: ${missing.map(({ name, state }) => `${name} (${state})`).join(", ")}`;
  if (series === to) return undefined;
  // rabbitmq.com/docs/upgrade: the flag classic_queue_type_delivery_support, which 3.12 requires, came in the middle of the series.
  if (series === "3.11" && Number(patch) < 18)
    return `RabbitMQ ${to} requires an upgrade to 3.11.18 first, but 3.11.${patch} runs`;
  // rabbitmq.com/docs/metadata-store/khepri-faq
  if (series === "3.13" && flags.some(({ name, state }) => name === "khepri_db" && state === "enabled"))
    return `khepri_db is enabled, which was experimental in 3.13: such a broker cannot be upgraded to ${to}`;
  return undefined;
}

/** Migrates the data of a ring, on one of its Kazoo nodes. It can run any number of times. */
export const migrateData = "sup kapps_maintenance migrate </dev/null\nexit $?\n";

/**
 * What went wrong, from the output of {@link migrateData}; `sup` exits with 0 even after a failure. Kazoo's list contains databases of
 * applications that never ran, which it does not find.
 */
export function migrationProblems(printed: string): string[] {
  const lines = printed.split("\n").map((line) => line.trim());
  const databases = /\brefreshing database '([^']*)'/;
  let database = "";
  const problems = lines.flatMap((line) => {
    database = databases.exec(line)?.[1] ?? database;
    if (/^WARNING\b/.test(line)) return [line];
    return /\brefresh failed: (?!.*not_found)/.test(line) ? [`${database}: ${line.replace(/^- /, "")}`] : [];
  });
  return database === "" ? [...problems, "no database was refreshed"] : problems;
}
