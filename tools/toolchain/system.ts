import { execFile } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Report, UserError } from "../shared/terminal";
import { atLeast } from "./checks";
import { type Part, type Plugin, plugins, pulumiParts, versions } from "./parts";

/** `build`: everything comes from Go modules. `system`: the Pulumi that is installed, with its own plugins and login. */
export type Mode = "build" | "system";

/** Where Pulumi comes from: from here, or from the CLI at that path. */
export type Source = { readonly mode: "build" } | { readonly mode: "system"; readonly cli: string };

/** What TOOLCHAIN says: a mode, or nothing. */
export function forcedMode(value: string | undefined): Mode | undefined {
  if (value === undefined || value === "") return undefined;
  if (value === "build" || value === "system") return value;
  throw new UserError(
    `TOOLCHAIN is ${JSON.stringify(value)}: build or system is expected`,
    "set one of them, or unset it",
  );
}

/** Milliseconds that a question to the network may take. */
const patience = 1_500;

/**
 * Which mode to use for these parts. An installed Pulumi is used when it is new enough and has the plugins, or can
 * download them. Whether downloads work is tried once and remembered in `root`, so that no later run waits for it;
 * TOOLCHAIN=system tries again.
 */
export async function decideMode(
  parts: readonly Part[],
  root: string,
  env: NodeJS.ProcessEnv,
  report: Report,
): Promise<Source> {
  const forced = forcedMode(env["TOOLCHAIN"]);
  if (forced === "build" || !parts.some((part) => pulumiParts.includes(part))) return { mode: "build" };
  const wanted = plugins.filter((plugin) => parts.includes(plugin));
  const cli = await installedCli(root, env);
  if ("problem" in cli) {
    if (forced === undefined) return { mode: "build" };
    throw new UserError(
      `TOOLCHAIN=system, but ${cli.problem}`,
      `install Pulumi ${versions.pulumi} or newer (https://www.pulumi.com/docs/install), or unset TOOLCHAIN to build it`,
    );
  }
  const missing = wanted.filter((plugin) => !hasPlugin(plugin, env));
  if (missing.length === 0) return { mode: "system", cli: cli.path };

  const memory = new Memory(root, `${cli.path} ${cli.version} ${missing.map(nameVersion).join(" ")}`);
  if (forced === undefined && memory.downloadsFailed) return { mode: "build" };
  for (const plugin of missing) {
    report(`downloading the Pulumi plugin ${nameVersion(plugin)}`);
    const problem = await download(plugin, cli.path, env);
    if (problem === undefined) continue;
    if (forced !== undefined) {
      throw new UserError(
        `TOOLCHAIN=system, but the plugin ${nameVersion(plugin)} cannot be downloaded: ${problem}`,
        "check the network, or unset TOOLCHAIN to build it",
      );
    }
    memory.rememberFailure();
    report(
      `the plugin cannot be downloaded (${problem}): building it instead, also in later runs (TOOLCHAIN=system tries again)`,
    );
    return { mode: "build" };
  }
  return { mode: "system", cli: cli.path };
}

/** The Pulumi on the PATH, or why it is of no use. */
async function installedCli(
  root: string,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly path: string; readonly version: string } | { readonly problem: string }> {
  const path = onPath("pulumi", env);
  if (path === undefined) return { problem: "no pulumi is on the PATH" };
  if (realpathSync(path).startsWith(join(root, "/"))) return { problem: `${path} is one that was built here` };
  const output = await run(path, ["version"], { ...env, PULUMI_SKIP_UPDATE_CHECK: "true" }, 10_000);
  const version = /^v?(\d+\.\d+\.\d+\S*)$/m.exec(output.stdout.trim())?.[1];
  if (version === undefined) return { problem: `${path} does not tell its version` };
  if (!atLeast(version, versions.pulumi)) {
    return { problem: `${path} is version ${version} (${versions.pulumi} or newer is needed)` };
  }
  const host = "pulumi-language-nodejs";
  if (!existsSync(join(dirname(realpathSync(path)), host)) && onPath(host, env) === undefined) {
    return { problem: `${path} has no ${host} beside it` };
  }
  return { path, version };
}

/** The user's own Pulumi home. */
export function userHome(env: NodeJS.ProcessEnv): string {
  return env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
}

const nameVersion = (plugin: Plugin): string => `${plugin} ${versions[plugin]}`;

function hasPlugin(plugin: Plugin, env: NodeJS.ProcessEnv): boolean {
  const folder = join(userHome(env), "plugins", `resource-${plugin}-v${versions[plugin]}`);
  // Pulumi marks a download that has not ended with a file beside the folder.
  return existsSync(join(folder, `pulumi-resource-${plugin}`)) && !existsSync(`${folder}.partial`);
}

/** Lets Pulumi download a plugin. Returns why it could not. */
async function download(plugin: Plugin, cli: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  // Pulumi itself retries for minutes when there is no network: ask first. Behind a proxy only Pulumi can ask.
  const proxied = ["HTTPS_PROXY", "https_proxy"].some((name) => (env[name] ?? "") !== "");
  if (!proxied && !(await reachable("https://get.pulumi.com/"))) return "the download site cannot be reached";
  const args = ["plugin", "install", "resource", plugin, versions[plugin], "--non-interactive", "--color=never"];
  const { code, stderr } = await run(cli, args, { ...env, PULUMI_SKIP_UPDATE_CHECK: "true" }, 300_000);
  if (code === 0 && hasPlugin(plugin, env)) return undefined;
  return stderr.trim().split("\n").at(-1) || "pulumi plugin install failed";
}

async function reachable(url: string): Promise<boolean> {
  try {
    await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(patience) });
    return true;
  } catch {
    return false;
  }
}

/** The one thing remembered from run to run: with which CLI which downloads failed. */
class Memory {
  private readonly file: string;

  constructor(
    private readonly root: string,
    private readonly subject: string,
  ) {
    this.file = join(root, "system.json");
  }

  get downloadsFailed(): boolean {
    try {
      return (JSON.parse(readFileSync(this.file, "utf8")) as { failed?: string }).failed === this.subject;
    } catch {
      return false;
    }
  }

  rememberFailure(): void {
    mkdirSync(this.root, { recursive: true });
    const draft = `${this.file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify({ failed: this.subject }));
    renameSync(draft, this.file);
  }
}

/** The first executable of this name on the PATH. */
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

const execute = promisify(execFile);

async function run(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  timeout: number,
): Promise<{ readonly stdout: string; readonly stderr: string; readonly code: number }> {
  try {
    return { ...(await execute(file, args, { env, timeout })), code: 0 };
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    return { stdout: stdout ?? "", stderr: stderr ?? String(error), code: 1 };
  }
}
