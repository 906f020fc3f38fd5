import { z } from "zod";
import { UserError } from "../shared/terminal";

/** The part of the output of `pulumi preview --json` and `pulumi refresh --preview-only --json` that a report uses. */
export interface Digest {
  readonly steps: readonly Step[];
  readonly diagnostics: readonly Diagnostic[];
}

/** What the engine would do to one resource. */
export interface Step {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: State;
  readonly newState?: State;
  /** Paths that force a replacement. */
  readonly replaceReasons?: readonly string[] | null;
  /** Paths that differ according to the provider; a kind that ends in `-replace` forces a replacement. */
  readonly detailedDiff?: Readonly<Record<string, { readonly kind: string }>> | null;
}

/** A resource before or after. */
export interface State {
  readonly type: string;
  readonly custom?: boolean;
  readonly protect?: boolean;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** URNs. */
  readonly dependencies?: readonly string[];
  readonly additionalSecretOutputs?: readonly string[];
}

/** A resource of a stack's state, as `pulumi stack export` prints it. */
export type Deployed = State & {
  readonly urn: string;
  /** Already replaced, but not deleted yet. */
  readonly delete?: boolean;
};

/** A message of the engine, a provider or the program. */
export interface Diagnostic {
  readonly urn?: string;
  readonly message: string;
  readonly severity: string;
  /** The rule of a policy pack that is broken. */
  readonly policy?: string;
}

/** The project's stack itself, as a resource. */
export const stackType = "pulumi:pulumi:Stack";

const text = z.string();
const properties = z.record(text, z.unknown()).optional();
const state = z.looseObject({
  type: text,
  custom: z.boolean().optional(),
  protect: z.boolean().optional(),
  inputs: properties,
  outputs: properties,
  dependencies: z.array(text).optional(),
  additionalSecretOutputs: z.array(text).optional(),
});
/** The part of a preview's JSON that a report relies on. */
const shape = z.looseObject({
  steps: z
    .array(
      z.looseObject({
        op: text,
        urn: text,
        oldState: state.optional(),
        newState: state.optional(),
        replaceReasons: z.array(text).nullish(),
        detailedDiff: z.record(text, z.looseObject({ kind: text })).nullish(),
      }),
    )
    .nullish(),
  diagnostics: z.array(z.looseObject({ urn: text.optional(), message: text, severity: text })).nullish(),
});

/**
 * Reads a digest.
 * @param text what pulumi printed
 * @param source where it comes from, for the error
 * @throws UserError if it is anything else
 */
export function parseDigest(text: string, source: string): Digest {
  const read = parsed(text);
  const { success, error } = shape.safeParse(read);
  const { steps, diagnostics } = (success ? read : {}) as { [K in keyof Digest]?: Digest[K] | null };
  if (!Array.isArray(steps ?? diagnostics)) {
    const [problem] = error?.issues ?? [];
    const where = problem === undefined || problem.path.length === 0 ? "" : `; wrong is ${problem.path.join(".")}`;
    throw new UserError(
      `${source} is not a preview: expected the JSON that \`pulumi preview --json\` prints, with "steps"${where}`,
      "create one with: pulumi preview --json > preview.json, without --show-secrets",
    );
  }
  return { steps: steps ?? [], diagnostics: diagnostics ?? [] };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Type and name of a resource, from its URN `urn:pulumi:STACK::PROJECT::PARENTTYPE$TYPE::NAME`. */
export function parseUrn(urn: string): { readonly type: string; readonly name: string } {
  const [, , types = "", ...name] = urn.split("::");
  return { type: types.slice(types.lastIndexOf("$") + 1), name: name.join("::") };
}
