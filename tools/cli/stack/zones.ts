import { readOutputs } from "../pulumi/pulumi";
import type { Stack } from "./openStack";
import { colours } from "../../shared/terminal";

/** A zone in the stack's outputs. */
export interface ZoneView {
  readonly region: string;
  readonly datacenter: string;
  readonly ring: string;
  readonly cluster: string;
  /** Context of the kubeconfig; on Docker, the engine's address. */
  readonly context: string;
  /** On Docker, the network. */
  readonly namespace: string;
  /** `host:port` or URL. */
  readonly endpoints: {
    readonly crossbar: string;
    readonly websockets: string;
    readonly database: string;
    readonly brokers: readonly string[];
  };
  /** Names of the Erlang nodes. */
  readonly nodes: { readonly kazoo: readonly string[]; readonly database: readonly string[] };
  readonly image: string;
}

/** Reads a stack's zones, by name, from its outputs; none if the stack is not deployed. */
export async function readZones(stack: Stack): Promise<Record<string, ZoneView>> {
  const { zones = {} } = await readOutputs<{ zones?: Record<string, ZoneView> }>(stack.pulumi, stack.name);
  return zones;
}

/** The text after a successful `up`: zones with their endpoints, and commands to look at and remove the stack. */
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
