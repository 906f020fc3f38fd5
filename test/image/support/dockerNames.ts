import { join } from "node:path";
import { cacheFolder } from "./commands";
import { withLock } from "./lock";

/**
 * Waits until no other test holds the fixed names of the stack on Docker (containers, volumes, network), and holds them.
 * @returns gives them back
 */
export async function holdDockerNames(): Promise<() => void> {
  return await new Promise((held, failed) => {
    withLock(join(cacheFolder(), "locks", "docker-names"), () => new Promise<void>((release) => held(release))).catch(
      failed,
    );
  });
}
