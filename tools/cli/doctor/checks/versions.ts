import type { Ring } from "../../../../config/platform";
import { unfinishedUpgrade } from "../../runbook/upgradePaths";
import { type Finding, groupedBy, some } from "./finding";

/** The version of a running node. */
export interface Running {
  readonly ring: string;
  readonly zone: string;
  readonly program: "Kazoo" | "RabbitMQ" | "the database";
  readonly version: string;
}

/** Programs of which a ring runs more than one version or image. */
export const differingFindings = (running: readonly Running[]): Finding[] =>
  groupedBy(running, ({ ring, program }) => `${ring} ${program}`).flatMap(([, own]): Finding[] => {
    const versions = groupedBy(own, ({ version }) => version);
    const [first] = own;
    if (versions.length < 2 || first === undefined) return [];
    const each = versions.map(
      ([version, nodes]) => `${version} in ${some([...new Set(nodes.map(({ zone }) => zone))])}`,
    );
    return [
      {
        kind: "warning",
        where: `ring ${first.ring}`,
        what: `${first.program} differs: ${each.join("; ")}`,
        why: "versions may differ only during a rollout; nodes of a ring exchange messages and documents",
        fix: "make up brings all zones to the same image; if it already has, see make kube-rollout-status",
      },
    ];
  });

/** Programs whose running version differs from that in the stack's file, which decides how they are configured. */
export const unconfiguredFindings = (running: readonly Running[], rings: Readonly<Record<string, Ring>>): Finding[] =>
  groupedBy(running, ({ ring, program, version }) => `${ring} ${program} ${version}`).flatMap(([, own]): Finding[] => {
    const [first] = own;
    const ring = first && rings[first.ring];
    if (first === undefined || ring === undefined) return [];
    const { program, version } = first;
    const [key, configured] = {
      Kazoo: ["kazoo", ring.kazoo === "master" ? "" : ring.kazoo],
      RabbitMQ: ["rabbitmq", ring.rabbitmq],
      "the database": ["database", ring.database.version.replace(/^[a-z]+-/, "")],
    }[program] as [string, string];
    if (configured === "" || version === configured || version.startsWith(`${configured}.`)) return [];
    return [
      {
        kind: "warning",
        where: `ring ${first.ring}`,
        what: `${program} is ${version} in ${some([...new Set(own.map(({ zone }) => zone))])}, but ${configured} in the stack's file`,
        why: "the version in the file decides ports, settings and compatibility",
        fix: `set ${key} of the ring to the version of its image, or use an image of ${configured}`,
      },
    ];
  });

/** Upgrades that have begun and are not finished. */
export const upgradeFindings = (rings: readonly Ring[]): Finding[] =>
  rings.flatMap((ring): Finding[] => {
    const left = unfinishedUpgrade(ring);
    if (left === undefined) return [];
    return [
      {
        kind: "warning",
        where: `ring ${ring.name}`,
        what: `an upgrade to ${left.what} ${left.to} is not finished: upgrading is ${left.step}`,
        why: "until then, feature flags or data can be those of the old version, and other upgrades are refused",
        fix: `make upgrade WHAT=${left.what} RING=${ring.name} TO=${left.to} continues it`,
      },
    ];
  });
