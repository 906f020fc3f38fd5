import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { parsePlatform, structured } from "./parse";
import type { Platform } from "./platform";
import { UnknownStackError } from "./problem";

const prefix = "kazoo:";

/** A stack's name without its organization. */
const bareName = (stack: string): string => stack.split("/").at(-1) ?? stack;

/** Path of a stack's file in the project's folder. */
export const stackFilePath = (project: string, stack: string): string =>
  join(project, `Pulumi.${bareName(stack)}.yaml`);

/** Names of the stacks that have a file in the project's folder. */
export const knownStacks = (project: string): string[] =>
  readdirSync(project).flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []);

/**
 * Reads the config of a stack from its file, without the engine: for commands that must know a stack's clusters before it runs.
 * Encrypted values stay closed; a placeholder of the right form stands for each.
 * @param project the project's folder
 * @param stack the stack's name, with or without its organization
 * @throws UnknownStackError where there is no such file; ConfigError with all problems of the config
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
 * @throws ConfigError with all problems of the config
 */
export function platformOfFile(path: string): Platform {
  const file = (parse(readFileSync(path, "utf8")) ?? {}) as { config?: Record<string, unknown> };
  const secretKeys = new Set<string>();
  const input: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(file.config ?? {}).filter(([candidate]) => candidate.startsWith(prefix))) {
    const bare = key.slice(prefix.length);
    input[bare] = structured(
      bare,
      opened(value, () => secretKeys.add(bare)),
    );
    if (bare === "credentials" && holdsPlainText(value)) secretKeys.delete(bare);
  }
  return parsePlatform(input, secretKeys);
}

/** Sixteen characters: right for a cookie and for a password. */
const placeholder = "encrypted-secret";

function opened(value: unknown, onSecret: () => void): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  if ("secure" in value) {
    onSecret();
    return placeholder;
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, opened(inner, onSecret)]));
}

function holdsPlainText(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return !("secure" in value) && Object.values(value).some(holdsPlainText);
}
