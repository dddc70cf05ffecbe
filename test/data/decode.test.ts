import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeImage, readImage } from "../../src/data/decode.node.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { FileError } from "../../src/engine/errors.ts";
import { randomBits } from "../../src/engine/random.ts";
import { hasShared, shared } from "../shared.ts";
import {
  encodeJpeg,
  encodeWebpLossless,
  frameOffset,
  GREY,
  gradientImage,
  temporaryFolder,
  withOrientation,
} from "./fixtures.ts";
import { mutate } from "./mutate.ts";

const picture = gradientImage(48, 32);
const jpeg = await encodeJpeg(picture);

const pixel = (image: { width: number; data: Uint8Array }, x: number, y: number) => [
  ...image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3),
];

async function failure(bytes: Uint8Array): Promise<FileError> {
  const error = await decodeImage(bytes, "rose/1.jpg").then(
    () => undefined,
    (cause) => cause,
  );
  expect(error).toBeInstanceOf(FileError);
  expect(error.message).toMatch(/^rose\/1\.jpg: /);
  expect(error.message).not.toContain("\n");
  return error;
}

describe("JPEG", () => {
  it.each([true, false])("decodes, progressive: %s", async (progressive) => {
    const image = await decodeImage(await encodeJpeg(picture, { progressive }), "x.jpg");
    expect([image.width, image.height]).toEqual([48, 32]);
    const mean = image.data.reduce((sum, value, i) => sum + Math.abs(value - picture.data[i]), 0) / image.data.length;
    expect(mean).toBeLessThan(4);
  });

  it("decodes grey to three equal channels", async () => {
    const { data } = await decodeImage(await encodeJpeg(picture, { colorSpace: GREY }), "x.jpg");
    expect(data.length).toBe(picture.data.length);
    for (let i = 0; i < data.length; i += 3) expect(data[i] === data[i + 1] && data[i] === data[i + 2]).toBe(true);
    expect(new Set(data).size).toBeGreaterThan(20);
  });

  // Where the stored picture's pixel (x, y) is shown, for a stored picture of width w and height h (EXIF 2.3, 4.6.4).
  const shown: Record<number, (x: number, y: number, w: number, h: number) => [number, number]> = {
    1: (x, y) => [x, y],
    2: (x, y, w) => [w - 1 - x, y],
    3: (x, y, w, h) => [w - 1 - x, h - 1 - y],
    4: (x, y, _w, h) => [x, h - 1 - y],
    5: (x, y) => [y, x],
    6: (x, y, _w, h) => [h - 1 - y, x],
    7: (x, y, w, h) => [h - 1 - y, w - 1 - x],
    8: (x, y, w) => [y, w - 1 - x],
  };
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("applies EXIF orientation %i in both byte orders", async (orientation) => {
    const plain = await decodeImage(jpeg, "x.jpg");
    for (const littleEndian of [true, false]) {
      const turned = await decodeImage(withOrientation(jpeg, orientation, littleEndian), "x.jpg");
      expect([turned.width, turned.height]).toEqual(orientation < 5 ? [48, 32] : [32, 48]);
      for (const [x, y] of [
        [0, 0],
        [47, 0],
        [5, 31],
        [47, 31],
        [20, 9],
      ]) {
        expect(pixel(turned, ...shown[orientation](x, y, 48, 32))).toEqual(pixel(plain, x, y));
      }
    }
  });

  it("ignores an orientation that does not exist", async () => {
    expect(await decodeImage(withOrientation(jpeg, 77, true), "x.jpg")).toEqual(await decodeImage(jpeg, "x.jpg"));
  });

  it("accepts bytes after the end of the image", async () => {
    const trailed = Uint8Array.from([...jpeg, ...new Array(300).fill(0x41)]);
    expect(await decodeImage(trailed, "x.jpg")).toEqual(await decodeImage(jpeg, "x.jpg"));
  });

  it("refuses every truncation by name", async () => {
    for (let share = 0.02; share < 1; share += 0.07) {
      await failure(jpeg.subarray(0, Math.floor(jpeg.length * share)));
    }
    expect((await failure(jpeg.subarray(0, jpeg.length - 40))).message).toMatch(/damaged or cut short/);
  });

  it("decodes an intact file after broken ones", async () => {
    const before = await decodeImage(jpeg, "x.jpg");
    const noHuffman = jpeg.slice();
    noHuffman.fill(0xff, frameOffset(jpeg) + 30);
    await failure(noHuffman);
    expect(await decodeImage(jpeg, "x.jpg")).toEqual(before);
  });

  const altered = (changes: Record<number, number>) => {
    const bytes = jpeg.slice();
    for (const [offset, value] of Object.entries(changes)) bytes[frameOffset(jpeg) + Number(offset)] = value;
    return bytes;
  };
  it.each([
    ["CMYK", { 9: 4 }, /is a CMYK JPEG/],
    ["two channels", { 9: 2 }, /2 channels/],
    ["12 bits", { 4: 12 }, /12 bits/],
    ["lossless", { 1: 0xc3 }, /lossless/],
    ["arithmetic coding", { 1: 0xc9 }, /arithmetic/],
    ["no rows", { 5: 0, 6: 0 }, /48x0 pixels/],
    ["a huge frame", { 5: 0xff, 6: 0xff, 7: 0xff, 8: 0xff }, /65535x65535 pixels, more than the limit of 100 million/],
    ["more pixels than the bytes can hold", { 5: 0x26, 7: 0x26 }, /cannot hold/],
  ])("names %s", async (_, changes, message) => {
    expect((await failure(altered(changes as Record<number, number>))).message).toMatch(message);
  });
});

describe("WebP", () => {
  it("decodes lossless pictures exactly, over white", async () => {
    const rgba = new Uint8Array(20 * 10 * 4);
    for (let i = 0; i < 200; i++) rgba.set([i, 255 - i, 7, i === 3 ? 0 : 255], i * 4);
    const webp = await encodeWebpLossless(rgba, 20, 10);
    const image = await decodeImage(webp, "x.webp");
    expect([image.width, image.height]).toEqual([20, 10]);
    expect(pixel(image, 5, 0)).toEqual([5, 250, 7]);
    expect(pixel(image, 3, 0)).toEqual([255, 255, 255]);
    expect((await failure(webp.subarray(0, webp.length - 20))).message).toMatch(/cut short/);
    const damaged = webp.slice();
    damaged.fill(0xa5, 26);
    await failure(damaged);
  });
});

describe("other files", () => {
  it.each([
    ["an empty file", "", /the file is empty/],
    ["a GIF", "GIF89a....", /is a GIF/],
    ["a BMP", "BM........", /is a BMP/],
    ["a HEIC", "\0\0\0\x18ftypheic", /AVIF or HEIC/],
    ["a web page", "<html>", /web page/],
    ["text", "hello", /none of their signatures/],
  ])("names %s", async (_, text, message) => {
    expect((await failure(new Uint8Array(Buffer.from(text, "latin1")))).message).toMatch(message);
  });

  it("goes by content, not by name", async () => {
    expect(await decodeImage(encodePng(picture), "picture.jpg")).toEqual(picture);
  });

  it("names what cannot be read", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "album.jpg"));
    await expect(readImage(join(folder, "album.jpg"))).rejects.toThrow(/album\.jpg: .*it is a folder/);
    await expect(readImage(join(folder, "none.jpg"))).rejects.toThrow(/none\.jpg: .*no such file/);
    writeFileSync(join(folder, "fine.png"), encodePng(picture));
    expect(await readImage(join(folder, "fine.png"))).toEqual(picture);
  });
});

describe("200 seeded mutants of each format decode or end in a FileError within two seconds", () => {
  it.each(["jpeg", "progressive jpeg", "png", "webp"])("%s", async (format) => {
    const sources: Record<string, () => Uint8Array | Promise<Uint8Array>> = {
      jpeg: () => jpeg,
      "progressive jpeg": () => encodeJpeg(picture, { progressive: true }),
      png: () => encodePng(picture),
      webp: () =>
        encodeWebpLossless(
          new Uint8Array(64 * 64 * 4).map((_, i) => randomBits(1, 1, i) & 255),
          64,
          64,
        ),
    };
    const source = await sources[format]();
    let refused = 0;
    for (let seed = 0; seed < 200; seed++) {
      const start = performance.now();
      try {
        const image = await decodeImage(mutate(source, seed), "mutant");
        expect(image.data.length).toBe(image.width * image.height * 3);
      } catch (error) {
        expect(error, `seed ${seed}`).toBeInstanceOf(FileError);
        refused++;
      }
      expect(performance.now() - start, `seed ${seed}`).toBeLessThan(2000);
    }
    expect(refused).toBeGreaterThan(50);
    expect(refused).toBeLessThan(200);
  });
});

describe.skipIf(!hasShared)("real photographs", () => {
  it("decodes the ImageNet samples and a flower of each class", async () => {
    const samples = shared("data/imagenet_samples");
    for (const file of readdirSync(samples).filter((name) => name.endsWith(".JPEG"))) {
      expect((await readImage(join(samples, file))).data.length).toBeGreaterThan(10_000);
    }
    const flowers = shared("data/flower_photos");
    for (const className of readdirSync(flowers)) {
      const file = join(flowers, className, readdirSync(join(flowers, className))[0]);
      const image = await readImage(file);
      expect([image.width, image.height]).toEqual([227, 227]);
      expect(new Set(image.data).size).toBeGreaterThan(100);
    }
  });

  it("survives 200 seeded mutants of a photograph", async () => {
    const roses = shared("data/flower_photos/rose");
    const source = new Uint8Array(readFileSync(join(roses, readdirSync(roses)[0])));
    for (let seed = 1000; seed < 1200; seed++) {
      const start = performance.now();
      await decodeImage(mutate(source, seed), "mutant").catch((error) => expect(error).toBeInstanceOf(FileError));
      expect(performance.now() - start, `seed ${seed}`).toBeLessThan(2000);
    }
  });
});
