import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parseMat } from "../../src/data/matFile.node.ts";
import { FileError } from "../../src/engine/errors.ts";
import { hasShared, shared } from "../shared.ts";
import { element, type MatType, matOf } from "./archives.ts";
import { mutate } from "./mutate.ts";

const arrays = (bytes: Uint8Array) =>
  [...parseMat(bytes, "a.mat")].map(([name, { shape, values }]) => ({ name, shape, values: Array.from(values) }));

describe("parseMat", () => {
  it.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])("reads every number type (little endian %s, compressed %s)", (little, compressed) => {
    const cases: [MatType, number[]][] = [
      ["uint8", [0, 1, 255]],
      ["uint16", [1, 258, 65535, 4, 5]],
      ["int32", [-(2 ** 31), 2 ** 31 - 1]],
      ["uint32", [2 ** 32 - 1]],
      ["single", [0.5, -1.25]],
      ["double", [Math.PI, -1e300, 8189]],
    ];
    const variables = cases.map(([type, values]) => ({ name: `v_${type}`, type, values }));
    expect(arrays(matOf(variables, { little, compressed }))).toEqual(
      variables.map(({ name, values }) => ({ name, shape: [1, values.length], values })),
    );
  });

  it("keeps the shape, and passes over what is not numeric", () => {
    const variables = [
      { name: "matrix", shape: [2, 3], values: [1, 2, 3, 4, 5, 6] },
      { name: "text", kind: 4, type: "uint16" as const, values: [104, 105] },
    ];
    expect(arrays(matOf(variables))).toEqual([{ name: "matrix", shape: [2, 3], values: [1, 2, 3, 4, 5, 6] }]);
  });

  const good = matOf([{ name: "labels", values: [1, 2, 3] }]);
  const patched = (at: number, ...bytes: number[]) => {
    const copy = Uint8Array.from(good);
    copy.set(bytes, at);
    return copy;
  };
  const bomb = matOf([]);
  const compressedBomb = new Uint8Array(
    Buffer.concat([bomb, element(15, deflateSync(new Uint8Array(64 * 2 ** 20)), true, false)]),
  );
  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", new Uint8Array(), /MAT-file of Level 5/],
    ["HDF5", Uint8Array.from(Buffer.from("MATLAB 7.3 MAT-file".padEnd(600))), /7\.3/],
    ["no byte order", patched(126, 0, 0), /byte order/],
    ["a length beyond the file", patched(132, 255, 255, 255, 255), /data element of 4294967295 bytes/],
    ["an element that is no array", patched(128, 9), /found a data element of type 9/],
    ["a shape that does not fit", matOf([{ name: "a", shape: [1, 4], values: [1, 2, 3] }]), /4 values in "a", found 3/],
    ["a huge shape", matOf([{ name: "a", shape: [2 ** 30, 2 ** 30], values: [1] }]), /found 1/],
    ["a negative shape", matOf([{ name: "a", shape: [-1, -1], values: [1] }]), /dimensions/],
    ["complex numbers", matOf([{ name: "a", values: [1], flags: 0x0800 }]), /complex/],
    ["64-bit integers", matOf([{ name: "a", values: [1], type: "int64" }]), /type 12/],
    [
      "two of a name",
      matOf([
        { name: "a", values: [1] },
        { name: "a", values: [2] },
      ]),
      /found two/,
    ],
    ["a compression bomb", compressedBomb, /at most 16777216 bytes/],
    ["too large a file", new Uint8Array(16 * 2 ** 20 + 1), /at most 16777216 bytes/],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => parseMat(bytes, "a.mat")).toThrow(message);
    expect(() => parseMat(bytes, "a.mat")).toThrow(/^a\.mat: [^\n]+$/);
    expect(() => parseMat(bytes, "a.mat")).toThrow(FileError);
  });

  it.each([
    ["plain", matOf([{ name: "labels", type: "uint8", values: Array.from({ length: 300 }, (_, i) => i % 102) }])],
    [
      "compressed",
      matOf([{ name: "trnid", type: "uint16", values: Array.from({ length: 300 }, (_, i) => 17 * i) }], {
        compressed: true,
      }),
    ],
    [
      "big-endian",
      matOf(
        [
          { name: "a", values: [1, 2, 3] },
          { name: "b", values: [4] },
        ],
        { little: false },
      ),
    ],
  ])("survives 1,000 seeded mutants of a %s file", (_, source) => {
    const before = process.memoryUsage().rss;
    let refused = 0;
    let most = 0;
    for (let seed = 0; seed < 1000; seed++) {
      const start = performance.now();
      try {
        for (const { shape, values } of parseMat(mutate(source, seed), "mutant").values())
          expect(values.length, `seed ${seed}`).toBe(shape.reduce((product, size) => product * size, 1));
      } catch (error) {
        expect(error, `seed ${seed}`).toBeInstanceOf(FileError);
        refused++;
      }
      expect(performance.now() - start, `seed ${seed}`).toBeLessThan(2000);
      most = Math.max(most, process.memoryUsage().rss - before);
    }
    expect(refused).toBeGreaterThan(200);
    expect(refused).toBeLessThan(1000);
    expect(most).toBeLessThan(64 * 2 ** 20 + 4 * source.length);
  });
});

describe.skipIf(!hasShared)("the real files of Flowers 102", () => {
  const read = (name: string) => parseMat(new Uint8Array(readFileSync(shared(`data/flowers102_meta/${name}`))), name);

  it("imagelabels.mat has 8189 labels of 1 to 102", () => {
    const { shape, values } = read("imagelabels.mat").get("labels")!;
    expect(shape).toEqual([1, 8189]);
    const counts = new Map<number, number>();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 102 }, (_, index) => index + 1));
    // The publisher's page: 40 to 258 images a class.
    expect([Math.min(...counts.values()), Math.max(...counts.values())]).toEqual([40, 258]);
    expect([...values.slice(0, 3)]).toEqual([77, 77, 77]);
  });

  it("setid.mat has 1020, 1020 and 6149 images, each once, ten of each class to train and to validate", () => {
    const labels = read("imagelabels.mat").get("labels")!.values;
    const arrays = read("setid.mat");
    const parts = ["trnid", "valid", "tstid"].map((name) => [...arrays.get(name)!.values]);
    expect(parts.map((part) => part.length)).toEqual([1020, 1020, 6149]);
    expect(parts.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 8189 }, (_, index) => index + 1));
    expect(parts.map((part) => part[0])).toEqual([6765, 6773, 6734]);
    for (const part of parts.slice(0, 2)) {
      const counts = new Array<number>(102).fill(0);
      for (const number of part) counts[labels[number - 1] - 1]++;
      expect(new Set(counts)).toEqual(new Set([10]));
    }
  });
});
