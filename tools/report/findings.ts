import { z } from "zod";
import { UserError } from "../shared/terminal";
import { type Deployed, type Digest, type Step, parseDigest } from "./digest";
import { maskDigest } from "./mask";
import type { Findings } from "./model";

/** What was found on one Pulumi stack. */
export type Found = Omit<Findings, "stack" | "platform">;

/** The same, for a file: without secrets. */
export function findingsText(stack: string, found: Found): string {
  const { preview, refused = none, refresh = none, deployed = [] } = found;
  const resources = deployed.map(({ urn, ...oldState }): Step => ({ op: "same", urn, oldState }));
  const digests = [preview, refused, refresh, { steps: resources, diagnostics: [] }];
  // Together, so that a secret found in one is masked in the others.
  const masked = maskDigest({
    steps: digests.flatMap(({ steps }) => steps),
    diagnostics: digests.flatMap(({ diagnostics }) => diagnostics),
  });
  const steps = [...masked.steps];
  const diagnostics = [...masked.diagnostics];
  const next = (like: Digest): Digest => ({
    steps: steps.splice(0, like.steps.length),
    diagnostics: diagnostics.splice(0, like.diagnostics.length),
  });
  const without: Found = {
    ...found,
    preview: next(preview),
    ...(found.refused === undefined ? {} : { refused: next(refused) }),
    ...(found.refresh === undefined ? {} : { refresh: next(refresh) }),
    deployed: steps.flatMap(({ urn, oldState }): Deployed[] => (oldState === undefined ? [] : [{ urn, ...oldState }])),
  };
  return `${JSON.stringify({ stack, found: without })}\n`;
}

const none: Digest = { steps: [], diagnostics: [] };

const shape = z.object({ stack: z.string(), found: z.looseObject({ preview: z.unknown() }) });

/**
 * Reads such a file.
 * @param source where it comes from, for the error
 * @throws UserError where it is anything else
 */
export function parseFindings(text: string, source: string): { readonly stack: string; readonly found: Found } {
  try {
    const { stack, found } = shape.parse(JSON.parse(text));
    return {
      stack,
      found: { ...(found as unknown as Found), preview: parseDigest(JSON.stringify(found.preview), source) },
    };
  } catch {
    throw new UserError(
      `${source} holds no findings`,
      "npx kazoo preview-report --stack prod.us-east --alone writes some",
    );
  }
}
