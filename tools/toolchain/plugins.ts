import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Plugin, versions } from "./parts";

/** Milliseconds that the download of one plugin may take. */
const limit = 300_000;

/** Path of a plugin's program below a Pulumi home, whether it exists or not. */
export const pluginBinary = (home: string, plugin: Plugin): string =>
  join(home, "plugins", `resource-${plugin}-v${versions[plugin]}`, `pulumi-resource-${plugin}`);

/** Whether a Pulumi home has a plugin. */
export function hasPlugin(home: string, plugin: Plugin): boolean {
  const binary = pluginBinary(home, plugin);
  // Pulumi marks an unfinished download with a file beside the folder.
  return existsSync(binary) && !existsSync(`${join(binary, "..")}.partial`);
}

/** Lets Pulumi download a plugin into its home. Returns why it could not; undefined if the plugin is installed. */
export async function installPlugin(
  cli: string,
  plugin: Plugin,
  options: {
    readonly home: string;
    readonly env: NodeJS.ProcessEnv;
    readonly signal?: AbortSignal;
    /** More options for `pulumi plugin install`. */
    readonly args?: readonly string[];
  },
): Promise<string | undefined> {
  const { execa } = await import("execa");
  const { home, env, signal, args = [] } = options;
  const command = ["plugin", "install", "resource", plugin, versions[plugin], "--exact"];
  const { stderr, shortMessage } = await execa(cli, [...command, ...args, "--non-interactive", "--color=never"], {
    cwd: tmpdir(), // Not the project, whose file may name other plugins.
    env: { ...env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" },
    extendEnv: false,
    stdin: "ignore",
    timeout: limit,
    reject: false,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  if (hasPlugin(home, plugin)) return undefined;
  return stderr.trim().split("\n").at(-1) || shortMessage || "the plugin is still missing";
}
