/**
 * How Pulumi's engine reads a plain (unquoted) scalar: a port of the rules of its YAML library, gopkg.in/yaml.v3 (resolve.go). They are
 * those of YAML 1.2 with much of YAML 1.1: octal numbers with a leading zero, underscores, a leading plus, dates.
 */
export type Plain = string | number | boolean | null | Date;

const words: Readonly<Record<string, Plain>> = Object.assign(Object.create(null), {
  true: true,
  True: true,
  TRUE: true,
  false: false,
  False: false,
  FALSE: false,
  "": null,
  "~": null,
  null: null,
  Null: null,
  NULL: null,
  ".nan": NaN,
  ".NaN": NaN,
  ".NAN": NaN,
  ".inf": Infinity,
  ".Inf": Infinity,
  ".INF": Infinity,
  "+.inf": Infinity,
  "+.Inf": Infinity,
  "+.INF": Infinity,
  "-.inf": -Infinity,
  "-.Inf": -Infinity,
  "-.INF": -Infinity,
}) as Record<string, Plain>;

/** The value of a plain scalar; text without another meaning stays text. Whole numbers beyond 2^53 are rounded, as the program would get them. */
export function resolvePlain(text: string): Plain {
  const word = words[text];
  if (word !== undefined) return word;
  if (!/^[-+.0-9]/.test(text)) return text;
  return timestamp(text) ?? number(text) ?? text;
}

function number(text: string): number | undefined {
  // Underscores are dropped anywhere, but in a decimal that starts with its point they must be between digits.
  if (/^\.(?!\d+(_\d+)*([eE][-+]?\d+(_\d+)*)?$)/.test(text)) return undefined;
  const digits = text.replaceAll("_", "");
  const whole = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/.exec(digits);
  if (whole !== null) {
    const [, sign, magnitude = ""] = whole;
    const exact = BigInt(/^0[0-7]/.test(magnitude) ? `0o${magnitude.slice(1)}` : magnitude);
    if (exact < 2n ** (sign === "-" ? 63n : 64n)) return Number(sign === "-" ? -exact : exact);
  }
  return /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(digits) ? Number(digits) : undefined;
}

/** A day, alone or with a time: `2026-1-2`, `2026-01-02T03:04:05Z`, `2026-01-02 03:04:05.6`. */
function timestamp(text: string): Date | undefined {
  const found =
    /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?(Z|[-+]\d{2}:\d{2}))| (\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?)?$/.exec(
      text,
    );
  if (found === null) return undefined;
  const [year, month, day] = found.slice(1, 4).map(Number) as [number, number, number];
  const [hour, minute, second] = [found[4] ?? found[8], found[5] ?? found[9], found[6] ?? found[10]].map((part) =>
    Number(part ?? 0),
  ) as [number, number, number];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const exists =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  return exists ? date : undefined;
}
