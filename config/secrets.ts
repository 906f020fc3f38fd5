/**
 * Detects secrets by their name or form: one rule for the config, which refuses such values in places that everyone can read, and for all output
 * for people: reports, drift, logs, errors. Masking too much is better than too little.
 */

/** A word that marks a name as secret, alone or at the end of a longer word such as SMTPPASS. */
const secretWord = /^auth$|(password|passwd|passphrase|(?<!^by|^com)pass|pwd|secret|token|cookie|credential)s?$/;
/** Keys that are secret, as one word or two; others may well be names of things. */
const secretKey = /(access|account|api|auth|encryption|licen[cs]e|master|private|secret|signing) ?keys?$/;
/** Names of objects that hold a secret, but are none themselves. */
const harmlessNames = new Set(["secretName"]);

/** Whether a name is that of a secret, in any style of joining words. */
export function isSecretName(name: string): boolean {
  if (harmlessNames.has(name)) return false;
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return (
    words.some((word) => secretWord.test(word)) ||
    words.some((word, index) => secretKey.test(`${words[index - 1] ?? ""} ${word}`))
  );
}

/** Settings of brokers and databases whose names contain a word for secrets, but that are not secret. */
const harmlessSettings = new Set([
  "auth_cache_size",
  "auth_plugins",
  "cookie_domain",
  "password_hashing_module",
  "password_scheme",
  "x_auth_roles",
  "x_auth_token",
  "x_auth_username",
]);

/**
 * Whether a setting of a broker or a database is secret by its name: one rule for the config, which refuses it, and for the policy. Words before a
 * dot are what the setting is about, as in `auth_mechanisms.1`. A switch is no secret.
 */
export function isSecretSetting(setting: string, value: string): boolean {
  const name = setting.split(".").at(-1) ?? setting;
  return value !== "true" && value !== "false" && !harmlessSettings.has(name) && isSecretName(name);
}

/** The placeholder for a secret, the same as Pulumi's. */
export const secret = "[secret]";

/** Parameters of signed URLs, which are secret in a URL alone. */
const secretParameter = /^(sig|signature|code|key|x-amz-signature|x-goog-signature)$/i;

const value = String.raw`"(?:[^"\\]|\\.)*"|'[^']*'`;

interface Form {
  readonly pattern: RegExp;
  /** The parts of a match, in order; every second one, from the second on, is secret. Undefined: the match holds no secret. */
  readonly parts: (match: readonly string[]) => readonly string[] | undefined;
}

/** Parts of `NAME SEPARATOR VALUE`, if the name is that of a secret. */
const setting = ([, name = "", separator = "", found = ""]: readonly string[]) =>
  isSecretName(name) && found !== "" ? [name + separator, found] : undefined;

const forms: readonly Form[] = [
  // A key of a certificate.
  {
    pattern: /(-----BEGIN [A-Z ]*PRIVATE KEY-----)([\s\S]*?)(-----END [A-Z ]*PRIVATE KEY-----|$)/g,
    parts: ([, begin = "", key = "", end = ""]) => [begin, key, end],
  },
  // The password of a URL, which may hold `/` and `@`: up to the last `@` before a blank, a quote or another URL.
  {
    pattern: /((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*:\/\/[^\s:/@"'<>]*:)((?:(?!:\/\/)[^\s"'<>])+)(@)(?!sha256:)/gi,
    parts: ([, before = "", password = "", at = ""]) => [before, password, at],
  },
  // A token in the place of the user.
  {
    pattern: /((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*:\/\/)([^\s:/@"'<>]{16,})(@)/gi,
    parts: ([, before = "", user = "", at = ""]) => [before, user, at],
  },
  // Webhooks and bots: anyone who knows the address may use it.
  {
    pattern: /(https?:\/\/[^\s"'<>]*?(?:hook|\/services\/|\/bot|token)[^\s"'<>]*)/gi,
    parts: ([url = ""]) => url.split(/(?<=\/|\/bot)((?=[^/?#]*\d)(?=[^/?#]*[A-Za-z])[\w:%.~-]{16,})(?=[/?#]|$)/),
  },
  // A parameter of a URL, or a part of a connection string.
  {
    pattern: /([?&;]\s*)([\w.-]+)(=)([^&;#\s"'<>]+)/g,
    parts: ([, mark = "", name = "", equals = "", found = ""]) =>
      isSecretName(name) || (mark !== ";" && secretParameter.test(name)) ? [mark + name + equals, found] : undefined,
  },
  // NAME=value, --name=value.
  {
    pattern: new RegExp(String.raw`(?<![\w.-])(-{0,2}[A-Za-z_][\w.-]*)(=)(${value}|(?!\$[({])[^\s&;,"'<>]+)`, "g"),
    parts: setting,
  },
  // JSON, and YAML in quotes.
  { pattern: new RegExp(String.raw`(?<![\w.-])([\w.-]+)(["']?\s*:\s*)(${value})`, "g"), parts: setting },
  // A line of YAML or of a header.
  { pattern: /(?<![\w.-])([A-Za-z][\w.-]*)(:[ \t]+)(?!["'[{|>\s])([^\s"',;]+)(?=\s*$)/gm, parts: setting },
  // --name value, -setcookie value.
  {
    pattern: new RegExp(String.raw`(?<![\w-])--?([A-Za-z][\w-]*)([ \t]+)(${value}|(?!-|\$[({])[^\s"']+)`, "g"),
    parts: (match) => {
      const found = setting(match);
      return found && [(match[0] ?? "").slice(0, (match[0] ?? "").length - (match[3] ?? "").length), match[3] ?? ""];
    },
  },
  // curl's and others' -u user:password.
  {
    pattern: /((?<![\w-])(?:-u|--user)[ =]+[^\s:"']+:)([^\s"']+)/g,
    parts: ([, before = "", password = ""]) => [before, password],
  },
  // An Authorization header's value.
  { pattern: /(\b(?:Bearer|Basic)\s+)([\w.~+/=-]{8,})/gi, parts: ([, scheme = "", token = ""]) => [scheme, token] },
  // Tokens by what they begin with: GitHub, GitLab, Slack, AWS, JSON Web Tokens.
  {
    pattern:
      /()(\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abeprs]-[\w-]{10,}|\bA[KS]IA[A-Z0-9]{16}\b|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)/g,
    parts: ([, before = "", token = ""]) => [before, token],
  },
];

/**
 * Masks what looks secret in a text.
 * @param onSecret receives each secret, as it appears in the text
 */
export function maskSecrets(text: string, onSecret: (found: string) => void = () => undefined): string {
  return forms.reduce(
    (rest, { pattern, parts }) =>
      rest.replace(pattern, (...match: unknown[]) => {
        const strings = match.slice(
          0,
          match.findIndex((part) => typeof part === "number"),
        ) as string[];
        const found = parts(strings);
        if (found === undefined) return String(match[0]);
        return found.map((part, index) => (index % 2 === 0 ? part : masked(part, onSecret))).join("");
      }),
    text,
  );
}

function masked(part: string, onSecret: (found: string) => void): string {
  const quote = /^(["']).*\1$/s.exec(part)?.[1] ?? "";
  const bare = part.slice(quote.length, part.length - quote.length);
  if (bare === "" || bare.includes(secret)) return part;
  onSecret(bare);
  return `${quote}${secret}${quote}`;
}

/** Masks what looks secret in all texts of a value, by its form or by its key. */
export function maskValue(found: unknown, name = ""): unknown {
  if (typeof found === "string") return isSecretName(name) ? secret : maskSecrets(found);
  if (Array.isArray(found)) return found.map((item) => maskValue(item, name));
  if (typeof found !== "object" || found === null) return isSecretName(name) ? secret : found;
  return Object.fromEntries(Object.entries(found).map(([key, inner]) => [key, maskValue(inner, key)]));
}

/** Whether something in a text looks secret. */
export const hasSecret = (text: string): boolean => maskSecrets(text) !== text;

/** Whether a setting looks secret, by its name or by its value. */
export const looksSecret = (name: string, text: string): boolean => isSecretName(name) || hasSecret(text);
