import type { Platform } from "../../config/platform";
import { type Change, changesOf } from "./changes";
import { type Deployed, type Diagnostic, type Digest, type Step, parseUrn } from "./digest";
import { maskDigest } from "./mask";
import { type Place, placesOf } from "./place";
import { type Refusal, isError, refusalsOf, stopsEarly } from "./refusals";

/** The result of a preview or a drift check, without secrets. */
export interface ChangeReport {
  readonly purpose: "preview" | "drift";
  readonly stack: string;
  readonly places: readonly Place[];
  /** What the program would do, in the order of place and title. */
  readonly changes: readonly Change[];
  /** Manual changes; only in a drift report. */
  readonly byHand: readonly Change[];
  /** Why the engine, a provider or the program stopped. */
  readonly refusals: readonly Refusal[];
  /** Clusters that did not answer: the changes in their zones come from the state alone. */
  readonly unseen: readonly UnseenCluster[];
  /** Whether the engine reached the end, so that no change is missing. */
  readonly complete: boolean;
}

/** A cluster that did not answer. */
export interface UnseenCluster {
  readonly cluster: string;
  /** Names of its zones. */
  readonly zones: readonly string[];
  readonly problem: string;
  /** What to do about it. */
  readonly next: string;
}

/** The input of a report. */
export interface Findings {
  readonly stack: string;
  readonly platform: Platform;
  /** The preview. If the first one was refused, this may be a second one that does not stop at the refusal. */
  readonly preview: Digest;
  /** Errors of a first preview that was refused. */
  readonly refused?: Digest;
  /** All deployed resources, if the second preview lists every resource that stays: the others would be deleted. */
  readonly deployed?: readonly Deployed[];
  /** The refresh; it makes this a drift report. */
  readonly refresh?: Digest;
  readonly unseen?: readonly UnseenCluster[];
  /** Whether Pulumi ended with an error. The digest may not mention it: policy violations are never in there. */
  readonly failed?: boolean;
}

/** Turns the engine's output into a report. */
export function reportOf(findings: Findings): ChangeReport {
  const { stack, platform, preview, refused, deployed = [], refresh, unseen = [] } = findings;
  const last = [...preview.diagnostics, ...(refresh?.diagnostics ?? []), ...unexplained(findings)];
  const all: Digest = {
    steps: [...(refresh?.steps ?? []), ...preview.steps, ...deletions(deployed, preview.steps)],
    diagnostics: [...(refused?.diagnostics ?? []), ...last],
  };
  // Together, so that a secret found in one is masked in the others.
  const masked = maskDigest(all);
  const refreshed = refresh?.steps.length ?? 0;
  const places = placesOf(platform, masked);
  const part = (steps: Digest["steps"]) => changesOf({ steps, diagnostics: [] }, places);
  const changes = part(masked.steps.slice(refreshed));
  const stopped = last.some((diagnostic) => stopsEarly(diagnostic, deployed.length > 0));
  return {
    purpose: refresh === undefined ? "preview" : "drift",
    stack,
    places,
    byHand: part(masked.steps.slice(0, refreshed)),
    changes,
    refusals: refusalsOf(masked, places, changes),
    unseen,
    complete: !stopped,
  };
}

/** An error for a failure that no digest explains: the report must not look like a success. */
function unexplained({ stack, preview, refused, refresh, failed = false }: Findings): Diagnostic[] {
  const diagnostics = [preview, refused, refresh].flatMap((digest) => digest?.diagnostics ?? []);
  if (diagnostics.some(isError) || !(failed || diagnostics.some(({ severity }) => severity === "error"))) return [];
  const see = `npx kazoo preview --stack ${stack}${refresh === undefined ? "" : " -- --refresh"}`;
  const message = `Pulumi failed without giving a reason, as it does for policy violations. To see the reason: ${see}`;
  return [{ severity: "error", message }];
}

/** The deletions. The engine stops listing them at the first protected resource. */
function deletions(deployed: readonly Deployed[], steps: readonly Step[]): Step[] {
  const known = new Set(steps.map(({ urn }) => urn));
  return deployed
    .filter(({ urn, delete: goesAnyway }) => goesAnyway !== true && !known.has(urn))
    .map(({ urn, ...state }) => ({ op: "delete", urn, oldState: { ...state, type: parseUrn(urn).type } }));
}

/** A report of a program that fails before its changes are known. */
export const failedReport = (purpose: ChangeReport["purpose"], stack: string, message: string): ChangeReport => ({
  purpose,
  stack,
  places: [],
  changes: [],
  byHand: [],
  refusals: [{ cause: "program", title: "", place: undefined, message }],
  unseen: [],
  complete: true,
});

/** Whether something protected, or something that holds data, is replaced or deleted. */
export const isGrave = ({ effect, subject, protected: kept }: Change): boolean =>
  (effect === "replace" || effect === "delete") && (kept || subject.stake === "data");

/** The exit code of a report: 0 no change, 1 the preview failed or is incomplete, 2 changes, 3 changes that replace or delete what is protected or holds data. */
export function exitCodeOf({ changes, byHand, refusals, unseen }: ChangeReport): 0 | 1 | 2 | 3 {
  if ([...changes, ...byHand].some(isGrave) || refusals.some(({ cause }) => cause === "protected")) return 3;
  if (refusals.length > 0 || unseen.length > 0) return 1;
  return changes.length > 0 || byHand.length > 0 ? 2 : 0;
}
