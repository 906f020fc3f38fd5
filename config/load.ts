import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import * as runtime from "@pulumi/pulumi/runtime/config";
import { misreadProblems } from "./checks/misread";
import { parsePlatform, structured } from "./parse";
import type { Platform } from "./platform";
import { ConfigError } from "./problem";
import { misreadIn, stackFilePath } from "./stackFile";
import { weaknesses } from "./weaknesses";
import type { Misread } from "./yaml";

const prefix = "kazoo:";

/** Part of the SDK's runtime since 2.10, but missing in its type declarations; `pulumi.Config` uses it to warn of leaks. */
const { isConfigSecret } = runtime as unknown as { isConfigSecret: (key: string) => boolean };

/**
 * Reads the config of the stack that the engine runs: the only place where the program reads Pulumi config.
 * @throws RunError with all problems of the config at once; the engine prints its text alone, without a stack trace
 */
export function loadPlatform(): Platform {
  const entries = Object.entries(runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  const bare = entries.map(([key, value]) => [key.slice(prefix.length), value] as const);
  const input = Object.fromEntries(bare.map(([key, value]) => [key, structured(key, value)]));
  const secretKeys = entries.filter(([key]) => isConfigSecret(key)).map(([key]) => key.slice(prefix.length));
  try {
    const path = stackFilePath(join(__dirname, ".."), pulumi.getStack());
    const misread = misreadScalars(path).filter((scalar) => isFrom(scalar, input));
    const platform = parsePlatform(input, new Set(secretKeys), misreadProblems(misread));
    for (const warning of weaknesses(platform)) void pulumi.log.warn(warning);
    return platform;
  } catch (error) {
    throw error instanceof ConfigError ? new pulumi.RunError(error.message) : error;
  }
}

/** The engine passes values without their original text; only the stack's file has it. */
function misreadScalars(path: string): readonly Misread[] {
  return existsSync(path) ? misreadIn(readFileSync(path), basename(path)) : [];
}

/** Whether the engine has the value, too: the stack may have another file (`--config-file`). */
function isFrom({ path, isKey, value }: Misread, input: unknown): boolean {
  const holder = (isKey ? path.slice(0, -1) : path).reduce<unknown>(
    (node, key) => (typeof node === "object" && node !== null ? (node as Record<string, unknown>)[key] : undefined),
    input,
  );
  if (isKey) return typeof holder === "object" && holder !== null && String(value) in holder;
  return holder === value || (value instanceof Date && typeof holder === "string");
}
