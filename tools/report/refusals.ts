import type { Change } from "./changes";
import { type Diagnostic, type Digest, parseUrn } from "./digest";
import { type Place, locate, withoutPlace } from "./place";
import { subjectOf } from "./subject";

/** An error in a preview. */
export interface Refusal {
  /** `protected`: the engine refuses to touch a protected resource; `resource`: a provider fails; `program`: the program itself fails. */
  readonly cause: "protected" | "resource" | "program";
  /** Of the resource; empty for the program. */
  readonly title: string;
  readonly place: Place | undefined;
  readonly message: string;
}

/**
 * Why a preview failed. If a protected resource is the reason, all affected protected resources: the engine names only those before it stops.
 * @param digest masked
 */
export function refusalsOf(digest: Digest, places: readonly Place[], changes: readonly Change[]): Refusal[] {
  const errors = digest.diagnostics.filter(isError);
  const states = new Map(digest.steps.map((step) => [step.urn, step.newState ?? step.oldState]));
  const found = errors.map(({ urn, message }): Refusal => {
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
  const kept = found.some(({ cause }) => cause === "protected")
    ? changes.filter((change) => change.protected && (change.effect === "replace" || change.effect === "delete"))
    : [];
  const all = [...found, ...kept.map(({ subject, place }) => keeping(subject.title, place))];
  const unique = new Map(all.map((refusal) => [JSON.stringify(refusal), refusal]));
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, refusal]) => refusal);
}

const keeping = (title: string, place: Place | undefined): Refusal => ({
  cause: "protected",
  title,
  place,
  message: "protected",
});

/** The engine's messages when it refuses to replace or delete a protected resource. */
const keeps = /currently marked for protection|because it is protected/;

/**
 * Whether an error stopped the engine before it had listed all changes. A refused replacement does not stop it, nor does a broken policy.
 * @param deletions whether the deletions are known from elsewhere
 */
export function stopsEarly(diagnostic: Diagnostic, deletions: boolean): boolean {
  const { message, policy } = diagnostic;
  if (policy !== undefined || !isError(diagnostic) || /unable to replace resource "[^"]*"\s+as it is/.test(message))
    return false;
  return !(deletions && isDeletionRefused(diagnostic));
}

/** Whether the engine refuses a deletion. It does so at the end, after listing everything else. */
export const isDeletionRefused = ({ message }: Diagnostic): boolean => /because it is protected/.test(message);

/** Whether it is an error with content, not the engine's summary. */
export const isError = ({ severity, message }: Diagnostic): boolean => severity === "error" && !isSummary(message);

/** The engine's final message, which only says that there were errors. */
const isSummary = (message: string): boolean => /^(error: )*(preview|update|refresh) failed\s*$/.test(message.trim());

/** A message without parts that differ between runs or do not help a reader: URNs, generated names, stack traces. */
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
