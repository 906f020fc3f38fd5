import { Command } from "commander";
import { dockerPlace } from "../dockerImage";
import { runInside, showLog } from "../inside";
import type { LogOptions } from "../kubernetes";
import { type Selection, findNode } from "../nodes";
import { readPlatform } from "../stack";
import { UserError } from "../terminal";

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

/** Refuses a stack on Docker: what to do there instead. */
export function onKubernetes(stack: string, command: string, instead: string): void {
  if (dockerPlace(readPlatform(stack)) === undefined) return;
  throw new UserError(`${command} is for Kubernetes, and stack ${stack} is on Docker`, instead);
}

/** `kazoo logs`, `logsf`, `shell`, and their twins for Kubernetes alone. */
export function insideCommands(): Command[] {
  const log = (name: string, description: string, options: LogOptions, instead?: string) =>
    nodeCommand(name, description).action(async (given: NodeOptions) => {
      if (instead !== undefined) onKubernetes(given.stack, name, `${instead} STACK=${given.stack}`);
      process.exitCode = await showLog(await findNode(given.stack, given), options);
    });
  const shell = (name: string, description: string, instead?: string) =>
    nodeCommand(name, description)
      .argument("[command...]", "after --: run instead of a shell")
      .action(async (command: string[], given: NodeOptions) => {
        if (instead !== undefined) onKubernetes(given.stack, name, `${instead} STACK=${given.stack}`);
        process.exitCode = await runInside(await findNode(given.stack, given), command.length > 0 ? command : anyShell);
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
        process.exitCode = await runInside(await findNode(given.stack, given), ["sup", "kazoo_maintenance", "nodes"]);
      },
    ),
  ];
}

/** Images need not have bash. */
const anyShell = ["sh", "-c", "command -v bash >/dev/null && exec bash || exec sh"];
