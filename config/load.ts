import * as runtime from "@pulumi/pulumi/runtime/config";
import { parsePlatform } from "./parse";
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

/** The engine hands mappings, numbers and booleans over as JSON text; a password of digits alone stays the text that it is. */
function structured(key: string, value: string): unknown {
  if (key === "registryPassword") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
