import type { Change, Effect } from "./changes";
import { whereShort } from "./group";
import { type ChangeReport, isGrave } from "./model";
import { effectWords, firstOf, plural, workloadsFirst } from "./wording";

/** The verdict in two short sentences: what is at stake, and how much changes. */
export function verdictOf(report: ChangeReport): { readonly headline: string; readonly counts: string } {
  return { headline: headlineOf(report), counts: countsOf(report) };
}

function headlineOf(report: ChangeReport): string {
  const { unseen, places, changes, byHand, refusals } = report;
  if (unseen.length === 0) return seenHeadline(report);
  const blind = unseen.reduce((sum, { zones }) => sum + zones.length, 0);
  const away = `${unseen.length === 1 ? "Cluster" : "Clusters"} ${unseen.map(({ cluster }) => cluster).join(", ")}`;
  const all = places.length > 0 && blind >= places.length;
  const nothing = changes.length + byHand.length + refusals.length === 0;
  const rest = all && nothing ? "the changes are unknown." : `for the others: ${seenHeadline(report)}`;
  return `${away} did not answer, so ${plural(blind, "datacenter")} could not be seen; ${rest}`;
}

function seenHeadline({ purpose, changes, byHand, refusals, places }: ChangeReport): string {
  const kept = refusals.filter(({ cause }) => cause === "protected");
  if (kept.length > 0) {
    const titles = workloadsFirst([...new Set(kept.map(({ title }) => title))]);
    return `Refused: ${plural(kept.length, "protected resource")} would be replaced or deleted (${firstOf(titles, 4)}).`;
  }
  if (refusals.some(({ cause }) => cause === "program") && changes.length === 0) {
    return "The program failed, so its changes are unknown.";
  }
  const failed = refusals.length > 0 ? " The preview failed." : "";
  if (changes.length === 0 && byHand.length === 0) {
    if (refusals.length > 0) return "The preview failed, so the changes are unknown.";
    return purpose === "drift" ? "Nothing was changed by hand." : "No changes.";
  }
  const gone = changes.filter(({ effect }) => effect === "replace" || effect === "delete");
  const grave = gone.filter(isGrave);
  const calls = gone.filter(({ subject }) => subject.stake === "calls");
  const stake =
    grave.length > 0
      ? `Data at stake: ${counted(grave)} in ${whereShort(placesOf(grave), places)} (${firstOf(titlesOf(grave), 4)}).`
      : calls.length > 0
        ? `Calls at stake: ${counted(calls)} in ${whereShort(placesOf(calls), places)} (${firstOf(titlesOf(calls), 4)}).`
        : gone.length > 0
          ? `Neither data nor calls are at stake: ${counted(gone)} (${firstOf(titlesOf(gone), 4)}).`
          : "Nothing is replaced or deleted.";
  const lifted = changes.filter(({ effect }) => effect === "unprotect").length;
  const protection = lifted > 0 ? `Protection is lifted from ${plural(lifted, "resource")}. ` : "";
  if (purpose === "preview") return protection + stake + failed;
  const hand =
    byHand.length === 0 ? "Nothing was changed by hand." : `Changed by hand: ${plural(byHand.length, "resource")}.`;
  if (changes.length === 0) return `${hand} The program would undo nothing.${failed}`;
  return `${hand} ${byHand.length === 0 ? "But the program has pending changes: " : "To undo it: "}${stake[0]?.toLowerCase()}${stake.slice(1)}${failed}`;
}

function countsOf({ changes, places }: ChangeReport): string {
  if (changes.length === 0) return "";
  const order: Effect[] = ["replace", "delete", "create", "change", "renew", "unprotect", "protect"];
  const parts = order.flatMap((effect) => {
    const count = changes.filter((change) => change.effect === effect).length;
    return count === 0 ? [] : [`${count} ${effectWords[effect]}`];
  });
  const rolling = changes.filter(({ rolls }) => rolls).reduce((sum, { subject }) => sum + subject.pods, 0);
  const pods = rolling === 0 ? "No pod restarts." : `${plural(rolling, "pod restarts", "pods restart")}.`;
  return `${plural(changes.length, "resource")} in ${whereShort(placesOf(changes), places)}: ${parts.join(", ")}. ${pods}`;
}

const placesOf = (changes: readonly Change[]) => [...new Set(changes.map(({ place }) => place))];

const titlesOf = (changes: readonly Change[]) =>
  workloadsFirst([...new Set(changes.map(({ subject }) => subject.title))].sort());

/** `4 replaced, 33 deleted`. */
function counted(changes: readonly Change[]): string {
  return (["replace", "delete"] as const)
    .map((effect) => [changes.filter((change) => change.effect === effect).length, effectWords[effect]] as const)
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}`)
    .join(", ");
}
