/** This machine, as it is named in lists of hosts that no proxy leads to. */
const loopback = ["localhost", "127.0.0.1", "::1"];

/**
 * What to change in an environment so that no proxy is asked for this machine: the sandbox is here, and Pulumi's
 * processes talk to each other over loopback. gRPC for Node.js, unlike Go, does not make that exception by itself.
 * @returns variables and their values; none where no proxy is set
 */
export function withoutLoopbackProxy(env: NodeJS.ProcessEnv): Record<string, string> {
  const isProxy = ([name, value]: [string, string | undefined]): boolean =>
    /^(https?|all|grpc)_proxy$/i.test(name) && value !== undefined && value !== "";
  if (!Object.entries(env).some(isProxy)) return {};
  const hosts = (...names: string[]): string => {
    const listed = names.flatMap((name) => (env[name] ?? "").split(",")).map((host) => host.trim());
    return [...new Set([...listed, ...loopback])].filter(Boolean).join(",");
  };
  const both = hosts("no_proxy", "NO_PROXY");
  // gRPC reads its own list in place of the common one.
  const own = env["no_grpc_proxy"] ? { no_grpc_proxy: hosts("no_grpc_proxy") } : {};
  return { no_proxy: both, NO_PROXY: both, ...own };
}
