import { Command } from "commander";
import { choose } from "../choose";
import { dockerPlaces } from "../dockerImage";
import { runInside, runScriptInside, showLog } from "../insideNode";
import type { LogOptions } from "../kubernetes";
import { type Selection, type ZoneNode, findNode } from "../nodes";
import { readPlatform } from "../openStack";
import { UserError } from "../../shared/terminal";

interface NodeOptions extends Selection {
  readonly stack: string;
}

/** A command about a zone of a stack. */
export const zoneCommand = (name: string, description: string): Command =>
  new Command(name)
    .description(description)
    .option("-s, --stack <name>", "which Pulumi.<name>.yaml", "dev")
    .option("-z, --zone <name>", "which zone; needed where the stack has several");

/** A command about a node of a zone. */
export const nodeCommand = (name: string, description: string): Command =>
  zoneCommand(name, description).option(
    "-n, --node <name>",
    "which node, e.g. kazoo-0; needed where the zone has several of Kazoo",
  );

/**
 * Refuses a stack or zone on Docker; of a stack that has both, the zones on Kubernetes are those to choose from.
 * @param instead what to do on Docker
 */
export async function onKubernetes<Given extends NodeOptions>(
  given: Given,
  command: string,
  instead: string,
): Promise<Given> {
  const platform = readPlatform(given.stack);
  const onDocker = dockerPlaces(platform).map(({ zone }) => zone.name);
  if (onDocker.length === 0) return given;
  const others = platform.zones.map(({ name }) => name).filter((name) => !onDocker.includes(name));
  if (others.length > 0 && !onDocker.includes(given.zone ?? ""))
    return { ...given, zone: await choose("zone", "ZONE", others, given.zone) };
  const what = others.length === 0 ? `stack ${given.stack}` : `zone ${given.zone}`;
  throw new UserError(`${command} is for Kubernetes, and ${what} is on Docker`, instead);
}

/** `kazoo logs`, `logsf`, `shell`, and their twins for Kubernetes alone. */
export function insideCommands(): Command[] {
  const log = (name: string, description: string, options: LogOptions, instead?: string) =>
    nodeCommand(name, description).action(async (given: NodeOptions) => {
      process.exitCode = await showLog(await nodeFor(given, name, instead), options);
    });
  const shell = (name: string, description: string, instead?: string) =>
    nodeCommand(name, description)
      .argument("[command...]", "after --: run instead of a shell")
      .action(async (command: string[], given: NodeOptions) => {
        process.exitCode = await runInside(
          await nodeFor(given, name, instead),
          command.length > 0 ? command : anyShell,
        );
      });
  return [
    log("logs", "show the log of a Kazoo node, or of the node that --node names", { follow: false }),
    log("logsf", "follow the log of a Kazoo node, from its last 100 lines on", { follow: true, tail: 100 }),
    shell("shell", "a shell in the container of a Kazoo node; commands may be piped into it"),
    log("kube-logsf", "follow the log of a Kazoo pod, from its beginning", { follow: true }, "make logsf"),
    log(
      "kube-logsft",
      "show the last 25 lines of a Kazoo pod's log, then follow",
      { follow: true, tail: 25 },
      "make logsf",
    ),
    shell("kube-shell", "a shell in a Kazoo pod", "make shell"),
    nodeCommand("kazoo-maint-nodes", "ask a Kazoo node which nodes it knows (sup kazoo_maintenance nodes)").action(
      async (given: NodeOptions) => {
        // A question: what is piped into us is not for it.
        const script = "exec sup kazoo_maintenance nodes </dev/null\n";
        process.exitCode = await runScriptInside(await findNode(given.stack, given), script);
      },
    ),
  ];
}

/** The node that is meant; with `instead`, what to do on Docker, it must be one on Kubernetes. */
async function nodeFor(given: NodeOptions, command: string, instead: string | undefined): Promise<ZoneNode> {
  if (instead === undefined) return findNode(given.stack, given);
  return findNode(given.stack, await onKubernetes(given, command, `${instead} STACK=${given.stack}`));
}

/** Images need not have bash. */
const anyShell = ["sh", "-c", "command -v bash >/dev/null && exec bash || exec sh"];
