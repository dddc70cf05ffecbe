/** The page as a visitor has it: headless Chromium, WebGPU on SwiftShader, a file server that knows nothing of it. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { workloads } from "../../bench/workloads.ts";
import { firstFlower } from "../../demo/flowers.ts";
import { buildDemo } from "../../script/build-demo.mjs";
import { petalSpecies, renderPetal } from "../../src/data/petals.ts";
import { encodePng, loadImageClassifier } from "../../src/node.ts";
import { launchChromium, longestTask, type Served, serveFolder, taskCategories } from "../browser.ts";
import { testDevice } from "../device.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Kept, so that a person can look at them. */
const screenshots = join(root, ".cache/demo");
const model = join(root, "weights/petals");
const folder = mkdtempSync(join(tmpdir(), "tepal-demo-"));
const flower = (index: number) =>
  renderPetal({ seed: 7, part: "validation", index, species: index % 10, size: 128 }).image;

let served: Served;
let browser: Browser;
let context: BrowserContext;
let page: Page;
const violations: string[] = [];
const foreign: string[] = [];

beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true });
  await buildDemo({ target: join(folder, "site"), model });
  for (const index of [0, 3, 10, 13, 20, 23, 30])
    writeFileSync(join(folder, `flower-${index}.png`), encodePng(flower(index)));
  served = await serveFolder(join(folder, "site"));
  browser = await launchChromium(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]);
  context = await browser.newContext({ locale: "en-GB", viewport: { width: 1100, height: 900 } });
  page = await context.newPage();
  context.on("console", (message) => message.type() === "error" && violations.push(message.text()));
  context.on("weberror", (error) => violations.push(error.error().message));
  context.on("request", (request) => isOurs(request.url()) || foreign.push(request.url()));
  await browser.startTracing(page, { categories: taskCategories });
  await page.goto(`${served.origin}/`);
  await page.waitForFunction(() => document.body.dataset.ready === "true", null, { timeout: 60_000 });
}, 120_000);

afterAll(async () => {
  await browser?.close();
  served?.close();
  rmSync(folder, { recursive: true, force: true });
});

const isOurs = (address: string): boolean => address.startsWith(served.origin) || address.startsWith("blob:");
const openTab = (name: string) => page.click(`#tab-${name}`);
const status = () => page.textContent("#status");
const isReady = () => page.waitForFunction(() => document.getElementById("status")?.textContent === "Ready.");
/** The first explanation is there, or nothing is under way. */
const isSettled = () =>
  page.waitForFunction(
    () => !document.querySelector(".work:not([hidden])") && !document.querySelector(".verdict:empty:not(#live-class)"),
  );
const shoot = (name: string) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });

/** What axe calls serious or critical. The page's own rules forbid scripts from elsewhere, so it runs as the test's, not the page's. */
async function seriousFindings(where: Page): Promise<string[]> {
  const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  const found = await where.evaluate(
    `(() => { ${axe}; return axe.run(document, { resultTypes: ["violations"] }); })()`,
  );
  const { violations: all } = found as { violations: { id: string; impact: string }[] };
  return all.filter(({ impact }) => impact === "serious" || impact === "critical").map(({ id }) => id);
}

/** The page's logits of an image file, by the library that the page is built on. */
async function logitsInPage(bytes: Uint8Array): Promise<number[]> {
  return page.evaluate(
    async (values) => {
      const { network } = globalThis as unknown as {
        network: { classify(image: Uint8Array, o: object): Promise<{ index: number; logit: number }[]> };
      };
      const scores = await network.classify(Uint8Array.from(values), { top: 1000 });
      return scores.sort((a, b) => a.index - b.index).map(({ logit }) => logit);
    },
    [...bytes],
  );
}

const distance = (found: readonly number[], expected: readonly number[]): number =>
  Math.max(...found.map((value, at) => Math.abs(value - expected[at]))) / Math.max(...expected.map(Math.abs));

describe("the page", () => {
  it("classifies and explains, by each kind of method, with evidence", async () => {
    await page.waitForFunction(() => document.querySelector("#evidence dl"), null, { timeout: 60_000 });
    expect(await page.locator(".classes button").count()).toBe(10);
    expect(await page.locator(".classes button").first().textContent()).toContain(petalSpecies[firstFlower]);
    await page.setInputFiles(".file input", join(folder, "flower-3.png"));
    for (const method of ["gradcam", "ig"]) {
      await page.selectOption("label.field:has-text('Method') select", method);
      await isReady();
      expect(await page.textContent("#evidence")).toMatch(method === "ig" ? /gap/i : /Map/);
    }
    await shoot("explain");
  }, 120_000);

  it("gives the logits of Node to 1e-5", async () => {
    const inNode = await loadImageClassifier(model, { device: await testDevice() });
    const bytes = readFileSync(join(folder, "flower-13.png"));
    const scores = await inNode.classify(join(folder, "flower-13.png"), { top: 1000 });
    const expected = scores.sort((a, b) => a.index - b.index).map(({ logit }) => logit);
    expect(distance(await logitsInPage(bytes), expected)).toBeLessThanOrEqual(1e-5);
    await inNode.dispose();
  }, 60_000);

  it("follows the camera with map and class", async () => {
    await openTab("live");
    await page.click("#panel button");
    await page.waitForFunction(() => document.getElementById("live-class")?.textContent?.includes("%"));
    await shoot("live");
    await page.click("#panel button");
    expect(await status()).toBe("Ready.");
  }, 60_000);

  it("augments with sliders, and the explanation follows", async () => {
    await openTab("augment");
    await page.waitForFunction(() => document.getElementById("augment-class")?.textContent);
    const canvas = () =>
      page
        .locator("figure canvas")
        .first()
        .evaluate((node) => (node as HTMLCanvasElement).toDataURL());
    const before = await canvas();
    await page.locator("input[type=range]").first().fill("40");
    await expect.poll(canvas, { timeout: 20_000 }).not.toBe(before);
    await shoot("augment");
    expect(await status()).toBe("Ready.");
  }, 60_000);

  it("trains a head from six pictures, whose export Node loads with the same logits", async () => {
    await openTab("train");
    const rows = page.locator("#panel .collection");
    for (const [row, name, files] of [
      [0, "trillium", [0, 10, 20]],
      [1, "lily", [3, 13, 23]],
    ] as const) {
      await rows.nth(row).locator("input[type=text]").fill(name);
      await rows
        .nth(row)
        .locator("input[type=file]")
        .setInputFiles(files.map((index) => join(folder, `flower-${index}.png`)));
      await expect.poll(() => rows.nth(row).textContent()).toContain("Pictures: 3");
    }
    const started = Date.now();
    await page.click("#train-now");
    await page.waitForSelector("#save-model", { timeout: 60_000 });
    expect(Date.now() - started).toBeLessThan(60_000);
    const [first, second] = await Promise.all([
      page.waitForEvent("download", (download) => download.suggestedFilename() === "model.json"),
      page.waitForEvent("download", (download) => download.suggestedFilename() === "model.safetensors"),
      page.click("#save-model"),
    ]);
    const saved = join(folder, "saved");
    await first.saveAs(join(saved, "model.json"));
    await second.saveAs(join(saved, "model.safetensors"));
    await page.click("text=Use it in the other sections");
    const file = join(folder, "flower-30.png");
    const inPage = await logitsInPage(readFileSync(file));
    const inNode = await loadImageClassifier(saved, { device: await testDevice() });
    const scores = await inNode.classify(file);
    expect(scores[0].name).toBe("trillium");
    const expected = scores.sort((a, b) => a.index - b.index).map(({ logit }) => logit);
    expect(distance(inPage, expected)).toBeLessThanOrEqual(1e-5);
    await inNode.dispose();
    await shoot("train");
  }, 120_000);

  it("shows the plan, its times and the kernels' source", async () => {
    await openTab("profile");
    await page.click("#measure");
    await page.waitForSelector("#panel table");
    await page.click("#panel table button");
    expect(await page.textContent("#kernel-source pre")).toContain("@compute");
    expect(await page.textContent("#kernel-source pre")).not.toContain("override ");
    await shoot("profile");
  }, 60_000);

  it("speaks Spanish, fits a phone, and moves between sections by keyboard", async () => {
    await page.selectOption("#language", "es");
    await page.setViewportSize({ width: 390, height: 740 });
    await page.focus("#tab-profile");
    await page.keyboard.press("ArrowRight");
    expect(await page.getAttribute("#tab-explain", "aria-selected")).toBe("true");
    expect(await page.textContent("#tab-explain")).toBe("Explicar");
    expect(await page.getAttribute("html", "lang")).toBe("es");
    for (const tab of ["explain", "live", "augment", "train", "profile"]) {
      await openTab(tab);
      await isSettled();
      await shoot(`phone-${tab}`);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), tab).toBeLessThanOrEqual(390);
    }
    await page.setViewportSize({ width: 1100, height: 900 });
    await page.selectOption("#language", "en");
  }, 60_000);

  it("never holds the main thread for more than 100 ms", async () => {
    const longest = longestTask(await browser.stopTracing());
    console.log(`main thread: longest task ${longest.toFixed(0)} ms of its own time (bound 100)`);
    expect(longest).toBeGreaterThan(0);
    expect(longest).toBeLessThanOrEqual(100);
  }, 240_000);

  it("measures the engine in the browser, and saves the report", async () => {
    const bench = await context.newPage();
    await bench.goto(`${served.origin}/bench.html`);
    expect(await bench.locator("tbody tr").count()).toBe(workloads.length);
    for (const { name } of workloads) if (name !== "head-step") await bench.uncheck(`#run-${name}`);
    await bench.click("#bench-start");
    await bench.waitForSelector("#bench-save:enabled", { timeout: 100_000 });
    const [saved] = await Promise.all([bench.waitForEvent("download"), bench.click("#bench-save")]);
    await saved.saveAs(join(folder, "bench.json"));
    const { adapter, versions, workloads: rows } = JSON.parse(readFileSync(join(folder, "bench.json"), "utf8"));
    expect(adapter).toMatch(/swiftshader/i);
    expect(versions).toMatchObject({ tepal: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    expect(rows).toEqual([{ name: "head-step", tepal: expect.anything(), peers: {}, ratio: {} }]);
    expect(rows[0].tepal.median).toBeGreaterThan(0);
    expect(rows[0].tepal.p95).toBeGreaterThanOrEqual(rows[0].tepal.median);
    const shown = await bench.locator("tr:has-text('head-step') td").allTextContents();
    expect(shown.slice(1)).toEqual([rows[0].tepal.median.toFixed(2), rows[0].tepal.p95.toFixed(2)]);
    expect(await seriousFindings(bench)).toEqual([]);
    await bench.screenshot({ path: join(screenshots, "bench.png"), fullPage: true });
    await bench.close();
  }, 120_000);

  it("is there to be used within 2 s of its loading", async () => {
    const waits: number[] = [];
    for (let visit = 0; visit < 3; visit++) {
      const visitor = await browser.newPage();
      await visitor.goto(`${served.origin}/`);
      await visitor.waitForFunction(() => performance.getEntriesByName("ready").length > 0, null, { timeout: 60_000 });
      waits.push(
        await visitor.evaluate(() => {
          const [loading] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
          return performance.getEntriesByName("ready")[0].startTime - loading.loadEventEnd;
        }),
      );
      await visitor.close();
    }
    console.log(`ready after load: ${waits.map((wait) => `${wait.toFixed(0)} ms`).join(", ")} (bound 2000)`);
    // The quickest: whatever else the machine does only adds to the others.
    expect(Math.min(...waits)).toBeLessThanOrEqual(2000);
  }, 120_000);

  it("broke no rule of its policy and asked no other host", () => {
    expect(violations).toEqual([]);
    expect(foreign).toEqual([]);
  });

  it("has no serious finding of axe, light and dark", async () => {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const tab of ["explain", "live", "augment", "train", "profile"]) {
        await openTab(tab);
        await isSettled();
        const bad = await seriousFindings(page);
        expect(bad, `${tab}, ${colorScheme}`).toEqual([]);
        if (colorScheme === "dark") await shoot(`dark-${tab}`);
      }
    }
  }, 120_000);

  it("works without a network after the first visit", async () => {
    await page.evaluate(() => navigator.serviceWorker.ready);
    served.close();
    await context.setOffline(true);
    await page.reload();
    await page.waitForFunction(() => document.body.dataset.ready === "true", null, { timeout: 60_000 });
  }, 120_000);

  it("says in plain words when there is no WebGPU", async () => {
    const plain = await browser.newContext({ locale: "es-ES" });
    const visitor = await plain.newPage();
    const again = await serveFolder(join(folder, "site"));
    await visitor.addInitScript(() => Object.defineProperty(navigator, "gpu", { value: undefined }));
    await visitor.goto(`${again.origin}/`);
    await visitor.waitForSelector("#no-webgpu");
    expect(await visitor.textContent("#no-webgpu")).toContain("Este navegador no ofrece WebGPU");
    await visitor.screenshot({ path: join(screenshots, "no-webgpu.png") });
    await plain.close();
    again.close();
  }, 60_000);
});

it("the classes of the page's model are the species", () => {
  expect(JSON.parse(readFileSync(join(model, "model.json"), "utf8")).classNames).toEqual(petalSpecies);
});
