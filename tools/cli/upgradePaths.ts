import {
  type DatabaseKind,
  type KazooVersion,
  type RabbitmqVersion,
  databaseFormat,
  databaseKind,
  incompatibilities,
  kazooVersions,
  rabbitmqVersions,
  upgradesTo,
  versionOfSources,
} from "../../config/compatibility";
import type { Platform, Ring } from "../../config/platform";
import { UserError } from "../shared/terminal";

/** Which versions a ring can go to. What it runs already is no refusal: an upgrade that was interrupted has it in the stack's file. */

const noWayBack = "no downgrade: go on with the version that runs, or restore a backup of the data into a new ring";

/** The RabbitMQ series that a ring's brokers are to go to. @throws UserError where they can't, with the reason */
export function wantedBrokers(given: string, ring: Ring): RabbitmqVersion {
  const to = rabbitmqVersions.find((series) => series === given);
  if (to === undefined)
    throw new UserError(
      `there is no RabbitMQ series ${JSON.stringify(given)} that this program runs`,
      `TO= is one of ${rabbitmqVersions.join(", ")}`,
    );
  const from = ring.rabbitmq;
  if (rabbitmqVersions.indexOf(to) < rabbitmqVersions.indexOf(from))
    throw new UserError(
      `the brokers of ring ${ring.name} run RabbitMQ ${from}, and cannot go back to ${to}`,
      noWayBack,
    );
  const route = from === to ? [] : brokerRoute(from, to);
  if (route === undefined || route.length > 1)
    throw new UserError(
      `RabbitMQ ${from} cannot go to ${to} in one step`,
      route === undefined ? undefined : `one after the other: ${route.map((series) => `TO=${series}`).join(", ")}`,
    );
  requireCompatible(ring, `RabbitMQ ${to}`, { rabbitmq: to });
  return to;
}

/** The series on the shortest way that RabbitMQ supports, the last one included; undefined where there is none. */
function brokerRoute(from: string, to: string): string[] | undefined {
  if (from === to) return [];
  for (const before of upgradesTo(to)) {
    const route = brokerRoute(from, before);
    if (route !== undefined) return [...route, to];
  }
  return undefined;
}

/** The database that a ring is to go to, as `couchdb-3.3.3` or `3.3.3`. @throws UserError where it can't, with the reason */
export function wantedDatabase(given: string, ring: Ring): DatabaseKind {
  const from = ring.database;
  const to = databaseKind(/^\d/.test(given) ? `couchdb-${given}` : given);
  if (to === undefined)
    throw new UserError(`there is no database ${JSON.stringify(given)}`, "TO= is like couchdb-3.3.3");
  if ((from.engine === "bigcouch") !== (to.engine === "bigcouch"))
    throw new UserError(
      `${to.version} cannot read the files of ${from.version}`,
      "make another ring, and replicate each database into it",
    );
  const format = databaseFormat(to);
  const isOlder =
    ![format.state, ...format.from].includes(databaseFormat(from).state) || compare(to.version, from.version) < 0;
  if (isOlder)
    throw new UserError(`ring ${ring.name} runs ${from.version}, and cannot go back to ${to.version}`, noWayBack);
  requireCompatible(ring, to.version, { database: to });
  return to;
}

/**
 * The version of Kazoo that all rings of a stack are to go to.
 * @param given a series, branch or tag: `4.3`, `4.3.12`, `master`
 * @throws UserError where they can't, with the reason
 */
export function wantedKazoo(given: string, rings: readonly Ring[], image: Platform["image"]): KazooVersion {
  const to = versionOfSources(given);
  if (to === undefined)
    throw new UserError(
      `there is no Kazoo ${JSON.stringify(given)} that this program runs`,
      `TO= is one of ${kazooVersions.join(", ")}, or a tag such as 4.3.12`,
    );
  const [now, wanted] = [releaseOf(runs(image)), releaseOf(given)];
  for (const ring of rings) {
    const steps = kazooVersions.indexOf(to) - kazooVersions.indexOf(ring.kazoo);
    const isOlder = steps < 0 || (steps === 0 && now !== undefined && wanted !== undefined && compare(wanted, now) < 0);
    if (isOlder)
      throw new UserError(
        `ring ${ring.name} runs Kazoo ${steps === 0 ? now : ring.kazoo}, and cannot go back to ${given}: its data was migrated`,
        noWayBack,
      );
    requireCompatible(ring, `Kazoo ${to}`, { kazoo: to });
  }
  return to;
}

/** What a stack's image says of its version: the tag or branch that it is built of, or its own tag. */
const runs = (image: Platform["image"]): string =>
  image.kind === "build" ? (image.args.KAZOO_VERSION ?? "") : (/:([^/@]+)(@|$)/.exec(image.reference)?.[1] ?? "");

/** `4.3.12` of a tag; undefined where it names no release. */
const releaseOf = (tag: string): string | undefined => /^v?(\d+\.\d+\.\d+)/.exec(tag)?.[1];

const compare = (one: string, other: string): number => one.localeCompare(other, "en", { numeric: true });

/** @throws UserError where a ring's versions would not work together */
function requireCompatible(ring: Ring, what: string, change: Partial<Ring>): void {
  const [problem] = incompatibilities({ ...ring, ...change });
  if (problem === undefined) return;
  throw new UserError(
    `${what} does not work in ring ${ring.name}: its ${problem.key} must be ${problem.expected}`,
    "docs/rings.md#which-versions-work-together says which do",
  );
}

/** Enables what a broker can have, and prints it: `NAME\tSTATE\tSTABILITY` of each feature flag, then the broker's version. */
export const enableFlags = `rabbitmqctl --quiet enable_feature_flag all </dev/null || exit 1
rabbitmqctl --quiet list_feature_flags name state stability </dev/null || exit 1
rabbitmqctl version </dev/null
exit $?
`;

/** Why a broker cannot go to a series, by what {@link enableFlags} printed; undefined if it can. */
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
    return `RabbitMQ ${to} requires 3.11.18 before it, and 3.11.${patch} runs`;
  // rabbitmq.com/docs/metadata-store/khepri-faq
  if (series === "3.13" && flags.some(({ name, state }) => name === "khepri_db" && state === "enabled"))
    return `khepri_db is enabled, which was an experiment in 3.13: such a broker has no way to ${to}`;
  return undefined;
}

/** Migrates the data of a ring, by one of its Kazoo nodes. It may be run any number of times. */
export const migrateData = "sup kapps_maintenance migrate </dev/null\nexit $?\n";

/**
 * What went wrong, by what {@link migrateData} printed; `sup` ends with exit code 0 also then. Kazoo's list contains databases of applications that
 * never ran, which it does not find.
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
