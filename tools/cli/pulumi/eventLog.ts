import { readFileSync } from "node:fs";
import type { Diagnostic } from "../../report/digest";

/** The fields of an engine event that the commands use. */
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

/** The events in a log from Pulumi, one per line; a truncated line is ignored. */
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
    // On one line, without the engine's colour codes.
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
