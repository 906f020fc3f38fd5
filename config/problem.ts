import { isSecretName, maskValue } from "./secrets";

/** A problem with a stack's config, with what its reader needs to fix it. */
export interface Problem {
  /** Where: the config key with its path, e.g. `kazoo:regions.us-east.cluster`. */
  readonly key: string;
  /** The value there, shortened; never a secret. */
  readonly found: string;
  /** What is expected, as a noun phrase, with the reason if it is not obvious. */
  readonly expected: string;
  /** A correct value or line of YAML. */
  readonly example: string;
}

/** The config key of a zone's datacenter. */
export const zoneKey = ({ region, datacenter }: { readonly region: string; readonly datacenter: string }): string =>
  `kazoo:regions.${region}.datacenters.${datacenter}`;

/** Thrown if a stack's file does not exist. */
export class UnknownStackError extends Error {
  constructor(
    stack: string,
    /** The stacks that have a file. */
    readonly known: readonly string[],
  ) {
    super(`there is no stack ${stack}: Pulumi.${stack}.yaml is missing`);
    this.name = "UnknownStackError";
  }
}

/** All problems of a stack's config together; thrown before anything is created. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly Problem[]) {
    super(
      `${problems.length === 1 ? "1 problem" : `${problems.length} problems`} in the config of this stack:\n${problems.map(line).join("\n")}`,
    );
    this.name = "ConfigError";
  }
}

function line(problem: Problem): string {
  return `  ${problem.key}: found ${problem.found}; expected ${problem.expected}, for example: ${problem.example}`;
}

/** Whether the value at a config key is secret: by the key, or by the name of a variable or setting. */
export const isSecretKey = (key: string): boolean =>
  key.startsWith("kazoo:credentials.") ||
  key === "kazoo:registryPassword" ||
  /^kazoo:registries\..*\.password$/.test(key) ||
  isSecretName(/[:.](?:extraEnvironment|args|brokerSettings|databaseSettings)\.(.+)$/.exec(key)?.[1] ?? "");

const longest = 80;

/** Shows a config value in an error: JSON, on one line, at most 80 characters; secret values are masked. */
export function show(value: unknown, key: string): string {
  if (value === undefined || value === null) return "nothing";
  if (isSecretKey(key)) return "[secret]";
  const text = JSON.stringify(maskValue(value));
  return text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
}

/** A problem with a value, which is shown as it is in the config. */
export function problem(key: string, found: unknown, expected: string, example: string): Problem {
  return { key, found: show(found, key), expected, example };
}
