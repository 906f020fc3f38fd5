import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { type Report, UserError } from "../shared/terminal";
import { atLeast } from "./checks";
import { Memory } from "./memory";
import { type Plugin, plugins, versions } from "./parts";
import { hasPlugin, installPlugin } from "./plugins";

/** Time limit of a network check, in milliseconds. */
const patience = 1_500;

/**
 * The installed Pulumi CLI, if it is new enough and has the plugins or can download them; otherwise undefined. Whether downloads work is
 * tried once and recorded in `root`, so that later runs do not wait. `forced` tries again and throws a UserError instead.
 */
export async function installedPulumi(
  parts: readonly string[],
  root: string,
  env: NodeJS.ProcessEnv,
  forced: boolean,
  report: Report,
): Promise<string | undefined> {
  const cli = await installedCli(root, env);
  if ("problem" in cli) {
    if (!forced) return undefined;
    throw new UserError(
      `TOOLCHAIN=system, but ${cli.problem}`,
      `install Pulumi ${versions.pulumi} or newer (https://www.pulumi.com/docs/install), or unset TOOLCHAIN`,
    );
  }
  const home = userHome(env);
  const missing = plugins.filter((plugin) => parts.includes(plugin) && !hasPlugin(home, plugin));
  const subject = (plugin: Plugin): string => `${cli.path} ${cli.version} ${nameVersion(plugin)}`;
  const memory = new Memory(root);
  if (!forced && missing.some((plugin) => memory.hasFailed(subject(plugin)))) return undefined;
  for (const plugin of missing) {
    report(`downloading the Pulumi plugin ${nameVersion(plugin)}`);
    const problem = await download(plugin, cli.path, home, env);
    if (problem === undefined) continue;
    if (forced) {
      throw new UserError(
        `TOOLCHAIN=system, but the plugin ${nameVersion(plugin)} cannot be downloaded: ${problem}`,
        "check the network, or unset TOOLCHAIN",
      );
    }
    memory.remember([subject(plugin)]);
    report(
      `the installed Pulumi is not used, now or in later runs: it cannot download the plugin ${nameVersion(plugin)} (${problem}). TOOLCHAIN=system retries`,
    );
    return undefined;
  }
  return cli.path;
}

/** The Pulumi on the PATH, or why it cannot be used. */
async function installedCli(
  root: string,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly path: string; readonly version: string } | { readonly problem: string }> {
  const path = onPath("pulumi", env);
  if (path === undefined) return { problem: "no pulumi is on the PATH" };
  if (realpathSync(path).startsWith(join(root, "/"))) return { problem: `${path} was built by this project` };
  const { execa } = await import("execa");
  const { stdout } = await execa(path, ["version"], {
    env: { ...env, PULUMI_SKIP_UPDATE_CHECK: "true" },
    extendEnv: false,
    timeout: 10_000,
    reject: false,
  });
  const version = /^v?(\d+\.\d+\.\d+\S*)$/m.exec(stdout.trim())?.[1];
  if (version === undefined) return { problem: `${path} did not print its version` };
  if (!atLeast(version, versions.pulumi)) {
    return { problem: `${path} is version ${version} (${versions.pulumi} or newer is required)` };
  }
  const host = "pulumi-language-nodejs";
  if (!existsSync(join(dirname(realpathSync(path)), host)) && onPath(host, env) === undefined) {
    return { problem: `${path} has no ${host} next to it` };
  }
  return { path, version };
}

/** The user's own Pulumi home. */
export function userHome(env: NodeJS.ProcessEnv): string {
  return env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
}

const nameVersion = (plugin: Plugin): string => `${plugin} ${versions[plugin]}`;

/** Lets the installed Pulumi download a plugin. Returns the reason if that fails. */
async function download(
  plugin: Plugin,
  cli: string,
  home: string,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  // Pulumi retries for minutes without a network, so check first. Behind a proxy only Pulumi itself can check.
  const proxied = ["HTTPS_PROXY", "https_proxy"].some((name) => (env[name] ?? "") !== "");
  if (!proxied && !(await reachable("https://get.pulumi.com/"))) return "the download site cannot be reached";
  return await installPlugin(cli, plugin, { home, env });
}

async function reachable(url: string): Promise<boolean> {
  try {
    await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(patience) });
    return true;
  } catch {
    return false;
  }
}

/** The first executable with this name on the PATH. */
function onPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const candidates = (env["PATH"] ?? "")
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, name));
  return candidates.find((candidate) => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
