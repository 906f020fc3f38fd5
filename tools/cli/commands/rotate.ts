import { readFileSync, writeFileSync } from "node:fs";
import { workloads } from "../../../components/names";
import { type RotatedStore, type Rotation, rotationSteps, storeUser } from "../../../config/credentials";
import { secrets } from "../../../config/hosts";
import type { Ring, Zone } from "../../../config/platform";
import { choose } from "../choose";
import { askInside } from "../insideNode";
import { SimulatedPodError } from "../kubernetes";
import { setsOf } from "../liveZone";
import { hostsIn, nodesOf, zonesOf } from "../nodes";
import { type Stack, isThrowAway, openStack, readPlatform } from "../openStack";
import { runStack } from "../runStack";
import { type RunbookOptions, type RunbookStep, follow } from "../runbook";
import { withRotation, withoutCredential } from "../stackEdit";
import { UserError, reportToStderr } from "../../shared/terminal";
import { stackFile } from "./apply";
import { begin, up } from "./lifecycle";

interface RotateOptions extends RunbookOptions {
  readonly ring?: string;
  /** Whether to stop before the user that Kazoo has left is taken away. */
  readonly keep?: boolean;
}

/** Gives Kazoo another user at the stores of a ring, with a random password. The one before it works until the last step. */
export async function rotate(store: RotatedStore, options: RotateOptions): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  const { platform } = stack;
  const name = await choose("ring", "RING", Object.keys(platform.rings), options.ring);
  const ring = platform.rings[name] as Ring;
  const zones = platform.zones.filter((zone) => zone.ring === name);
  refuseForeign(stack, ring, zones, store);
  if (options.dryRun !== true) await begin(stack);

  const { user, step } = ring.rotations[store] ?? { user: 1 };
  const next = step === undefined ? user + 1 : user;
  const users = { before: storeUser(next - 1), after: storeUser(next) };
  const again = `make rotate STACK=${stack.name} RING=${name} WHAT=${store}`;
  const path = stackFile(stack.name);
  const write = (rotation: Rotation, text = readFileSync(path, "utf8")) =>
    writeFileSync(path, withRotation(text, name, store, rotation));
  /** The step that was begun last, as a number; none is -1. */
  const begun = (): number => {
    const now = readPlatform(stack.name).rings[name]?.rotations[store];
    if (now?.user !== next) return -1;
    return now.step === undefined ? rotationSteps.length : rotationSteps.indexOf(now.step);
  };

  const steps = rotationSteps.map((each, index): RunbookStep => {
    const { title, touches } = described[store](each, users, zones);
    return {
      title,
      touches: [
        `Pulumi.${stack.name}.yaml: rotations.${store} of ring ${name}: user ${next}, step ${each}`,
        ...touches,
      ],
      // Its update ended well if the next one was begun.
      isDone: async () => begun() > index,
      run: async () => {
        if (begun() < 0) await requireNoChanges(stack);
        write({ user: next, step: each });
        await upOrAgain(options.stack, again);
        if (each !== "remove") return;
        await forget[store](stack, name, users.before);
        write({ user: next }, withoutCredential(readFileSync(path, "utf8"), name, store));
      },
    };
  });
  await follow(
    {
      name: `rotate ${store} of ring ${name}`,
      notes: [
        `Kazoo gets the user ${users.after} with a random password; ${users.before} works until the last step`,
        `before that step, whatever else logs in as ${users.before} must change too, such as Kamailio: KEEP=1 stops there`,
        ...(ring.credentials[store] === undefined
          ? []
          : [`kazoo:credentials.${name}.${store} is removed from the stack's file in the end`]),
      ],
      steps: options.keep === true ? steps.slice(0, -1) : steps,
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(platform) },
    reportToStderr,
  );
}

type Describe = (
  step: (typeof rotationSteps)[number],
  users: { readonly before: string; readonly after: string },
  zones: readonly Zone[],
) => Pick<RunbookStep, "title" | "touches">;

/** What each step does, by store. */
const described: Readonly<Record<RotatedStore, Describe>> = {
  rabbitmq: (step, { before, after }, zones) => {
    const brokers = setsOf.rabbitmq.join(", then ");
    const inEach = (what: string) => zones.map(({ namespace }) => `namespace ${namespace}: ${what}`);
    switch (step) {
      case "add":
        return {
          title: `The brokers get the user ${after} beside ${before}`,
          touches: inEach(`Secret ${secrets.brokerUsers} has both; ${brokers} restart with it`),
        };
      case "move":
        return {
          title: `Kazoo moves to ${after}, the first zone before the others`,
          touches: inEach(`Secret ${secrets.rabbitmq} has ${after}; kazoo restarts with it, one pod after the other`),
        };
      case "remove":
        return {
          title: `The brokers forget ${before}`,
          touches: inEach(
            `Secret ${secrets.brokerUsers} goes; ${brokers} restart without it, then rabbitmqctl delete_user ${before} in each`,
          ),
        };
    }
  },
  database: (step, { before, after }, zones) => {
    const inEach = (what: string) => zones.map(({ namespace }) => `namespace ${namespace}: ${what}`);
    switch (step) {
      case "add":
        return {
          title: `The database gets the administrator ${after} beside ${before}, zone by zone`,
          touches: inEach(
            `Secret ${secrets.databaseRing} has both; bigcouch restarts with it, one pod after the other`,
          ),
        };
      case "move":
        return {
          title: `Kazoo moves to ${after}, the first zone before the others`,
          touches: inEach(`Secret ${secrets.database} has ${after}; kazoo restarts with it, one pod after the other`),
        };
      case "remove":
        return {
          title: `The database forgets ${before}, zone by zone`,
          touches: inEach(`Secret ${secrets.databaseRing} loses it; bigcouch restarts, one pod after the other`),
        };
    }
  },
};

/** Takes a user away that a store keeps on its volume, by store. */
const forget: Readonly<Record<RotatedStore, (stack: Stack, ring: string, user: string) => Promise<void>>> = {
  rabbitmq: async (stack, ring, user) => {
    for (const { zone, cluster } of (await zonesOf(stack)).filter((each) => each.zone.ring === ring)) {
      for (const { workload, place } of nodesOf(hostsIn(zone), cluster)) {
        if (workload !== workloads.rabbitmq || place.kind !== "pod") continue;
        try {
          await askInside(place, deleteUserScript(user));
        } catch (error) {
          // A broker that is simulated has no users.
          if (!(error instanceof SimulatedPodError)) throw error;
        }
      }
    }
  },
  // Its administrators are in its configuration alone.
  database: () => Promise.resolve(),
};

/** A shell script for a broker's container: it is no failure if there is no such user. */
export const deleteUserScript = (user: string): string => `users=$(rabbitmqctl --quiet list_users </dev/null) || exit 1
printf '%s\\n' "$users" | grep -q '^${user}[[:blank:]]' || exit 0
rabbitmqctl --quiet delete_user ${user} </dev/null
exit $?
`;

/** Hosts of stores that a run environment names instead of the zone's own. */
const elsewhere: Readonly<Record<RotatedStore, readonly string[]>> = {
  rabbitmq: ["KAZOO_AMQP_HOST", "KAZOO_SECONDARY_AMQP_HOST"],
  database: ["BIGCOUCH_HOST"],
};

/** Refuses credentials and stores that the stack does not make itself, and stores that are away. */
function refuseForeign({ platform }: Stack, ring: Ring, zones: readonly Zone[], store: RotatedStore): void {
  const byHand = "docs/runbooks.md#rotate-a-credential has the steps by hand";
  if (zones.some(({ cluster }) => platform.clusters[cluster]?.kind === "docker"))
    throw new UserError(`rotate is for Kubernetes, and ring ${ring.name} is on Docker`, "choose another ring: RING=");
  if (store === "database" && ring.database.engine === "bigcouch")
    throw new UserError(
      `BigCouch's image makes the administrator of ring ${ring.name}, and knows a single one`,
      byHand,
    );
  const secret = ring.secrets[store];
  if (secret !== undefined)
    throw new UserError(
      `kazoo:credentials.${ring.name}.${store} is the existing Secret ${secret}: whoever keeps it rotates it`,
      byHand,
    );
  for (const { name, environment, drained } of zones) {
    const host = elsewhere[store].find((variable) => environment[variable] !== undefined);
    if (host !== undefined) throw new UserError(`zone ${name} uses stores elsewhere, which ${host} names`, byHand);
    if (drained.includes(store))
      throw new UserError(
        `zone ${name} is drained: its stores would keep the user that all others forget`,
        `make return ZONE=${name} first`,
      );
  }
}

/** Refuses to begin while the stack's file has changes that were not applied: the first step would apply them too. */
async function requireNoChanges(stack: Stack): Promise<void> {
  const code = await runStack(stack, ["preview", ...stack.selection, "--expect-no-changes"]);
  if (code === 0) return;
  throw new UserError(
    "the stack has changes that are not applied, or its preview fails",
    `make up STACK=${stack.name} first; nothing was changed`,
    code,
  );
}

/** Updates the whole stack. @param again the command that goes on after a failure */
async function upOrAgain(stack: string, again: string): Promise<void> {
  try {
    await up({ stack, yes: true }, []);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const advice = error.next === undefined ? [] : [error.next];
    throw new UserError(error.message, [...advice, `${again} goes on with this step`].join("\n"), error.exitCode);
  }
}
