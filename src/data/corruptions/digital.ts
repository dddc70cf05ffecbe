import { affineWarp, displace } from "../../engine/ops/affine.ts";
import { photometric, photometricCodes } from "../../engine/ops/photometric.ts";
import { pixelate } from "../../engine/ops/pixelate.ts";
import { scale } from "../../engine/ops/unary.ts";
import type { CounterRandom } from "../../engine/random.ts";
import { type Matrix, warpRow } from "../augment/affine.ts";
import type { ImageSize } from "../images.ts";
import { type CorruptionFamily, graphFamily } from "./family.ts";
import { blurredNoise } from "./fields.ts";
import { edgeOf } from "./severities.ts";

/** Displacements of less than this many pixels are not drawn. */
const leastDisplacement = 0.02;

/** The affine map that moves three points about the middle, a third of the size apart, by up to `jitter` pixels each. */
export function jitteredMatrix({ height, width }: ImageSize, jitter: number, random: CounterRandom): Matrix {
  const reach = Math.floor(Math.min(height, width) / 3);
  const [x, y] = [(width - 1) / 2, (height - 1) / 2];
  const move = (): number => random.uniform(-jitter, jitter);
  const corner = { x: x + reach + move(), y: y + reach + move() };
  const above = { x: x + reach + move(), y: y - reach + move() };
  const left = { x: x - reach + move(), y: y - reach + move() };
  const alongX = { x: (above.x - left.x) / (2 * reach), y: (above.y - left.y) / (2 * reach) };
  const alongY = { x: (corner.x - above.x) / (2 * reach), y: (corner.y - above.y) / (2 * reach) };
  const from = (axis: "x" | "y"): number => corner[axis] - alongX[axis] * (x + reach) - alongY[axis] * (y + reach);
  return [alongX.x, alongY.x, from("x"), alongX.y, alongY.y, from("y"), 0, 0, 1];
}

export const digitalFamilies: Readonly<Record<string, CorruptionFamily>> = {
  contrast: graphFamily({
    group: "digital",
    number: 7,
    summary: "flat light",
    formula: "y = clip((x − μ)·c + μ), μ per image and channel",
    scales: {
      factor: { small: [0.75, 0.5, 0.4, 0.3, 0.15], large: [0.4, 0.3, 0.2, 0.1, 0.05], help: "c" },
    },
    build: (x, graph, { factor }) =>
      photometric(x, graph.same([1, 2], [photometricCodes.contrast, factor]), { contrast: true, steps: ["contrast"] }),
  }),
  pixelate: graphFamily({
    group: "digital",
    number: 8,
    summary: "enlarged from too few pixels",
    formula: "y = mean of x over cells, s·H × s·W of them",
    scales: {
      scale: { small: [0.95, 0.9, 0.85, 0.75, 0.65], large: [0.6, 0.5, 0.4, 0.3, 0.25], help: "s" },
    },
    build: (x, { size }, settings) =>
      pixelate(x, {
        rows: Math.max(1, Math.round(size.height * settings.scale)),
        columns: Math.max(1, Math.round(size.width * settings.scale)),
      }),
  }),
  saturate: graphFamily({
    group: "digital",
    number: 9,
    summary: "colours too weak or too strong",
    formula: "S of HSV becomes clip(S·a + b); a grey stays",
    scales: {
      factor: { small: [0.3, 0.1, 1.5, 2, 2.5], large: [0.3, 0.1, 2, 5, 20], help: "a" },
      shift: { small: [0, 0, 0, 0.1, 0.2], large: [0, 0, 0, 0.1, 0.2], help: "b" },
    },
    build: (x, graph, { factor, shift }) => {
      const program = [photometricCodes.chroma, factor, photometricCodes.chromaShift, shift];
      return photometric(x, graph.same([2, 2], program), { steps: ["chroma", "chromaShift"] });
    },
  }),
  elastic: graphFamily({
    group: "digital",
    number: 10,
    summary: "stretched and rippled like rubber (Simard, Steinkraus and Platt 2003)",
    formula:
      "three points move by U(±j·size) each, then u = p + d(p), d Gaussian noise blurred by σ to a deviation of a",
    scales: {
      jitter: {
        small: [0.08, 0.07, 0.06, 0.05, 0.03],
        large: [0.1, 0.2, 0.02, 0.02, 0.02],
        help: "j, part of the edge",
      },
      sigma: {
        small: [1, 6.4, 1.92, 1.28, 0.96],
        large: [1, 19.5, 2.44, 2.44, 2.44],
        isLength: true,
        help: "σ in pixels",
      },
      amplitude: {
        small: [0, 0.04, 0.22, 0.41, 0.54],
        large: [0, 4.1, 0.81, 1.14, 1.95],
        isLength: true,
        help: "a in pixels",
      },
    },
    build: (x, graph, { jitter, sigma, amplitude }) => {
      const matrix = graph.drawn([8], (random) =>
        warpRow(jitteredMatrix(graph.size, jitter * edgeOf(graph.size), random)),
      );
      const moved = affineWarp(x, matrix, { fill: "reflect" });
      if (amplitude < leastDisplacement) return moved;
      return displace(moved, scale(blurredNoise(graph, sigma, 2), amplitude));
    },
  }),
  jpeg: {
    kind: "codec",
    group: "digital",
    number: 11,
    summary: "compressed too much",
    formula: "y = decode(encode(x, q)) by a JPEG codec, colours at half resolution",
    scales: {
      quality: { small: [80, 65, 58, 50, 40], large: [25, 18, 15, 10, 7], help: "q from 1 to 100" },
    },
  },
};
