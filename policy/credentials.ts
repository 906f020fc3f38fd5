import { isSecretName, isSecretSetting } from "../config/secrets";
import { containersOf } from "./pods";
import { isContainer, kindOf, later, text, tree } from "./resource";
import type { ResourceRule } from "./rule";

/**
 * Rules on readable and well-known credentials. Messages name the place and never the value.
 */

export const plainCredentials: ResourceRule = {
  name: "no-plain-credentials",
  description: "Credentials are in Secrets: anyone who may view pods and ConfigMaps can read plain text in them.",
  level: "mandatory",
  resource: (resource) => {
    // Docker has no Secrets: anyone who can inspect a container there already has full control over it.
    if (isContainer(resource)) return [];
    const inPods = containersOf(resource).flatMap(({ name, environment }) =>
      entries(environment)
        .filter(([variable, value]) => isPlain(variable, value))
        .map(([variable]) => `container ${name}: a credential in ${variable}; expected a reference to a Secret`),
    );
    if (kindOf(resource) !== "ConfigMap") return inPods;
    return entries(tree(resource.props.data)).flatMap(([key, value]) => {
      const lines = settings(value).filter(([setting, content]) => isPlain(setting, content, isSecretSetting));
      const places = lines.map(([setting]) => `${key}, at ${setting}`);
      return (places.length === 0 && isPlain(key, value) ? [key] : places).map(
        (place) => `a credential in ${place}; expected it in a Secret`,
      );
    });
  },
};

export const defaultCredentials: ResourceRule = {
  name: "no-default-credentials",
  description: "No credential is a well-known default.",
  level: "mandatory",
  resource: (resource) => {
    const variables = containersOf(resource).flatMap(({ name, environment }) =>
      entries(environment).map(([key, value]) => [`container ${name}: ${key}`, key, value] as const),
    );
    const encoded = kindOf(resource) === "Secret" ? entries(tree(resource.props.data)) : [];
    const given = kindOf(resource) === "Secret" ? entries(tree(resource.props.stringData)) : [];
    const decoded = encoded.map(
      ([key, value]) => [key, value === later ? later : Buffer.from(value, "base64").toString()] as const,
    );
    const lines = kindOf(resource) === "ConfigMap" ? entries(tree(resource.props.data)) : [];
    return [
      ...variables,
      ...[...given, ...decoded, ...lines].flatMap(([key, value]) => [
        [key, key, value] as const,
        ...settings(value).map(([setting, content]) => [`${key}, at ${setting}`, setting, content] as const),
      ]),
    ]
      .filter(([, key, value]) => isSecretName(key) && defaults.has(value))
      .map(([place]) => `${place}: a well-known default; expected a random value`);
  },
};

/** Defaults of RabbitMQ, Kazoo, BigCouch and CouchDB's tutorials, and other common ones. */
const defaults = new Set([
  "guest",
  "change_me",
  "changeme",
  "monster",
  "insecure-cookie",
  "admin",
  "password",
  "secret",
]);

/** Whether a value is a credential in plain text, or has one in a URL or in Erlang's flags; references such as `$(NAME)` do not count. */
const isPlain = (
  name: string,
  value: string,
  isSecret: (name: string, value: string) => boolean = isSecretName,
): boolean =>
  (isSecret(name, value) && value !== "" && !value.startsWith("$")) ||
  /[a-z]:\/\/[^\s/:@]*:[^\s/@$][^\s/@]*@/i.test(value) ||
  /-setcookie\s+[^\s$]/.test(value);

/** The settings of a file: `key = value`, `key: value`. */
function settings(content: string): [key: string, value: string][] {
  return [...content.matchAll(/^[ \t]*"?([\w.-]+)"?[ \t]*[=:][ \t]*(.*?)[ \t,]*$/gm)].map(
    ([, key = "", value = ""]) => [key, value.replace(/^(["'])(.*)\1$/, "$2")],
  );
}

/** The texts of a mapping. */
const entries = (values: Readonly<Record<string, unknown>>): [string, string][] =>
  Object.entries(values).flatMap(([key, value]): [string, string][] =>
    typeof value === "string" ? [[key, text(value)]] : [],
  );
