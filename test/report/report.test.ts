import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { decodePng, encodePng } from "../../src/data/png.node.ts";
import { DataError, ShapeError } from "../../src/engine/errors.ts";
import { renderReport } from "../../src/report/report.ts";
import type { ReportData } from "../../src/report/types.ts";
import { type FixtureOptions, reportData } from "./fixture.ts";

const page = (options?: FixtureOptions) => renderReport(reportData(options), encodePng);
const parsed = (text: string) => parseHTML(text).document;
const textOf = (document: Document, id: string) => document.getElementById(id)!.textContent!.replace(/\s+/g, " ");

const script = new URL("../../script/check-report.mjs", import.meta.url);
type CheckReport = (page: string, options?: { images?: number; minAccuracy?: number }) => string;
const { checkReport } = (await import(script.href)) as { checkReport: CheckReport };

/** What the completeness check says of a page: its line, or its reason. */
function verdict(text: string, options?: Parameters<CheckReport>[1]): string {
  try {
    return checkReport(text, options);
  } catch (error) {
    return `refused: ${(error as Error).message}`;
  }
}

describe("renderReport", () => {
  it("writes a complete page that passes the check", () => {
    expect(verdict(page())).toBe("complete; 47 images, 11 charts, test accuracy 0.9000");
  });

  it("gives the same bytes for the same data", () => {
    const first = page();
    expect(first === page()).toBe(true);
  });

  it.each<[string, FixtureOptions]>([
    ["no mistakes", { mistakes: 0 }],
    ["one epoch", { epochs: 1 }],
    ["no training", { epochs: 0 }],
    ["two hundred epochs", { epochs: 200 }],
    ["30 classes", { classNames: Array.from({ length: 30 }, (_, i) => `species number ${i} of a long list`), size: 8 }],
    ["two classes", { classNames: ["yes", "no"], mistakes: 1 }],
    ["no masks", { masks: false }],
    ["heat maps beside overlays", { heatmaps: true }],
    ["large images", { size: 224, explanations: 1 }],
  ])("is complete with %s", (_, options) => {
    const text = page(options);
    expect(verdict(text, { images: 6 })).toMatch(/^complete/);
    expect(text.replace(/base64,[^"]*/g, "").match(/NaN|undefined|\[object/)).toBeNull();
  });

  it("embeds the very pixels it was given, and thumbnails of large ones", () => {
    const data = reportData({ explanations: 1, size: 224 });
    const images = [...parsed(renderReport(data, encodePng)).querySelectorAll("img")];
    const pixelsOf = (image: Element) => decodePng(Buffer.from(image.getAttribute("src")!.split(",")[1], "base64"));
    const original = images.find((image) => image.getAttribute("alt")!.startsWith(data.explanations[0].name))!;
    expect(Buffer.from(pixelsOf(original).data).equals(Buffer.from(data.explanations[0].image.data))).toBe(true);
    const sample = images.find((image) => image.closest("#data"))!;
    expect(pixelsOf(sample).width).toBe(112);
  });

  it("never lets a name become markup", () => {
    const hostile = [
      `</script><script>alert(1)</script>`,
      `"><img src=x onerror=alert(1)>`,
      `<b>&amp;'`,
      "<!--",
      "a]]>-->",
    ];
    const data = { ...reportData({ classNames: hostile }), title: `<i>${hostile[1]}` };
    const text = renderReport(data, encodePng);
    const document = parsed(text);
    expect(document.querySelectorAll("script")).toHaveLength(1);
    expect(document.querySelectorAll("[onerror], i, script:not([type='application/json'])")).toHaveLength(0);
    expect(document.querySelector("h1")!.textContent).toBe(data.title);
    expect([...document.querySelectorAll("#data tbody th")].map((th) => th.textContent)).toEqual(hostile);
    expect(JSON.parse(document.querySelector("#tepal-report")!.textContent!).data.classNames).toEqual(hostile);
    expect(verdict(text)).toMatch(/^complete/);
  });

  it("says how sure the accuracy is, and counts what is right", () => {
    const document = parsed(page());
    // 54 of 60: the Wilson interval by hand is 0.79850 to 0.95336.
    expect(textOf(document, "headline")).toMatch(/90\.0 % test accuracy 95 % interval 79\.9 % to 95\.3 %/);
    expect(textOf(document, "headline")).toContain("54 of 60");
  });

  it("shows the mistakes surest first and says how many there are", () => {
    const data = reportData();
    const document = parsed(renderReport({ ...data, mistakes: data.mistakes.slice(0, 3) }, encodePng));
    const shares = [...document.querySelectorAll("#mistakes .probability")].map((e) =>
      Number.parseFloat(e.textContent!),
    );
    expect(shares).toHaveLength(3);
    expect(shares).toEqual([...shares].sort((a, b) => b - a));
    expect(textOf(document, "mistakes")).toContain("6 of 60 test images were answered wrongly. The 3 surest of them");
    expect(textOf(parsed(page({ mistakes: 0 })), "mistakes")).toContain("None: all 60 test images");
  });

  it("reports masks only where they are known, and empty maps as such", () => {
    expect(textOf(parsed(page()), "explanations")).toContain("3 of 4 images (the pointing game)");
    const without = textOf(parsed(page({ masks: false })), "explanations");
    expect(without).not.toMatch(/pointing game|inside the mask/);
    expect(without).toContain("no positive evidence");
  });

  it("names broken images with their reasons, and every setting", () => {
    const document = parsed(page());
    expect(textOf(document, "data")).toContain("rose/half-copied.jpg expected 20480 bytes, got 8192");
    const settings = textOf(document, "settings");
    for (const part of ["--seed 7", "SwiftShader", "9f86d081884c", "x / 127.5 − 1", "node 20.19.0", "1 min 36 s"]) {
      expect(settings).toContain(part);
    }
    expect(settings).toContain("no part of what repeats");
  });

  it("is built for everyone: language, one h1, alternative texts, captions, row and column headers", () => {
    const document = parsed(page());
    expect(document.documentElement.getAttribute("lang")).toBe("en");
    expect(document.querySelectorAll("h1")).toHaveLength(1);
    expect([...document.querySelectorAll("img")].every((image) => image.getAttribute("alt"))).toBe(true);
    for (const table of document.querySelectorAll("table")) {
      expect(table.querySelector("caption")!.textContent!.length).toBeGreaterThan(5);
      expect(table.querySelectorAll("th:not([scope])")).toHaveLength(0);
    }
    for (const link of document.querySelectorAll("nav a")) {
      expect(document.querySelector(link.getAttribute("href")!)).not.toBeNull();
    }
  });

  it("marks the kept epoch in both curves", () => {
    const charts = [...parsed(page()).querySelectorAll("#history svg")];
    expect(charts).toHaveLength(2);
    for (const chart of charts) expect(chart.textContent).toContain("kept: epoch 10");
  });
});

describe("data that contradict themselves", () => {
  const broken = (change: (data: ReportData) => ReportData) => () => renderReport(change(reportData()), encodePng);

  it("are refused", () => {
    expect(broken((d) => ({ ...d, headline: { ...d.headline, testAccuracy: 0.95 } }))).toThrow(DataError);
    expect(broken((d) => ({ ...d, headline: { ...d.headline, testAccuracy: Number.NaN } }))).toThrow(DataError);
    expect(broken((d) => ({ ...d, headline: { ...d.headline, testCount: 61 } }))).toThrow(DataError);
    expect(broken((d) => ({ ...d, evaluation: { ...d.evaluation, accuracy: 0.89 } }))).toThrow(DataError);
    expect(broken((d) => ({ ...d, bestEpoch: 99 }))).toThrow(DataError);
    expect(broken((d) => ({ ...d, data: { ...d.data, classNames: ["one"] } }))).toThrow(ShapeError);
    const cut = { width: 4, height: 4, data: new Uint8Array(47) };
    expect(broken((d) => ({ ...d, data: { ...d.data, samples: [{ label: "rose", image: cut }] } }))).toThrow(
      ShapeError,
    );
  });
});

describe("check-report", () => {
  const complete = page();
  const cases: [string, string, RegExp][] = [
    ["a missing section", complete.replace('id="mistakes"', 'id="mistake"'), /section #mistakes is missing/],
    ["a script", complete.replace("</main>", "<script>1</script></main>"), /contains a script/],
    ["a picture from outside", complete.replace("data:image/png", "https://example.org/"), /points outside the page/],
    ["a style sheet from outside", complete.replace("<style>", "<style>@import 'x.css';"), /points outside the page/],
    ["a damaged picture", complete.replace(/(base64,.{60}).{40}/, `$1${"A".repeat(40)}`), /image 1 does not decode/],
    ["a hole in the text", complete.replace("The most frequent", "NaN"), /contains NaN/],
    ["another accuracy", complete.replace('"testAccuracy": 0.9', '"testAccuracy": 0.95'), /is not the 54\/60/],
    ["no figures", complete.replace('id="tepal-report"', 'id="figures"'), /#tepal-report is missing/],
    ["no charts", complete.replaceAll('class="chart"', 'class="drawing"'), /at least two charts/],
    ["no alternative text", complete.replace(/alt="[^"]+"/, 'alt=""'), /no alternative text/],
  ];
  it.each(cases)("refuses %s", (_, text, reason) => {
    expect(text === complete).toBe(false);
    expect(verdict(text)).toMatch(/^refused: /);
    expect(verdict(text)).toMatch(reason);
  });

  it("refuses too few pictures, pictures of one colour, and too low an accuracy", () => {
    expect(verdict(complete, { images: 48 })).toMatch(/refused: expected at least 48 images/);
    const flat = (width: number, height: number) => ({
      width,
      height,
      data: new Uint8Array(3 * width * height).fill(90),
    });
    const blank = renderReport(reportData(), (image) => encodePng(flat(image.width, image.height)));
    expect(verdict(blank)).toMatch(/refused: .* got 0 of 47/);
    expect(verdict(complete, { minAccuracy: 0.91 })).toMatch(
      /refused: expected a test accuracy of at least 0.91, got 0.9/,
    );
    expect(verdict(complete, { minAccuracy: 0.9 })).toMatch(/^complete/);
  });

  it("ends with one line, and with 1 unless the page is complete", () => {
    const folder = mkdtempSync(join(tmpdir(), "tepal-report-"));
    const file = join(folder, "report.html");
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [fileURLToPath(script), ...args], { encoding: "utf8" });
    writeFileSync(file, complete);
    expect(run(file)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^.*report\.html: complete; .*\n$/) });
    expect(run(file, "--images", "48")).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^check-report: expected .*\n$/),
    });
    expect(run(join(folder, "absent.html"))).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^check-report: .*\n$/),
    });
    rmSync(folder, { recursive: true });
  });
});
