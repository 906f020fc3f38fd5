import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A registry on loopback that only answers for manifests. */
export interface RegistryDouble {
  /** Host and port. */
  readonly address: string;
  /** Digests by `NAME:TAG` or `NAME@DIGEST`, without the registry. */
  readonly images: Map<string, string>;
  readonly stop: () => void;
}

/**
 * Starts it.
 * @param login what it asks for: HTTP's Basic, or a token that it gives for it. @default everyone may read
 */
export async function startRegistry(login?: {
  readonly kind: "basic" | "token";
  readonly username: string;
  readonly password: string;
}): Promise<RegistryDouble> {
  const images = new Map<string, string>();
  const basic = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
  const server = createServer((request, answer) => {
    const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
    const { authorization } = request.headers;
    const end = (code: number, headers: Record<string, string> = {}, body = "") =>
      void answer.writeHead(code, headers).end(body);
    if (url.pathname === "/token") {
      if (authorization !== basic) return end(401);
      return end(200, {}, JSON.stringify({ token: `for ${url.searchParams.get("scope")}` }));
    }
    const [, name = "", reference = ""] = /^\/v2\/(.+)\/manifests\/(.+)$/.exec(url.pathname) ?? [];
    const scope = `repository:${name}:pull`;
    if (login?.kind === "token" && authorization !== `Bearer for ${scope}`)
      return end(401, {
        "www-authenticate": `Bearer realm="${url.origin}/token",service="registry",scope="${scope}"`,
      });
    if (login?.kind === "basic" && authorization !== basic) return end(401, { "www-authenticate": "Basic realm=x" });
    const digest = images.get(`${name}${reference.includes(":") ? "@" : ":"}${reference}`);
    return digest === undefined ? end(404) : end(200, { "docker-content-digest": digest });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    images,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
