import type { Change } from "./changes";
import { detailsOf } from "./details";
import type { Block, Document, Text } from "./document";
import { byRegion, groupEqual, whereShort } from "./group";
import {
  additionLines,
  changeLines,
  creationLines,
  deletionLines,
  protectionLines,
  replacementLines,
  rollLines,
} from "./lines";
import { unknown } from "./mask";
import type { ChangeReport, UnseenCluster } from "./model";
import { pictureOf } from "./picture";
import type { Place } from "./place";
import type { Refusal } from "./refusals";
import { verdictOf } from "./verdict";
import { cut, firstOf, plural, workloadsFirst } from "./wording";

/** A report in reading order: the verdict, the most serious changes, the rest, the details. */
export function documentOf(report: ChangeReport): Document {
  const { purpose, stack, places, changes, byHand, refusals, unseen, complete } = report;
  const { headline, counts } = verdictOf(report);
  const title = purpose === "drift" ? `Drift of stack ${stack}` : `Preview of stack ${stack}`;
  const undoing = changes.filter((change) => undoes(change, byHand));
  const pending = changes.filter((change) => !undoes(change, byHand));
  const body =
    purpose === "preview"
      ? [...pictureOf(changes, places), ...effects(changes, places)]
      : [
          ...section(
            "Changed by hand",
            [...changeLines(past(byHand), places), ...additionLines(byHand, places), ...deletionLines(byHand, places)],
            9,
          ),
          ...chapter("What undoing it does", effects(undoing, places)),
          ...chapter("Other pending changes of the program", effects(pending, places)),
          ...(byHand.length > 0 ? [paragraph(...howToUndo(stack, byHand))] : []),
        ];
  const details = [...detailsOf(byHand, "by hand: "), ...detailsOf(changes)];
  return [
    { kind: "heading", level: 2, text: [title] },
    paragraph({ strong: headline }, ...(counts === "" ? [] : [` ${counts}`])),
    ...section("Not seen", unseenLines(unseen), 10),
    ...section(
      refusals.some(({ cause }) => cause !== "program") ? "Refused" : "Failed",
      refusalLines(refusals, places),
      10,
    ),
    ...(complete ? [] : [paragraph("The preview stopped at an error: there may be more changes.")]),
    ...body,
    ...(details.length > 0 ? [{ kind: "details", entries: details, importance: 1 } as const] : []),
    ...notes(changes),
  ];
}

/** Manual changes have already happened, so no pod restarts because of them. */
const past = (changes: readonly Change[]): Change[] => changes.map((change) => ({ ...change, rolls: false }));

/** Whether a change reverts a manual change, or follows from reverting one. */
const undoes = ({ urn, forcedBy }: Change, byHand: readonly Change[]): boolean =>
  byHand.some((other) => other.urn === urn) || forcedBy.resources.length > 0;

function effects(changes: readonly Change[], places: readonly Place[]): Block[] {
  return [
    ...section("Replaced or deleted", [...replacementLines(changes, places), ...deletionLines(changes, places)], 8),
    ...section("Protection", protectionLines(changes, places), 7),
    ...section("Changed", changeLines(changes, places), 6),
    ...section("Created", creationLines(changes, places), 4),
    ...section("Pods that restart", rollLines(changes, places), 5),
    ...byDatacenter(changes),
  ];
}

const paragraph = (...text: Text): Block => ({ kind: "paragraph", text });

function section(title: string, items: readonly Text[], importance: number): Block[] {
  if (items.length === 0) return [];
  return [
    { kind: "heading", level: 3, text: [title] },
    { kind: "list", items, importance },
  ];
}

const chapter = (title: string, blocks: readonly Block[]): Block[] =>
  blocks.length === 0 ? [] : [{ kind: "heading", level: 2, text: [title] }, ...blocks];

const unseenLines = (unseen: readonly UnseenCluster[]): Text[] =>
  unseen.map(({ cluster, zones, problem, next }) => [
    { strong: `cluster ${cluster}` },
    ` (${zones.join(", ") || "no zone"}): `,
    { code: problem },
    `; ${next}`,
  ]);

function refusalLines(refusals: readonly Refusal[], all: readonly Place[]): Text[] {
  const kept = new Map<Place | undefined, string[]>();
  for (const { place, title } of refusals.filter(({ cause }) => cause === "protected")) {
    kept.set(place, [...(kept.get(place) ?? []), title]);
  }
  const protectedLines = groupEqual([...kept].map(([place, value]) => ({ place, value }))).map(
    ({ value, places }): Text => [
      { strong: whereShort(places, all) },
      `: Pulumi refuses to replace or delete ${firstOf(workloadsFirst(value), 12)}: protected`,
    ],
  );
  // The engine stops at the first error, which may be in another datacenter next time, so do not show the place.
  const messages = new Set(
    refusals
      .filter(({ cause }) => cause !== "protected")
      .flatMap(({ title, message }) => {
        const lines = title === "" ? message.split("\n") : [message];
        return lines.map((line) => JSON.stringify([title, line.trim()]));
      }),
  );
  const otherLines = [...messages].map((text): Text => {
    const [title, message] = JSON.parse(text) as [string, string];
    return [...(title === "" ? [] : [{ strong: title }, ": "]), { code: cut(message, 600) }];
  });
  return [...protectedLines, ...otherLines];
}

/** Counts by region and datacenter; equal datacenters of a region share a row. */
function byDatacenter(changes: readonly Change[]): Block[] {
  const places = [...new Set(changes.map(({ place }) => place))];
  const regions = byRegion(places.filter((place) => place !== undefined));
  const row = (inside: readonly Change[]) => {
    const count = (...effects: Change["effect"][]) => inside.filter(({ effect }) => effects.includes(effect)).length;
    const pods = inside.filter(({ rolls }) => rolls).reduce((sum, { subject }) => sum + subject.pods, 0);
    return [
      count("create"),
      count("change", "protect", "unprotect"),
      count("renew"),
      count("replace"),
      count("delete"),
      pods,
    ].map((number) => (number === 0 ? "–" : String(number)));
  };
  const at = (place: Place | undefined) => row(changes.filter((change) => change.place === place));
  const rows = [...regions].flatMap(([region, inside]) =>
    groupEqual(inside.map((place) => ({ place, value: at(place) }))).map(({ value, places: alike }) => [
      region,
      alike.map((place) => place?.datacenter).join(", "),
      ...value,
    ]),
  );
  if (places.includes(undefined)) rows.push(["(stack)", "", ...at(undefined)]);
  if (rows.length === 0) return [];
  return [
    { kind: "heading", level: 3, text: ["By datacenter"] },
    {
      kind: "table",
      head: ["region", "datacenter", "created", "changed", "renewed", "replaced", "deleted", "pods that restart"],
      rows,
      importance: 3,
    },
  ];
}

function notes(changes: readonly Change[]): Block[] {
  const unknowns = changes
    .flatMap(({ properties }) => properties)
    .filter(({ added }) => added.some((text) => text.includes(unknown)));
  const renewed = changes.some(({ effect }) => effect === "renew");
  return [
    ...(unknowns.length > 0
      ? [paragraph(`${plural(unknowns.length, "value")} will only be known after the update.`)]
      : []),
    ...(renewed
      ? [
          paragraph(
            "Renewed: a new immutable ConfigMap, Job, container or image takes the place of the old one; nothing is lost.",
          ),
        ]
      : []),
  ];
}

const howToUndo = (stack: string, byHand: readonly Change[]): Text => [
  "To undo what was changed by hand: ",
  { code: `npx kazoo up -s ${stack} --force` },
  ", which takes the changed fields back. ",
  ...(byHand.some(isAddition)
    ? [
        "Additions stay, because the program does not manage them: remove them with ",
        { code: "kubectl edit" },
        " or ",
        { code: "kubectl delete" },
        ". ",
      ]
    : []),
  "To keep it, change the stack's config.",
];

/** Whether someone added an object, or a field that the program does not set. */
const isAddition = ({ effect, properties }: Change): boolean =>
  effect === "create" || properties.some(({ removed, added }) => removed.length === 0 && added.length > 0);
