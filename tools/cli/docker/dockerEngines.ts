import { connect } from "node:net";
import type { Platform } from "../../../config/platform";
import { UserError } from "../../shared/terminal";

/** Addresses of a stack's Docker Engines. */
export const engineHosts = ({ clusters }: Platform): string[] =>
  Object.values(clusters).flatMap((cluster) => (cluster.kind === "docker" ? [cluster.host] : []));

/**
 * Refuses Docker Engines that do not run: Pulumi would report that once for each resource, and Docker's client without a next step.
 * @param patience milliseconds to wait for a connection
 * @throws UserError naming all such engines; an engine behind ssh is not tried
 */
export async function requireEngines(hosts: readonly string[], patience = 5_000): Promise<void> {
  const problems = await Promise.all(hosts.map((host) => problemOf(host, patience)));
  const lines = problems.flatMap((problem) => problem ?? []);
  if (lines.length > 0) throw new UserError(lines.join("\n"), otherEngine);
}

/** The next step for an engine that does not answer. */
export const otherEngine =
  "start the engine, name another one in kazoo:clusters.NAME.docker.host, or choose another stack, e.g. STACK=dev";

async function problemOf(host: string, patience: number): Promise<string | undefined> {
  const at = new URL(host);
  const options =
    at.protocol === "unix:"
      ? { path: at.pathname }
      : at.protocol === "tcp:"
        ? { host: at.hostname.replace(/^\[|\]$/g, ""), port: Number(at.port || 2375) }
        : undefined;
  if (options === undefined) return undefined;
  return new Promise((done) => {
    const socket = connect({ ...options, timeout: patience });
    const end = (problem?: string): void => {
      socket.destroy();
      done(problem === undefined ? undefined : `Docker at ${host} does not answer: ${problem}`);
    };
    socket.on("connect", () => end());
    socket.on("timeout", () => end(`no connection within ${patience / 1000} s`));
    socket.on("error", (error) => end(error.message));
  });
}
