import { runInside, runScriptInside, showLog } from "../cluster/insideNode";
import type { LogOptions } from "../cluster/kubernetes";
import { type Selection, findNode } from "../cluster/nodes";

interface NodeOptions extends Selection {
  readonly stack: string;
}

/** Prints a node's log; returns the exit code, like the others here. */
export const log = async (given: NodeOptions, options: LogOptions): Promise<number> =>
  showLog(await findNode(given.stack, given), options);

/** Runs a command, or a shell, in a node's container. */
export const shell = async (given: NodeOptions, command: readonly string[]): Promise<number> =>
  runInside(await findNode(given.stack, given), command.length > 0 ? command : anyShell);

/** Not all images have bash. */
const anyShell = ["sh", "-c", "command -v bash >/dev/null && exec bash || exec sh"];

/** Asks a Kazoo node which nodes it knows. No Kazoo 4 has the function `nodes` in `kazoo_maintenance`. Standard input is not passed on. */
export const maintenanceNodes = async (given: NodeOptions): Promise<number> =>
  runScriptInside(await findNode(given.stack, given), "exec sup kz_nodes status </dev/null\n");
