import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { decodePng, encodePng } from "../../src/data/png.node.ts";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { parseSafetensors, type StoredTensor, toFloat32 } from "../../src/nn/formats/safetensors.ts";
import { expectDistance, isQuickAdapter, loadTruth, type Truth, weightsFile } from "../reference.ts";
import { hasShared, shared } from "../shared.ts";

// Fifty gradients of MobileNetV2 at 224 pixels take a minute on SwiftShader, more on a busy machine.
vi.setConfig({ testTimeout: 600_000 });

const program = fileURLToPath(new URL("../../bin/tepal.mjs", import.meta.url));
const size = 224;
const pixelsPerImage = size * size * 3;

const tepal = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync("node", [program, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
};

describe.skipIf(!hasShared)("classify and explain on the reference photographs", () => {
  let truth: Truth;
  let folder: string;
  let files: string[];
  const weights = (): string[] => ["--weights", shared(weightsFile)];
  const tensor = (file: string, name: string) => parseSafetensors(readFileSync(file)).tensors.get(name) as StoredTensor;

  beforeAll(() => {
    truth = loadTruth();
    folder = mkdtempSync(join(tmpdir(), "tepal-explain-"));
    // The network's own input, pixel for pixel, as PNG files.
    files = truth.classes.map((_, index) => {
      const data = Uint8Array.from(
        truth.tensor("pixels_u8").subarray(index * pixelsPerImage, (index + 1) * pixelsPerImage),
      );
      const file = join(folder, `image-${index}.png`);
      writeFileSync(file, encodePng({ width: size, height: size, data }));
      return file;
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("classify writes logits and probabilities, and names the classes", () => {
    const raw = join(folder, "classify.safetensors");
    const labels = shared("data/imagenet_samples/labels.txt");
    const run = tepal("classify", ...files, ...weights(), "--labels", labels, "--raw", raw, "--json");
    expect(run.stderr).not.toMatch(/error/i);
    expect(run.status).toBe(0);
    const { images } = JSON.parse(run.stdout);
    expect(images.map((image: { top: { class: number }[] }) => image.top[0].class)).toEqual(truth.classes);
    expect(images[0].top[0].label).toMatch(/shark/i);
    expect(tensor(raw, "logits").shape).toEqual([4, 1000]);
    expectDistance("classify --raw logits", relativeL2(toFloat32(tensor(raw, "logits")), truth.tensor("logits")), 5e-6);
    expectDistance(
      "classify --raw probabilities",
      relativeL2(toFloat32(tensor(raw, "probabilities")), truth.tensor("probs")),
      5e-6,
    );
  });

  it("explain --method gradcam writes heatmaps at the layer's resolution and overlays", () => {
    const raw = join(folder, "a/new/folder/gradcam.safetensors");
    const options = ["--method", "gradcam", "--layer", "block_13_expand_relu", "--score", "prob"];
    const run = tepal(
      "explain",
      ...files.slice(0, 2),
      ...weights(),
      ...options,
      "--raw",
      raw,
      "--out",
      folder,
      "--json",
    );
    expect(run.status).toBe(0);
    expect(tensor(raw, "heatmap").shape).toEqual([2, 14, 14]);
    const want = truth.tensor("gradcam/prob/block_13_expand_relu").subarray(0, 2 * 14 * 14);
    expectDistance("explain --raw heatmap", relativeL2(toFloat32(tensor(raw, "heatmap")), want), 1e-3);
    for (const image of JSON.parse(run.stdout).images) {
      const picture = decodePng(readFileSync(image.picture));
      expect([picture.width, picture.height]).toEqual([size, size]);
      expect(image.range).toBe(image.peak);
    }
  });

  it.skipIf(!isQuickAdapter)("explain --method ig writes attributions, their gaps, and pictures", () => {
    const raw = join(folder, "ig.safetensors");
    const options = ["--method", "ig", "--rule", "linspace", "--baseline", "zeros", "--steps", "50"];
    const run = tepal("explain", files[1], ...weights(), ...options, "--raw", raw, "--out", folder, "--json");
    expect(run.status).toBe(0);
    expect(tensor(raw, "attribution").shape).toEqual([1, size, size, 3]);
    const want = truth.tensor("ig/logit/linspace50").subarray(pixelsPerImage, 2 * pixelsPerImage);
    expectDistance("explain --raw attribution", relativeL2(toFloat32(tensor(raw, "attribution")), want), 3e-3);
    const [image] = JSON.parse(run.stdout).images;
    expect(image.completenessGap).toBeCloseTo(toFloat32(tensor(raw, "completeness_gap"))[0], 4);
    expect(existsSync(image.picture)).toBe(true);
  });

  it("names a broken image, explains the others, and ends with code 3", () => {
    const broken = join(folder, "broken.jpg");
    writeFileSync(broken, "not a photograph");
    const run = tepal("explain", broken, files[0], ...weights(), "--out", folder, "--json");
    expect(run.status).toBe(3);
    expect(run.stderr).toContain("broken.jpg");
    const result = JSON.parse(run.stdout);
    expect(result.images).toHaveLength(1);
    expect(result.broken[0].file).toBe(broken);
  });

  it("refuses an unknown layer, a class out of range, and weights without a head, in one line", () => {
    const layer = tepal("explain", files[0], ...weights(), "--layer", "block_99_add", "--out", folder);
    expect([layer.status, layer.stderr]).toEqual([7, expect.stringMatching(/block_99_add.*choose/)]);
    const klass = tepal("explain", files[0], ...weights(), "--class", "1000", "--out", folder);
    expect([klass.status, klass.stderr]).toEqual([2, expect.stringMatching(/0 to 999/)]);
    const headless = weightsFile.replace("1.0_224", "1.0_224_no_top");
    const none = tepal("classify", files[0], "--weights", shared(headless));
    expect([none.status, none.stderr]).toEqual([4, expect.stringMatching(/head/)]);
  });
});
