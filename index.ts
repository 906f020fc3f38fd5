import * as pulumi from "@pulumi/pulumi";
import { deployPlatform } from "./components/platform";
import { awaitRoll } from "./components/rollout";
import { loadPlatform } from "./config/load";
import { ConfigError } from "./config/problem";

/** Reads the config or ends the run with all that is wrong with it: as a RunError the engine prints the text alone, without a stack trace. */
function platformOfStack() {
  try {
    return loadPlatform();
  } catch (error) {
    throw error instanceof ConfigError ? new pulumi.RunError(error.message) : error;
  }
}

export const { zones, masterAccounts } = deployPlatform(platformOfStack(), pulumi.getStack(), awaitRoll);
