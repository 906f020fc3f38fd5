import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../support/until";
import { findCommand, freePort, run } from "./commands";

/** A running image registry on loopback, by plain HTTP. */
export interface Registry {
  /** Host and port, the beginning of its images' names. */
  readonly address: string;
  readonly url: string;
  /** Ends it; what was pushed stays. */
  stop(): Promise<void>;
  /** Starts it again where it was, with what it had. */
  start(): Promise<void>;
  /** Ends it and forgets what was pushed. */
  remove(): Promise<void>;
}

/** Why there is no registry to test with, in one line; false if there is. */
export function noRegistry(): string | false {
  return (
    findCommand("docker-registry") === undefined &&
    "no registry: on Debian, `apt-get install docker-registry apache2-utils`"
  );
}

/**
 * Starts Debian's docker-registry on a free port of loopback.
 * @param login requires these credentials, if given
 */
export async function startRegistry(login?: { readonly user: string; readonly password: string }): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-registry-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let auth = "";
  if (login !== undefined) {
    const line = await run("htpasswd", ["-inB", login.user], { input: login.password });
    writeFileSync(join(folder, "htpasswd"), line.trim());
    auth = `auth: { htpasswd: { realm: kazoo-test, path: "${join(folder, "htpasswd")}" } }\n`;
  }
  writeFileSync(
    join(folder, "config.yml"),
    `version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: "${join(folder, "data")}" }, delete: { enabled: true } }
http: { addr: "127.0.0.1:${port}" }
${auth}`,
  );

  let process_ = undefined as ReturnType<typeof spawn> | undefined;
  const registry: Registry = {
    address: `127.0.0.1:${port}`,
    url,
    async start() {
      process_ = spawn(findCommand("docker-registry")!, ["serve", join(folder, "config.yml")], { stdio: "ignore" });
      await until("the registry", async () => (await fetch(`${url}/v2/`)).status < 500);
    },
    async stop() {
      const child = process_;
      process_ = undefined;
      if (child === undefined || child.exitCode !== null) return;
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGTERM");
      await ended;
    },
    async remove() {
      await registry.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await registry.start();
  return registry;
}
