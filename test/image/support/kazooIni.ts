/**
 * A reader of Kazoo's config.ini, independent of what writes it, and as strict as Kazoo's parser is treacherous: it
 * refuses whatever that parser would reject or read as something else, since Kazoo then starts on defaults without a word.
 */

/** One section in the order of the file; keys may repeat. */
export interface Section {
  readonly name: string;
  readonly entries: readonly (readonly [key: string, value: string | number | boolean])[];
}

/**
 * Reads config.ini.
 * @param text the whole file
 * @returns its sections in order, sections of one name apart
 * @throws Error naming the line that Kazoo's parser would mis-read, and why
 */
export function readKazooIni(text: string): Section[] {
  const sections: { name: string; entries: [string, string | number | boolean][] }[] = [];
  const refuse = (number: number, why: string): never => {
    throw new Error(`line ${number}: ${why}`);
  };
  if (!text.endsWith("\n")) throw new Error("the last line has no end");

  text.split("\n").forEach((line, index) => {
    const number = index + 1;
    if (line === "" || line.startsWith(";")) return;
    if (line.startsWith("#")) refuse(number, "'#' starts no comment");
    if (/[\u0000-\u001f\u007f]/.test(line)) refuse(number, "a control character");

    const header = /^\[([a-z][a-z0-9_]*[a-z0-9])\]$/.exec(line);
    if (header) {
      if (sections.at(-1)?.entries.length === 0) refuse(number, `section ${sections.at(-1)!.name} is empty`);
      sections.push({ name: header[1]!, entries: [] });
      return;
    }

    const entry = /^([a-z][a-z0-9_]*[a-z0-9]) = (.+)$/.exec(line);
    if (!entry) return refuse(number, "neither a section, nor a key with a value, nor a comment");
    const section = sections.at(-1);
    if (!section) return refuse(number, "a key before the first section");
    section.entries.push([entry[1]!, readValue(entry[2]!, (why) => refuse(number, why))]);
  });
  if (sections.length === 0) throw new Error("no section");
  if (sections.at(-1)!.entries.length === 0) throw new Error(`section ${sections.at(-1)!.name} is empty`);
  return sections;
}

function readValue(raw: string, refuse: (why: string) => never): string | number | boolean {
  if (/^(0|[1-9][0-9]*)$/.test(raw)) return Number(raw);
  if (raw === "true" || raw === "false") return raw === "true";
  if (!raw.startsWith('"')) return refuse("an unquoted text: '=', '[' or ';' in it would cut it short");
  if (raw === '""') return refuse('"" crashes the parser');
  if (!raw.endsWith('"'))
    return refuse("something after the closing quote, such as a comment, becomes part of the value");
  const value = raw.slice(1, -1);
  if (value.includes('"')) return refuse("a quote within a quoted text");
  return value;
}

/** What a Kazoo node makes of its config.ini. */
export interface KazooView {
  /** "local" when Kazoo does not find itself in the file. */
  readonly zone: string;
  /** URIs by zone, as Kazoo's broker list has them; its own zone's come first and are called by its name. */
  readonly brokers: Readonly<Record<string, readonly string[]>>;
  readonly cookie: string;
  readonly database: Readonly<Record<string, string | number | boolean>>;
  readonly logLevel: string;
}

/**
 * Resolves config.ini as Kazoo 4.0 to 4.3 do for one node: a section with a `host` counts only on that host, a
 * [bigcouch] with a zone or host is lost, and a zone that matches no [zone] block brings a broker on localhost.
 * @param sections what readKazooIni returned
 * @param node the node's long name, e.g. kazoo_apps@kazoo.local
 */
export function asKazooSees(sections: readonly Section[], node: string): KazooView {
  const [name, host] = node.split("@") as [string, string];
  const named = (wanted: string) => sections.filter((section) => section.name === wanted);
  const first = (section: Section | undefined, key: string) => section?.entries.find(([k]) => k === key)?.[1];
  const own = named(name).find((section) => first(section, "host") === host);
  const zone = String(first(own, "zone") ?? "local");

  const brokers: Record<string, string[]> = { [zone]: [] };
  for (const block of named("zone")) {
    const uris = block.entries.filter(([key]) => key === "amqp_uri").map(([, uri]) => String(uri));
    const of = String(first(block, "name"));
    brokers[of] = [...(brokers[of] ?? []), ...uris];
  }
  if (brokers[zone]!.length === 0) brokers[zone] = ["amqp://guest:guest@localhost:5672"];

  const bigcouch = named("bigcouch").find((section) => !section.entries.some(([k]) => k === "zone" || k === "host"));
  return {
    zone,
    brokers,
    cookie: String(first(own, "cookie") ?? "change_me"),
    database: Object.fromEntries(bigcouch?.entries ?? []),
    logLevel: String(first(named("log")[0], "console") ?? "notice"),
  };
}
