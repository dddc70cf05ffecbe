import { expect, it } from "vitest";
import { drawSheet } from "../../src/cli/drawing/sheet.ts";

const size = 96;
const white = { width: size, height: size, data: new Uint8Array(3 * size * size).fill(255) };

/** Places of a sheet's dots, [x, y]. */
function dotsOf({ width, data }: ReturnType<typeof drawSheet>): [number, number][] {
  return [...data.keys()]
    .filter((at) => at % 3 === 0 && data[at] < 255)
    .map((at) => [(at / 3) % width, Math.floor(at / 3 / width)]);
}

it("a label that is too long for its cell goes on below, and stays off its neighbours", () => {
  const cells = (label: string) => [
    { image: white, label },
    { image: white, label: "" },
  ];
  const dots = dotsOf(drawSheet([{ cells: cells("integrated gradients: not converged") }]));
  const lines = new Set(dots.map(([, y]) => y));
  expect(Math.max(...dots.map(([x]) => x))).toBeLessThan(6 + size);
  expect(Math.max(...lines) - Math.min(...lines)).toBeGreaterThan(9);
  const short = new Set(dotsOf(drawSheet([{ cells: cells("occlusion") }])).map(([, y]) => y));
  expect(Math.max(...short) - Math.min(...short)).toBeLessThan(9);
});

it("a title that is too long for the sheet goes on below it", () => {
  const cells = [0, 1, 2].map(() => ({ image: white, label: "" }));
  const whole = dotsOf(drawSheet([{ title: "some-name: dandelion (55.2 %) and not chrysanthemum (12.3 %)", cells }]));
  const start = dotsOf(drawSheet([{ title: "some-name: dandelion (55.2 %) and not", cells }]));
  expect(whole.length).toBeGreaterThan(1.5 * start.length);
  expect(Math.max(...whole.map(([, y]) => y))).toBeLessThan(6 + 2 * 7 + 2 * 6);
});
