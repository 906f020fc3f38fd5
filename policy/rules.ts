import { brokersApart } from "./brokers";
import { compatibleVersions } from "./compatibility";
import { defaultCredentials, plainCredentials } from "./credentials";
import { disruptionBudget } from "./disruption";
import { liveNames, noDowngrade } from "./guards";
import { imageDigest } from "./images";
import { memoryLimit } from "./limits";
import { probes } from "./probes";
import { protectedData } from "./protection";
import type { Rule } from "./rule";
import { topologySpread } from "./spread";

/** All rules of the pack, as docs/policy.md lists them. */
export const rules: readonly Rule[] = [
  imageDigest,
  plainCredentials,
  defaultCredentials,
  probes,
  memoryLimit,
  disruptionBudget,
  topologySpread,
  protectedData,
  noDowngrade,
  liveNames,
  brokersApart,
  compatibleVersions,
];
