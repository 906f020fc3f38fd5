import type { Platform } from "./platform";

/** Whether a credential is short or a well-known default. */
const isWeak = (text: string): boolean => text.length < 12 || /change_?me|password|insecure/i.test(text);

/** A warning for each given credential that is weak: taking over a live system needs it, and keeping it is a risk. */
export const weaknesses = ({ rings }: Platform): string[] =>
  Object.values(rings).flatMap(({ name, credentials }) =>
    (["cookie", "rabbitmq", "database"] as const)
      .filter((key) => credentials[key] !== undefined && isWeak(credentials[key]))
      .map(
        (key) =>
          `kazoo:credentials.${name}.${key} is weak: short, or a well-known default. Once the system has moved, ` +
          `make rotate RING=${name} WHAT=${key} replaces it with a long random one`,
      ),
  );
