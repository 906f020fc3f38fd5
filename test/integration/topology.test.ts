import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, describe, test } from "node:test";
import { type Browser, type Page, chromium } from "playwright-core";
import { platformOfBytes, readStackFile } from "../../config/stackFile";
import { type Topology, topologyOf } from "../../tools/topology/graph";
import { layOut } from "../../tools/topology/layout";
import { pageOf } from "../../tools/topology/page";
import { svgOf } from "../../tools/topology/svg";
import { largeStack } from "../support/largeStack";

const project = resolve(__dirname, "../..");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const missing = existsSync(executablePath) ? false : `no ${executablePath}`;

const large = topologyOf("large", platformOfBytes(Buffer.from(largeStack(4, 8)), "Pulumi.large.yaml"));
const stacks: Record<string, Topology> = {
  dev: topologyOf("dev", readStackFile(project, "dev")),
  rehearsal: topologyOf("rehearsal", readStackFile(project, "rehearsal")),
  large,
};

describe("the topology page in a browser", { skip: missing, timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "kazoo-page-"));
  let browser: Browser;

  before(async () => {
    for (const [name, topology] of Object.entries(stacks)) {
      const drawing = await layOut(topology);
      writeFileSync(join(folder, `${name}.html`), pageOf(topology, drawing));
      writeFileSync(join(folder, `${name}.svg`), svgOf(topology, drawing));
    }
    browser = await chromium.launch({
      executablePath,
      args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
    });
  });
  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  interface Opened {
    readonly page: Page;
    /** The page's errors, and all its requests other than for itself. */
    readonly troubles: string[];
  }

  async function open(name: string, colorScheme: "light" | "dark" = "light"): Promise<Opened> {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, colorScheme });
    page.setDefaultTimeout(120_000);
    const troubles: string[] = [];
    const url = pathToFileURL(join(folder, `${name}.html`)).href;
    page.on("pageerror", (error) => troubles.push(error.message));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) troubles.push(message.text());
    });
    page.on("request", (request) => {
      if (request.url() !== url) troubles.push(request.url());
    });
    await page.goto(url);
    return { page, troubles };
  }

  /** The ids of the visible items. */
  const shown = (page: Page): Promise<string[]> =>
    page.$$eval(".item", (items) =>
      items
        .filter((item) => item.getBoundingClientRect().width > 0)
        .map((item) => (item as SVGElement).dataset["id"] ?? ""),
    );
  const focused = (page: Page): Promise<string | undefined> =>
    page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset["id"]);
  const details = (page: Page): Promise<string> => page.locator("#details").innerText();

  for (const name of Object.keys(stacks)) {
    for (const scheme of ["light", "dark"] as const) {
      test(`${name}, ${scheme}: loads without errors or requests, in that scheme, and no text overflows its box`, async () => {
        const { page, troubles } = await open(name, scheme);
        const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        assert.equal(background, scheme === "light" ? "rgb(255, 255, 255)" : "rgb(13, 17, 23)");
        const box = page.locator(".region > .box").first();
        const fill = await box.evaluate((element) => getComputedStyle(element).fill);
        assert.equal(fill, scheme === "light" ? "rgb(255, 255, 255)" : "rgb(13, 17, 23)");
        await page.locator("#unfold").click();
        const outside = await page.$$eval(".item", (items) =>
          items.flatMap((item) => {
            const rect = item.querySelector(".box, .chip")?.getBoundingClientRect();
            if (rect === undefined || rect.width === 0) return [];
            return [...item.querySelectorAll("text")]
              .filter((text) => text.getBoundingClientRect().right > rect.right + 0.5)
              .map((text) => text.textContent ?? "");
          }),
        );
        assert.deepEqual(outside, []);
        assert.deepEqual(troubles, []);
        await page.close();
      });
    }
  }

  test("the picture alone opens, too", async () => {
    const page = await browser.newPage();
    await page.goto(pathToFileURL(join(folder, "rehearsal.svg")).href);
    assert.equal(await page.evaluate(() => document.documentElement.localName), "svg");
    await page.close();
  });

  test("the page forbids requests, also from a script on it", async () => {
    const { page } = await open("dev");
    const answer = await page.evaluate(() =>
      fetch("http://127.0.0.1:9/").then(
        () => "allowed",
        (error: Error) => error.name,
      ),
    );
    assert.equal(answer, "TypeError");
    const policy = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute("content");
    assert.match(policy ?? "", /^default-src 'none'; style-src 'sha256-[^ ]+'; script-src 'sha256-[^ ]+';/);
    await page.close();
  });

  test("a small stack is open, a large one folded; a click unfolds and folds regions", async () => {
    const small = await open("rehearsal");
    assert.ok((await shown(small.page)).includes("zone us-east-nyc kazoo"));
    await small.page.close();
    const { page, troubles } = await open("large");
    const folded = await shown(page);
    assert.ok(folded.includes("zone us-east-nyc") && !folded.includes("zone us-east-nyc kazoo"));
    const region = page.locator('.item.region:visible[data-id="region us-east"]');
    await region.locator(".title").click();
    const one = await shown(page);
    assert.ok(one.includes("zone us-east-nyc kazoo") && !one.includes("zone us-west-nyc kazoo"));
    assert.equal(await region.getAttribute("aria-expanded"), "true");
    assert.match(await details(page), /us-east\s+region\s+datacenters\s+atl, bos/i);
    await region.locator(".title").click();
    assert.deepEqual(await shown(page), folded);
    await page.locator("#unfold").click();
    assert.equal((await shown(page)).filter((id) => id.endsWith(" kazoo")).length, 32);
    await page.locator("#fold").click();
    assert.deepEqual(await shown(page), folded);
    assert.deepEqual(troubles, []);
    await page.close();
  });

  test("searching for a part of a zone's name finds and shows it", async () => {
    const { page, troubles } = await open("large");
    await page.keyboard.press("/");
    await page.keyboard.type("ASIA-n");
    assert.equal(await page.locator("#matches").innerText(), "1 zone; Enter shows it");
    await page.keyboard.press("Enter");
    assert.equal(await focused(page), "zone asia-nyc");
    assert.match(await details(page), /asia-nyc[^]*namespace\s+asia-nyc[^]*copies\s+3 copies/);
    const view = await page.locator("#view").boundingBox();
    const box = await page.locator('.item.zone[data-id="zone asia-nyc"] > .box').boundingBox();
    assert.ok(
      view && box && box.x + 30 < view.x + view.width && box.x + box.width > view.x && box.y < view.y + view.height,
    );
    await page.locator("#search").fill("nyc");
    assert.match(await page.locator("#matches").innerText(), /^4 zones/);
    await page.locator("#search").fill("nowhere");
    assert.match(await page.locator("#matches").innerText(), /no zone/);
    assert.deepEqual(troubles, []);
    await page.close();
  });

  test("everything works with the keyboard alone", async () => {
    const { page, troubles } = await open("large");
    const stops: string[] = [];
    while (stops.length < 20 && !(await focused(page))) {
      await page.keyboard.press("Tab");
      stops.push((await page.evaluate(() => document.activeElement?.id)) ?? "");
    }
    assert.ok(stops.includes("search") && stops.includes("unfold"), stops.join());
    const seen = new Set<string>();
    for (let step = 0; step < 10 && (await focused(page)) !== "region asia"; step += 1) {
      await page.keyboard.press(step === 0 ? "ArrowDown" : "ArrowLeft");
      seen.add((await focused(page)) ?? "");
    }
    assert.equal(await focused(page), "region asia", [...seen].join());
    await page.keyboard.press("Enter");
    assert.equal(await focused(page), "region asia");
    assert.ok((await shown(page)).includes("zone asia-atl kazoo"));
    for (const wanted of ["cluster asia region asia", "zone asia-atl", "zone asia-atl kazoo"]) {
      for (let step = 0; step < 3 && (await focused(page)) !== wanted; step += 1)
        await page.keyboard.press("ArrowDown");
      assert.equal(await focused(page), wanted);
    }
    await page.keyboard.press("Enter");
    assert.match(await details(page), /Kazoo in zone asia-atl/);
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("#details").isVisible(), false);
    assert.equal(await focused(page), "zone asia-atl kazoo");
    assert.deepEqual(troubles, []);
    await page.close();
  });

  test("zooms with buttons and keys, and back to all of it", async () => {
    const { page } = await open("rehearsal");
    const width = () => page.locator("#view svg").evaluate((element) => element.getBoundingClientRect().width);
    const first = await width();
    await page.locator("#closer").click();
    await page.keyboard.press("+");
    const near = await width();
    assert.ok(near > first * 1.5, `${first} to ${near}`);
    await page.keyboard.press("0");
    const view = await page.locator("#view").boundingBox();
    const svg = await page.locator("#view svg").boundingBox();
    assert.ok(view && svg && svg.width <= view.width && svg.height <= view.height);
    await page.close();
  });

  test("prints the whole picture and the table, without controls", async () => {
    const { page } = await open("rehearsal", "dark");
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator("#search").isVisible(), false);
    assert.equal(await page.locator("table").isVisible(), true);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
    const pdf = await page.pdf({ landscape: true });
    assert.equal(pdf.subarray(0, 4).toString(), "%PDF");
    await page.close();
  });
});
