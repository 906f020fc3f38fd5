import { readFileSync } from "node:fs";
import type { Diagnostic } from "../report/digest";

/** An event of the engine, as far as the commands read it. */
export interface EngineEvent {
  readonly diagnosticEvent?: { readonly urn?: string; readonly message: string; readonly severity: string };
  readonly resourcePreEvent?: { readonly metadata: StepMetadata };
  readonly policyEvent?: {
    readonly resourceUrn?: string;
    readonly message: string;
    readonly policyName: string;
    readonly enforcementLevel: string;
  };
}

export interface StepMetadata {
  readonly urn: string;
  readonly op?: string;
  readonly provider?: string;
  readonly new?: { readonly inputs?: Record<string, unknown> };
}

/** The events of a log that Pulumi has written, an event a line. A line that was cut off does not count. */
export function readEvents(path: string): EngineEvent[] {
  let log: string;
  try {
    log = readFileSync(path, "utf8");
  } catch {
    return []; // Pulumi failed before its first event
  }
  return eventsIn(log);
}

export const eventsIn = (log: string): EngineEvent[] =>
  log.split("\n").flatMap((line): EngineEvent[] => {
    try {
      return [JSON.parse(line) as EngineEvent];
    } catch {
      return [];
    }
  });

/** The broken mandatory rules of a policy pack, as errors: the output of `pulumi preview --json` lacks them. */
export const brokenRules = (events: readonly EngineEvent[]): Diagnostic[] =>
  events.flatMap(({ policyEvent }): Diagnostic[] => {
    if (policyEvent?.enforcementLevel !== "mandatory") return [];
    const { resourceUrn, policyName, message } = policyEvent;
    // On one line, and without the engine's marks for colours.
    const plain = message
      .replace(/<\{%.*?%\}>/g, "")
      .trim()
      .replace(/\s*\n\s*/g, " ");
    return [
      {
        severity: "error",
        policy: policyName,
        message: `policy ${policyName}: ${plain}`,
        ...(resourceUrn === undefined ? {} : { urn: resourceUrn }),
      },
    ];
  });
