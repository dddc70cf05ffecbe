import { expect, it } from "vitest";
import { colourScale, enlarged, picturesOf, rangesOf } from "../../src/cli/explain/outputs.ts";
import { UsageError } from "../../src/engine/errors.ts";
import type { Explanation } from "../../src/xai/explanation.ts";

const map = (values: readonly number[]): Explanation => ({
  ...{ method: "gradcam", target: 0, status: "ok", cost: { forwards: 0, gradients: 1 }, details: {} },
  heatmap: { height: 1, width: 2, values: Float32Array.from(values), signed: false },
});
const grey = (height: number, width: number) => ({ height, width, data: new Uint8Array(3 * height * width).fill(90) });

it("pictures of small networks are enlarged by a whole factor with hard edges, others stay", () => {
  const small = { height: 64, width: 64, data: Uint8Array.from({ length: 3 * 64 * 64 }, (_, at) => (7 * at) % 251) };
  const large = enlarged(small);
  expect([large.height, large.width]).toEqual([192, 192]);
  for (const [y, x] of [
    [0, 0],
    [3, 2],
    [191, 100],
  ])
    expect([...large.data.subarray(3 * (192 * y + x), 3 * (192 * y + x) + 3)]).toEqual(
      [0, 1, 2].map((c) => small.data[3 * (64 * Math.floor(y / 3) + Math.floor(x / 3)) + c]),
    );
  const readable = grey(224, 224);
  expect(enlarged(readable).data).toBe(readable.data);
});

it("a fixed scale draws equal numbers alike in any run, where a map's own range does not", () => {
  const only = (...values: (readonly number[])[]) => ({ method: "gradcam", explanations: values.map(map) });
  const draw = (values: readonly number[], scale: "own" | "shared" | number) =>
    picturesOf(only(values), [grey(160, 160)], { ranges: rangesOf(only(values), scale), colormap: "ember" })[0];
  const first = (picture: { data: Uint8Array }) => [...picture.data.subarray(0, 3)];
  expect(first(draw([0.5, 1], 2))).toEqual(first(draw([0.5, 0.1], 2)));
  expect(first(draw([0.5, 1], "own"))).not.toEqual(first(draw([0.5, 0.1], "own")));
  const [low, high] = [
    [0.5, 0.1],
    [0.5, 1],
  ];
  expect(rangesOf(only(low, high), "own")).toEqual([0.5, 1]);
  expect(rangesOf(only(low, high), "shared")).toEqual([1, 1]);
  expect(rangesOf(only(low, high), 2)).toEqual([2, 2]);
  expect(colourScale("0.25")).toBe(0.25);
  for (const wrong of ["0", "-1", "half", "", "Infinity"]) expect(() => colourScale(wrong)).toThrow(UsageError);
});
