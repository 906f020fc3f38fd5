import { parentPort } from "node:worker_threads";
import type { Platform } from "../../config/platform";
import { deployWithMocks } from "./mocks";

/** Runs the program for each platform that it receives, one after the other, and answers with the resources. */
let last: Promise<unknown> = Promise.resolve();
parentPort?.on("message", ({ id, platform }: { readonly id: number; readonly platform: Platform }) => {
  last = last
    .then(() => deployWithMocks(platform))
    .then(
      ({ resources }) => parentPort?.postMessage({ id, resources }),
      (error: unknown) => parentPort?.postMessage({ id, error }),
    );
});
