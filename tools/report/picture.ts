import { type Change, isWhole } from "./changes";
import { type Block, type Mark, marks, type PictureRegion, type PictureZone } from "./document";
import { byRegion } from "./group";
import type { Place } from "./place";
import { plural } from "./wording";

/** A picture with more datacenters is unreadable. */
const mostZones = 64;

/** The picture of a change that affects datacenters differently; if it affects all alike, the lists are enough. */
export function pictureOf(changes: readonly Change[], places: readonly Place[]): Block[] {
  if (places.length > mostZones) return [];
  const regions = [...byRegion(places)].map(([name, inside]) => ({
    name,
    zones: inside.map((place) =>
      zoneOf(
        place,
        changes.filter((change) => change.place === place),
      ),
    ),
  }));
  return marksIn(regions).length < 2 ? [] : [{ kind: "picture", regions }];
}

/** The marks that a picture has, each once. */
const marksIn = (regions: readonly PictureRegion[]): Mark[] =>
  marks.filter((mark) => regions.some(({ zones }) => zones.some((zone) => zone.mark === mark)));

function zoneOf({ datacenter }: Place, changes: readonly Change[]): PictureZone {
  const whole = changes.find(isWhole)?.effect;
  const isLoss = ({ effect, subject }: Change) =>
    (effect === "delete" || effect === "replace") && subject.stake === "data";
  const pods = changes.filter(({ rolls }) => rolls).reduce((sum, { subject }) => sum + subject.pods, 0);
  const as = (mark: Mark, text: string = mark): PictureZone => ({ datacenter, mark, text });
  if (whole === "delete") return as("removed");
  if (changes.some(isLoss)) return as("replaced", "data at stake");
  if (whole === "create") return as("new");
  if (pods > 0) return as("restarts", plural(pods, "pod restarts", "pods restart"));
  return as(changes.length > 0 ? "changed" : "unchanged");
}

/** The picture as a Mermaid diagram, which GitHub draws. */
export function toMermaid(regions: readonly PictureRegion[]): string {
  const lines = regions.flatMap(({ name, zones }, region) => [
    `  subgraph r${region}["${plain(name)}"]`,
    ...zones.map(
      ({ datacenter, mark, text }, zone) => `    r${region}z${zone}["${plain(datacenter)}<br>${text}"]:::${mark}`,
    ),
    "  end",
  ]);
  return ["flowchart LR", ...lines, ...marksIn(regions).map((mark) => `  classDef ${mark} ${styles[mark]}`)].join("\n");
}

/** A name without characters that Mermaid could read as markup; names in a valid config have none. */
const plain = (name: string): string => name.replace(/[^\w.-]/g, "_");

const styles: Record<Mark, string> = {
  removed: "fill:#fde0dd,stroke:#b42318,stroke-width:3px,stroke-dasharray:6 4,color:#5c120c",
  replaced: "fill:#fde0dd,stroke:#b42318,stroke-width:3px,color:#5c120c",
  new: "fill:#dcf5e6,stroke:#18794e,stroke-width:3px,color:#0b3d27",
  restarts: "fill:#fff1cc,stroke:#9a6700,color:#4d3300",
  changed: "fill:#e8eefc,stroke:#3056b5,color:#182b5c",
  unchanged: "fill:#f3f4f6,stroke:#9ca3af,color:#374151",
};
