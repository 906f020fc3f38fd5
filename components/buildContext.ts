import dockerignore from "@balena/dockerignore";
import { closest } from "fastest-levenshtein";
import { createHash, type Hash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * The build context of a Docker image, as far as it affects the result: files, their contents and their executable bits. Times, owners,
 * other permissions (umask) and the folder's own path do not count.
 */

const dockerfile = "Dockerfile";

/** One line per problem with a build; empty if there is none. `directory` holds the Dockerfile, `args` are the build's arguments. */
export function buildProblems(directory: string, args: Readonly<Record<string, string>>): string[] {
  const path = join(directory, dockerfile);
  if (!existsSync(path))
    return [`kazoo:image.build.context: expected a folder with a ${dockerfile}; found none at ${path}`];
  const known = declaredArguments(readFileSync(path, "utf8"));
  // Docker would only warn, and build something other than requested.
  return Object.keys(args)
    .filter((name) => !known.includes(name))
    .map((name) => {
      const likely = known.length === 0 ? "" : ` (did you mean ${closest(name, known)}?)`;
      return `kazoo:image.build.args.${name}: expected one of the ${dockerfile}'s arguments, ${known.join(", ")}${likely}`;
    });
}

/** Names of the `ARG`s of a Dockerfile, each once, in their order. */
export function declaredArguments(text: string): string[] {
  const lines = text.replace(/\\\r?\n/g, " ").matchAll(/^[ \t]*ARG[ \t]+(.+)$/gim);
  const names = [...lines].flatMap(([, rest = ""]) => [...rest.matchAll(/(?:^|\s)([A-Za-z_]\w*)(?==|\s|$)/g)]);
  return [...new Set(names.flatMap(([, name]) => name ?? []))];
}

/**
 * The hash of a build: of the context's files, without those in `.dockerignore`, and of the arguments. It is the same on every
 * machine and in every clone, and differs whenever the result can differ.
 * @returns `sha256:` and 64 hexadecimal digits
 */
export function buildHash(directory: string, args: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256");
  for (const path of contextFiles(directory)) {
    const [kind, content] = entry(join(directory, path));
    add(hash, kind, path, content);
  }
  for (const [name, value] of Object.entries(args).sort(byName)) add(hash, "argument", name, value);
  return `sha256:${hash.digest("hex")}`;
}

/** Paths of the files and links of a context, with `/` between folders, in an order that does not depend on the locale. */
export function contextFiles(directory: string): string[] {
  const ignoreFile = join(directory, ".dockerignore");
  const ignore = dockerignore();
  if (existsSync(ignoreFile)) ignore.add(readFileSync(ignoreFile, "utf8"));
  // The Dockerfile counts even if it is ignored; .dockerignore only affects the other files.
  return walk(directory, "")
    .filter((path) => path === dockerfile || !ignore.ignores(path))
    .sort(byText);
}

function walk(directory: string, below: string): string[] {
  return readdirSync(join(directory, below), { withFileTypes: true }).flatMap((item) => {
    const path = below === "" ? item.name : `${below}/${item.name}`;
    if (item.isDirectory()) return walk(directory, path);
    // Sockets and pipes cannot be in an image.
    return item.isFile() || item.isSymbolicLink() ? [path] : [];
  });
}

function entry(path: string): [kind: string, content: Buffer | string] {
  const link = linkTarget(path);
  if (link !== undefined) return ["link", link];
  return [(statSync(path).mode & 0o100) === 0 ? "file" : "executable", readFileSync(path)];
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // not a link
  }
}

/** With lengths first, so that no two lists of parts yield the same bytes. */
function add(hash: Hash, ...parts: (Buffer | string)[]): void {
  for (const part of parts) {
    hash.update(`${Buffer.byteLength(part)}:`);
    hash.update(part);
  }
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byName = ([a]: [string, string], [b]: [string, string]) => byText(a, b);
