import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { chmod, mkdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { withoutLoopbackProxy } from "../shared/proxy";

/** A file that the makers of a program publish. */
export interface RemoteFile {
  readonly url: string;
  /** Its SHA-256 in hexadecimal, or the URL of what tells it: a list of checksums, or GitHub's data of a release. */
  readonly sha256: string;
  /** Path in the folder that it is downloaded to; the default is the last part of the URL. Archives are unpacked. */
  readonly to?: string;
}

/** How downloads are made. */
export interface DownloadOptions {
  /** Where files are fetched from instead: `<mirror>/<host>/<path>`. */
  readonly mirror?: string;
  /** Milliseconds without a byte after which a download is given up. */
  readonly patience: number;
  readonly signal: AbortSignal;
  /** Gets the size of each piece that has come, in bytes. */
  readonly onBytes?: (count: number) => void;
}

/** The URL that is asked in the place of another. */
export function mirrored(url: string, mirror: string | undefined): string {
  return mirror === undefined ? url : url.replace(/^https:\//, mirror.replace(/\/+$/, ""));
}

/**
 * Downloads a file into a folder, checks it and unpacks it if it is a `.tar.gz` or `.tgz`; what is not an archive is made
 * executable. Throws an error that says in a few words what went wrong.
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
  if (actual !== expected) throw new Error(`${file.url} is not the published file: SHA-256 ${actual}, not ${expected}`);
  if (!/\.(tar\.gz|tgz)$/.test(to)) return chmod(to, 0o755);
  const { execa } = await import("execa");
  await execa("tar", ["-xzf", to, "-C", folder], { cancelSignal: options.signal });
  await rm(to);
}

/** The checksum that is published for a URL, in hexadecimal. `from` is this checksum, or the URL of what tells it. */
async function checksum(url: string, from: string, options: DownloadOptions): Promise<string> {
  if (!from.startsWith("https:")) return from;
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes(from, options)) chunks.push(chunk);
  const found = checksumIn(Buffer.concat(chunks).toString(), basename(url));
  if (found === undefined) throw new Error(`${mirrored(from, options.mirror)} has no checksum of ${basename(url)}`);
  return found;
}

/** A file's SHA-256 in a list as sha256sum writes it, in a text that is one checksum, or in GitHub's data of a release. */
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

/** What a URL answers, piece by piece, by the proxy that the environment names. Node's own fetch knows no proxy. */
async function* bytes(from: string, { mirror, patience, signal }: DownloadOptions): AsyncGenerator<Uint8Array> {
  const url = mirrored(from, mirror);
  const { EnvHttpProxyAgent, fetch } = await import("undici");
  const { no_proxy: noProxy } = withoutLoopbackProxy(process.env);
  const dispatcher = new EnvHttpProxyAgent(noProxy === undefined ? {} : { noProxy });
  const silence = new AbortController();
  const giveUp = () => silence.abort(new Error(`${new URL(url).host} does not answer for ${patience / 1_000} s`));
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
    // "fetch failed" says nothing: what failed is in its cause.
    const { cause } = error as { cause?: Error };
    throw cause === undefined ? error : new Error(`${new URL(url).host}: ${cause.message}`);
  } finally {
    clearTimeout(watch);
    await dispatcher.destroy();
  }
}
