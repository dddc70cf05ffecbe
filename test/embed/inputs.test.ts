/** Every kind of image that an application has in a browser, through the library as a page bundles it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { rawText } from "../../script/rawText.mjs";
import { renderPetal } from "../../src/data/petals.ts";
import { encodePng } from "../../src/node.ts";
import { launchChromium, serveFolder } from "../browser.ts";
import { size, smallModelFiles } from "./model.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const page = `
  import { ImageClassifier } from "./src/index.ts";
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();
  const network = await ImageClassifier.load("./model/", { device });
  const bytes = await (await fetch("./flower.png")).arrayBuffer();
  const file = new File([bytes], "flower.png");
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  const usage = GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT;
  const texture = device.createTexture({ size: [width, height], format: "rgba8unorm", usage });
  device.queue.copyExternalImageToTexture({ source: bitmap }, { texture }, [width, height]);
  const frame = new VideoFrame(canvas, { timestamp: 0 });
  const large = await (await fetch("./large.png")).blob();
  const inputs = {
    address: "./flower.png", URL: new URL("./flower.png", location.href), ArrayBuffer: bytes, Uint8Array: new Uint8Array(bytes), File: file,
    ImageBitmap: bitmap, OffscreenCanvas: canvas, VideoFrame: frame, GPUTexture: texture,
    "large File": large, "large ImageBitmap": await createImageBitmap(large),
  };
  const logits = {};
  for (const [kind, image] of Object.entries(inputs)) {
    const scores = await network.classify(image, { top: 100 });
    logits[kind] = scores.sort((a, b) => a.index - b.index).map(({ logit }) => logit);
    const { heatmap } = await network.explain(image);
    if (!(heatmap.values.length > 0)) throw new Error(kind + ": no map");
  }
  frame.close();
  const live = network.device;
  await network.dispose();
  // The host's texture and device are still the host's.
  device.queue.copyExternalImageToTexture({ source: bitmap }, { texture }, [width, height]);
  await device.queue.onSubmittedWorkDone();
  globalThis.result = { logits, liveBuffers: live.liveBuffers };
  document.title = "done";
`;

it("classifies an address, bytes, a file, a bitmap, a canvas, a video frame and a texture alike, and leaves no buffer", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tepal-inputs-"));
  const served = await serveFolder(folder);
  const browser = await launchChromium();
  try {
    const { json, safetensors } = await smallModelFiles();
    mkdirSync(join(folder, "model"));
    writeFileSync(join(folder, "model/model.json"), json);
    writeFileSync(join(folder, "model/model.safetensors"), safetensors);
    writeFileSync(join(folder, "flower.png"), encodePng(renderPetal({ seed: 3, index: 1, species: 4, size }).image));
    const large = renderPetal({ seed: 3, index: 2, species: 7, size: 101 }).image;
    writeFileSync(join(folder, "large.png"), encodePng(large));
    writeFileSync(join(folder, "index.html"), '<!doctype html><script type="module" src="./main.js"></script>');
    const stdin = { contents: page, resolveDir: root, loader: "ts" } as const;
    await build({
      stdin,
      bundle: true,
      format: "esm",
      target: "es2022",
      outfile: join(folder, "main.js"),
      plugins: [rawText()],
    });
    const visitor = await browser.newPage();
    const errors: string[] = [];
    visitor.on("pageerror", ({ message }) => errors.push(message));
    await visitor.goto(`${served.origin}/`);
    await expect.poll(async () => errors[0] ?? (await visitor.title()), { timeout: 60_000 }).toBe("done");
    const { logits, liveBuffers } = (await visitor.evaluate("result")) as {
      logits: Record<string, number[]>;
      liveBuffers: number;
    };
    const distance = (kind: string, reference: string) =>
      Math.max(...logits[kind].map((value, at) => Math.abs(value - logits[reference][at]))) /
      Math.max(...logits[reference].map(Math.abs));
    // Files take one way and frames another; at the network's own size neither resizes anything.
    for (const kind of ["URL", "ArrayBuffer", "Uint8Array", "File"]) expect(distance(kind, "address"), kind).toBe(0);
    for (const kind of ["ImageBitmap", "OffscreenCanvas", "VideoFrame", "GPUTexture"])
      expect(distance(kind, "address"), kind).toBeLessThan(1e-5);
    // The same window of the picture; files are rounded to bytes after each pass.
    expect(distance("large ImageBitmap", "large File")).toBeLessThan(0.01);
    expect(liveBuffers).toBe(0);
  } finally {
    await browser.close();
    served.close();
    rmSync(folder, { recursive: true });
  }
}, 120_000);
