import { closest } from "fastest-levenshtein";
import { z } from "zod";
import { check } from "./checks";
import { namesSecretsAlone } from "./credentials";
import { docs, exampleOf, fieldAt, oneOf, unwrapped } from "./schema/fields";
import type { Platform } from "./platform";
import { ConfigError, show, type Problem } from "./problem";
import { givenSchema, schema, type Given } from "./schema";
import { platformOf } from "./topology";

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/**
 * Turns a stack's config into a Platform.
 * @param input the keys of the config without `kazoo:`, structured as in YAML
 * @param secretKeys those top-level keys that hold secrets
 * @param before problems already found, such as in the file's YAML; further problems at the same keys are not reported
 * @throws ConfigError with all problems of the config at once
 */
export function parsePlatform(
  input: unknown,
  secretKeys: ReadonlySet<string>,
  before: readonly Problem[] = [],
): Platform {
  if (isTooDeep(input)) throw new ConfigError([tooDeep]);
  const problems = [...before, ...secrecy(input, secretKeys)];
  const { given, issues } = parseWhatIsRight(input);
  const reported = before.map(({ key }) => key);
  problems.push(
    ...issues
      .flatMap((issue) => problemsOf(issue, input))
      .filter(({ key }) => !reported.some((other) => other === key || other.startsWith(`${key}.`))),
  );
  if (given !== undefined) {
    const platform = platformOf(given);
    // A problem that follows from a broken key is not reported: fixing that key comes first.
    const broken = problems.map((problem) => problem.key);
    problems.push(
      ...check(given, platform).filter(
        (problem) => !broken.some((key) => problem.key.startsWith(key) || key.startsWith(`${problem.key}.`)),
      ),
    );
    if (problems.length === 0) return deepFreeze(platform);
  }
  throw new ConfigError(problems);
}

/** Deeper than any key; functions that process a config recursively would overflow the stack on a deeper one. */
const deepest = 64;

const tooDeep: Problem = {
  key: "kazoo",
  found: `more than ${deepest} levels`,
  expected: "mappings as described in docs/configuration.md",
  example: "kazoo:regions: { us-east: { cluster: east, datacenters: { nyc: {} } } }",
};

function isTooDeep(root: unknown): boolean {
  let level = [root];
  for (let depth = 0; depth < deepest && level.length > 0; depth += 1) {
    level = level.flatMap((node) =>
      typeof node === "object" && node !== null ? (Object.values(node) as unknown[]) : [],
    );
  }
  return level.length > 0;
}

/** The top-level keys that hold secrets, with how to set each. */
const secretSettings = new Map([
  ["credentials", "pulumi config set --secret --path kazoo:credentials.main.cookie"],
  ["registryPassword", "pulumi config set --secret kazoo:registryPassword"],
  ["registries", `pulumi config set --secret --path 'kazoo:registries["registry.example.com"].password'`],
]);

/** Secrets where none belong, and plain text where only secrets belong. */
function secrecy(input: unknown, secretKeys: ReadonlySet<string>): Problem[] {
  const keys = typeof input === "object" && input !== null ? Object.keys(input) : [];
  return keys.flatMap((name) => {
    const key = `kazoo:${name}`;
    const example = secretSettings.get(name);
    if (example !== undefined && !secretKeys.has(name) && needsSecrets(name, input)) {
      return [
        {
          key,
          found: "plain text",
          expected: "Pulumi secrets, so that nobody who reads the stack's file reads them",
          example,
        },
      ];
    }
    if (example === undefined && secretKeys.has(name)) {
      return [
        {
          key,
          found: "[secret]",
          expected: "no secret here, since this key ends in plain in the cluster; secrets go to kazoo:credentials",
          example: "kazoo:credentials: { main: { cookie: { secure: … } } }",
        },
      ];
    }
    return [];
  });
}

/** Whether a key that may hold secrets does so here, and not only names of Secrets in the cluster. */
function needsSecrets(name: string, input: unknown): boolean {
  const value = (input as Record<string, unknown>)[name];
  if (name === "registries") return passwordsIn(value).length > 0;
  return name !== "credentials" || !namesSecretsAlone(value);
}

/** The passwords in `kazoo:registries`, even if other keys there are invalid. */
export const passwordsIn = (registries: unknown): unknown[] =>
  (typeof registries === "object" && registries !== null ? Object.values(registries) : []).flatMap((entry: unknown) => {
    const password = (entry as { readonly password?: unknown } | null)?.password;
    return password === undefined ? [] : [password];
  });

/** The valid part of the config, with all issues of its shape: invalid parts are removed, so that the rest can still be checked. */
function parseWhatIsRight(input: unknown): { given?: Given; issues: Issue[] } {
  const issues: Issue[] = [];
  let rest = structuredClone(input);
  for (let round = 0; round < 8; round += 1) {
    const result = givenSchema.safeParse(rest);
    if (result.success) return { given: result.data, issues };
    const found = perField(result.error.issues);
    issues.push(...(round === 0 ? found : []));
    for (const issue of found) rest = cut(rest, issue);
  }
  return { issues };
}

/** At most one issue per field, even if several things in it are wrong. */
function perField(issues: readonly Issue[]): Issue[] {
  const atFields = issues.map((issue): Issue => {
    const { node, path } = fieldAt(schema, issue.path);
    if (issue.code === "invalid_key") return issue;
    if (issue.code !== "unrecognized_keys") return { ...issue, path: [...path] };
    // The docs of a field that accepts more than a mapping name its keys.
    return unwrapped(node) instanceof z.ZodObject ? issue : ({ ...issue, code: "custom", path: [...path] } as Issue);
  });
  return [
    ...new Map(
      atFields.map((issue) => [`${issue.code === "unrecognized_keys"} ${issue.path.map(String).join(".")}`, issue]),
    ).values(),
  ];
}

function cut(root: unknown, issue: Issue): unknown {
  if (issue.path.length === 0 && issue.code !== "unrecognized_keys") return undefined;
  const parent = at(root, issue.code === "unrecognized_keys" ? issue.path : issue.path.slice(0, -1));
  if (typeof parent !== "object" || parent === null) return root;
  const keys = issue.code === "unrecognized_keys" ? issue.keys : [String(issue.path.at(-1))];
  const present = keys.filter((key) => key in parent);
  for (const key of present) delete (parent as Record<string, unknown>)[key];
  // If a required key is missing, remove its whole mapping.
  return present.length === 0 ? cut(root, { ...issue, code: "custom", path: issue.path.slice(0, -1) } as Issue) : root;
}

function at(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (node, key) =>
      typeof node === "object" && node !== null ? (node as Record<PropertyKey, unknown>)[key] : undefined,
    root,
  );
}

function problemsOf(issue: Issue, input: unknown): Problem[] {
  const key = keyOf(issue.path);
  const { node } = fieldAt(schema, issue.path);
  const inner = unwrapped(node);
  if (issue.code === "unrecognized_keys") {
    const known = inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
    return issue.keys.map((name) => ({
      key: key === "kazoo" ? `kazoo:${name}` : `${key}.${name}`,
      found: "an unknown key",
      expected: oneOf(known, name),
      example: closest(name, known),
    }));
  }
  if (issue.code === "invalid_key") {
    const holder = unwrapped(fieldAt(schema, issue.path.slice(0, -1)).node);
    const about = holder instanceof z.ZodRecord ? docs.get(holder.keyType) : undefined;
    return [
      {
        key,
        found: show(issue.path.at(-1), ""),
        expected:
          about?.expected ??
          "a name of lower-case letters, digits and dashes, at most 63 characters (variables: letters, digits and _)",
        example: about?.example ?? "us-east",
      },
    ];
  }
  return [
    {
      key,
      found: show(at(input, issue.path), key),
      expected: docs.get(inner)?.expected ?? issue.message,
      example: exampleOf(node),
    },
  ];
}

function keyOf(path: Path): string {
  const [first, ...rest] = path.map(String);
  return first === undefined ? "kazoo" : [`kazoo:${first}`, ...rest].join(".");
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}

/**
 * A top-level value with the type that the config intends. The engine passes mappings, numbers and booleans as JSON text, and writes them as such
 * into a stack's file; the value of a key that accepts only text stays text, even if it looks like a number. Such a text may have JSON's quotes,
 * since it once needed them; a password is taken as it is.
 */
export function structured(key: string, value: unknown): unknown {
  if (typeof value !== "string" || key === "registryPassword") return value;
  try {
    const parsed: unknown = JSON.parse(value);
    return isText(key) && typeof parsed !== "string" ? value : parsed;
  } catch {
    return value;
  }
}

/** Whether a top-level key accepts only text. */
const isText = (key: string): boolean => unwrapped(fieldAt(schema, [key]).node) instanceof z.ZodString;
