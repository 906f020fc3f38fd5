import type { Platform } from "../../config/platform";
import { type Change, changesOf } from "./changes";
import { type Deployed, type Diagnostic, type Digest, type Step, parseUrn } from "./digest";
import { maskDigest } from "./mask";
import { type Place, placesOf } from "./place";
import { type Refusal, isError, refusalsOf, stopsEarly } from "./refusals";

/** What a preview, or a look for drift, found; free of secrets. */
export interface ChangeReport {
  readonly purpose: "preview" | "drift";
  readonly stack: string;
  readonly places: readonly Place[];
  /** What the program would do, in the order of place and title. */
  readonly changes: readonly Change[];
  /** What somebody did besides the program; of a drift report alone. */
  readonly byHand: readonly Change[];
  /** Why the engine, a provider or the program would not go on. */
  readonly refusals: readonly Refusal[];
  /** Whether the engine went through to the end, so that no change is missing. */
  readonly complete: boolean;
}

/** What a report is made of. */
export interface Findings {
  readonly stack: string;
  readonly platform: Platform;
  /** Of the preview. Where it was refused, this one may be of a second, more patient one. */
  readonly preview: Digest;
  /** Errors of a first preview that was refused. */
  readonly refused?: Digest;
  /** All that is deployed, where the second preview has a step for each resource that stays: the rest was to be deleted. */
  readonly deployed?: readonly Deployed[];
  /** Of the refresh; makes it a drift report. */
  readonly refresh?: Digest;
  /** Whether Pulumi ended with an error, which need not stand in a digest: policies that are violated never do. */
  readonly failed?: boolean;
}

/** Makes a report of what the engine printed. */
export function reportOf(findings: Findings): ChangeReport {
  const { stack, platform, preview, refused, deployed = [], refresh } = findings;
  const last = [...preview.diagnostics, ...(refresh?.diagnostics ?? []), ...unexplained(findings)];
  const all: Digest = {
    steps: [...(refresh?.steps ?? []), ...preview.steps, ...deletions(deployed, preview.steps)],
    diagnostics: [...(refused?.diagnostics ?? []), ...last],
  };
  // Together, so that a secret found in one is looked for in the others.
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
    complete: !stopped,
  };
}

/** An error for a failure of which no digest says why: it must not read as if all were well. */
function unexplained({ stack, preview, refused, refresh, failed = false }: Findings): Diagnostic[] {
  const told = [preview, refused, refresh].flatMap((digest) => digest?.diagnostics ?? []);
  if (told.some(isError) || !(failed || told.some(({ severity }) => severity === "error"))) return [];
  const see = `npx kazoo preview --stack ${stack}${refresh === undefined ? "" : " -- --refresh"}`;
  const message = `Pulumi failed without saying why, as it does when a policy is violated; to see the reason: ${see}`;
  return [{ severity: "error", message }];
}

/** What would be deleted, of which the engine tells no more once it has met the first that is protected. */
function deletions(deployed: readonly Deployed[], steps: readonly Step[]): Step[] {
  const told = new Set(steps.map(({ urn }) => urn));
  return deployed
    .filter(({ urn, delete: goesAnyway }) => goesAnyway !== true && !told.has(urn))
    .map(({ urn, ...state }) => ({ op: "delete", urn, oldState: { ...state, type: parseUrn(urn).type } }));
}

/** A report of a program that fails before anything is known of its changes. */
export const failedReport = (purpose: ChangeReport["purpose"], stack: string, message: string): ChangeReport => ({
  purpose,
  stack,
  places: [],
  changes: [],
  byHand: [],
  refusals: [{ cause: "program", title: "", place: undefined, message }],
  complete: true,
});

/** Whether something protected, or something that holds data, is replaced or deleted. */
export const isGrave = ({ effect, subject, protected: kept }: Change): boolean =>
  (effect === "replace" || effect === "delete") && (kept || subject.stake === "data");

/** The exit code of a report: 0 no change, 1 the preview failed, 2 changes, 3 changes that replace or delete what is protected or holds data. */
export function exitCodeOf({ changes, byHand, refusals }: ChangeReport): 0 | 1 | 2 | 3 {
  if ([...changes, ...byHand].some(isGrave) || refusals.some(({ cause }) => cause === "protected")) return 3;
  if (refusals.length > 0) return 1;
  return changes.length > 0 || byHand.length > 0 ? 2 : 0;
}
