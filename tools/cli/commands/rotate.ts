import { readFileSync, writeFileSync } from "node:fs";
import { type Rotated, type Rotation, rotationSteps, storeUser } from "../../../config/credentials";
import { secrets } from "../../../config/hosts";
import type { Ring, Zone } from "../../../config/platform";
import { choose } from "../../shared/choose";
import { replacePassword, requirePassword } from "../cluster/masterAccount";
import { setsOf } from "../runbook/liveZone";
import { type Stack, isThrowAway, readPlatform, stackFile } from "../stack/openStack";
import { type RunbookOptions, type RunbookStep, follow } from "../runbook/runbook";
import { withRotation, withoutCredential } from "../stackFile/stackEdit";
import { beginWhole, inBrokers, openWhole, refuseDocker, requireNoChanges, upOrAgain } from "../runbook/wholeRing";
import { UserError, reportToStderr } from "../../shared/terminal";

interface RotateOptions extends RunbookOptions {
  readonly ring?: string;
  /** Whether to stop before the old user is removed. */
  readonly keep?: boolean;
}

/** Replaces a ring's credential with a random one. An old user works until the last step. */
export async function rotate(what: Rotated, options: RotateOptions): Promise<void> {
  const stack = await openWhole(options.stack);
  const { platform } = stack;
  const name = await choose("ring", "RING", Object.keys(platform.rings), options.ring);
  const ring = platform.rings[name] as Ring;
  const zones = platform.zones.filter((zone) => zone.ring === name);
  refuseForeign(stack, ring, zones, what);
  if (options.dryRun !== true) await beginWhole(stack);

  const { number, step } = ring.rotations[what] ?? { number: 1 };
  const next = step === undefined ? number + 1 : number;
  const users = { before: storeUser(next - 1), after: storeUser(next) };
  const again = `make rotate STACK=${stack.name} RING=${name} WHAT=${word(what)}`;
  const path = stackFile(stack.name);
  const write = (rotation: Rotation, text = readFileSync(path, "utf8")) =>
    writeFileSync(path, withRotation(text, name, what, rotation));
  const names: readonly string[] = rotationSteps[what];
  /** The number of the last step that was started; -1 if none. */
  const begun = (): number => {
    const now = readPlatform(stack.name).rings[name]?.rotations[what];
    if (now?.number !== next) return -1;
    return now.step === undefined ? names.length : names.indexOf(now.step);
  };

  const steps = rotationSteps[what].map((each, index): RunbookStep => {
    const { title, touches } = described[what](users)[each] ?? { title: each, touches: "" };
    return {
      title,
      touches: [
        `Pulumi.${stack.name}.yaml: rotations.${what} of ring ${name}: number ${next}, step ${each}`,
        ...zones
          .filter((zone) => what !== "masterAccount" || zone.name === ring.zones[0])
          .map(({ namespace }) => `namespace ${namespace}: ${touches}`),
      ],
      // Its update succeeded if the next step was started.
      isDone: async () => begun() > index,
      run: async () => {
        if (begun() < 0) {
          await requireNoChanges(stack.name, again);
          if (what === "masterAccount") await requirePassword(stack, ring);
        }
        write({ number: next, step: each });
        await upOrAgain(options.stack, again);
        if (what === "masterAccount" && each === "move") await replacePassword(stack, ring);
        if (each !== "remove") return;
        // Brokers keep it on their volumes.
        if (what === "rabbitmq") await inBrokers(stack, name, deleteUserScript(users.before));
        write({ number: next }, withoutCredential(readFileSync(path, "utf8"), name, what));
      },
    };
  });
  const given = what === "databaseCookie" ? undefined : ring.credentials[what];
  await follow(
    {
      name: `rotate ${word(what)} of ring ${name}`,
      notes: [
        ...notes[what](users),
        ...(given === undefined
          ? []
          : [`kazoo:credentials.${name}.${what} is removed from the stack's file in the end`]),
      ],
      steps: options.keep === true ? steps.slice(0, -1) : steps,
    },
    { dryRun: options.dryRun, unasked: options.yes === true || isThrowAway(platform) },
    reportToStderr,
  );
}

/** A credential as commands name it. */
const word = (what: Rotated): string => what.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

interface Users {
  readonly before: string;
  readonly after: string;
}

const userNotes = ({ before, after }: Users): string[] => [
  `Kazoo gets the user ${after} with a random password; ${before} works until the last step`,
  `everything else that logs in as ${before}, such as Kamailio, must switch before that step: KEEP=1 stops there`,
];

/** What the operator should know before it starts. */
const notes: Readonly<Record<Rotated, (users: Users) => string[]>> = {
  rabbitmq: userNotes,
  database: userNotes,
  cookie: () => [
    "nodes with the old cookie and the new one do not see each other while Kazoo restarts, and sup cannot reach the others",
    "meanwhile Kazoo works through its brokers: the API, and calls of FreeSWITCH servers that have the cookie of their ecallmgr",
    "each FreeSWITCH (mod_kazoo) needs the new cookie, from the Secret erlang-cookie, once its ecallmgr has restarted",
  ],
  databaseCookie: () => [
    "until all database nodes have restarted, those with the old cookie and those with the new one do not see each other",
    "each side answers from its own copies, and answers writes with 202; requests for documents without a copy on that side fail",
    "the sides reconnect on their own; choose a quiet hour",
  ],
  masterAccount: () => [
    "the administrator gets a random password; everybody and everything that logs in as this user needs it afterwards",
    "until the last step, the stack's output masterAccounts shows both: password and previousPassword",
  ],
};

type Step = Pick<RunbookStep, "title"> & { readonly touches: string };

const brokers = setsOf.rabbitmq.join(", then ");
const onePodAfterTheOther = "restarts with it, one pod after the other";
const state = "nothing restarts";

/** What each step does, and to what in each zone. */
const described: Readonly<Record<Rotated, (users: Users) => Readonly<Record<string, Step>>>> = {
  rabbitmq: ({ before, after }) => ({
    add: {
      title: `The brokers get the user ${after} beside ${before}`,
      touches: `Secret ${secrets.brokerUsers} has both; ${brokers} restart with it`,
    },
    move: {
      title: `Kazoo moves to ${after}, the first zone before the others`,
      touches: `Secret ${secrets.rabbitmq} has ${after}; kazoo ${onePodAfterTheOther}`,
    },
    remove: {
      title: `The brokers forget ${before}`,
      touches: `Secret ${secrets.brokerUsers} is deleted; ${brokers} restart without it, then rabbitmqctl delete_user ${before} in each`,
    },
  }),
  database: ({ before, after }) => ({
    add: {
      title: `The database gets the administrator ${after} beside ${before}, zone by zone`,
      touches: `Secret ${secrets.databaseRing} has both; bigcouch ${onePodAfterTheOther}`,
    },
    move: {
      title: `Kazoo moves to ${after}, the first zone before the others`,
      touches: `Secret ${secrets.database} has ${after}; kazoo ${onePodAfterTheOther}`,
    },
    remove: {
      title: `The database forgets ${before}, zone by zone`,
      touches: `Secret ${secrets.databaseRing} loses it; bigcouch restarts, one pod after the other`,
    },
  }),
  cookie: () => ({
    move: {
      title: "Kazoo gets another cookie, the first zone before the others",
      touches: `Secret ${secrets.cookie} has it; kazoo ${onePodAfterTheOther}`,
    },
    remove: { title: "The stack forgets the old cookie", touches: state },
  }),
  databaseCookie: () => ({
    move: {
      title: "The database gets another cookie, zone by zone",
      touches: `Secret ${secrets.database} has it; bigcouch ${onePodAfterTheOther}`,
    },
    remove: { title: "The stack forgets the old cookie", touches: state },
  }),
  masterAccount: () => ({
    move: {
      title: "The master account's administrator gets another password",
      touches: `Secret ${secrets.masterAccount} has it; then Crossbar of kazoo-0 sets it, and both passwords are tried`,
    },
    remove: { title: "The stack forgets the old password", touches: state },
  }),
};

/** A shell script for a broker's container: it succeeds if the user does not exist. */
export const deleteUserScript = (user: string): string => `users=$(rabbitmqctl --quiet list_users </dev/null) || exit 1
printf '%s\\n' "$users" | grep -q '^${user}[[:blank:]]' || exit 0
rabbitmqctl --quiet delete_user ${user} </dev/null
exit $?
`;

/** Hosts of stores that a run environment names instead of the zone's own. */
const elsewhere: Readonly<Record<Rotated, readonly string[]>> = {
  rabbitmq: ["KAZOO_AMQP_HOST", "KAZOO_SECONDARY_AMQP_HOST"],
  database: ["BIGCOUCH_HOST"],
  cookie: [],
  databaseCookie: [],
  masterAccount: [],
};

/** Refuses credentials and stores that the stack does not manage, and unavailable brokers. */
function refuseForeign({ platform }: Stack, ring: Ring, zones: readonly Zone[], what: Rotated): void {
  const byHand = "docs/runbooks.md#rotate-a-credential has the steps by hand";
  refuseDocker(platform, ring.name, zones, "rotate");
  if (what === "database" && ring.database.engine === "bigcouch")
    throw new UserError(
      `BigCouch's image creates the administrator of ring ${ring.name}, and supports only one`,
      byHand,
    );
  if (what === "masterAccount") return refuseUnreachable(ring, zones);
  const part = what === "databaseCookie" ? "database" : what;
  const secret = ring.secrets[part];
  if (secret !== undefined)
    throw new UserError(
      `kazoo:credentials.${ring.name}.${part} is the existing Secret ${secret}: its owner must rotate it`,
      byHand,
    );
  for (const { name, environment, drained } of zones) {
    const host = elsewhere[what].find((variable) => environment[variable] !== undefined);
    if (host !== undefined) throw new UserError(`zone ${name} uses external stores (${host})`, byHand);
    if (what === "rabbitmq" && drained.includes(what))
      throw new UserError(
        `zone ${name} is drained, so the old user cannot be deleted in its brokers`,
        `first run make return ZONE=${name}`,
      );
  }
}

/** Refuses a ring without a master account, or whose administrator cannot get a password now. */
function refuseUnreachable({ name, masterAccount, zones: [first] }: Ring, zones: readonly Zone[]): void {
  if (masterAccount === undefined)
    throw new UserError(
      `ring ${name} has no masterAccount, so the stack has no password of it`,
      "change passwords of other accounts in Monster UI",
    );
  if (zones.find((zone) => zone.name === first)?.drained.includes("kazoo") === true)
    throw new UserError(
      `zone ${first} is drained, so no Kazoo can be asked there`,
      `first run make return ZONE=${first}`,
    );
}
