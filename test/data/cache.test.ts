import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DecodedCache } from "../../src/data/cache.node.ts";
import { createDecoder } from "../../src/data/decodePool.node.ts";
import { encodePng } from "../../src/data/png.node.ts";
import { gradientImage, temporaryFolder } from "./fixtures.ts";

const root = temporaryFolder();
const target = { height: 2, width: 2, resize: "tf" as const };
const picture = (value: number) => Uint8Array.of(value, value >> 8);
const pixels = (value: number) => ({
  width: 2,
  height: 2,
  original: { width: 7, height: 9 },
  data: new Uint8Array(12).fill(value),
});
const entries = (folder: string) => (existsSync(folder) ? readdirSync(folder).sort() : []);

/** A cache that counts how often it has to compute. */
function counted(folder: string, maxBytes: number) {
  const cache = new DecodedCache({ folder, maxBytes });
  const state = { computed: 0, cache };
  const get = (value: number, at = target) =>
    cache.get(picture(value), at, async () => {
      state.computed++;
      return { ...pixels(value), data: new Uint8Array(at.height * at.width * 3).fill(value) };
    });
  return { state, get };
}

describe("DecodedCache", () => {
  it("computes once for the same file, size and mode", async () => {
    const folder = join(root, "once");
    const { state, get } = counted(folder, 1e6);
    expect(await get(7)).toEqual(pixels(7));
    expect(await get(7)).toEqual(pixels(7));
    expect(await get(300)).toEqual(pixels(300));
    expect(await get(300)).toEqual(pixels(300));
    expect(state.computed).toBe(2);
    await get(7, { ...target, height: 3 });
    await get(7, { ...target, resize: "aspect" as never });
    expect(state.computed).toBe(4);
    expect(
      entries(folder)
        .map((name) => statSync(join(folder, name)).size)
        .sort((a, b) => a - b),
    ).toEqual([60, 60, 60, 66]);
  });

  it("computes a damaged, cut or lengthened entry again and repairs it", async () => {
    const folder = join(root, "damaged");
    const { state, get } = counted(folder, 1e6);
    await get(9);
    const file = join(folder, entries(folder)[0]);
    const good = readFileSync(file);
    const damages = [
      good.map((byte, at) => (at === 50 ? byte ^ 1 : byte)),
      good.subarray(0, 20),
      Buffer.concat([good, good]),
      Buffer.alloc(0),
    ];
    for (const [index, damage] of damages.entries()) {
      writeFileSync(file, damage);
      expect(await get(9)).toEqual(pixels(9));
      expect(state.computed).toBe(index + 2);
      expect(readFileSync(file)).toEqual(good);
    }
  });

  it("stays within its limit and evicts what was used longest ago", async () => {
    const folder = join(root, "bounded");
    const limit = 60 * 10;
    const { state, get } = counted(folder, limit);
    for (let value = 0; value < 200; value++) {
      await get(value);
      const total = entries(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
      expect(total).toBeLessThanOrEqual(limit);
    }
    expect(entries(folder).length).toBeGreaterThan(4);
    // What is left is told apart by its time of use alone.
    const old = new Date(2000, 1);
    for (const name of entries(folder)) utimesSync(join(folder, name), old, old);
    await get(199);
    expect(state.computed).toBe(200);
    for (let value = 300; value < 303; value++) await get(value);
    await get(199);
    expect(state.computed).toBe(203);
  });

  it("only costs time where nothing can be kept", async () => {
    const file = join(root, "file");
    writeFileSync(file, "");
    const { state, get } = counted(join(file, "inside"), 1e6);
    expect(await get(1)).toEqual(pixels(1));
    const tiny = counted(join(root, "tiny"), 10);
    expect(await tiny.get(1)).toEqual(pixels(1));
    expect([state.computed, entries(join(root, "tiny"))]).toEqual([1, []]);
  });

  it("serves the decoder's threads the same pixels", async () => {
    const folder = join(root, "threads");
    const paths = Array.from({ length: 6 }, (_, index) => {
      const path = join(root, `${index}.png`);
      writeFileSync(path, encodePng(gradientImage(20 + index, 30)));
      return path;
    });
    const cache = { folder, maxBytes: 1e6 };
    const runs: unknown[][] = [];
    for (const options of [{}, { cache }, { cache }]) {
      const decoder = createDecoder({ height: 16, width: 16, resize: "aspect", threads: 2, ...options });
      const results: unknown[] = [];
      for await (const result of decoder.decode(paths)) results.push(result);
      await decoder.close();
      runs.push(results);
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
    expect(entries(folder).length).toBe(6);
  });
});
