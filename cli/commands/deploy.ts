import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Command } from "commander";
import { parse, stringify } from "yaml";
import { rolled } from "../../components/rollout";
import type { Platform, Zone } from "../../config/platform";
import { choose, confirmed } from "../choose";
import { differences, earlier, imageMessage, readUpdates, rollouts, zoneMessage } from "../history";
import { asking, connect } from "../kubernetes";
import { type SelectedZone, type Selection, selectZone } from "../nodes";
import { runPulumi } from "../pulumi";
import { type Stack, isThrowAway, openStack, projectDirectory, readPlatform } from "../stack";
import {
  type OwnEnvironment,
  environmentFor,
  isBuilt,
  ownEnvironment,
  withImage,
  withOwnEnvironment,
} from "../stackEdit";
import { table } from "../table";
import { UserError, reportToStderr } from "../terminal";
import { readZones } from "../zones";
import { onKubernetes, zoneCommand } from "./inside";
import { begin } from "./stack";

interface DeployOptions extends Selection {
  readonly stack: string;
  readonly yes?: boolean;
  readonly to?: string;
  readonly timeout?: string;
}

/** `kazoo kube-…`: the deployment of a zone's Kazoo, changed through Pulumi alone, so that state and cluster agree. */
export function deployCommands(): Command[] {
  const command = (name: string, description: string, action: (options: DeployOptions) => Promise<void>): Command =>
    zoneCommand(name, description).action(async (options: DeployOptions) => {
      await action(
        await onKubernetes(options, name, `make launch-net STACK=${options.stack} and its like are for Docker`),
      );
    });
  const changing = (name: string, description: string, action: (options: DeployOptions) => Promise<void>): Command =>
    command(name, description, action).option(
      "-y, --yes",
      "do not ask (never asked for sandbox and docker stacks that are not protected)",
    );
  return [
    changing("kube-deploy-service", "create the zone's Service kazoo, if it is not there", (options) =>
      deploy(options, "kube-deploy-service", service, { mustLack: true }),
    ),
    changing("kube-apply-service", "make the zone's Service kazoo be as the config says", (options) =>
      deploy(options, "kube-apply-service", service),
    ),
    changing(
      "kube-delete-service",
      "delete the zone's Service kazoo; nodes go on, nobody reaches them by it",
      (options) => remove(options, service, "Service", "kazoo is no longer reached by its Service"),
    ),
    changing("kube-deploy", "deploy the zone's Kazoo as the config says; recorded in the stack's history", (options) =>
      deploy(options, "kube-deploy", everything),
    ),
    changing("kube-deploy-edit", "edit the zone's run environment in $EDITOR, preview, apply, wait", edit).addHelpText(
      "after",
      "\nThe editor: KUBE_EDITOR, else VISUAL, else EDITOR, else vi.",
    ),
    changing(
      "kube-deploy-rollback",
      "bring back the environment and image that the zone's Kazoo ran with before",
      rollback,
    ).option("--to <number>", "of an update in kube-rollout-history; default: the last one that differs"),
    command("kube-rollout-status", "wait until the zone's Kazoo has rolled", rolloutStatus)
      .option("--timeout <seconds>", "how long", "900")
      .addHelpText("after", "\nExit code 1: it has not rolled in that time, or there is nothing to roll."),
    command(
      "kube-rollout-history",
      "show the updates of the stack, and what they changed in the zone's Kazoo",
      history,
    ),
    changing(
      "kube-delete-deployment",
      "delete the zone's Kazoo nodes; database, brokers and credentials stay",
      (options) => remove(options, nodes, "StatefulSet", "all calls and the API of this zone end"),
    ),
  ];
}

/** Resources of a zone's Kazoo: logical name, and as the API server has it. */
interface Part {
  /** Of the zone's logical names, behind `ZONE-kazoo-`; `*` for all. */
  readonly suffix: string;
  readonly kind: "services" | "statefulsets";
}
const service: Part = { suffix: "balanced", kind: "services" };
const nodes: Part = { suffix: "nodes", kind: "statefulsets" };
const everything: Part = { suffix: "*", kind: "statefulsets" };

const target = (zone: string, { suffix }: Part): string[] => ["--target", `**::${zone}-kazoo-${suffix}`];

async function deploy(options: DeployOptions, what: string, part: Part, { mustLack = false } = {}): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  await begin(stack);
  const selected = await selectZone(stack, options);
  if (mustLack && (await exists(selected, part))) {
    throw new UserError(
      `Service kazoo of zone ${selected.name} is there already`,
      `make kube-apply-service STACK=${stack.name} updates it`,
    );
  }
  await apply(stack, selected.name, part, what, options);
}

/**
 * Previews and asks, unless there is nothing to lose; then updates a part of a zone and waits until it is ready.
 * @param start called right before the update starts: from then on what is there may have changed
 * @returns whether it was updated; false where the answer was no
 */
async function apply(
  stack: Stack,
  zone: string,
  part: Part,
  what: string,
  { yes = false }: { readonly yes?: boolean },
  start: () => void = () => undefined,
): Promise<boolean> {
  // What was deleted in the cluster is still in the state: without looking first nothing would bring it back.
  const targets = [...target(zone, part), "--refresh"];
  const throwAway = isThrowAway(stack.platform);
  const preview = await runPulumi(stack.pulumi, ["preview", ...stack.selection, ...targets]);
  if (preview !== 0)
    throw new UserError(`the preview ended with exit code ${preview}`, "read what pulumi says above", preview);
  if (!(await confirmed("apply this?", yes || throwAway))) return false;
  const { [zone]: before } = await readZones(stack);
  const message = ["--message", imageMessage(zoneMessage(what, zone), before?.image)];
  start();
  const code = await runPulumi(stack.pulumi, [
    ...["up", ...stack.selection, ...targets, ...message],
    ...["--yes", "--skip-preview", "--suppress-outputs"],
  ]);
  if (code !== 0) throw new UserError(`pulumi up ended with exit code ${code}`, "read what pulumi says above", code);
  return true;
}

const clusterOf = ({ name, cluster }: SelectedZone) => {
  if (cluster.kind === "docker") throw new UserError(`zone ${name} is on Docker`);
  return cluster;
};

async function exists(selected: SelectedZone, { kind }: Part): Promise<boolean> {
  const cluster = clusterOf(selected);
  const { core, apps } = await connect(cluster);
  const { namespace } = selected.zone;
  const { items } = await asking<{ items: { metadata?: { name?: string } }[] }>(cluster, () =>
    kind === "services" ? core.listNamespacedService({ namespace }) : apps.listNamespacedStatefulSet({ namespace }),
  );
  return items.some(({ metadata }) => metadata?.name === "kazoo");
}

/**
 * Deletes a part of a zone in the cluster, and then has Pulumi see that it is gone. Pulumi's own destroy would want to delete all that
 * depends on it too: the Kazoo of the ring's other zones.
 */
async function remove(options: DeployOptions, part: Part, kind: string, consequence: string): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  await begin(stack);
  const selected = await selectZone(stack, options);
  if (!(await exists(selected, part))) {
    throw new UserError(
      `zone ${selected.name} has no ${kind} kazoo`,
      `make kube-deploy STACK=${stack.name} ZONE=${selected.name} makes it`,
    );
  }
  const again = part === service ? "kube-deploy-service" : "kube-deploy";
  reportToStderr(
    `${kind} kazoo of zone ${selected.name} will be deleted: ${consequence}, until make ${again} STACK=${stack.name} (or make up) brings it back. ` +
      `Data is not touched.${stack.platform.protect ? " This stack is protected, since what it holds is not for throwing away." : ""}`,
  );
  const yes = options.yes === true || isThrowAway(stack.platform);
  if (!(await confirmed(`delete ${kind} kazoo of zone ${selected.name}?`, yes))) return;

  const cluster = clusterOf(selected);
  const { core, apps } = await connect(cluster);
  const object = { name: "kazoo", namespace: selected.zone.namespace };
  await asking<unknown>(cluster, () =>
    part === service
      ? core.deleteNamespacedService(object)
      : apps.deleteNamespacedStatefulSet({ ...object, propagationPolicy: "Foreground" }),
  );
  await until(
    300,
    () =>
      new UserError(
        `${kind} kazoo of zone ${selected.name} is still being deleted`,
        `kubectl --context ${cluster.context} -n ${selected.zone.namespace} describe ${part.kind} kazoo shows what holds it; ` +
          `once it is gone, make ${again} STACK=${stack.name} ZONE=${selected.name} brings it back`,
      ),
    async () => !(await exists(selected, part)),
  );
  const code = await runPulumi(stack.pulumi, [
    ...["refresh", ...stack.selection, ...target(selected.name, part)],
    ...["--yes", "--skip-preview", "--suppress-outputs", "--message", `delete ${kind} kazoo ZONE=${selected.name}`],
  ]);
  if (code !== 0)
    throw new UserError(
      `${kind} kazoo is deleted, but pulumi refresh ended with exit code ${code}`,
      `read what pulumi says above; make ${again} STACK=${stack.name} ZONE=${selected.name} brings it back all the same`,
      code,
    );
}

async function until(seconds: number, otherwise: () => UserError, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw otherwise();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const stackFile = (stack: string): string => join(projectDirectory, `Pulumi.${stack.split("/").at(-1)}.yaml`);

/**
 * Writes a stack's file and applies it to a zone's Kazoo. A file that is no right config, and one whose update never starts, is put back, by
 * Ctrl-C and its like too; from then on it stays, since the cluster may have the change.
 */
async function applyFile(options: DeployOptions, zone: Zone, text: string, what: string): Promise<void> {
  const path = stackFile(options.stack);
  const before = readFileSync(path, "utf8");
  const update = { started: false, interrupted: false };
  const onSignal = (signal: NodeJS.Signals): void => {
    writeFileSync(path, before);
    update.interrupted = true;
    // A preview that runs hears it too, and we go on to its end; where nobody else listens it ends us, as it would have.
    if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
  };
  const deaf = (): void => signals.forEach((signal) => process.off(signal, onSignal));
  signals.forEach((signal) => process.on(signal, onSignal));
  writeFileSync(path, text);
  try {
    const stack = await openStack(options.stack, reportToStderr);
    await begin(stack);
    const applied = await apply(stack, zone.name, everything, what, options, () => {
      if (update.interrupted) throw new UserError("interrupted", "nothing was changed", 130);
      update.started = true;
      deaf();
    });
    reportToStderr(applied ? `${basename(path)} has the change` : "nothing was changed");
  } catch (error) {
    throw update.started && error instanceof UserError ? halfway(error, options.stack, zone) : error;
  } finally {
    deaf();
    if (!update.started) writeFileSync(path, before);
  }
}

/** The error of an update that has started: the cluster may have a part of what the stack's file says, or all of it. */
function halfway({ message, exitCode }: UserError, stack: string, zone: Zone): UserError {
  const file = basename(stackFile(stack));
  return new UserError(
    message,
    `${file} keeps the change: make kube-deploy STACK=${stack} ZONE=${zone.name} goes on; to go back, undo it in ${file} first`,
    exitCode,
  );
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

async function zoneOfFile({ stack, zone }: DeployOptions): Promise<Zone> {
  const { zones } = readPlatform(stack);
  const name = await choose(
    "zone",
    "ZONE",
    zones.map((candidate) => candidate.name),
    zone,
  );
  return zones.find((candidate) => candidate.name === name) as Zone;
}

async function edit(options: DeployOptions): Promise<void> {
  const zone = await zoneOfFile(options);
  const read = (): string => readFileSync(stackFile(options.stack), "utf8");
  const own = ownEnvironment(read(), zone);
  const wanted = editOwn(zone, own, options.stack);
  if (isDeepStrictEqual(wanted, own)) {
    reportToStderr("nothing was changed");
    return;
  }
  // As it is now: while the editor was open others may have changed it.
  const text = read();
  if (!isDeepStrictEqual(ownEnvironment(text, zone), own)) {
    throw new UserError(
      `the variables of zone ${zone.name} were changed in ${basename(stackFile(options.stack))} while you edited them`,
      "your edit was not applied; edit again",
    );
  }
  await applyFile(options, zone, withOwnEnvironment(text, zone, wanted), "kube-deploy-edit");
}

/** Opens an editor with the variables that a datacenter itself sets, and returns what comes back. */
function editOwn(zone: Zone, own: OwnEnvironment, stack: string): OwnEnvironment {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-edit-"));
  try {
    const path = join(folder, `${zone.name}.yaml`);
    writeFileSync(path, editText(zone, own, stack));
    const editor = process.env.KUBE_EDITOR ?? process.env.VISUAL ?? process.env.EDITOR ?? "vi";
    const run = spawnSync("sh", ["-c", `${editor} "$1"`, "sh", path], { stdio: "inherit" });
    if (run.status !== 0)
      throw new UserError(`${editor} ended with exit code ${run.status}`, "set EDITOR to another one");
    return editedEnvironment(readFileSync(path, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the editor shows: the datacenter's own variables, as its file has them, and as comments those that hold for it from elsewhere. */
export function editText(zone: Zone, own: OwnEnvironment, stack: string): string {
  const inherited = Object.entries(zone.environment).filter(
    ([name]) => !(name in own.environment || name in own.extraEnvironment),
  );
  const comments = stringify(Object.fromEntries(inherited)).trimEnd().split("\n");
  return [
    `# Run environment of zone ${zone.name}, stack ${stack}. What is set here holds for this zone alone.`,
    stringify(own),
    "# From region, stack or defaults; set one above to change it for this zone:",
    ...comments.map((line) => `# ${line}`),
    "",
  ].join("\n");
}

/** Reads what the editor leaves behind. What is in it, the check of the stack's file judges. */
export function editedEnvironment(text: string): OwnEnvironment {
  let found: unknown;
  try {
    found = parse(text) ?? {};
  } catch (error) {
    throw new UserError(
      `what you saved is no YAML: ${(error as Error).message.split("\n")[0]}`,
      "nothing was changed; edit again",
    );
  }
  const isMapping = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);
  const { environment, extraEnvironment, ...others } = found as Record<string, unknown>;
  if (
    isMapping(found) &&
    Object.keys(others).length === 0 &&
    [environment ?? {}, extraEnvironment ?? {}].every(isMapping)
  ) {
    return { environment: environment ?? {}, extraEnvironment: extraEnvironment ?? {} } as OwnEnvironment;
  }
  throw new UserError(
    "what you saved is not the two mappings environment and extraEnvironment",
    "write variables below one of them, such as KAZOO_LOG_LEVEL: debug; nothing was changed",
  );
}

async function rolloutsOf(options: DeployOptions) {
  const stack = await openStack(options.stack, reportToStderr);
  const zone = await zoneOfFile(options);
  const { [zone.name]: view } = await readZones(stack);
  const updates = await readUpdates(stack);
  return { stack, zone, updates, all: rollouts(updates, zone.name, view?.image) };
}

async function rollback(options: DeployOptions): Promise<void> {
  const { stack, zone, all } = await rolloutsOf(options);
  const found = earlier(all, options.to === undefined ? undefined : Number(options.to));
  const [newest] = all;
  if (found === undefined || newest === undefined) {
    throw new UserError(
      options.to === undefined
        ? `zone ${zone.name} has run with nothing else before`
        : `there is no update ${options.to} of zone ${zone.name}`,
      `make kube-rollout-history STACK=${stack.name} shows what there is`,
    );
  }
  const text = readFileSync(stackFile(options.stack), "utf8");
  const { wanted: own, stuck } = environmentFor(found.environment, zone, ownEnvironment(text, zone));
  if (stuck.length > 0) {
    throw new UserError(
      `${stuck.join(", ")} was not set then, and is set for the region or the whole stack now`,
      `remove it there in Pulumi.${options.stack}.yaml, then make kube-deploy`,
    );
  }
  if (found.image === undefined)
    reportToStderr(`which image ran after update ${found.update.number} is not known: it stays as it is`);
  let wanted = withOwnEnvironment(text, zone, own);
  reportToStderr(
    `zone ${zone.name}, back to update ${found.update.number}: ${differences(newest, found).join(", ") || "no difference"}`,
  );
  if (found.image !== undefined && found.image !== newest.image) {
    wanted = withImage(wanted, stack.platform, found.image);
    imageNotes(stack.platform, zone, found.image).forEach(reportToStderr);
  }
  await applyFile(options, zone, wanted, `kube-deploy-rollback to ${found.update.number}`);
}

/** What else an image of before means, since a stack has one image for all its zones. */
export function imageNotes({ image, zones }: Platform, zone: Zone, reference: string): string[] {
  const others = zones.filter(({ name }) => name !== zone.name).map(({ name }) => name);
  return [
    ...(others.length === 0
      ? []
      : [`the image is the whole stack's: the next make up brings it to ${others.join(", ")} too`]),
    ...(image.kind === "build" && !isBuilt(image, reference)
      ? ["the stack's file then names this image and builds none; its build settings stay there as a comment"]
      : []),
  ];
}

async function history(options: DeployOptions): Promise<void> {
  const { updates, all } = await rolloutsOf(options);
  const rows = updates.map((update) => {
    const index = all.findIndex((rollout) => rollout.update === update);
    const [rollout, before] = [all[index], all[index + 1]];
    const changes =
      rollout === undefined ? "" : before === undefined ? "first" : differences(before, rollout).join(", ");
    return [String(update.number), update.time, update.result, changes || "-", update.message.split("\n")[0] ?? ""];
  });
  process.stdout.write(table([["UPDATE", "TIME", "RESULT", "CHANGED", "MESSAGE"], ...rows.reverse()]));
}

async function rolloutStatus(options: DeployOptions): Promise<void> {
  const stack = await openStack(options.stack, reportToStderr);
  const selected = await selectZone(stack, options);
  const cluster = clusterOf(selected);
  const { apps } = await connect(cluster);
  const seconds = Number(options.timeout);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new UserError(`--timeout ${options.timeout} is no number of seconds`, "e.g. --timeout 900");
  let said = "";
  await until(
    seconds,
    () =>
      new UserError(
        `zone ${selected.name} has not rolled within ${seconds} s: ${said}`,
        `kubectl --context ${cluster.context} -n ${selected.zone.namespace} describe pods shows what holds it; --timeout waits longer`,
      ),
    async () => {
      const set = await asking(
        cluster,
        () => apps.readNamespacedStatefulSet({ name: "kazoo", namespace: selected.zone.namespace }),
        new UserError(
          `zone ${selected.name} has no StatefulSet kazoo`,
          `make kube-deploy STACK=${stack.name} ZONE=${selected.name} makes it`,
        ),
      );
      const { done, progress } = rolled(set);
      if (progress !== said) process.stdout.write(`zone ${selected.name}: ${progress}\n`);
      said = progress;
      return done;
    },
  );
}
