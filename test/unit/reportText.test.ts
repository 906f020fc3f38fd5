import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Document } from "../../tools/report/document";
import { fit, mostCharacters } from "../../tools/report/fit";
import { groupEqual, whereInFull, whereShort } from "../../tools/report/group";
import { toHtml } from "../../tools/report/html";
import { toMarkdown } from "../../tools/report/markdown";
import { failedReport, reportOf } from "../../tools/report/model";
import { locate, withoutPlace, type Place } from "../../tools/report/place";
import { htmlOf, markdownOf, terminalText } from "../../tools/report/render";
import { colours } from "../../tools/shared/terminal";
import type { Platform } from "../../config/platform";
import type { Digest, Step } from "../../tools/report/digest";
import { digestOf, rootStep } from "../support/digests";
import { platformFrom } from "../support/mocks";

const place = (region: string, datacenter: string): Place => ({
  zone: `${region}-${datacenter}`,
  region,
  datacenter,
  namespace: `${region}-${datacenter}`,
  domain: `${region}.internal`,
});
const places = [
  place("east", "bos"),
  place("east", "nyc"),
  place("west", "lax"),
  place("west", "sfo"),
  place("west", "sea"),
];
const [bos, nyc, lax] = places as [Place, Place, Place];

describe("places", () => {
  test("a resource belongs to the datacenter with the longest matching prefix", () => {
    const short = { ...bos, zone: "east" };
    assert.deepEqual(locate("east-bos-kazoo-nodes", [short, bos]), { place: bos, role: "kazoo-nodes" });
    assert.deepEqual(locate("east-kazoo-nodes", [short, bos]), { place: short, role: "kazoo-nodes" });
    assert.deepEqual(locate("eastern-kazoo", [short]), { role: "eastern-kazoo" });
    assert.deepEqual(locate("ring-main", places), { role: "ring-main" });
  });

  test("a datacenter's own names are replaced, and nothing that only looks similar", () => {
    const text = "bigcouch.east-bos.svc.east.internal east-bos-2 xeast-bos west-lax";
    assert.equal(withoutPlace(text, bos), "bigcouch.<zone>.svc.<domain> east-bos-2 xeast-bos west-lax");
    assert.equal(withoutPlace("ns-1/kazoo", { ...bos, namespace: "ns-1" }), "<namespace>/kazoo");
    assert.equal(withoutPlace(text, undefined), text);
  });

  test("equal changes are merged, also if they differ only in the datacenter's own names", () => {
    const groups = groupEqual([
      { place: bos, value: "host.east-bos.svc.east.internal" },
      { place: lax, value: "host.west-lax.svc.west.internal" },
      { place: bos, value: "+ west-sea.svc.west.internal" },
      { place: lax, value: "+ west-sea.svc.west.internal" },
      { place: nyc, value: "alone in east-nyc" },
      { place: undefined, value: "ring" },
    ]);
    assert.deepEqual(groups, [
      { value: "host.<zone>.svc.<domain>", places: [bos, lax] },
      { value: "+ west-sea.svc.west.internal", places: [bos, lax] },
      { value: "alone in east-nyc", places: [nyc] },
      { value: "ring", places: [undefined] },
    ]);
  });

  test("places are described in few words", () => {
    assert.equal(whereShort(places, places), "all 5 datacenters");
    assert.equal(whereShort([bos, lax], places), "east-bos, west-lax");
    assert.equal(whereShort(places.slice(0, 4), places), "4 datacenters (east 2, west 2)");
    assert.equal(whereShort([undefined], places), "the stack itself");
    const many = Array.from({ length: 9 }, (_, index) => place(`r${index}`, "dc"));
    assert.equal(whereShort(many, places), "9 datacenters (r0 1, r1 1, r2 1, r3 1, r4 1, r5 1, 3 more regions)");
    assert.equal(whereInFull(places), "east: bos, nyc; west: lax, sfo, sea");
  });
});

describe("text", () => {
  const tricky = "a|b `c` ``d`` *e* <f> _g_ & [h](i) #1 @j\nk";

  test("values can't break out of Markdown", () => {
    const markdown = toMarkdown([
      { kind: "paragraph", text: [{ code: tricky }, " ", { code: "`" }, " ", { code: "" }] },
      { kind: "paragraph", text: ["<img src=x> *bold* | [link](x) `code` &amp;"] },
      { kind: "table", head: ["a"], rows: [["x|y"]], importance: 1 },
      {
        kind: "details",
        importance: 1,
        entries: [{ title: ["</details>"], lines: [{ sign: "+", text: "```\n</details>" }] }],
      },
    ]);
    assert.equal(
      markdown,
      [
        "```a|b `c` ``d`` *e* <f> _g_ & [h](i) #1 @j k``` `` ` `` *(empty)*",
        "",
        "\\<img src=x\\> \\*bold\\* \\| \\[link\\](x) \\`code\\` \\&amp;",
        "",
        "| a |",
        "| --- |",
        "| x\\|y |",
        "",
        "<details><summary>Details</summary>",
        "",
        "**\\</details\\>**",
        "````diff",
        "+ ``` </details>",
        "````",
        "",
        "</details>",
        "",
      ].join("\n"),
    );
  });

  test("values can't break out of HTML, and the page loads nothing from elsewhere", () => {
    const html = toHtml("<t>", [
      { kind: "paragraph", text: ["<img src=x onerror=y>", { code: "</code><script>" }, { strong: "&\"'" }] },
      { kind: "details", importance: 1, entries: [{ title: ["<b>"], lines: [{ sign: "-", text: "</pre>" }] }] },
    ]);
    assert.doesNotMatch(html, /<img|<script|<b>|<\/pre><\/pre>|<t>/);
    assert.match(
      html,
      /&lt;img src=x onerror=y&gt;<code>&lt;\/code&gt;&lt;script&gt;<\/code><strong>&amp;&quot;&#39;<\/strong>/,
    );
    assert.doesNotMatch(html, /<(link|script|img|iframe)|url\(|@import/);
  });

  test("stays within its limit, drops the least important parts first and says so, and keeps the verdict", () => {
    const words = fc.string({ maxLength: 80 });
    const block = fc.oneof(
      fc.record({
        kind: fc.constant("list" as const),
        items: fc.array(fc.tuple(words), { maxLength: 30 }),
        importance: fc.constant(5),
      }),
      fc.record({
        kind: fc.constant("details" as const),
        importance: fc.constant(1),
        entries: fc.array(
          fc.record({
            title: fc.tuple(words),
            lines: fc.array(fc.record({ sign: fc.constant("+" as const), text: words })),
          }),
          { maxLength: 30 },
        ),
      }),
    );
    fc.assert(
      fc.property(fc.array(block, { maxLength: 6 }), fc.integer({ min: 1200, max: 4000 }), (blocks, limit) => {
        const document: Document = [{ kind: "paragraph", text: [{ strong: "VERDICT" }] }, ...blocks];
        const [full, fitted] = [toMarkdown(document), fit(document, toMarkdown, limit, "report.html")];
        assert.ok(fitted.length <= limit);
        assert.ok(fitted.startsWith("**VERDICT**"));
        if (full.length <= limit) assert.equal(fitted, full);
        else assert.match(fitted, /\d+ more (lines|details) omitted for length; all are in report\.html\./);
      }),
    );
    const list = { kind: "list", items: [["keep ".repeat(20)]], importance: 5 } as const;
    const details = { kind: "details", importance: 1, entries: [{ title: ["drop ".repeat(60)], lines: [] }] } as const;
    assert.match(
      fit([details, list], toMarkdown, 250, "x"),
      /^1 more details omitted for length; all are in x\.\n\n- keep/,
    );
  });
});

describe("a report", () => {
  /** Regions of 8 datacenters each, each region in a cluster and a ring of its own. */
  const large = (regions: number, environment: (index: number) => Record<string, string | number>) =>
    platformFrom({
      clusters: named(regions, "c", (region) => ({
        sandbox: true,
        clusterDomain: `c${region}.internal`,
        podNetwork: `10.${region}.0.0/16`,
      })),
      rings: named(regions, "r", () => ({})),
      regions: named(regions, "region", (region) => ({
        cluster: `c${region}`,
        datacenters: named(8, "dc", (datacenter) => ({
          ring: `r${region}`,
          environment: environment(region * 8 + datacenter),
        })),
      })),
    });
  const named = <T>(count: number, prefix: string, make: (index: number) => T): Record<string, T> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, make(index)]));

  const levels = ["debug", "notice", "warning", "error", "critical", "alert", "emergency"];
  const before = large(8, () => ({}));
  const ownWay = (index: number) => ({ KAZOO_LOG_LEVEL: levels[index % 7] ?? "", ERLANG_THREADS: index + 30 });
  const after = large(8, ownWay);

  /** Copies the first region's steps to every region, because running the program for 64 datacenters takes long. */
  const everywhere = ({ steps }: Digest, was: Platform | undefined, regions = [0, 1, 2, 3, 4, 5, 6, 7]): Digest => {
    const [, ...resources] = steps;
    const text = JSON.stringify(resources);
    const inRegion = (region: number) =>
      JSON.parse(
        text
          .replace(/region0/g, `region${region}`)
          .replace(/\b([cr])0\b/g, `$1${region}`)
          .replace(/"10\.0\./g, `"10.${region}.`)
          .replace(/"ERLANG_THREADS":"(3\d)"/g, (_, own) => `"ERLANG_THREADS":"${Number(own) + 8 * region}"`)
          .replace(/"KAZOO_LOG_LEVEL":"(\w+)"/g, (whole, level: string) =>
            levels.includes(level) ? `"KAZOO_LOG_LEVEL":"${levels[(levels.indexOf(level) + 8 * region) % 7]}"` : whole,
          ),
      ) as Step[];
    return { steps: [rootStep(was), ...regions.flatMap(inRegion)], diagnostics: [] };
  };
  const own = digestOf(
    large(1, () => ({})),
    large(1, ownWay),
  ).then((digest) => everywhere(digest, before));
  const created = digestOf(undefined, large(1, ownWay)).then((digest) => everywhere(digest, undefined));
  const deleted = created.then(({ steps }) => ({
    steps: [
      rootStep(before),
      ...steps
        .filter(({ urn }) => !/region0|[cr]0$|[cr]0-|^random$/.test(urn.split("::").at(-1) ?? ""))
        .flatMap(({ newState, ...step }) =>
          newState === undefined ? [] : [{ ...step, op: "delete", oldState: newState }],
        ),
    ],
    diagnostics: [],
  }));
  const about = (preview: Digest) => reportOf({ stack: "large", platform: after, preview });

  test("of 64 datacenters is short if all change in the same way", async () => {
    const alike = JSON.stringify(await own)
      .replace(/"ERLANG_THREADS":"\d+"/g, '"ERLANG_THREADS":"25"')
      .replace(new RegExp(`"KAZOO_LOG_LEVEL":"(${levels.join("|")})"`, "g"), '"KAZOO_LOG_LEVEL":"debug"');
    const text = markdownOf(about(JSON.parse(alike) as Digest));
    assert.match(
      text,
      /- \*\*all 64 datacenters\*\*: `KAZOO_LOG_LEVEL` `info` → `debug`; pods of StatefulSet kazoo restart/,
    );
    assert.ok(text.split("\n").length <= 50, `${text.split("\n").length} lines`);
  });

  test("of 64 datacenters that all change differently stays within its limit", async () => {
    for (const preview of [await own, await created, await deleted]) {
      const text = markdownOf(about(preview));
      assert.ok(text.length < mostCharacters, `${text.length} characters`);
      assert.match(text, /^## Preview of stack large$/m);
    }
    // Even if each of the many hundred changes has a value of the longest length shown.
    const long = JSON.stringify(await own).replace(
      /"REGION":"region(\d)"/g,
      (_, digit: string) => `"REGION":"${"x".repeat(500)}${digit}"`,
    );
    const steps = (JSON.parse(long) as Digest).steps.map((step, index) => {
      const data = step.newState?.inputs?.data as Record<string, unknown> | undefined;
      if (data !== undefined) data.REGION = `${index}${"y".repeat(500)}`;
      return step;
    });
    const text = markdownOf(about({ steps, diagnostics: [] }));
    assert.ok(text.length < mostCharacters && text.length > mostCharacters * 0.9, `${text.length} characters`);
    assert.match(text, /^\*\*Nothing is replaced or deleted\.\*\*/m);
    assert.match(text, /\d+ more details omitted for length; all are in report\.html\./);
  });

  test("is the same for the same change, whatever the engine's order of steps and generated names", async () => {
    const changed = large(1, (index) => (index % 2 ? { KAZOO_LOG_LEVEL: "debug" } : {}));
    const old = large(1, () => ({}));
    const [first, second] = [await digestOf(old, changed, { run: 1 }), await digestOf(old, changed, { run: 2 })];
    assert.notDeepEqual(first, second);
    const expected = markdownOf(about(first));
    assert.equal(htmlOf(about(first)), htmlOf(about(second)));
    fc.assert(
      fc.property(fc.shuffledSubarray([...second.steps], { minLength: second.steps.length }), (steps) => {
        assert.equal(markdownOf(about({ steps, diagnostics: [] })), expected);
      }),
    );
  });

  test("of an invalid config has each problem on its own line", () => {
    const report = failedReport(
      "preview",
      "dev",
      "2 problems in the config of this stack:\n  a: found x\n  b: found y",
    );
    assert.match(
      markdownOf(report),
      /### Failed\n\n- `2 problems in the config of this stack:`\n- `a: found x`\n- `b: found y`\n$/,
    );
    assert.match(
      terminalText(report, colours),
      /^The program failed, so its changes are unknown\.\n\nFailed\n {2}2 problems/,
    );
  });

  test("has long values and lists in full on the page, and shortened in Markdown", () => {
    const of = (value: string) => ({
      type: "kubernetes:core/v1:ConfigMap",
      inputs: {
        metadata: { name: "kazoo" },
        data: {
          LONG: value + "x".repeat(1_000),
          ...Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`V${index}`, `${value}${index}`])),
        },
      },
    });
    const urn = "urn:pulumi:large::kazoo::kubernetes:core/v1:ConfigMap::region0-dc0-kazoo";
    const step = { op: "update", urn, oldState: of("old"), newState: of("new") };
    const report = about({ steps: [step], diagnostics: [] });
    const [markdown, html] = [markdownOf(report), htmlOf(report)];
    assert.match(markdown, /^- oldx{597}… \(1003 characters\)$/m);
    assert.match(markdown, /^! … 143 more lines$/m);
    assert.match(html, /\+ newx{1000}</);
    for (let index = 0; index < 60; index++) assert.match(html, new RegExp(`- old${index}<`));
    assert.doesNotMatch(html, /more lines/);
  });

  test("on a terminal has a few lines, and the number of the others", async () => {
    const text = terminalText(about(await own), colours);
    assert.match(text, /^Nothing is replaced or deleted\.\n128 resources in all 64 datacenters: /);
    assert.match(text, /\n {2}… \d\d more\n/);
    assert.ok(text.split("\n").length < 40);
  });
});
