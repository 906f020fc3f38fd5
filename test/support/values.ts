/**
 * Values that a stack's config and the image's entrypoint must both accept or both refuse. Tests try each of them with both: a value that
 * only the config accepts is a pod that never starts.
 */

/** A value, the verdict on it, and why. */
export interface ValueCase {
  readonly value: string;
  /** `weak` is accepted with a warning. */
  readonly verdict: "accepted" | "weak" | "refused";
  readonly why: string;
}

/** A host and its normal form; without one it is refused. */
export interface HostCase {
  readonly value: string;
  readonly becomes?: string;
  readonly why: string;
}

const same = (value: string, why: string): HostCase => ({ value, becomes: value, why });
const notAHost = (value: string, why: string): HostCase => ({ value, why });

/** Hosts, e.g. for `BIGCOUCH_HOST` and `KAZOO_AMQP_HOST`. */
export const hosts: readonly HostCase[] = [
  same("couch", "a name"),
  same("couch-1.example.org", "a full name"),
  same("my_couch_1", "Docker's names have underscores"),
  same("1couch", "a digit may come first"),
  same("db.1", "a last label of digits"),
  same("3com.0xcafe.org", "labels that begin like numbers"),
  same("c".repeat(63), "the longest label"),
  same(`${"a.".repeat(126)}a`, "the longest name"),
  same("10.0.0.1", "an address"),
  same("0.0.0.0", "the lowest address"),
  same("255.255.255.255", "the highest address"),
  { value: "Couch.Example.ORG", becomes: "couch.example.org", why: "upper and lower case are the same host" },
  { value: "couch.example.org.", becomes: "couch.example.org", why: "a dot at the end is the same host" },
  { value: "COUCH.", becomes: "couch", why: "both" },
  { value: "10.0.0.1.", becomes: "10.0.0.1", why: "an address with a dot at the end" },
  notAHost("10.0.0.256", "no such address"),
  notAHost("010.0.0.1", "resolvers read it as 8.0.0.1"),
  notAHost("1.2.3", "resolvers read it as 1.2.0.3"),
  notAHost("1.2.3.4.5", "too many numbers"),
  notAHost("10", "resolvers read it as 0.0.0.10"),
  notAHost("0x7f.1", "resolvers read it as 127.0.0.1"),
  notAHost("0x7F000001", "the same in one number"),
  notAHost("c".repeat(64), "a label of 64 characters"),
  notAHost(`${"c".repeat(70)}.example.org`, "a label of 70 characters"),
  notAHost(`${"a.".repeat(126)}ab`, "a name of 254 characters"),
  notAHost(".", "no label"),
  notAHost("couch..", "an empty label at the end"),
  notAHost(".couch", "an empty label at the beginning"),
  notAHost("a..b", "an empty label in the middle"),
  notAHost("-couch", "a dash first"),
  notAHost("couch-", "a dash last"),
  notAHost("a-.b", "a dash last in a label"),
  notAHost("couch db", "a blank"),
  notAHost(" couch", "a blank in front"),
  notAHost("couch\n", "a line break"),
  notAHost("couch:5984", "a port"),
  notAHost("http://couch", "a URL"),
  notAHost("admin@couch", "a user"),
  notAHost("couch/db", "a path"),
  notAHost("::1", "an IPv6 address"),
  notAHost("[::1]", "an IPv6 address in brackets"),
  notAHost("cöuch", "a letter beyond ASCII"),
  notAHost("couch%", "a percent sign"),
  notAHost('couch"', "a quote"),
  notAHost("*", "a pattern"),
];

const accepted = (value: string, why: string): ValueCase => ({ value, verdict: "accepted", why });
const weak = (value: string, why: string): ValueCase => ({ value, verdict: "weak", why });
const refused = (value: string, why: string): ValueCase => ({ value, verdict: "refused", why });

/** Kazoo's zones, `KAZOO_ZONE`. */
export const zones: readonly ValueCase[] = [
  accepted("us-east-nyc", "a region and a datacenter"),
  accepted("local", "Kazoo's own name for a zone"),
  accepted("US_East.1", "as Kazoo 3 clusters have them"),
  accepted("1", "a digit"),
  accepted("z".repeat(63), "63 characters"),
  refused("undefined", "Kazoo silently drops it"),
  refused("-a", "a dash first"),
  refused("a-", "a dash last"),
  refused("a b", "a blank"),
  refused("a=b", "an equals sign"),
  refused("a,b", "a comma"),
  refused("a:b", "a colon, which parts zone and copies in a placement"),
  refused("a/b", "a slash"),
  refused('a"b', "a quote"),
  refused("[a]", "brackets"),
  refused("zürich", "a letter beyond ASCII"),
  refused("a\nb", "a line break"),
];

/** Erlang cookies. */
export const cookies: readonly ValueCase[] = [
  accepted("Zq3vT8mK1xW5cB7nR2pL", "letters and digits"),
  accepted("Zq3vT8mK1xW5/+=_.:@!%", "punctuation"),
  accepted("Zq3vT8mK1xW5[x]=;#$&", "characters that mean something to config.ini"),
  weak("change_me", "Kazoo's default"),
  weak("monster", "BigCouch's default"),
  weak("insecure-cookie", "a well-known default"),
  weak("x", "short"),
  refused("Zq3vT8mK1xW5 c", "a blank"),
  refused('Zq3vT8mK1xW5"c', "a double quote, which config.ini cannot write"),
  refused("Zq3vT8mK1xW5é", "a letter beyond ASCII"),
  refused("Zq3vT8mK1xW5\tc", "a control character"),
  refused("Zq3vT8mK1xW5".repeat(22), "more than 255 characters"),
];

/** Characters that every credential may have. */
const everywhere = "!%?#$&+,;=[](){}<>|~^`'*-_. \\";

/** Passwords of RabbitMQ: Kazoo gets them in a URI, percent-encoded. Only the entrypoint accepts `guest`; a deployed stack refuses it. */
export const brokerPasswords: readonly ValueCase[] = [
  accepted("Zq3vT8mK1xW5cB7nR2pL", "letters and digits"),
  accepted(`Zq3v${everywhere}`, "punctuation"),
  accepted("Zq3vT8mK:1x@W5/cB", "what parts a URI"),
  accepted("Zq3vT8mK%41%2F", "what looks encoded already"),
  accepted("pässwörd-Zq3vT8mK", "letters beyond ASCII"),
  weak("change_me", "a well-known default"),
  weak("kazoo", "short"),
  refused('Zq3vT8mK1xW5"c', "a double quote, which config.ini cannot write"),
  refused("Zq3vT8mK1xW5\nc", "a line break"),
  refused("Zq3vT8mK1xW5\u007f", "a control character"),
  refused("Zq3vT8mK1xW5".repeat(22), "more than 255 bytes"),
];

/** Users of RabbitMQ. */
export const brokerUsers: readonly ValueCase[] = [
  accepted("kazoo", "a name"),
  accepted("kazoo user@example.org:1/a", "what parts a URI"),
  refused('kazoo"', "a double quote"),
  refused("kazoo\tuser", "a control character"),
];

/** Passwords of the database: Kazoo puts them unencoded into `http://USER:PASS@HOST:PORT`. */
export const databasePasswords: readonly ValueCase[] = [
  accepted("Zq3vT8mK1xW5cB7nR2pL", "letters and digits"),
  accepted(`Zq3v${everywhere}`, "punctuation"),
  accepted("Zq3vT8mK:1xW5", "a colon: the first one is behind the user"),
  accepted("Zq3vT8mK%41%2F", "Kazoo's HTTP client does not decode"),
  weak("change_me", "a well-known default"),
  weak("kazoo", "short"),
  refused("Zq3vT8mK1xW5@c", "Kazoo would go to the host c@HOST"),
  refused("Zq3vT8mK1xW5/c", "Kazoo would go to the host USER, and crash"),
  refused("Zq3vT8m5984", "Kazoo would replace the digits of the data port by those of the admin port"),
  refused("true", "Kazoo reads it as a boolean"),
  refused("false", "Kazoo reads it as a boolean"),
  refused('Zq3vT8mK1xW5"c', "a double quote, which config.ini cannot write"),
  refused("Zq3vT8mK1xW5\nc", "a line break"),
  refused("Zq3vT8mK1xW5".repeat(22), "more than 255 bytes"),
];

/** Users of the database. */
export const databaseUsers: readonly ValueCase[] = [
  accepted("kazoo", "a name"),
  accepted("kazoo.user_1-a", "punctuation"),
  refused("kazoo:user", "Kazoo would take the rest for the password, and so does HTTP"),
  refused("kazoo@example.org", "Kazoo would go to another host"),
  refused("kazoo/user", "Kazoo would crash"),
  refused("kazoo5984", "Kazoo would replace the digits of the data port by those of the admin port"),
  refused("true", "Kazoo reads it as a boolean"),
  refused('kazoo"', "a double quote"),
  refused("kazoo\nuser", "a line break"),
];

/** The database's address: Kazoo finds the admin port by replacing the first occurrence of the data port's digits in its URL. */
export const databaseAddresses: readonly {
  readonly host: string;
  readonly dataPort: number;
  readonly adminPort: number;
  readonly verdict: "accepted" | "refused";
}[] = [
  { host: "couch", dataPort: 5984, adminPort: 5986, verdict: "accepted" },
  { host: "couch5984", dataPort: 5984, adminPort: 5986, verdict: "refused" },
  { host: "10.0.80.1", dataPort: 80, adminPort: 5986, verdict: "refused" },
  { host: "couch5984", dataPort: 5984, adminPort: 5984, verdict: "accepted" },
  { host: "couch5986", dataPort: 5984, adminPort: 5986, verdict: "accepted" },
];

/** Erlang nodes, `ERLANG_VM`; a stack's config accepts only the first two. */
export const erlangVms: readonly ValueCase[] = [
  accepted("kazoo_apps", "the default"),
  accepted("ecallmgr", "the other one"),
  ...["amqp", "bigcouch", "data", "log", "zone"].map((name) =>
    refused(name, "a section of config.ini, which would be lost"),
  ),
  refused("undefined", "Erlang's word for nothing"),
  refused("Kazoo", "a capital"),
  refused("kazoo-apps", "a dash"),
  refused("kazoo@host", "a node's full name"),
];
