import type { Change } from "./changes";
import { type Diagnostic, type Digest, parseUrn } from "./digest";
import { type Place, locate, withoutPlace } from "./place";
import { subjectOf } from "./subject";

/** An error in a preview. */
export interface Refusal {
  /** `protected`: the engine keeps what is protected; `resource`: a provider can't do it; `program`: the program itself failed. */
  readonly cause: "protected" | "resource" | "program";
  /** Of the resource; empty for the program. */
  readonly title: string;
  readonly place: Place | undefined;
  readonly message: string;
}

/**
 * Why a preview failed. Where the engine keeps what is protected, all that it would keep: it names only what it meets before it stops.
 * @param digest masked
 */
export function refusalsOf(digest: Digest, places: readonly Place[], changes: readonly Change[]): Refusal[] {
  const errors = digest.diagnostics.filter(isError);
  const states = new Map(digest.steps.map((step) => [step.urn, step.newState ?? step.oldState]));
  const told = errors.map(({ urn, message }): Refusal => {
    // Some messages name their resource only in their text.
    const subject = urn ?? /urn:pulumi:[^\s"`]+/.exec(message)?.[0];
    const { type, name } = parseUrn(subject ?? "");
    if (subject === undefined || type.startsWith("pulumi:pulumi:")) {
      return { cause: "program", title: "", place: undefined, message: tidy(message, places) };
    }
    const { place, role } = locate(name, places);
    const { title } = subjectOf(type, role, states.get(subject), place);
    if (keeps.test(message)) return keeping(title, place);
    return { cause: "resource", title, place, message: withoutPlace(tidy(message, places), place) };
  });
  const kept = told.some(({ cause }) => cause === "protected")
    ? changes.filter((change) => change.protected && (change.effect === "replace" || change.effect === "delete"))
    : [];
  const all = [...told, ...kept.map(({ subject, place }) => keeping(subject.title, place))];
  const unique = new Map(all.map((refusal) => [JSON.stringify(refusal), refusal]));
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, refusal]) => refusal);
}

const keeping = (title: string, place: Place | undefined): Refusal => ({
  cause: "protected",
  title,
  place,
  message: "protected",
});

/** How the engine says that it keeps what is protected: from replacement, from deletion. */
const keeps = /currently marked for protection|because it is protected/;

/**
 * Whether an error kept the engine from telling all that would change. It goes on when it keeps something from replacement.
 * @param deletions whether what would be deleted is known otherwise
 */
export function stopsEarly(diagnostic: Diagnostic, deletions: boolean): boolean {
  const { message } = diagnostic;
  if (!isError(diagnostic) || /unable to replace resource "[^"]*"\s+as it is/.test(message)) return false;
  return !(deletions && isDeletionRefused(diagnostic));
}

/** Whether the engine keeps something from deletion, which it finds out at the end, when all else is told. */
export const isDeletionRefused = ({ message }: Diagnostic): boolean => /because it is protected/.test(message);

/** Whether it is an error that says something. */
export const isError = ({ severity, message }: Diagnostic): boolean => severity === "error" && !isSummary(message);

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
