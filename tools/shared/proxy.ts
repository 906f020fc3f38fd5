/** This machine, as `no_proxy` names it. */
const loopback = ["localhost", "127.0.0.1", "::1"];

/**
 * The variables that exempt this machine from proxies: the sandbox listens on loopback, and Pulumi's processes connect
 * to each other there. Go always makes this exception, gRPC for Node.js does not.
 * @returns names and values; none if no proxy is set
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
  // gRPC reads this list instead of the common one.
  const own = env["no_grpc_proxy"] ? { no_grpc_proxy: hosts("no_grpc_proxy") } : {};
  return { no_proxy: both, NO_PROXY: both, ...own };
}
