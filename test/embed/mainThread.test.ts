/** What the page of somebody who loads the 14 MB network goes through: no task of the library may hold its main thread. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { seededMaterial } from "../../bench/material.ts";
import { rawText } from "../../script/rawText.mjs";
import { serializeSafetensors } from "../../src/nn/formats/safetensors.ts";
import { launchChromium, longestTask, serveFolder, taskCategories } from "../browser.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Milliseconds. */
const BOUND = 50;

const page = `
  import { ImageClassifier } from "./src/index.ts";
  const network = await ImageClassifier.load("./network.safetensors");
  const image = { width: 256, height: 256, data: new Uint8Array(256 * 256 * 3).fill(99) };
  const [best] = await network.classify(image);
  await network.explain(image);
  document.title = best.name;
`;

function networkFile(): Uint8Array {
  const preprocessing = JSON.stringify({ name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "aspect" });
  const weights = [...seededMaterial().weights].filter(([name]) => !name.startsWith("folded/"));
  const tensors = weights.map(([name, { shape, data }]) => [name, { dtype: "F32" as const, shape, data }] as const);
  return serializeSafetensors(Object.fromEntries(tensors), { preprocessing });
}

it("loads, compiles, classifies and explains without a task of more than 50 ms", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tepal-main-thread-"));
  const file = networkFile();
  expect(file.length).toBeGreaterThan(13e6);
  writeFileSync(join(folder, "network.safetensors"), file);
  writeFileSync(
    join(folder, "index.html"),
    '<!doctype html><meta charset="utf-8"><script type="module" src="./main.js"></script>',
  );
  await build({
    stdin: { contents: page, resolveDir: root, loader: "ts" },
    bundle: true,
    format: "esm",
    target: "es2022",
    outfile: join(folder, "main.js"),
    plugins: [rawText()],
    logLevel: "error",
  });
  const served = await serveFolder(folder);
  const browser = await launchChromium();
  try {
    // The least of up to three visits: what else the machine does only adds to the others.
    const longest: number[] = [];
    while (longest.length < 3 && !(Math.min(...longest) <= BOUND)) {
      const visitor = await browser.newPage();
      await browser.startTracing(visitor, { categories: taskCategories });
      await visitor.goto(`${served.origin}/`);
      await visitor.waitForFunction(() => document.title.startsWith("class "), null, { timeout: 60_000 });
      longest.push(longestTask(await browser.stopTracing()));
      await visitor.close();
    }
    console.log(
      `main thread: longest task ${longest.map((time) => time.toFixed(0)).join(", ")} ms of its own (bound ${BOUND})`,
    );
    expect(Math.min(...longest)).toBeGreaterThan(0);
    expect(Math.min(...longest)).toBeLessThanOrEqual(BOUND);
  } finally {
    await browser.close();
    served.close();
    rmSync(folder, { recursive: true });
  }
}, 120_000);
