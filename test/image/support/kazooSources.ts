import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../support/until";
import { freePort, run } from "./commands";

/** Git repositories on loopback instead of Kazoo's and Monster UI's. */
export interface KazooSources {
  /** Build arguments that name the repositories. */
  readonly args: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const standin = join(__dirname, "standin");
/** Branches of the stand-in's repositories: what KAZOO_VERSION and MONSTER_UI_VERSION may be. */
export const branches = ["4.2", "4.3"] as const;
/** The apps of Monster UI that are served. */
const apps = ["accounts", "callflows", "fax", "numbers", "pbxs", "voip", "voicemails", "webhooks"];
// The same port again if it is free: the repositories' address is part of what Docker caches a build by.
const usualPort = 19418;

/**
 * Serves the stand-in's sources by git's own daemon, each with the branches 4.2 and 4.3. The address carries a hash of the
 * sources, so that a build is cached as long as, and no longer than, they are the same. Builds reach it with
 * `docker build --network host`.
 */
export async function serveKazooSources(): Promise<KazooSources> {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-sources-"));
  const hash = contentHash(standin).slice(0, 12);
  const root = join(folder, hash);
  mkdirSync(root);

  await repository(root, "kazoo", join(standin, "kazoo"), (tree, branch) =>
    writeFileSync(join(tree, "VERSION"), `${branch}.0\n`),
  );
  await repository(root, "monster-ui", join(standin, "monster-ui"), () => undefined);
  for (const app of apps) {
    await repository(root, `monster-ui-${app}`, join(standin, "monster-app"), (tree, branch) => {
      const metadata = { name: app, version: branch, i18n: { "en-US": { label: app } } };
      writeFileSync(join(tree, "metadata", "app.json"), `${JSON.stringify(metadata)}\n`);
    });
  }

  const port = await freePort(usualPort);
  const daemon = spawn(
    "git",
    ["daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", `--port=${port}`, `--base-path=${folder}`, folder],
    // A group of its own: `git` runs the daemon as its child.
    { stdio: "ignore", detached: true },
  );
  await until("the git daemon", () => listens(port));
  const base = `git://127.0.0.1:${port}/${hash}`;
  return {
    args: {
      KAZOO_REPOSITORY: `${base}/kazoo`,
      MONSTER_UI_REPOSITORY: `${base}/monster-ui`,
      MONSTER_APPS_REPOSITORY_PREFIX: `${base}/monster-ui-`,
    },
    async stop() {
      if (daemon.pid !== undefined && daemon.exitCode === null) {
        const ended = new Promise((done) => daemon.once("exit", done));
        process.kill(-daemon.pid, "SIGTERM");
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One repository with a commit on each branch; the same sources give the same commits. */
async function repository(
  root: string,
  name: string,
  source: string,
  adapt: (tree: string, branch: string) => void,
): Promise<void> {
  const tree = join(root, name);
  cpSync(source, tree, { recursive: true });
  const env = {
    PATH: process.env["PATH"],
    HOME: root,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "stand-in",
    GIT_AUTHOR_EMAIL: "stand-in@localhost",
    GIT_AUTHOR_DATE: "2020-01-01T00:00:00Z",
    GIT_COMMITTER_NAME: "stand-in",
    GIT_COMMITTER_EMAIL: "stand-in@localhost",
    GIT_COMMITTER_DATE: "2020-01-01T00:00:00Z",
  };
  const git = (...args: string[]) => run("git", args, { cwd: tree, env });
  await git("init", "--quiet", "--initial-branch", branches[0]);
  for (const branch of branches) {
    if (branch !== branches[0]) await git("checkout", "--quiet", "-b", branch);
    adapt(tree, branch);
    await git("add", "--all");
    await git("commit", "--quiet", "--allow-empty", "--message", `Version ${branch}`);
  }
}

function contentHash(folder: string): string {
  const hash = createHash("sha256").update(readFileSync(__filename));
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    const path = join(folder, name);
    if (statSync(path).isFile()) hash.update(name).update("\0").update(readFileSync(path)).update("\0");
  }
  return hash.digest("hex");
}

async function listens(port: number): Promise<boolean> {
  return await new Promise((done) => {
    const socket = createConnection({ host: "127.0.0.1", port }, () => {
      socket.destroy();
      done(true);
    });
    socket.on("error", () => done(false));
  });
}
