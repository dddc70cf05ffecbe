import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decodePng, encodePng } from "../../src/data/png.node.ts";
import { randomBits } from "../../src/engine/random.ts";
import { gradientImage } from "./fixtures.ts";

interface Upng {
  decode(bytes: ArrayBuffer): { width: number; height: number };
  toRGBA8(image: object): ArrayBuffer[];
  encode(frames: ArrayBuffer[], width: number, height: number, colours: number): ArrayBuffer;
}
/** Another implementation, to read what we write and to write what we read. */
// @ts-expect-error upng-js ships no types
const UPNG: Upng = (await import("upng-js")).default;

const noise = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => randomBits(seed, 0, i) & 255);

describe("encodePng", () => {
  it.each([
    [1, 1, 3],
    [13, 7, 3],
    [64, 48, 4],
  ])("%i x %i with %i channels is read back by another decoder", (width, height, channels) => {
    const data = noise(width * height * channels, 3);
    const rgba = new Uint8Array(UPNG.toRGBA8(UPNG.decode(encodePng({ width, height, data }).buffer as ArrayBuffer))[0]);
    for (let pixel = 0; pixel < width * height; pixel++) {
      const want = [...data.subarray(pixel * channels, pixel * channels + channels), ...(channels === 3 ? [255] : [])];
      expect([...rgba.subarray(pixel * 4, pixel * 4 + 4)]).toEqual(want);
    }
  });

  it("gives the same bytes twice and beats the raw size on a smooth image", () => {
    const image = gradientImage(200, 100);
    const png = encodePng(image);
    expect(encodePng(image)).toEqual(png);
    expect(png.length).toBeLessThan(image.data.length / 20);
  });

  it("refuses bytes that are neither RGB nor RGBA", () => {
    expect(() => encodePng({ width: 2, height: 2, data: new Uint8Array(8) })).toThrow(/12 bytes \(RGB\) or 16/);
  });
});

/** A PNG from parts, with unfiltered rows; checksums come from splicing our encoder's chunk layout. */
function assemble(header: number[], chunks: [string, Uint8Array][]): Uint8Array {
  const crc = (bytes: Uint8Array) => {
    let value = ~0;
    for (const byte of bytes) {
      value ^= byte;
      for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    }
    return ~value >>> 0;
  };
  const parts = [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)];
  for (const [kind, body] of [["IHDR", Uint8Array.from(header)], ...chunks, ["IEND", new Uint8Array()]] as [
    string,
    Uint8Array,
  ][]) {
    const named = Buffer.concat([Buffer.from(kind, "latin1"), body]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(body.length, 0);
    frame.writeUInt32BE(crc(named), 4);
    parts.push(frame.subarray(0, 4), named, frame.subarray(4));
  }
  return new Uint8Array(Buffer.concat(parts));
}

const header = (width: number, height: number, depth: number, colour: number, interlace = 0) => [
  ...[width, height].flatMap((value) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255]),
  ...[depth, colour, 0, 0, interlace],
];
const idat = (...bytes: number[]): [string, Uint8Array] => ["IDAT", deflateSync(Uint8Array.from(bytes))];

describe("decodePng", () => {
  it("reads back what encodePng writes", () => {
    const image = { width: 31, height: 17, data: noise(31 * 17 * 3, 5) };
    expect(decodePng(encodePng(image))).toEqual(image);
    expect(decodePng(encodePng(gradientImage(50, 40)))).toEqual(gradientImage(50, 40));
  });

  it("reads another encoder's palettes and true colour", () => {
    for (const colours of [2, 4, 16, 200, 0]) {
      const rgba = new Uint8Array(21 * 10 * 4).fill(255);
      for (let pixel = 0; pixel < 210; pixel++) {
        const value = randomBits(colours, 1, pixel) % (colours || 256);
        rgba.set([value, 255 - value, (value * 7) & 255], pixel * 4);
      }
      const { data } = decodePng(new Uint8Array(UPNG.encode([rgba.buffer], 21, 10, 0)));
      expect([...data]).toEqual([...rgba].filter((_, index) => index % 4 !== 3));
    }
  });

  it("composites alpha over white", () => {
    const png = encodePng({ width: 3, height: 1, data: Uint8Array.of(10, 20, 30, 255, 0, 0, 0, 0, 0, 100, 255, 51) });
    expect([...decodePng(png).data]).toEqual([10, 20, 30, 255, 255, 255, 204, 224, 255]);
  });

  it("reads grey of 1 bit whose rows end inside a byte", () => {
    const { data } = decodePng(assemble(header(3, 2, 1, 0), [idat(0, 0b10100000, 0, 0b01000000)]));
    expect([...data].filter((_, i) => i % 3 === 0)).toEqual([255, 0, 255, 0, 255, 0]);
  });

  it("reads 16 bits by their upper byte, and a transparent grey", () => {
    const chunks: [string, Uint8Array][] = [["tRNS", Uint8Array.of(0x12, 0x34)], idat(0, 0x12, 0x34, 0x12, 0x35)];
    expect([...decodePng(assemble(header(2, 1, 16, 0), chunks)).data]).toEqual([255, 255, 255, 0x12, 0x12, 0x12]);
  });

  it("reads a palette with transparency", () => {
    const chunks: [string, Uint8Array][] = [
      ["PLTE", Uint8Array.of(1, 2, 3, 9, 8, 7)],
      ["tRNS", Uint8Array.of(255, 0)],
      idat(0, 0b01000000),
    ];
    expect([...decodePng(assemble(header(2, 1, 1, 3), chunks)).data]).toEqual([1, 2, 3, 255, 255, 255]);
  });

  it("reads Adam7 interlacing", () => {
    const passes = [
      [0, 0, 8, 8],
      [4, 0, 8, 8],
      [0, 4, 4, 8],
      [2, 0, 4, 4],
      [0, 2, 2, 4],
      [1, 0, 2, 2],
      [0, 1, 1, 2],
    ];
    const [width, height] = [11, 9];
    const value = (x: number, y: number) => y * 20 + x;
    const bytes: number[] = [];
    for (const [x0, y0, dx, dy] of passes) {
      for (let y = y0; y < height; y += dy) {
        bytes.push(0);
        for (let x = x0; x < width; x += dx) bytes.push(value(x, y));
      }
    }
    const { data } = decodePng(assemble(header(width, height, 8, 0, 1), [idat(...bytes)]));
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) expect(data[(y * width + x) * 3]).toBe(value(x, y));
  });

  it.each([
    ["a bomb", assemble(header(20_000, 5000, 8, 2), [idat(0)]), /cannot hold the announced pixels/],
    ["too many pixels", assemble(header(20_000, 5001, 8, 2), [idat(0)]), /limit of 100 million/],
    ["no pixels", assemble(header(0, 5, 8, 2), [idat(0)]), /0x5 pixels/],
    ["an unknown colour type", assemble(header(1, 1, 8, 5), [idat(0, 0)]), /unknown kind/],
    [
      "more data than announced",
      assemble(header(1, 1, 8, 0), [["IDAT", deflateSync(new Uint8Array(1e6))]]),
      /do not decompress/,
    ],
    ["missing rows", assemble(header(2, 2, 8, 0), [idat(0, 1, 2)]), /rows are missing/],
    ["an unknown filter", assemble(header(1, 1, 8, 0), [idat(9, 1)]), /filters 0 to 4, found 9/],
    [
      "a colour beyond the palette",
      assemble(header(1, 1, 8, 3), [["PLTE", Uint8Array.of(1, 2, 3)], idat(0, 1)]),
      /palette/,
    ],
    ["a cut file", encodePng(gradientImage(20, 20)).subarray(0, -14), /cut short/],
    ["a wrong checksum", encodePng(gradientImage(20, 20)).map((byte, i) => (i === 50 ? byte ^ 1 : byte)), /damaged/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => decodePng(bytes)).toThrow(message);
  });
});
