import type { Platform } from "../../config/platform";
import { type Change, changesOf } from "./changes";
import { type Digest, parseUrn } from "./digest";
import { maskDigest } from "./mask";
import { type Place, locate, placesOf, withoutPlace } from "./place";
import { subjectOf } from "./subject";

/** What a preview, or a look for drift, found; free of secrets. */
export interface Report {
  readonly purpose: "preview" | "drift";
  readonly stack: string;
  readonly places: readonly Place[];
  /** What the program would do, in the order of place and title. */
  readonly changes: readonly Change[];
  /** What somebody did besides the program; of a drift report alone. */
  readonly byHand: readonly Change[];
  /** Why the engine, a provider or the program would not go on. */
  readonly refusals: readonly Refusal[];
}

/** An error in a preview. */
export interface Refusal {
  /** `protected`: the engine keeps what is protected; `resource`: a provider can't do it; `program`: the program itself failed. */
  readonly cause: "protected" | "resource" | "program";
  /** Of the resource; empty for the program. */
  readonly title: string;
  readonly place: Place | undefined;
  readonly message: string;
}

/** What a report is made of. */
export interface Findings {
  readonly stack: string;
  readonly platform: Platform;
  /** Of the preview. Where it was refused, this one may be of a second, more patient one. */
  readonly preview: Digest;
  /** Errors of a first preview that was refused. */
  readonly refused?: Digest;
  /** Of the refresh; makes it a drift report. */
  readonly refresh?: Digest;
}

/** Makes a report of what the engine printed. */
export function reportOf({ stack, platform, preview, refused, refresh }: Findings): Report {
  const all: Digest = {
    steps: [...(refresh?.steps ?? []), ...preview.steps],
    diagnostics: [...(refused?.diagnostics ?? []), ...preview.diagnostics, ...(refresh?.diagnostics ?? [])],
  };
  // Together, so that a secret found in one is looked for in the others.
  const masked = maskDigest(all);
  const refreshed = refresh?.steps.length ?? 0;
  const places = placesOf(platform, masked);
  const part = (steps: Digest["steps"]) => changesOf({ steps, diagnostics: [] }, places);
  return {
    purpose: refresh === undefined ? "preview" : "drift",
    stack,
    places,
    byHand: part(masked.steps.slice(0, refreshed)),
    changes: part(masked.steps.slice(refreshed)),
    refusals: refusalsOf(masked, places),
  };
}

/** A report of a program that fails before anything is known of its changes. */
export const failedReport = (purpose: Report["purpose"], stack: string, message: string): Report => ({
  purpose,
  stack,
  places: [],
  changes: [],
  byHand: [],
  refusals: [{ cause: "program", title: "", place: undefined, message }],
});

/** Whether something protected, or something that holds data, is replaced or deleted. */
export const isGrave = ({ effect, subject, protected: kept }: Change): boolean =>
  (effect === "replace" || effect === "delete") && (kept || subject.stake === "data");

/** The exit code of a report: 0 no change, 1 the preview failed, 2 changes, 3 changes that replace or delete what is protected or holds data. */
export function exitCodeOf({ changes, byHand, refusals }: Report): 0 | 1 | 2 | 3 {
  if ([...changes, ...byHand].some(isGrave) || refusals.some(({ cause }) => cause === "protected")) return 3;
  if (refusals.length > 0) return 1;
  return changes.length > 0 || byHand.length > 0 ? 2 : 0;
}

function refusalsOf(digest: Digest, places: readonly Place[]): Refusal[] {
  const errors = digest.diagnostics.filter(({ severity, message }) => severity === "error" && !isSummary(message));
  const states = new Map(digest.steps.map((step) => [step.urn, step.newState ?? step.oldState]));
  const told = errors.map(({ urn, message }): Refusal => {
    // Some messages name their resource only in their text.
    const subject = urn ?? /urn:pulumi:[^\s"`]+/.exec(message)?.[0];
    const protection = /currently marked for protection|because it is protected/.test(message);
    const { type, name } = parseUrn(subject ?? "");
    if (subject === undefined || type.startsWith("pulumi:pulumi:")) {
      return { cause: "program", title: "", place: undefined, message: tidy(message, places) };
    }
    const { place, role } = locate(name, places);
    const { title } = subjectOf(type, role, states.get(subject), place);
    if (protection)
      return { cause: "protected", title, place, message: "protected: the engine refuses to replace or delete it" };
    return { cause: "resource", title, place, message: withoutPlace(tidy(message, places), place) };
  });
  const unique = new Map(told.map((refusal) => [JSON.stringify(refusal), refusal]));
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, refusal]) => refusal);
}

/** The engine's last word, which says no more than that there were errors. */
const isSummary = (message: string): boolean => /^(error: )*(preview|update|refresh) failed\s*$/.test(message.trim());

/** A message without what differs from run to run, and without what its reader can't use: URNs, made-up names, stack traces. */
function tidy(message: string, places: readonly Place[]): string {
  return message
    .replace(/^(error: )+/, "")
    .replace(/\n\s+at .*/g, "")
    .replace(/"?urn:pulumi:[^\s"`]+"?/g, (urn) => {
      const { place, role } = locate(parseUrn(urn.replaceAll('"', "")).name, places);
      return place === undefined ? role : `${role} of ${place.zone}`;
    })
    .replace(/pulumi-kubernetes-[0-9a-f]{8}/g, "pulumi-kubernetes")
    .replace(/See https?:\/\/\S+ for troubleshooting help\.\s*/g, "")
    .replace(/^Preview failed: /, "")
    .replace(/\d+ errors? occurred:\s*/g, "")
    .replace(/^\s*\* /gm, "")
    .replace(/[ \t]+\n/g, "\n")
    .replace(/\n{2,}/g, "\n")
    .trim();
}
