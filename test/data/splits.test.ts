import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchPixels, countByClass, type LabelledImages, selectImages } from "../../src/data/datasets.ts";
import { labelsOf, parseSplit, stratifiedSplit } from "../../src/data/splits.ts";
import { DataError, FileError } from "../../src/engine/errors.ts";

describe("stratifiedSplit", () => {
  const cases = fc.record({
    labels: fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 200 }),
    validation: fc.double({ min: 0, max: 0.45, noNaN: true }),
    test: fc.double({ min: 0, max: 0.45, noNaN: true }),
    seed: fc.nat(),
  });

  it("puts every example in exactly one part, ascending, the same each time", () => {
    fc.assert(
      fc.property(cases, ({ labels, ...options }) => {
        const split = stratifiedSplit(labels, options);
        const parts = [split.train, split.validation, split.test];
        expect(parts.flat().sort((a, b) => a - b)).toEqual(labels.map((_, index) => index));
        for (const part of parts) expect(part).toEqual([...part].sort((a, b) => a - b));
        expect(stratifiedSplit(labels, options)).toEqual(split);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it("is stratified: each class has its share, and a place in each part where it has enough", () => {
    fc.assert(
      fc.property(cases, ({ labels, ...options }) => {
        const split = stratifiedSplit(labels, options);
        const counts = countByClass(labels, 7);
        const of = (part: number[]) =>
          countByClass(
            part.map((index) => labels[index]),
            7,
          );
        const [train, validation, test] = [of(split.train), of(split.validation), of(split.test)];
        counts.forEach((count, label) => {
          if (count > 0) expect(train[label]).toBeGreaterThan(0);
          if (count >= 3) {
            expect(validation[label] > 0).toBe(options.validation > 0);
            expect(test[label] > 0).toBe(options.test > 0);
          }
          if (count >= 20) expect(Math.abs(validation[label] - options.validation * count)).toBeLessThanOrEqual(1);
          if (count >= 20) expect(Math.abs(test[label] - options.test * count)).toBeLessThanOrEqual(1);
        });
      }),
      { seed: 2, numRuns: 200 },
    );
  });

  it("changes with the seed, and differs between classes", () => {
    const labels = Array.from({ length: 200 }, (_, index) => index % 2);
    const first = stratifiedSplit(labels, { validation: 0.2, test: 0.2, seed: 1 });
    expect(stratifiedSplit(labels, { validation: 0.2, test: 0.2, seed: 2 })).not.toEqual(first);
    const places = (label: number) => first.test.filter((i) => labels[i] === label).map((i) => Math.floor(i / 2));
    expect(places(0)).not.toEqual(places(1));
  });

  it.each([
    [-0.1, 0],
    [0.5, 0.5],
    [Number.NaN, 0],
    [0, 1],
  ])("refuses shares %d and %d", (validation, test) => {
    expect(() => stratifiedSplit([0, 1], { validation, test, seed: 0 })).toThrow(DataError);
  });
});

describe("parseSplit", () => {
  it("reads the layout", () => {
    const split = parseSplit('{"classes":["a","b"],"train":["b/1.jpg","a/2.jpg"],"validation":["a/1.jpg"]}', "s.json");
    expect(split).toEqual({ classes: ["a", "b"], train: ["b/1.jpg", "a/2.jpg"], validation: ["a/1.jpg"], test: [] });
    expect([...labelsOf(split.train, split.classes)]).toEqual([1, 0]);
  });

  const base = { classes: ["a", "b"], train: ["a/1"], validation: ["b/1"] };
  it.each([
    ["text", "no", /is not JSON/],
    ["a list", "[]", /not a JSON object/],
    ["no classes", JSON.stringify({ train: [] }), /"classes" is not a list/],
    ["numbers", JSON.stringify({ ...base, test: [1] }), /"test" is not a list of strings/],
    ["nothing to train on", JSON.stringify({ ...base, train: [] }), /"train" is empty/],
    ["one class", JSON.stringify({ ...base, classes: ["a"] }), /two classes or more, has 1/],
    ["a class twice", JSON.stringify({ ...base, classes: ["a", "b", "a"] }), /a class twice/],
    ["an escape", JSON.stringify({ ...base, train: ["../1"] }), /not of the form class\/file/],
    ["a deep path", JSON.stringify({ ...base, train: ["a/b/1"] }), /not of the form/],
    ["an absolute path", JSON.stringify({ ...base, train: ["/1"] }), /not of the form/],
    ["an unknown class", JSON.stringify({ ...base, train: ["c/1"] }), /"c\/1" is of a class/],
    ["a leak", JSON.stringify({ ...base, validation: ["a/1"] }), /"a\/1" is listed twice/],
  ])("names %s", (_, text, message) => {
    expect(() => parseSplit(text, "s.json")).toThrow(FileError);
    expect(() => parseSplit(text, "s.json")).toThrow(message);
    expect(() => parseSplit(text, "s.json")).toThrow(/^s\.json: /);
  });
});

describe("LabelledImages", () => {
  const images: LabelledImages = {
    classNames: ["a", "b"],
    names: ["a/0", "b/1", "b/2"],
    labels: Int32Array.of(0, 1, 1),
    ids: [4, 7, 9],
    height: 1,
    width: 2,
    pixels: Uint8Array.from({ length: 18 }, (_, i) => i),
  };

  it("selects and batches by index", () => {
    const chosen = selectImages(images, [2, 0]);
    expect(chosen.names).toEqual(["b/2", "a/0"]);
    expect([...chosen.labels]).toEqual([1, 0]);
    expect(chosen.ids).toEqual([9, 4]);
    expect([...chosen.pixels]).toEqual([12, 13, 14, 15, 16, 17, 0, 1, 2, 3, 4, 5]);
    const target = new Float32Array(6);
    expect(batchPixels(images, [1], target)).toBe(target);
    expect([...target]).toEqual([6, 7, 8, 9, 10, 11]);
    expect(batchPixels(images, [2, 0])).toEqual(Float32Array.from(chosen.pixels));
    expect(countByClass(images.labels, 2)).toEqual([1, 2]);
  });
});
