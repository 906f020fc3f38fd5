import type { ZoneOutputs } from "../../components/platform";
import { askPulumi } from "./pulumi";
import type { Stack } from "./stack";
import { colours } from "../shared/terminal";

/** What is known of a zone once its stack is up. */
export type ZoneView = Omit<ZoneOutputs, "image"> & { readonly image: string };

/** Reads a stack's zones, by name, from its outputs; none when the stack is not up. */
export async function readZones(stack: Stack): Promise<Record<string, ZoneView>> {
  const printed = await askPulumi(stack.pulumi, ["stack", "output", "--json", "--stack", stack.name]);
  return (JSON.parse(printed) as { zones?: Record<string, ZoneView> }).zones ?? {};
}

/** The text after a successful `up`: zones with their endpoints, how to look at them, how to stop. */
export function summary(
  stack: string,
  zones: Readonly<Record<string, ZoneView>>,
  hints: { readonly look: readonly string[]; readonly stop: readonly string[] },
): string {
  const blocks = Object.entries(zones).map(([name, zone]) =>
    [
      `${colours.bold(name)}  namespace ${zone.namespace}, context ${zone.context}, ring ${zone.ring}`,
      `  Crossbar    ${zone.endpoints.crossbar}`,
      `  websockets  ${zone.endpoints.websockets}`,
      `  brokers     ${zone.endpoints.brokers.join(", ")}`,
      `  database    ${zone.endpoints.database}`,
    ].join("\n"),
  );
  const list = (title: string, lines: readonly string[]): string =>
    lines.map((line, index) => `${(index === 0 ? title : "").padEnd(6)}${line}`).join("\n");
  const count = `${blocks.length} ${blocks.length === 1 ? "zone" : "zones"}`;
  return `${[`${colours.green("Stack")} ${stack}: ${count}`, ...blocks, list("look", hints.look), list("stop", hints.stop)].join("\n")}\n`;
}
