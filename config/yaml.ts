import {
  LineCounter,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  visit,
  type Alias,
  type Document,
  type Node,
  type Scalar,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import { ConfigError, type Problem } from "./problem";
import { resolvePlain, type Plain } from "./scalar";

/**
 * Reads a stack's file exactly as Pulumi's engine does (gopkg.in/yaml.v3): plain scalars by its rules, merge keys, aliases. Anything that the
 * two might read differently is an error.
 */

/** A plain scalar that YAML reads as something other than its text. */
export interface Misread {
  /** The keys that lead to it. */
  readonly path: readonly string[];
  readonly isKey: boolean;
  readonly text: string;
  readonly value: Plain;
  /** Counted from 1. */
  readonly line: number;
}

export interface YamlFile {
  readonly value: unknown;
  readonly misread: readonly Misread[];
}

/** Limits on levels and nodes, including those that aliases repeat: more than any stack needs. */
const deepest = 64;
const mostNodes = 200_000;

/**
 * @param bytes the file's contents
 * @param name the file's name, for errors
 * @throws ConfigError with what is wrong with it as YAML, by line and column
 */
export function readYaml(bytes: Uint8Array, name: string): YamlFile {
  const text = decoded(bytes, name);
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    document = parseDocument(text, { schema: "failsafe", merge: false, lineCounter: lines, prettyErrors: true });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError([tooMuch(name)]);
  }
  if (document.errors.some(({ message }) => message.startsWith("Maximum call stack"))) {
    throw new ConfigError([tooMuch(name)]);
  }
  if (document.errors.length > 0) {
    throw new ConfigError(document.errors.map((error) => syntaxProblem(error, text, name, lines)));
  }
  return new Reading(document, name, lines).file();
}

function decoded(bytes: Uint8Array, name: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const found = "bytes that are not UTF-8";
    throw new ConfigError([{ key: name, found, expected: "a text file in UTF-8", example: "save it as UTF-8" }]);
  }
  // The engine also ends lines at these characters, and refuses others.
  const strange =
    /\r(?!\n)|[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/u.exec(text);
  const directive = /^%/m.exec(text);
  const odd = strange ?? directive;
  if (odd === null) return text;
  const before = text.slice(0, odd.index).split("\n");
  const code = (odd[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  throw new ConfigError([
    {
      key: place(name, before.length, (before.at(-1) ?? "").length + 1),
      found: strange === null ? "a directive of YAML, %" : `the character U+${code}`,
      expected: strange === null ? "no directives" : "text without control characters; in quotes, an escape",
      example: strange === null ? "remove the line" : `"\\u${code}"`,
    },
  ]);
}

const place = (name: string, line: number, column: number): string => `${name}:${line}:${column}`;

const tooMuch = (name: string): Problem => ({
  key: name,
  found: "more levels or aliases than a stack needs",
  expected: `at most ${deepest} levels, and ${mostNodes} values with what aliases repeat`,
  example: "write the values out",
});

function syntaxProblem(error: YAMLError, text: string, name: string, lines: LineCounter): Problem {
  const { line, col } = lines.linePos(error.pos[0]);
  const rest = text.slice(error.pos[0]).split("\n")[0] ?? "";
  const [found, expected, example] = explained(error, rest);
  return { key: place(name, line, col), found, expected, example };
}

function explained({ code, message }: YAMLError, rest: string): [found: string, expected: string, example: string] {
  switch (code) {
    case "DUPLICATE_KEY":
      return [
        `the key ${/^("[^"]*"|'[^']*'|.*?)(?=\s*:(\s|$))/.exec(rest)?.[0] ?? rest} a second time`,
        "each key once in a mapping",
        "merge the two, or remove one",
      ];
    case "TAB_AS_INDENT":
      return ["a tab", "spaces, since YAML does not indent by tabs", "two spaces a level"];
    case "MULTIPLE_DOCS":
      return ["a second document", "one document", "remove the line ---"];
    default:
      return [
        `what YAML cannot read: ${(message.split("\n")[0] ?? "").replace(/ at line \d+, column \d+:?$/, "")}`,
        "YAML",
        "kazoo:ring: main",
      ];
  }
}

interface Entry {
  readonly key: Scalar;
  readonly value: Node | null;
}

/** The node of each alias: the last anchor of its name before it. */
function aliasTargets(document: Document.Parsed): Map<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target !== undefined) targets.set(node, target);
      } else if (node.anchor !== undefined) {
        anchors.set(node.anchor, node);
      }
    },
  });
  return targets;
}

/** Turns a document's nodes into values. */
class Reading {
  private readonly misread: Misread[] = [];
  private readonly problems: Problem[] = [];
  private nodes = 0;
  private readonly targets: ReadonlyMap<Alias, Node>;

  constructor(
    private readonly document: Document.Parsed,
    private readonly name: string,
    private readonly lines: LineCounter,
  ) {
    this.targets = aliasTargets(document);
  }

  file(): YamlFile {
    const value = this.valueOf(this.document.contents, [], []);
    if (this.problems.length > 0) throw new ConfigError(uniqueBy(this.problems, ({ key, found }) => `${key} ${found}`));
    return { value, misread: this.misread };
  }

  private valueOf(node: Node | null, path: readonly string[], above: readonly Node[]): unknown {
    this.nodes += 1;
    if (above.length > deepest || this.nodes > mostNodes) throw new ConfigError([...this.problems, tooMuch(this.name)]);
    if (node === null) return null;
    if (isAlias(node)) {
      const target = this.target(node, above);
      return target === undefined ? null : this.valueOf(target, path, above);
    }
    if (node.tag !== undefined)
      this.report(node, `the tag ${node.tag}`, "a value without a tag", "in quotes, for text");
    const inside = [...above, node];
    if (isMap(node)) {
      const entries = [...this.entries(node, inside)].map(([name, { key, value }]) => {
        this.checkKey(key, [...path, name]);
        return [name, this.valueOf(value, [...path, name], inside)];
      });
      return Object.fromEntries(entries) as unknown;
    }
    if (isSeq(node))
      return node.items.map((item, index) => this.valueOf(item as Node | null, [...path, String(index)], inside));
    return isScalar(node) ? this.scalar(node, path) : null;
  }

  private target(alias: Alias, above: readonly Node[]): Node | undefined {
    const target = this.targets.get(alias);
    if (target === undefined) {
      this.report(
        alias,
        `*${alias.source}, which no anchor before it defines`,
        `an anchor above, &${alias.source}`,
        "write the value out",
      );
    } else if (above.includes(target)) {
      this.report(
        alias,
        `*${alias.source} inside of what it stands for`,
        "an alias of another value",
        "write the value out",
      );
      return undefined;
    }
    return target;
  }

  /** The entries of a mapping, including those of merge keys: the nearer value wins. */
  private entries(map: YAMLMap, above: readonly Node[]): Map<string, Entry> {
    const entries = new Map<string, Entry>();
    const merged: Map<string, Entry>[] = [];
    for (const pair of map.items) {
      const key = pair.key as Node;
      const value = pair.value as Node | null;
      if (!isScalar(key)) {
        this.report(key, "a key that is not text", "text as a key", "kazoo:ring");
      } else if (key.type !== "PLAIN" && key.value === "<<") {
        // The engine loses some of these.
        this.report(key, "the key << in quotes", "another key, or the merge key << without quotes", "<<: *defaults");
      } else if (key.type === "PLAIN" && key.source === "<<") {
        merged.push(...this.mergeSources(value, above).map((source) => this.entries(source, [...above, source])));
      } else {
        entries.set(String(key.source ?? key.value), { key, value });
      }
    }
    for (const source of merged) {
      for (const [name, entry] of source) if (!entries.has(name)) entries.set(name, entry);
    }
    return entries;
  }

  private mergeSources(node: Node | null, above: readonly Node[]): YAMLMap[] {
    const listed = isSeq(node) ? (node.items as (Node | null)[]) : [node];
    return listed.flatMap((item) => {
      const source = isAlias(item) ? this.target(item, above) : item;
      if (above.length > deepest) throw new ConfigError([...this.problems, tooMuch(this.name)]);
      if (isMap(source)) return [source];
      if (source !== undefined)
        this.report(
          item ?? this.document.contents,
          "a merge key, <<, of something that is not a mapping",
          "a mapping or a list of mappings",
          "<<: *defaults",
        );
      return [];
    });
  }

  /** Keys become text again, which can differ from the original: for `010`, and for some decimals. */
  private checkKey(key: Scalar, path: readonly string[]): void {
    const text = path.at(-1) ?? "";
    const value = key.type === "PLAIN" ? resolvePlain(text) : text;
    if (String(value) !== text || value === null || (typeof value === "number" && !Number.isInteger(value))) {
      this.misread.push({ path, isKey: true, text, value, line: this.line(key) });
    }
  }

  private scalar(node: Scalar, path: readonly string[]): unknown {
    const text = String(node.source ?? node.value);
    if (node.type !== "PLAIN") return text;
    const value = resolvePlain(text);
    if (value !== null && String(value) !== text)
      this.misread.push({ path, isKey: false, text, value, line: this.line(node) });
    return value instanceof Date ? value.toISOString() : value;
  }

  private line(node: Node): number {
    return this.lines.linePos(node.range?.[0] ?? 0).line;
  }

  private report(node: Node | null, found: string, expected: string, example: string): void {
    const { line, col } = this.lines.linePos(node?.range?.[0] ?? 0);
    this.problems.push({ key: place(this.name, line, col), found, expected, example });
  }
}

const uniqueBy = <T>(items: readonly T[], id: (item: T) => string): T[] => [
  ...new Map(items.map((item) => [id(item), item])).values(),
];
