import dockerignore from "@balena/dockerignore";
import { closest } from "fastest-levenshtein";
import { createHash, type Hash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * The build context of a Docker image, as far as it decides what is built: which files there are, what is in them and which of them can
 * be executed. Times, owners, other permissions (umask) and the folder's own path are no part of it.
 */

const dockerfile = "Dockerfile";

/** One line per problem with a build; empty where it can be tried. `directory` holds the Dockerfile, `args` are the build's arguments. */
export function buildProblems(directory: string, args: Readonly<Record<string, string>>): string[] {
  const path = join(directory, dockerfile);
  if (!existsSync(path))
    return [`kazoo:image.build.context: expected a folder with a ${dockerfile}; found none at ${path}`];
  const known = declaredArguments(readFileSync(path, "utf8"));
  // Docker itself only warns, and builds something else than what was asked for.
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
 * The hash of a build: of the context's files, less those that `.dockerignore` names, and of the arguments.
 * The same on every machine and in every clone; another wherever something else may be built.
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

/** Paths of the files and links of a context, with `/` between folders, in an order that no locale changes. */
export function contextFiles(directory: string): string[] {
  const ignoreFile = join(directory, ".dockerignore");
  const ignore = dockerignore();
  if (existsSync(ignoreFile)) ignore.add(readFileSync(ignoreFile, "utf8"));
  // The Dockerfile decides even where it is ignored; what .dockerignore says shows in the other files.
  return walk(directory, "")
    .filter((path) => path === dockerfile || !ignore.ignores(path))
    .sort(byText);
}

function walk(directory: string, below: string): string[] {
  return readdirSync(join(directory, below), { withFileTypes: true }).flatMap((item) => {
    const path = below === "" ? item.name : `${below}/${item.name}`;
    if (item.isDirectory()) return walk(directory, path);
    // Sockets and pipes are no part of an image.
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

/** Lengths go first, so that no two lists of parts run together into the same bytes. */
function add(hash: Hash, ...parts: (Buffer | string)[]): void {
  for (const part of parts) {
    hash.update(`${Buffer.byteLength(part)}:`);
    hash.update(part);
  }
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byName = ([a]: [string, string], [b]: [string, string]) => byText(a, b);
