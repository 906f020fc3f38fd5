import { createHash } from "node:crypto";
import type { Response } from "undici";
import { dockerHub, partsOf } from "../../../config/images";
import { withoutLoopbackProxy } from "../../shared/proxy";
import { UserError } from "../../shared/terminal";

/** A user of a registry. */
export interface Login {
  readonly username: string;
  /** Secret. */
  readonly password: string;
}

/** How registries are asked. */
export interface Access {
  /** The login at a registry, by its address; undefined: none. */
  readonly login: (registry: string) => Promise<Login | undefined>;
  /** Addresses of registries without TLS; those on this machine's loopback have none anyway. */
  readonly plainHttp: readonly string[];
}

/** The formats of manifests, those of several platforms first: their digest is the one that names the whole image. */
const formats = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/**
 * The digest that an image has in its registry; undefined if the registry does not have it.
 * @throws UserError if the registry does not answer, or not without another login
 */
export async function digestOf(image: string, access: Access): Promise<string | undefined> {
  const { registry, name, reference } = manifestOf(image);
  const host = registry === dockerHub ? "registry-1.docker.io" : registry;
  const scheme = isLoopback(registry) || access.plainHttp.includes(registry) ? "http" : "https";
  const url = `${scheme}://${host}/v2/${name}/manifests/${reference}`;
  const login = await access.login(registry);
  const ask = (method: string, authorization?: string) =>
    request(registry, url, method, { accept: formats, ...(authorization === undefined ? {} : { authorization }) });
  let authorization: string | undefined;
  let answer = await ask("HEAD");
  if (answer.status === 401) {
    authorization = await authorizationFor(registry, answer.headers.get("www-authenticate") ?? "", login);
    if (authorization !== undefined) answer = await ask("HEAD", authorization);
  }
  if (answer.status === 404) return undefined;
  // Some answer 403 instead of 401; Docker Hub answers 401 for a repository that does not exist.
  if (answer.status === 401 || answer.status === 403) throw refusal(registry, name, login);
  if (!answer.ok) throw new UserError(`registry ${registry} answers ${answer.status} for ${image}`, "try again later");
  const digest = answer.headers.get("docker-content-digest");
  if (digest !== null) return digest;
  const body = Buffer.from(await (await ask("GET", authorization)).arrayBuffer());
  return `sha256:${createHash("sha256").update(body).digest("hex")}`;
}

/** Where a registry has an image's manifest. */
export function manifestOf(image: string): {
  readonly registry: string;
  readonly name: string;
  readonly reference: string;
} {
  const { registry, repository } = partsOf(image);
  const [, name = repository, tag, digest] = /^([^:@]+)(?::([^@]+))?(?:@(.+))?$/.exec(repository) ?? [];
  return { registry, name, reference: digest ?? tag ?? "latest" };
}

const isLoopback = (registry: string): boolean => /^(localhost|127\.[\d.]+|\[::1\])(:|$)/.test(registry);

/** The header that a challenge asks for; undefined if the registry gives none with this login. */
async function authorizationFor(
  registry: string,
  challenge: string,
  login: Login | undefined,
): Promise<string | undefined> {
  const basic = login && `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
  if (!/^bearer /i.test(challenge)) return basic;
  const fields = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]));
  const url = URL.parse(fields.get("realm") ?? "");
  if (url === null) return undefined;
  for (const key of ["service", "scope"]) {
    const value = fields.get(key);
    if (value !== undefined) url.searchParams.set(key, value);
  }
  const answer = await request(registry, url.href, "GET", basic === undefined ? {} : { authorization: basic });
  if (!answer.ok) return undefined;
  const { token, access_token } = (await answer.json()) as { token?: string; access_token?: string };
  return `Bearer ${token ?? access_token}`;
}

const refusal = (registry: string, name: string, login: Login | undefined): UserError =>
  new UserError(
    login === undefined
      ? `registry ${registry} does not show ${name} without a login`
      : `registry ${registry} does not show ${name} to user ${login.username}`,
    `check the name; set the login in kazoo:registries (docs/image.md#private-registries-and-mirrors), or run docker login ${registry === dockerHub ? "" : registry}`.trimEnd(),
  );

/** Through the proxy that the environment names, which Node's own fetch does not support. */
async function request(
  registry: string,
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  const { EnvHttpProxyAgent, fetch } = await import("undici");
  const { no_proxy: noProxy } = withoutLoopbackProxy(process.env);
  const dispatcher = new EnvHttpProxyAgent(noProxy === undefined ? {} : { noProxy });
  try {
    return await fetch(url, { method, headers, dispatcher, signal: AbortSignal.timeout(30_000) });
  } catch (error) {
    const { cause, message } = error as Error & { cause?: Error };
    throw new UserError(
      `registry ${registry} does not answer: ${cause?.message ?? message}`,
      "check its address and the network",
    );
  }
}
