import { type ChildProcess, execFile, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

const project = resolve(__dirname, "../..");

/** The result of a command in a clone. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A copy of the project, with its own sandbox and state. */
export interface Clone {
  readonly directory: string;
  /** Runs `kazoo ARGS…` there, with `environment` added to this process's own; never throws for an exit code. */
  readonly run: (args: readonly string[], environment?: NodeJS.ProcessEnv) => Promise<Run>;
  /** The same, and calls back with the process and its output so far, each time it prints something. */
  readonly watch: (
    args: readonly string[],
    onOutput: (child: ChildProcess, stdout: string) => void,
    environment?: NodeJS.ProcessEnv,
  ) => Promise<Run>;
  /** The same, and sends it Ctrl-C's signal as soon as its output matches. */
  readonly interrupt: (args: readonly string[], when: RegExp, environment?: NodeJS.ProcessEnv) => Promise<Run>;
  /** Stops the clone's sandbox and removes the folder. */
  readonly dispose: () => Promise<void>;
}

/** Copies the working tree (tracked files and new ones that are not ignored) into a temporary folder; packages are linked. */
export async function cloneProject(): Promise<Clone> {
  const directory = mkdtempSync(join(tmpdir(), "kazoo-clone-"));
  const listed = await promisify(execFile)("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: project,
    maxBuffer: 16 * 1024 * 1024,
  });
  for (const file of listed.stdout.split("\0")) {
    // A tracked file may be deleted in the working tree.
    if (file === "" || !existsSync(join(project, file))) continue;
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    copyFileSync(join(project, file), join(directory, file));
  }
  symlinkSync(join(project, "node_modules"), join(directory, "node_modules"));

  const watch: Clone["watch"] = (args, onOutput, environment = {}) =>
    new Promise((done, fail) => {
      const child = spawn(process.execPath, [join(directory, "tools", "cli", "kazoo.js"), ...args], {
        cwd: directory,
        env: { ...process.env, ...environment },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => onOutput(child, (stdout += text)));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.on("error", fail);
      child.on("close", (code, signal) => done({ code: code ?? -1, stdout, stderr: stderr + (signal ?? "") }));
    });
  const run: Clone["run"] = (args, environment) => watch(args, () => undefined, environment);
  const interrupt: Clone["interrupt"] = (args, when, environment) => {
    let sent = false;
    const onOutput = (child: ChildProcess, stdout: string): void => {
      if (!sent && when.test(stdout)) sent = child.kill("SIGINT");
    };
    return watch(args, onOutput, environment);
  };
  const dispose: Clone["dispose"] = async () => {
    if (existsSync(join(directory, ".sandbox"))) await run(["sandbox", "down", "--purge"]);
    rmSync(directory, { recursive: true, force: true });
  };
  return { directory, run, watch, interrupt, dispose };
}
