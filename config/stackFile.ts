import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { namesSecret } from "./credentials";
import { parsePlatform, passwordsIn, structured } from "./parse";
import { misreadProblems } from "./checks/misread";
import type { Platform } from "./platform";
import { ConfigError, UnknownStackError, problem, type Problem } from "./problem";
import { readYaml, type Misread, type YamlFile } from "./yaml";

const prefix = "kazoo:";

/** A stack's name without its organization. */
const bareName = (stack: string): string => stack.split("/").at(-1) ?? stack;

/** Path of a stack's file in the project's folder; the stack of a region uses the file of the whole stack. */
export const stackFilePath = (project: string, stack: string): string =>
  join(project, `Pulumi.${wholeOf(project, bareName(stack))}.yaml`);

/** `prod` for `prod.us-east`, if the file of `prod` gives regions stacks of their own; otherwise the name itself. */
function wholeOf(project: string, stack: string): string {
  const whole = stack.slice(0, Math.max(0, stack.lastIndexOf(".")));
  const path = join(project, `Pulumi.${whole}.yaml`);
  return whole !== "" && existsSync(path) && splitsRegions.test(readFileSync(path, "utf8")) ? whole : stack;
}

const splitsRegions = /^[^#]*\bstacks["']?\s*:\s*["']?region\b/m;

/** Names of the stacks that have a file in the project's folder. */
export const knownStacks = (project: string): string[] =>
  readdirSync(project).flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []);

/**
 * Reads the config of a stack from its file, without the engine: for commands that must know a stack's clusters before it runs.
 * Encrypted values stay encrypted; a valid placeholder replaces each.
 * @param project the project's folder
 * @param stack the stack's name, with or without its organization
 * @throws UnknownStackError if the file does not exist, ConfigError with all problems of the file and its config
 */
export function readStackFile(project: string, stack: string): Platform {
  const path = stackFilePath(project, stack);
  if (!existsSync(path)) {
    throw new UnknownStackError(bareName(stack), knownStacks(project));
  }
  return platformOfFile(path);
}

/**
 * Reads the config of a stack's file; see {@link readStackFile}.
 * @param path the file's path
 * @throws ConfigError with all problems of the file and its config
 */
export const platformOfFile = (path: string): Platform => platformOfBytes(readFileSync(path), basename(path));

/**
 * Reads the config of a stack's file; see {@link readStackFile}.
 * @param bytes the file's contents
 * @param name the file's name, for errors
 */
export function platformOfBytes(bytes: Uint8Array, name: string): Platform {
  const { entries, misread } = kazooKeys(readYaml(bytes, name), name);
  const secretKeys = new Set<string>();
  const input: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    input[key] = structured(
      key,
      opened(value, () => secretKeys.add(key)),
    );
    const secrets = key === "credentials" ? [value] : key === "registries" ? passwordsIn(value) : [];
    if (secrets.some(holdsPlainText)) secretKeys.delete(key);
  }
  return parsePlatform(input, secretKeys, [...misreadProblems(misread), ...tooLarge(entries, name)]);
}

/** The plain scalars below `kazoo:` that are not the text that they look like. */
export function misreadIn(bytes: Uint8Array, name: string): readonly Misread[] {
  return kazooKeys(readYaml(bytes, name), name).misread;
}

/** The keys of the project, without their prefix; as in the engine, a key without a prefix belongs to the project. */
function kazooKeys(
  { value, misread }: YamlFile,
  name: string,
): { entries: [key: string, value: unknown][]; misread: Misread[] } {
  const file = mappingOf(value, name);
  const config = mappingOf(file.config, `${name}, config`);
  const entries = Object.entries(config).flatMap(([key, content]): [string, unknown][] => {
    const bare = bareKey(key);
    return bare === undefined ? [] : [[bare, content]];
  });
  const twice = entries.find(([key], index) => entries.findIndex(([other]) => other === key) < index);
  if (twice !== undefined) {
    const found = `the key ${twice[0]} with its prefix and without`;
    throw new ConfigError([{ key: name, found, expected: "each key once", example: `${prefix}${twice[0]}` }]);
  }
  const ours = misread.flatMap(({ path: [top, key, ...rest], ...scalar }): Misread[] => {
    const bare = top === "config" && key !== undefined ? bareKey(key) : undefined;
    return bare === undefined ? [] : [{ ...scalar, path: [bare, ...rest] }];
  });
  return { entries, misread: ours };
}

function bareKey(key: string): string | undefined {
  if (key.startsWith(prefix)) return key.slice(prefix.length).replace(/^config:/, "");
  return key.includes(":") ? undefined : key;
}

function mappingOf(value: unknown, key: string): Record<string, unknown> {
  if (value === null || value === undefined) return {};
  if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new ConfigError([problem(key, value, "a mapping", "config: { kazoo:clusters: … }")]);
}

/** Linux limits an environment variable to 128 KiB, and the engine passes the config in one. */
const largest = 128 * 1024;

function tooLarge(entries: readonly [string, unknown][], name: string): Problem[] {
  const texts = entries.map(([key, value]) => [
    `${prefix}${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  const size = Buffer.byteLength(`PULUMI_CONFIG=${JSON.stringify(Object.fromEntries(texts))}`) + 1;
  return size <= largest
    ? []
    : [
        {
          key: name,
          found: `a config of ${Math.ceil(size / 1024)} KiB`,
          expected: "at most 128 KiB, since the engine passes it to the program in one environment variable",
          example: "set what datacenters share once, for the platform or a region, or give regions stacks of their own",
        },
      ];
}

/** Sixteen characters: valid as a cookie and as a password. */
const placeholder = "encrypted-secret";

function opened(value: unknown, onSecret: () => void): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => opened(item, onSecret));
  if (isEncrypted(value)) {
    onSecret();
    return placeholder;
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, opened(inner, onSecret)]));
}

/** As the engine has it: `secure` alone, with text. */
const isEncrypted = (value: object): boolean =>
  Object.keys(value).length === 1 && typeof (value as { secure?: unknown }).secure === "string";

function holdsPlainText(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return !isEncrypted(value) && !namesSecret(value) && Object.values(value).some(holdsPlainText);
}
