import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { fitImage } from "../../src/data/resize.ts";
import { ImageClassifier } from "../../src/embed/imageClassifier.ts";
import { Device } from "../../src/engine/device.ts";
import { DeviceError, DeviceLostError, FileError, UsageError, WeightsError } from "../../src/engine/errors.ts";
import { uniform } from "../../src/engine/random.ts";
import { openGpu } from "../../src/engine/softwareAdapter.node.ts";
import { encodePng, loadImageClassifier } from "../../src/node.ts";
import { testDevice } from "../device.ts";
import { classNames, size, smallModelFiles } from "./model.ts";

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

const photograph = (width: number, height: number) => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, at) => 256 * uniform(5, 2, at)),
});

describe("ImageClassifier", () => {
  it("classifies as the network does, best first, and explains a class by name", async () => {
    await using flowers = await ImageClassifier.load(await smallModelFiles(), { device });
    const photo = photograph(50, 40);
    const scores = await flowers.classify(photo);
    const fitted = fitImage(photo, { height: size, width: size }, "aspect");
    const { logits } = await flowers.classifier.predict(fitted);
    expect(scores.map(({ index }) => index)).toEqual([0, 1, 2].sort((a, b) => logits[b] - logits[a]));
    for (const { index, name, logit } of scores) expect([name, logit]).toEqual([classNames[index], logits[index]]);
    expect(scores.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
    expect(await flowers.classify(photo, { top: 1 })).toEqual(scores.slice(0, 1));
    const { target, heatmap, picture } = await flowers.explain(photo, { target: "rose" });
    expect(target).toEqual(scores.find(({ name }) => name === "rose"));
    expect(heatmap.values.length).toBe(heatmap.height * heatmap.width);
    expect([picture.width, picture.height, picture.data.length]).toEqual([size, size, 3 * size * size]);
    const path = await flowers.explain(photo, { method: "ig" });
    expect(path.target).toEqual(scores[0]);
    expect(path.heatmap.values.length).toBe(size * size);
    const black = await flowers.classifier.predict(new Float32Array(fitted.length));
    const change = scores[0].logit - black.logits[scores[0].index];
    const total = path.heatmap.values.reduce((sum, value) => sum + value, 0);
    expect(path.relativeGap).toBeCloseTo(Math.abs(total - change) / Math.abs(change), 3);
  });

  it("reports the progress of Integrated Gradients, stops it on the way, and keeps several apart", async () => {
    await using flowers = await ImageClassifier.load(await smallModelFiles(), { device });
    const photo = photograph(40, 40);
    const seen: number[] = [];
    const alone = await flowers.explain(photo, { method: "ig", target: "rose", onProgress: (done) => seen.push(done) });
    expect(seen.length).toBeGreaterThan(2);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    const controller = new AbortController();
    const onProgress = (): void => controller.abort(new Error("enough"));
    const stopped = flowers.explain(photo, { method: "ig", signal: controller.signal, onProgress });
    const together = [
      flowers.explain(photo, { method: "ig", target: "rose" }),
      flowers.explain(photo, { method: "ig", target: 0 }),
    ];
    await expect(stopped).rejects.toThrow("enough");
    const [rose, daisy] = await Promise.all(together);
    expect(rose).toEqual(alone);
    expect(daisy.heatmap.values).not.toEqual(rose.heatmap.values);
  });

  it("leaves nothing on the host's device, which several share", async () => {
    const { adapter } = await openGpu();
    const gpu = await adapter.requestDevice();
    const first = await ImageClassifier.load(await smallModelFiles(1), { device: gpu });
    const host = first.device;
    const second = await ImageClassifier.load(await smallModelFiles(2), { device: host });
    const photo = photograph(32, 32);
    const [a, b] = await Promise.all([first.classify(photo), second.classify(photo)]);
    expect(a.map(({ logit }) => logit)).not.toEqual(b.map(({ logit }) => logit));
    await first.explain(photo);
    await second.explain(photo, { method: "ig" });
    expect(host.liveBuffers).toBeGreaterThan(0);
    await first.dispose();
    expect(await second.classify(photo)).toEqual(b);
    await second.dispose();
    expect([host.liveBuffers, host.liveBytes]).toEqual([0, 0]);
    expect(host.isLost).toBe(false);
    gpu.destroy();
    expect((await host.lost).reason).toBe("destroyed");
  });

  it("says that a device was lost, as an event and as an error", async () => {
    const { adapter } = await openGpu();
    const own = await Device.open(adapter);
    const flowers = await ImageClassifier.load(await smallModelFiles(), { device: own });
    own.destroy();
    expect(await flowers.device.lost).toMatchObject({ reason: "destroyed" });
    await expect(flowers.classify(photograph(32, 32))).rejects.toThrow(DeviceLostError);
  });

  it("loads a folder and reads image files in Node", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tepal-embed-"));
    try {
      const { json, safetensors } = await smallModelFiles();
      writeFileSync(join(folder, "model.json"), json);
      writeFileSync(join(folder, "model.safetensors"), safetensors);
      const photo = photograph(40, 30);
      const file = join(folder, "photo.png");
      writeFileSync(file, encodePng(photo));
      await using flowers = await loadImageClassifier(folder, { device });
      const expected = await flowers.classify(photo);
      expect(await flowers.classify(file)).toEqual(expected);
      expect(await flowers.classify(new Blob([new Uint8Array(encodePng(photo))]))).toEqual(expected);
      writeFileSync(file, "no image");
      await expect(flowers.classify(file)).rejects.toThrow(FileError);
      await expect(flowers.classify(join(folder, "missing.png"))).rejects.toThrow(/no such file/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("refuses with a reason what it cannot use", async () => {
    const files = await smallModelFiles();
    await using flowers = await ImageClassifier.load(files, { device });
    const photo = photograph(32, 32);
    await expect(flowers.explain(photo, { target: "orchid" })).rejects.toThrow(UsageError);
    await expect(flowers.explain(photo, { method: "occlusion" as "ig" })).rejects.toThrow(
      /gradcam or ig, found "occlusion"/,
    );
    const aborted = AbortSignal.abort(new Error("enough"));
    await expect(flowers.explain(photo, { signal: aborted })).rejects.toThrow("enough");
    await expect(ImageClassifier.load(files)).rejects.toThrow(DeviceError);
    const damaged = { ...files, safetensors: files.safetensors.slice(0, -4) };
    await expect(ImageClassifier.load(damaged, { device })).rejects.toThrow(FileError);
    await expect(ImageClassifier.load(files.safetensors, { device })).rejects.toThrow(WeightsError);
    await expect(ImageClassifier.load(Uint8Array.of(0x89, 0x48, 0x44, 0x46), { device })).rejects.toThrow(
      /weights convert/,
    );
    await expect(ImageClassifier.load("http://127.0.0.1:1/model/", { device })).rejects.toThrow(FileError);
  });
});
