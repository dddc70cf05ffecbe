import { drawBeta, drawDirichlet } from "./draws.ts";
import { type CompositeLayer, composite } from "./layer.ts";
import { augMixPool, drawOperation, randAugmentPool } from "./operations.ts";

/** How many chains AugMix mixes, and how long the longest is: part of its graph, as in the paper. */
export const augMixWidth = 3;
export const augMixDepth = 3;

const alpha = (value: number) =>
  ({ kind: "number", default: value, min: 0.01, max: 100, help: "of Beta(α, α)" }) as const;

/** Policies made of other operations, and the two layers that mix samples, by name. */
export const mixedLayers: Readonly<Record<string, CompositeLayer>> = {
  randAugment: composite({
    kind: "randAugment",
    number: 48,
    summary: `draws operations of one strength (Cubuk et al. 2020) among ${randAugmentPool.join(", ")}`,
    formula: "the geometric ones first, in one resampling; then the others in the order drawn; each sign a coin",
    fields: {
      operations: { kind: "integer", default: 2, min: 1, max: 4, help: "drawn for each image, with repetition" },
      magnitude: { kind: "number", default: 6, min: 0, max: 10, help: "strength; 10 is the greatest" },
    },
    draw: ({ operations, magnitude }, random) => ({
      operations: Array.from({ length: operations }, () => drawOperation(random, randAugmentPool, magnitude / 10)),
    }),
  }),
  augMix: composite({
    kind: "augMix",
    number: 49,
    summary: `mixes an image with ${augMixWidth} chains of operations (Hendrycks et al. 2020) among ${augMixPool.join(", ")}`,
    formula: "y = m·x + (1 − m)·Σ w_i·chain_i(x), m ~ Beta(α, α), w ~ Dirichlet(α), 1 to 3 operations a chain",
    fields: {
      severity: {
        kind: "number",
        default: 3,
        min: 0,
        max: 10,
        help: "the greatest strength; each operation draws up to it",
      },
      alpha: alpha(1),
    },
    draw: ({ severity, alpha: a }, random) => {
      const weights = drawDirichlet(random, a, augMixWidth);
      const own = drawBeta(random, a, a);
      const chains = weights.map(() =>
        Array.from({ length: 1 + random.integer(augMixDepth) }, () =>
          drawOperation(random, augMixPool, random.uniform(0.1, Math.max(severity, 0.1)) / 10),
        ),
      );
      return { own, weights, chains };
    },
  }),
  mixUp: composite({
    kind: "mixUp",
    number: 64,
    summary: "mixes an image and its label with a partner's (Zhang et al. 2018); the last layer",
    formula: "y = λ·x + (1 − λ)·x_partner, the same for one-hot labels, λ ~ Beta(α, α) per image",
    fields: { alpha: alpha(0.2) },
    draw: ({ alpha: a }, random) => ({ lambda: drawBeta(random, a, a) }),
  }),
  cutMix: composite({
    kind: "cutMix",
    number: 65,
    summary: "puts a rectangle of a partner into an image, the label by area (Yun et al. 2019); the last layer",
    formula:
      "box √(1 − λ) of each side about a uniform centre, cut at the border, λ ~ Beta(α, α); label 1 − box / (H·W), by whole pixels (keras3: before rounding)",
    fields: { alpha: alpha(1) },
    draw: ({ alpha: a }, random) => ({ lambda: drawBeta(random, a, a), y: random.uniform(), x: random.uniform() }),
  }),
};
