import { isSecretName, maskSecrets, secret } from "../../config/secrets";
import { type Digest, type State, type Step, stackType } from "./digest";

/** The placeholder for a value that the preview cannot know. */
export const unknown = "(known after apply)";

/** What Pulumi prints for an unknown value, by its type (pulumi/pulumi, sdk/go/common/resource/plugin/rpc.go). */
const unknownValues =
  /1c4a061d-8072-4f0a-a4cb-0ff528b18fe7|3eeb2bf0-c639-47a8-9e75-3b44932eb421|04da6b54-80e4-46f7-96ec-b56ff0331ba9|6a19a0b0-7e62-4c92-b797-7f8e31da9cc2|030794c1-ac77-496b-92df-f27374a8bd58|e48ece36-62e2-4504-bad9-02848725956a|dd056dcd-154b-4c76-9bd3-c8f88648b5ff/g;

/** Marks an object as a secret in Pulumi's serialisation (the same source, properties.go). */
const signature = "4dabf18193072939515e22adb298388d";
const secretSignature = "1b47061264138c4ac30d75fd1eb44270";

/** Shorter secrets are masked in their own place, but not in other texts: the user `kazoo` is a word in every report. */
const shortestWanted = 8;

/**
 * Removes all secrets from a digest: what Pulumi marks as secret, and what is secret by its type or name. Each secret found is also masked
 * in every other text, including diagnostics. Only the stack's outputs are kept. Unknown values get a placeholder.
 */
export function maskDigest(digest: Digest): Digest {
  const found = new Set<string>();
  const steps = digest.steps.map((step) => maskStep(step, found));
  const scrub = scrubber(found);
  return {
    steps: steps.map((step) => deep(step, scrub) as Step),
    diagnostics: digest.diagnostics.map(({ urn, message, severity, policy }) => ({
      ...(urn === undefined ? {} : { urn }),
      message: scrub(maskText(message)),
      severity,
      ...(policy === undefined ? {} : { policy }),
    })),
  };
}

function maskStep({ op, urn, oldState, newState, replaceReasons, detailedDiff }: Step, found: Set<string>): Step {
  return {
    op,
    urn,
    ...(oldState === undefined ? {} : { oldState: maskState(oldState, found) }),
    ...(newState === undefined ? {} : { newState: maskState(newState, found) }),
    replaceReasons: replaceReasons ?? [],
    detailedDiff: detailedDiff ?? {},
  };
}

function maskState(state: State, found: Set<string>): State {
  const { type, custom, protect, inputs = {}, outputs = {}, dependencies = [], additionalSecretOutputs = [] } = state;
  const hidden = new Set([...additionalSecretOutputs, ...(type.endsWith(":Secret") ? ["data", "stringData"] : [])]);
  // Outputs are not kept, but their secrets may appear elsewhere.
  for (const key of [...hidden, ...(type.startsWith("random:") ? ["result", "bcryptHash"] : [])]) {
    remember(outputs[key], found);
  }
  const masked = Object.entries(inputs).map(([key, value]) => [
    key,
    hidden.has(key) ? maskAll(value, found) : mask(key, value, found),
  ]);
  return {
    type,
    custom: custom ?? false,
    protect: protect ?? false,
    inputs: Object.fromEntries(masked) as Record<string, unknown>,
    outputs: type === stackType ? (mask("", outputs, found) as Record<string, unknown>) : {},
    dependencies,
  };
}

/** Masks what is secret by name or form. */
function mask(key: string, value: unknown, found: Set<string>): unknown {
  if (typeof value === "string") return isSecretName(key) ? maskAll(value, found) : maskText(value, found);
  if (Array.isArray(value)) return value.map((item) => mask(key, item, found));
  if (typeof value !== "object" || value === null) return value;
  const object = value as Record<string, unknown>;
  if (object[signature] === secretSignature) return maskAll(object.plaintext ?? object.value, found);
  // An environment variable is an object of its own: { name: "API_TOKEN", value: … }.
  const named = typeof object.name === "string" && typeof object.value === "string" && isSecretName(object.name);
  return Object.fromEntries(
    Object.entries(object).map(([inner, content]) => [
      inner,
      named && inner === "value" ? maskAll(content, found) : mask(inner, content, found),
    ]),
  );
}

/** Masks a whole value, but keeps the names of an object's keys. */
function maskAll(value: unknown, found: Set<string>): unknown {
  remember(value, found);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return secret;
  return Object.fromEntries(Object.keys(value).map((key) => [key, secret]));
}

function remember(value: unknown, found: Set<string>): void {
  if (typeof value === "object" && value !== null) return Object.values(value).forEach((item) => remember(item, found));
  if (typeof value !== "string" || value === secret || value.length < shortestWanted) return;
  if (new RegExp(unknownValues.source).test(value)) return;
  found.add(value);
  const decoded = Buffer.from(value, "base64").toString("utf8");
  if (decoded.length >= shortestWanted && Buffer.from(decoded).toString("base64") === value) found.add(decoded);
}

/** Masks what looks secret in a text, and names unknown values. */
function maskText(text: string, found = new Set<string>()): string {
  const setting = /^([A-Z][A-Z0-9_]*)=(.+)$/s.exec(text);
  if (setting?.[1] !== undefined && isSecretName(setting[1])) {
    remember(setting[2], found);
    return `${setting[1]}=${secret}`;
  }
  return maskSecrets(text, (value) => remember(value, found)).replace(unknownValues, unknown);
}

function scrubber(found: ReadonlySet<string>): (text: string) => string {
  // Longest first: a secret may hold another.
  const wanted = [...found].sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
  return (text) => wanted.reduce((rest, value) => rest.replaceAll(value, secret), text);
}

function deep(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((item) => deep(item, change));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, deep(inner, change)]));
}
