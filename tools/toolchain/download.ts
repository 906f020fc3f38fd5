import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { withoutLoopbackProxy } from "../shared/proxy";

/** A published file. */
export interface RemoteFile {
  readonly url: string;
  /** Its SHA-256 in hexadecimal, or the URL of a list of checksums or of a release in GitHub's API that contains it. */
  readonly sha256: string;
  /** Path in the target folder. Archives are unpacked. @default the last part of the URL */
  readonly to?: string;
}

/** Options of a download. */
export interface DownloadOptions {
  /** A mirror to fetch files from instead: `<mirror>/<host>/<path>`. */
  readonly mirror?: string;
  /** Time without a byte, in milliseconds, after which a download fails. */
  readonly patience: number;
  readonly signal: AbortSignal;
  /** Receives the size of each chunk, in bytes. */
  readonly onBytes?: (count: number) => void;
}

/** The URL on the mirror, if there is one. */
export function mirrored(url: string, mirror: string | undefined): string {
  return mirror === undefined ? url : url.replace(/^https:\//, mirror.replace(/\/+$/, ""));
}

/**
 * Downloads a file into a folder, verifies its checksum, and unpacks it if it is a `.tar.gz` or `.tgz`; any other file becomes executable.
 * Throws an error with a short reason.
 */
export async function download(file: RemoteFile, folder: string, options: DownloadOptions): Promise<void> {
  const to = join(folder, file.to ?? basename(file.url));
  const expected = await checksum(file.url, file.sha256, options);
  const hash = createHash("sha256");
  await mkdir(dirname(to), { recursive: true });
  const arriving = async function* () {
    for await (const chunk of bytes(file.url, options)) {
      hash.update(chunk);
      options.onBytes?.(chunk.length);
      yield chunk;
    }
  };
  await pipeline(arriving, createWriteStream(to));
  const actual = hash.digest("hex");
  if (actual !== expected)
    throw new Error(`${file.url} does not match its published checksum: SHA-256 ${actual}, not ${expected}`);
  if (!/\.(tar\.gz|tgz)$/.test(to)) return chmod(to, 0o755);
  const { execa } = await import("execa");
  await execa("tar", ["-xzf", to, "-C", folder], { cancelSignal: options.signal });
  await rm(to);
}

/** The published checksum of a URL, in hexadecimal. @param from see {@link RemoteFile} */
async function checksum(url: string, from: string, options: DownloadOptions): Promise<string> {
  if (!from.startsWith("https:")) return from;
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes(from, options)) chunks.push(chunk);
  const found = checksumIn(Buffer.concat(chunks).toString(), basename(url));
  if (found === undefined) throw new Error(`${mirrored(from, options.mirror)} has no checksum of ${basename(url)}`);
  return found;
}

/** A file's SHA-256 in the output of sha256sum, in a text with a single checksum, or in a release of GitHub's API. */
export function checksumIn(text: string, name: string): string | undefined {
  if (/^\s*[0-9a-f]{64}\s*$/.test(text)) return text.trim();
  for (const line of text.split("\n")) {
    const [, sum, path] = /^([0-9a-f]{64}) [ *](.+?)\s*$/.exec(line) ?? [];
    if (path !== undefined && basename(path) === name) return sum;
  }
  try {
    const { assets } = JSON.parse(text) as { assets?: { name: string; digest?: string | null }[] };
    const digest = assets?.find((asset) => asset.name === name)?.digest;
    return /^sha256:([0-9a-f]{64})$/.exec(digest ?? "")?.[1];
  } catch {
    return undefined;
  }
}

/** The body of a response, in chunks, through the proxy that the environment names. Node's own fetch does not support proxies. */
async function* bytes(from: string, { mirror, patience, signal }: DownloadOptions): AsyncGenerator<Uint8Array> {
  const url = mirrored(from, mirror);
  const { EnvHttpProxyAgent, fetch } = await import("undici");
  const { no_proxy: noProxy } = withoutLoopbackProxy(process.env);
  const dispatcher = new EnvHttpProxyAgent(noProxy === undefined ? {} : { noProxy });
  const silence = new AbortController();
  const giveUp = () => silence.abort(new Error(`${new URL(url).host} has not answered for ${patience / 1_000} s`));
  const watch = setTimeout(giveUp, patience);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, silence.signal]), dispatcher });
    if (!response.ok) throw new Error(`${url} answers ${response.status}`);
    for await (const chunk of response.body ?? []) {
      watch.refresh();
      yield chunk;
    }
  } catch (error) {
    if (signal.aborted || silence.signal.aborted) throw signal.reason ?? silence.signal.reason;
    // The message is only "fetch failed"; the reason is in the cause.
    const { cause } = error as { cause?: Error };
    throw cause === undefined ? error : new Error(`${new URL(url).host}: ${cause.message}`);
  } finally {
    clearTimeout(watch);
    await dispatcher.destroy();
  }
}
