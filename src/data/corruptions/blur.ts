import { warpAverage } from "../../engine/ops/affine.ts";
import { filterSquare } from "../../engine/ops/filters.ts";
import { translationMatrix, warpRow, zoomMatrix } from "../augment/affine.ts";
import { gaussianWeights } from "../augment/stages.ts";
import { type CorruptionFamily, graphFamily } from "./family.ts";

/** Points along each side of a pixel that decide how much of it a disc covers. */
const pointsPerPixel = 16;

/** The part of each pixel of a (2·reach + 1)² square that a disc of `radius` about the middle covers. */
function discCoverage(radius: number, reach: number): number[][] {
  const places = Array.from({ length: 2 * reach + 1 }, (_, index) => index - reach);
  const offsets = Array.from({ length: pointsPerPixel }, (_, index) => (index + 0.5) / pointsPerPixel - 0.5);
  const covered = (down: number, right: number): number =>
    offsets.reduce(
      (count, y) => count + offsets.filter((x) => Math.hypot(down + y, right + x) <= Math.max(radius, 0.5)).length,
      0,
    );
  return places.map((down) => places.map((right) => covered(down, right)));
}

/** A disc with a soft edge, normalised: what a point becomes out of focus. Rows of a square with an odd side. */
export function defocusKernel(radius: number, softness: number): number[] {
  const reach = Math.ceil(radius + 3 * softness);
  const disc = discCoverage(radius, reach);
  const line = gaussianWeights(softness, reach);
  const blurAt = (values: readonly number[], at: number): number =>
    values.reduce((sum, value, index) => sum + value * (line[index - at + reach] ?? 0), 0);
  const rows = disc.map((row) => row.map((_, at) => blurAt(row, at)));
  const square = rows.flatMap((row, down) =>
    row.map((_, right) =>
      blurAt(
        rows.map((other) => other[right]),
        down,
      ),
    ),
  );
  const total = square.reduce((sum, value) => sum + value, 0);
  return square.map((value) => value / total);
}

/** The largest step of a zoom blur at the picture's edge, in pixels: steps of more show as separate pictures. */
const zoomStep = 1.5;

export const blurFamilies: Readonly<Record<string, CorruptionFamily>> = {
  defocusBlur: graphFamily({
    group: "blur",
    number: 4,
    summary: "out of focus",
    formula: "y = x ∗ disc of radius r, its edge softened by σ",
    scales: {
      radius: { small: [0.3, 0.4, 0.5, 1, 1.5], large: [3, 4, 6, 8, 10], isLength: true, help: "r in pixels" },
      softness: { small: [0.4, 0.5, 0.6, 0.2, 0.1], large: [0.1, 0.5, 0.5, 0.5, 0.5], help: "σ in pixels" },
    },
    build: (x, graph, { radius, softness }) => {
      const kernel = defocusKernel(radius, softness);
      const side = Math.sqrt(kernel.length);
      return filterSquare(x, graph.same([side, side], kernel));
    },
  }),
  motionBlur: graphFamily({
    group: "blur",
    number: 5,
    summary: "the camera moves while it exposes",
    formula: "y = Σ_k w_k·x(p − k·d), k = 0 … r, w_k ∝ exp(−k²/2σ²), the direction of d ~ U(±45°)",
    scales: {
      radius: { small: [6, 6, 6, 8, 9], large: [10, 15, 15, 15, 20], isLength: true, help: "r in pixels" },
      sigma: { small: [1, 1.5, 2, 2, 2.5], large: [3, 5, 8, 12, 15], isLength: true, help: "σ in pixels" },
    },
    build: (x, graph, { radius, sigma }) => {
      const steps = Math.max(1, Math.ceil(radius)) + 1;
      const weights = Array.from({ length: steps }, (_, k) => Math.exp(-(k * k) / (2 * sigma * sigma)));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const path = graph.drawn([steps, 9], (random) => {
        const angle = random.uniform(-Math.PI / 4, Math.PI / 4);
        return weights.flatMap((weight, k) => [
          ...warpRow(translationMatrix(k * Math.cos(angle), k * Math.sin(angle))),
          weight / total,
        ]);
      });
      return warpAverage(x, path, "nearest");
    },
  }),
  zoomBlur: graphFamily({
    group: "blur",
    number: 6,
    summary: "the camera moves towards the flower while it exposes",
    formula: "y = mean of x zoomed by 1 … f about the middle",
    scales: {
      factor: { small: [1.05, 1.1, 1.15, 1.2, 1.25], large: [1.1, 1.15, 1.18, 1.24, 1.3], help: "f" },
    },
    build: (x, graph, { factor }) => {
      const { height, width } = graph.size;
      const steps = Math.max(3, Math.ceil(((factor - 1) * Math.max(height, width)) / 2 / zoomStep) + 1);
      const path = Array.from({ length: steps }, (_, k) => {
        const zoom = 1 / (1 + ((factor - 1) * k) / (steps - 1));
        return [...warpRow(zoomMatrix(graph.size, zoom, zoom)), 1 / steps];
      });
      return warpAverage(x, graph.same([steps, 9], path.flat()), "nearest");
    },
  }),
};
