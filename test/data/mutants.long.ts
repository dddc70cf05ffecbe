import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeImage } from "../../src/data/decode.node.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { FileError } from "../../src/engine/errors.ts";
import { randomBits } from "../../src/engine/random.ts";
import { hasShared, shared } from "../shared.ts";
import { encodeJpeg, encodeWebpLossless, gradientImage } from "./fixtures.ts";
import { mutate } from "./mutate.ts";

const MUTANTS = 1000;
const picture = gradientImage(64, 48);
const sources: Record<string, () => Uint8Array | Promise<Uint8Array>> = {
  jpeg: () => encodeJpeg(picture),
  "progressive jpeg": () => encodeJpeg(picture, { progressive: true }),
  png: () => encodePng(picture),
  webp: () =>
    encodeWebpLossless(
      Uint8Array.from({ length: 64 * 64 * 4 }, (_, i) => randomBits(1, 1, i) & 255),
      64,
      64,
    ),
  ...(hasShared && {
    photograph: () => {
      const folder = shared("data/flower_photos/tulip");
      return new Uint8Array(readFileSync(join(folder, readdirSync(folder)[0])));
    },
  }),
};

describe(`${MUTANTS} seeded mutants of each image decode or end in a FileError, in two seconds and bounded memory`, () => {
  it.each(Object.keys(sources))("%s", async (format) => {
    const source = await sources[format]();
    let refused = 0;
    // Decoders are compiled once; what a mutant may need is counted from there.
    await decodeImage(source, format);
    const before = process.memoryUsage().rss;
    let most = 0;
    for (let seed = 0; seed < MUTANTS; seed++) {
      const start = performance.now();
      try {
        const { data, width, height } = await decodeImage(mutate(source, seed), "mutant");
        expect(data.length).toBe(width * height * 3);
        // A header may announce a larger picture, whose pixels are then the caller's.
        if (data.length > 2 ** 20) continue;
      } catch (error) {
        expect(error, `seed ${seed}`).toBeInstanceOf(FileError);
        refused++;
      }
      expect(performance.now() - start, `seed ${seed}`).toBeLessThan(2000);
      most = Math.max(most, process.memoryUsage().rss - before);
    }
    console.log(`${format}: ${refused} of ${MUTANTS} refused, at most ${Math.round(most / 2 ** 20)} MiB more`);
    expect(refused).toBeGreaterThan(MUTANTS / 10);
    expect(refused).toBeLessThan(MUTANTS);
  });
});
