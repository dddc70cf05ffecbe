#!/usr/bin/env node
// Is a report complete? Prints one line and exits 0, or one line with the reason and exits 1.
//   node script/check-report.mjs FILE [--images N] [--min-accuracy A]
// It reads the page as a stranger would (another HTML parser, another PNG decoder than those that wrote it).
import { realpathSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { parseHTML } from "linkedom";
import UPNG from "upng-js";

const sections = [
  "headline",
  "answers",
  "data",
  "history",
  "evaluation",
  "confusions",
  "calibration",
  "robustness",
  "explanations",
  "guide",
  "mistakes",
  "settings",
];
const languages = ["en", "es"];
const loading = ["src", "srcset", "href", "xlink:href", "poster", "data", "action", "formaction", "background"];

/** Ends the check with the reason. */
function fail(reason) {
  throw new Error(reason);
}

function checkSections(document) {
  const language = document.documentElement.getAttribute("lang");
  if (!languages.includes(language))
    fail(`the html element has the lang attribute ${language}, not one of ${languages.join(", ")}`);
  for (const id of sections) {
    const section = document.getElementById(id);
    if (!section) fail(`section #${id} is missing`);
    if (section.textContent.trim().length < 20) fail(`section #${id} is empty`);
    if (!section.querySelector("h1, h2")) fail(`section #${id} has no heading`);
  }
  const visible = sections.map((id) => document.getElementById(id).textContent).join("\n");
  const hole = visible.match(/\bNaN\b|\bundefined\b|\[object \w+\]/);
  if (hole) fail(`the text contains ${hole[0]}`);
  return visible;
}

/** Each of the practical's questions has a heading, words with figures in them, and most a picture or a chart. */
function checkAnswers(document) {
  let pictures = 0;
  for (let number = 1; number <= 5; number++) {
    const answer = document.getElementById(`answer-${number}`);
    if (!answer) fail(`answer ${number} is missing`);
    if (!answer.querySelector("h3")?.textContent.trim().startsWith(`${number}.`))
      fail(`answer ${number} has no question`);
    const words = [...answer.querySelectorAll("p, li")].map((part) => part.textContent).join(" ");
    if (words.length < 60 || !/\d/.test(words)) fail(`answer ${number} has no words with figures`);
    if (answer.querySelector("img, svg.chart")) pictures++;
  }
  if (pictures < 3) fail(`expected a picture or a chart in at least three answers, got ${pictures}`);
}

function checkSelfContained(document) {
  for (const element of document.querySelectorAll("*")) {
    for (const { name, value } of element.attributes) {
      if (loading.includes(name) && !/^(data:|#)/.test(value)) {
        fail(`<${element.localName} ${name}> points outside the page: ${value.slice(0, 60)}`);
      }
      if (/^on/.test(name)) fail(`<${element.localName}> has a script in its attribute ${name}`);
      if (name === "style") checkStyle(value);
    }
  }
  for (const script of document.querySelectorAll("script")) {
    if (script.getAttribute("type") !== "application/json") fail("the page contains a script");
  }
  for (const style of document.querySelectorAll("style")) checkStyle(style.textContent);
}

function checkStyle(css) {
  const outside = css.match(/@import|url\(\s*["']?(?!data:|#)[^)]{0,60}/i);
  if (outside) fail(`a style sheet points outside the page: ${outside[0]}`);
}

function checkImages(document, least) {
  let shown = 0;
  const images = [...document.querySelectorAll("img")];
  images.forEach((image, i) => {
    if (!image.getAttribute("alt")?.trim()) fail(`image ${i + 1} has no alternative text`);
    const encoded = /^data:image\/png;base64,(.+)$/s.exec(image.getAttribute("src") ?? "");
    if (!encoded) fail(`image ${i + 1} is not an embedded PNG`);
    if (varies(decode(Buffer.from(encoded[1], "base64"), i))) shown++;
  });
  if (shown < least) fail(`expected at least ${least} images that show something, got ${shown} of ${images.length}`);
  return images.length;
}

function decode(bytes, i) {
  try {
    const png = UPNG.decode(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const pixels = new Uint8Array(UPNG.toRGBA8(png)[0]);
    if (pixels.length !== 4 * png.width * png.height || pixels.length === 0) throw new Error("wrong number of pixels");
    return pixels;
  } catch (error) {
    return fail(`image ${i + 1} does not decode as PNG: ${String(error?.message ?? error).split("\n")[0]}`);
  }
}

function varies(pixels) {
  return pixels.some((value, k) => k % 4 !== 3 && value !== pixels[k % 4]);
}

function checkCharts(document) {
  const charts = [...document.querySelectorAll("section svg.chart")].filter((svg) =>
    svg.querySelector("path[d], rect, circle, line"),
  );
  if (charts.length < 2) fail(`expected at least two charts, got ${charts.length}`);
  if (charts.some((svg) => !svg.getAttribute("aria-label"))) fail("a chart has no label");
  return charts.length;
}

function checkFigures(document, visible, leastAccuracy) {
  const block = document.querySelector('script[type="application/json"]#tepal-report');
  if (!block) fail("the block of figures #tepal-report is missing");
  let figures;
  try {
    figures = JSON.parse(block.textContent);
  } catch {
    fail("the block of figures #tepal-report is not JSON");
  }
  const { testAccuracy: accuracy, testCount, evaluation, testAccuracyInterval95: interval } = figures;
  if (typeof accuracy !== "number" || !(accuracy >= 0 && accuracy <= 1))
    fail("the test accuracy is not a number in [0, 1]");
  const confusion = evaluation?.confusion;
  if (!Array.isArray(confusion) || !confusion.every((row) => row.length === confusion.length)) {
    fail("the confusion matrix is missing or not square");
  }
  const total = confusion.flat().reduce((a, b) => a + b, 0);
  const correct = confusion.reduce((a, row, i) => a + row[i], 0);
  if (!(total > 0) || total !== testCount) fail(`the confusion matrix counts ${total} images, the report ${testCount}`);
  if (!(Math.abs(accuracy - correct / total) <= Math.min(1e-4, 0.5 / total))) {
    fail(`the test accuracy ${accuracy} is not the ${correct}/${total} of the confusion matrix`);
  }
  if (!(interval?.[0] <= accuracy + 1e-4 && accuracy - 1e-4 <= interval?.[1])) fail("the interval misses the accuracy");
  if (!visible.includes(`${(100 * accuracy).toFixed(1)}\u00a0%`)) fail("the test accuracy does not stand on the page");
  if (!(accuracy >= leastAccuracy)) fail(`expected a test accuracy of at least ${leastAccuracy}, got ${accuracy}`);
  if (!Array.isArray(figures.answers?.improvements)) fail("the ranked improvements are missing");
  if (figures.language !== document.documentElement.getAttribute("lang")) fail("the figures name another language");
  if (typeof figures.settings?.command !== "string") fail("the command that repeats the run is missing");
  return accuracy;
}

/** The line that says what a complete page holds. Throws an Error with the reason where the page is not complete. */
export function checkReport(page, { images: least = 12, minAccuracy = 0 } = {}) {
  const { document } = parseHTML(page);
  const visible = checkSections(document);
  checkSelfContained(document);
  const images = checkImages(document, least);
  const charts = checkCharts(document);
  checkAnswers(document);
  const accuracy = checkFigures(document, visible, minAccuracy);
  return `complete; ${images} images, ${charts} charts, test accuracy ${accuracy.toFixed(4)}`;
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { images: { type: "string", default: "12" }, "min-accuracy": { type: "string", default: "0" } },
  });
  const [images, minAccuracy] = [Number(values.images), Number(values["min-accuracy"])];
  if (positionals.length !== 1 || !Number.isInteger(images) || !Number.isFinite(minAccuracy)) {
    fail("expected FILE [--images N] [--min-accuracy A]");
  }
  console.log(`${positionals[0]}: ${checkReport(await readFile(positionals[0], "utf8"), { images, minAccuracy })}`);
}

if (process.argv[1] && pathToFileURL(realpathSync(process.argv[1])).href === import.meta.url) {
  main().catch((error) => {
    console.error(`check-report: ${String(error.message).split("\n")[0]}`);
    process.exitCode = 1;
  });
}
