import { noise as gaussian } from "../../engine/ops/erase.ts";
import { impulseNoise, shotNoise } from "../../engine/ops/randomPixels.ts";
import { type CorruptionFamily, graphFamily } from "./family.ts";

export const noiseFamilies: Readonly<Record<string, CorruptionFamily>> = {
  gaussianNoise: graphFamily({
    group: "noise",
    number: 1,
    summary: "the noise of a sensor in low light",
    formula: "y = clip(x + 255·σ·z), z standard normal for each value",
    scales: {
      sigma: {
        small: [0.04, 0.06, 0.08, 0.09, 0.1],
        large: [0.08, 0.12, 0.18, 0.26, 0.38],
        help: "σ, part of the range",
      },
    },
    build: (x, graph, { sigma }) => gaussian(x, graph.same([], [255 * sigma]), graph.address()),
  }),
  shotNoise: graphFamily({
    group: "noise",
    number: 2,
    summary: "the counting noise of light itself",
    formula: "y = clip(255/a·k), k ~ Poisson(a·x/255)",
    scales: {
      photons: { small: [500, 250, 100, 75, 50], large: [60, 25, 12, 5, 3], help: "a, photons at full brightness" },
    },
    build: (x, graph, { photons }) => shotNoise(x, graph.same([], [photons]), graph.address()),
  }),
  impulseNoise: graphFamily({
    group: "noise",
    number: 3,
    summary: "bit errors: salt and pepper in each channel",
    formula: "y = 0 or 255 with probability p/2 each, else x",
    scales: {
      share: { small: [0.01, 0.02, 0.03, 0.05, 0.07], large: [0.03, 0.06, 0.09, 0.17, 0.27], help: "p" },
    },
    build: (x, graph, { share }) => impulseNoise(x, graph.same([], [share]), graph.address()),
  }),
};
