import type { Tensor } from "../../engine/graph.ts";
import { affineWarp } from "../../engine/ops/affine.ts";
import { add, multiply, subtract } from "../../engine/ops/binary.ts";
import { photometric, photometricCodes } from "../../engine/ops/photometric.ts";
import { uniformField } from "../../engine/ops/randomPixels.ts";
import { constant } from "../../engine/ops/sources.ts";
import { relu, scale } from "../../engine/ops/unary.ts";
import { compose, type Matrix, rotationMatrix, translationMatrix, warpRow } from "../augment/affine.ts";
import type { ImageSize } from "../images.ts";
import { type CorruptionFamily, type CorruptionGraph, clamped, graphFamily } from "./family.ts";
import { blurredNoise, plasma } from "./fields.ts";
import { edgeOf } from "./severities.ts";

const colour = (...rgb: number[]): Tensor => constant(Float32Array.from(rgb), [1, 1, 1, 3]);

const maximum = (a: Tensor, b: Tensor): Tensor => add(a, relu(subtract(b, a)));

/** x where mask [N, H, W, 1] is 0, the paint where it is 1. */
const blend = (x: Tensor, paint: Tensor, mask: Tensor): Tensor => add(x, multiply(subtract(paint, x), mask));

/** The squared distance from the middle, 1 in the corners, [1, H, W, 1]. */
function distanceFromMiddle({ height, width }: ImageSize): Tensor {
  const along = (place: number, length: number): number => ((2 * place + 1) / length - 1) ** 2 / 2;
  const values = Float32Array.from(
    { length: height * width },
    (_, at) => along(Math.floor(at / width), height) + along(at % width, width),
  );
  return constant(values, [1, height, width, 1]);
}

/** Needles of ice in one direction: the ridges of noise stretched along it, in [0, 1]. */
function needles(graph: CorruptionGraph, turn: number): Tensor {
  const { height, width } = graph.size;
  const stretched = uniformField(graph.address(), {
    height: Math.max(4, Math.round(height / 2)),
    width: Math.max(2, Math.round(width / 14)),
    channels: 1,
  });
  const lattice = { height: stretched.shape[1], width: stretched.shape[2] };
  const matrix = graph.drawn([8], (random) => {
    const angle = turn + random.uniform(-0.15, 0.15);
    const toLattice: Matrix = [lattice.width / width, 0, 0, 0, lattice.height / height, 0, 0, 0, 1];
    return warpRow(compose(toLattice, rotationMatrix(graph.size, angle)));
  });
  const lines = affineWarp(stretched, matrix, { height, width, fill: "reflect" });
  // 1 where the noise passes 1/2, falling to 0 on both sides.
  const distance = maximum(scale(lines, 5, -2.5), scale(lines, -5, 2.5));
  return relu(scale(distance, -1, 1));
}

/** Ice on a window: needles in three directions, thicker towards the edges, [N, H, W, 1] in [0, 1]. */
function ice(graph: CorruptionGraph): Tensor {
  const crystals = [0, 1, 2].map((third) => needles(graph, (third * Math.PI) / 3 + 0.3)).reduce(maximum);
  const cover = add(scale(plasma(graph, 1.5), 2.2, -0.95), scale(distanceFromMiddle(graph.size), 0.9));
  const body = scale(plasma(graph, 1.3), 0.5, 0.12);
  return multiply(clamped(cover, 1), clamped(add(scale(crystals, 0.55), body), 1));
}

/** Drops that bulge where the noise exceeds `threshold` deviations: their mask, and the light on their slopes. */
function drops(graph: CorruptionGraph, sigma: number, threshold: number): { mask: Tensor; light: Tensor } {
  const liquid = blurredNoise(graph, sigma, 1);
  const mask = clamped(scale(liquid, 4, -4 * threshold), 1);
  const step = Math.max(1, Math.round(edgeOf(graph.size) / 112));
  const shifted = affineWarp(liquid, graph.same([8], warpRow(translationMatrix(step, step))), { fill: "nearest" });
  return { mask, light: multiply(subtract(liquid, shifted), mask) };
}

const water = colour(175, 238, 238);
const mud = colour(63, 42, 20);

export const weatherFamilies: Readonly<Record<string, CorruptionFamily>> = {
  brightness: graphFamily({
    group: "weather",
    number: 12,
    summary: "overexposed",
    formula: "V of HSV becomes clip(V + 255·a)",
    scales: {
      amount: { small: [0.05, 0.1, 0.15, 0.2, 0.3], large: [0.1, 0.2, 0.3, 0.4, 0.5], help: "a, part of the range" },
    },
    build: (x, graph, { amount }) =>
      photometric(x, graph.same([1, 2], [photometricCodes.value, 255 * amount]), { steps: ["value"] }),
  }),
  fog: graphFamily({
    group: "weather",
    number: 13,
    summary: "fog of uneven thickness",
    formula: "y = (x + 255·a·f) / (1 + a), f a plasma in [0, 1] whose octaves decay by w",
    scales: {
      amount: { small: [0.2, 0.5, 0.75, 1, 1.5], large: [1.5, 2, 2.5, 2.5, 3], help: "a" },
      decay: { small: [3, 3, 2.5, 2, 1.75], large: [2, 2, 1.7, 1.5, 1.4], help: "w" },
    },
    build: (x, graph, { amount, decay }) =>
      clamped(scale(add(x, scale(plasma(graph, decay), 255 * amount)), 1 / (1 + amount))),
  }),
  frost: graphFamily({
    group: "weather",
    number: 14,
    summary: "ice on the window, drawn as crystals in three directions",
    formula: "y = clip(a·x + b·255·ice), ice thicker towards the edges",
    scales: {
      share: { small: [1, 1, 0.9, 0.85, 0.75], large: [1, 0.8, 0.7, 0.65, 0.6], help: "a" },
      ice: { small: [0.2, 0.3, 0.4, 0.4, 0.45], large: [0.4, 0.6, 0.7, 0.7, 0.75], help: "b" },
    },
    build: (x, graph, settings) => {
      const glaze = multiply(ice(graph), colour(1.25 * 225, 1.25 * 240, 1.25 * 255));
      return clamped(add(scale(x, settings.share), scale(glaze, settings.ice)));
    },
  }),
  spatter: graphFamily({
    group: "weather",
    number: 15,
    summary: "drops of water, at the two strongest severities of mud",
    formula: "y = x + (paint − x)·o·mask, mask = where blurred noise exceeds t deviations, lit on its slopes",
    scales: {
      sigma: {
        small: [0.7, 0.7, 0.5, 0.7, 0.7],
        large: [4, 3, 2, 2, 2],
        isLength: true,
        help: "size of the drops, pixels",
      },
      threshold: { small: [1.9, 1.4, 0.9, 1.3, 1], large: [1.7, 1.1, 0.7, 1.1, 0.8], help: "t" },
      opacity: { small: [0.7, 0.6, 0.5, 1, 1], large: [0.6, 0.6, 0.5, 1, 1], help: "o" },
    },
    build: (x, graph, { sigma, threshold, opacity }) => {
      const isMud = graph.severity >= 4;
      const { mask, light } = drops(graph, sigma, threshold);
      const wet = blend(x, isMud ? mud : water, scale(mask, opacity));
      return clamped(add(wet, scale(light, isMud ? 20 : 90)));
    },
  }),
};
