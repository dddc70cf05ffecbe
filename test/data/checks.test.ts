import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { checkDataset, requestWarnings } from "../../src/data/checks.node.ts";
import { openDataset } from "../../src/data/loaders.node.ts";
import { loadImages } from "../../src/data/loadImages.node.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { DataError } from "../../src/engine/errors.ts";
import { hasShared, shared } from "../shared.ts";
import { encodeWebpLossless, gradientImage, temporaryFolder } from "./fixtures.ts";

const root = temporaryFolder();

/** Pictures that all differ, and a list of them; the value of a name is its class and part. */
async function listOf(name: string, lines: Record<string, string>, files: Record<string, Uint8Array> = {}) {
  const folder = join(root, name);
  mkdirSync(folder);
  Object.keys(lines).forEach((file, index) => {
    writeFileSync(join(folder, file), files[file] ?? encodePng(gradientImage(10 + index, 20)));
  });
  writeFileSync(
    join(folder, "list.csv"),
    Object.entries(lines)
      .map(([file, rest]) => `${file},${rest}`)
      .join("\n"),
  );
  return openDataset(join(folder, "list.csv"));
}

describe("checkDataset", () => {
  it("counts classes and parts, and measures sizes", async () => {
    const dataset = await listOf("plain", {
      "a.png": "rose,train",
      "b.png": "tulip,train",
      "c.png": "rose,test",
      "d.png": "rose,val",
    });
    const seen: number[] = [];
    const checks = await checkDataset(dataset, { threads: 1, onProgress: (done) => seen.push(done) });
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(checks.classes).toEqual([
      { name: "rose", total: 3, parts: { train: 1, validation: 1, test: 1 } },
      { name: "tulip", total: 1, parts: { train: 1, validation: 0, test: 0 } },
    ]);
    expect([checks.images, checks.parts, checks.unused]).toEqual([4, { train: 2, validation: 1, test: 1 }, 0]);
    expect(checks.width).toEqual({ min: 10, median: 11.5, max: 13 });
    expect(checks.height).toEqual({ min: 20, median: 20, max: 20 });
    expect([checks.broken, checks.duplicates, checks.warnings]).toEqual([[], [], []]);
  });

  it("finds duplicates by bytes and by pixels, across parts and classes", async () => {
    const picture = gradientImage(30, 30);
    const png = encodePng(picture);
    const rgba = Uint8Array.from({ length: 30 * 30 * 4 }, (_, at) =>
      at % 4 === 3 ? 255 : picture.data[(at >> 2) * 3 + (at % 4)],
    );
    const other = encodePng(gradientImage(31, 30));
    const files = { "a.png": png, "b.webp": await encodeWebpLossless(rgba, 30, 30), "c.png": other, "d.png": other };
    const lines = {
      "a.png": "rose,train",
      "b.webp": "rose,test",
      "c.png": "rose,train",
      "d.png": "tulip,train",
      "e.png": "tulip,test",
    };
    const { duplicates, warnings } = await checkDataset(await listOf("twice", lines, files));
    expect(duplicates).toEqual([
      {
        by: "pixels",
        names: ["a.png", "b.webp"],
        parts: ["train", "test"],
        labels: ["rose", "rose"],
        acrossParts: true,
      },
      {
        by: "bytes",
        names: ["c.png", "d.png"],
        parts: ["train", "train"],
        labels: ["rose", "tulip"],
        acrossParts: false,
      },
    ]);
    expect(warnings).toEqual([
      expect.stringMatching(/1 picture in more than one part, e\.g\. a\.png = b\.webp/),
      expect.stringMatching(/1 picture under different classes, e\.g\. c\.png = d\.png/),
    ]);
  });

  it("lists broken and missing images by name, and says when they are too many", async () => {
    const lines = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`${String(i).padStart(2, "0")}.png`, i % 2 ? "rose" : "tulip"]),
    );
    const one = await listOf("one", lines, { "03.png": Buffer.from("nothing") });
    const checks = await checkDataset(one);
    expect(checks.broken.map(({ path }) => path)).toEqual(["03.png"]);
    expect(checks.broken[0].reason).toMatch(/03\.png: expected a JPEG, PNG or WebP image/);
    expect(checks.tooManyBroken).toBe(false);
    const options = { height: 8, width: 8, resize: "tf" as const, threads: 0 };
    const all = one.items.map((_, index) => index);
    expect((await loadImages(one, all, options)).images.names).not.toContain("03.png");
    const two = await listOf("two", lines, { "03.png": Buffer.from("nothing"), "04.png": new Uint8Array() });
    expect((await checkDataset(two)).tooManyBroken).toBe(true);
    await expect(loadImages(two, all, options)).rejects.toBeInstanceOf(DataError);
  });

  it("warns of classes without training images and of great imbalance", async () => {
    const lines = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`${i}.png`, i === 0 ? "tulip,train" : "rose,train"]),
    );
    const { warnings } = await checkDataset(await listOf("uneven", { ...lines, "x.png": "lily,test" }));
    expect(warnings).toEqual([
      "nothing to train on in lily",
      expect.stringMatching(/largest class has 11 images to train on, the smallest 1/),
    ]);
  });

  it("warns of requests that a reader would silently cut", async () => {
    const dataset = await listOf("asked", { "a.png": "rose,train", "b.png": "tulip,test" });
    expect(
      requestWarnings(dataset, [
        { part: "train", count: 5000 },
        { part: "test", count: 1 },
      ]),
    ).toEqual(["5000 images of train were asked for, but it has 1: all of them will be used"]);
    const folders = { ...dataset, parts: undefined };
    expect(
      requestWarnings(folders, [
        { part: "train", count: 2 },
        { part: "test", count: 1 },
      ]),
    ).toEqual(["1 images of test were asked for, but there is no such part"]);
  });

  it.skipIf(!hasShared)("finds nothing wrong with the small archive of Flowers 102", async () => {
    const checks = await checkDataset(await openDataset("flowers102", { root: shared("data/flowers102_mini") }));
    expect([checks.images, checks.parts, checks.broken, checks.duplicates]).toEqual([
      120,
      { train: 40, validation: 30, test: 50 },
      [],
      [],
    ]);
    expect(checks.width).toEqual({ min: 227, median: 227, max: 227 });
  });
});
