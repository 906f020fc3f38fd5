import * as pulumi from "@pulumi/pulumi";
import * as runtime from "@pulumi/pulumi/runtime/config";
import { parsePlatform, structured } from "./parse";
import type { Platform } from "./platform";
import { ConfigError } from "./problem";

const prefix = "kazoo:";

/** Part of the SDK's runtime since 2.10, but missing in its type declarations; `pulumi.Config` uses it to warn of leaks. */
const { isConfigSecret } = runtime as unknown as { isConfigSecret: (key: string) => boolean };

/**
 * Reads the config of the stack that the engine runs: the only place where the program meets Pulumi config.
 * @throws RunError with all problems of the config at once; the engine prints its text alone, without a stack trace
 */
export function loadPlatform(): Platform {
  const entries = Object.entries(runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  const bare = entries.map(([key, value]) => [key.slice(prefix.length), value] as const);
  const input = Object.fromEntries(bare.map(([key, value]) => [key, structured(key, value)]));
  const secretKeys = entries.filter(([key]) => isConfigSecret(key)).map(([key]) => key.slice(prefix.length));
  try {
    return parsePlatform(input, new Set(secretKeys));
  } catch (error) {
    throw error instanceof ConfigError ? new pulumi.RunError(error.message) : error;
  }
}
