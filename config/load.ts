import * as runtime from "@pulumi/pulumi/runtime/config";
import { parsePlatform, structured } from "./parse";
import type { Platform } from "./platform";

const prefix = "kazoo:";

/** Part of the SDK's runtime since 2.10, but left out of its type declarations; `pulumi.Config` uses it to warn of leaks. */
const { isConfigSecret } = runtime as unknown as { isConfigSecret: (key: string) => boolean };

/**
 * Reads the config of the stack that the engine runs: the only place where the program meets Pulumi config.
 * @throws ConfigError with all problems of the config at once
 */
export function loadPlatform(): Platform {
  const entries = Object.entries(runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  const bare = entries.map(([key, value]) => [key.slice(prefix.length), value] as const);
  const input = Object.fromEntries(bare.map(([key, value]) => [key, structured(key, value)]));
  const secretKeys = entries.filter(([key]) => isConfigSecret(key)).map(([key]) => key.slice(prefix.length));
  return parsePlatform(input, new Set(secretKeys));
}
