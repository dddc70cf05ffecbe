import { beforeAll, describe, expect, it } from "vitest";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { ShapeError, UsageError } from "../../src/engine/errors.ts";
import { findLabel, type Tensor } from "../../src/engine/graph.ts";
import { inverseNormal } from "../../src/engine/ops/erase.ts";
import { maxReduce } from "../../src/engine/ops/extremes.ts";
import { randomBitsAt } from "../../src/engine/random.ts";
import { gaussianBlur } from "../../src/xai/baselines.ts";
import { largestSigma } from "../../src/xai/blurPath.ts";
import type { Explanation, MethodOptions, Target } from "../../src/xai/explanation.ts";
import { guidedStep } from "../../src/xai/guidedPath.ts";
import { explain, methodNamed, methodNames, methodsFor } from "../../src/xai/methods.ts";
import type { ExplainableModel } from "../../src/xai/model.ts";
import { occlusionWindows, riseMasks } from "../../src/xai/perturbation.ts";
import { quadrature } from "../../src/xai/quadrature.ts";
import { testDevice } from "../device.ts";
import {
  first,
  firstLayer,
  headOf,
  last,
  lastLayer,
  logitsOf,
  preprocessed,
  randomPixels,
  size,
  slopes,
  smallModel,
} from "./smallNetwork.ts";

let model: ExplainableModel;
beforeAll(async () => {
  model = smallModel(await testDevice());
});

const pixels = randomPixels(2);
const perImage = size * size * 3;
const image = pixels.subarray(0, perImage);
const x = preprocessed(image);

const one = async (method: string, target: Target, options: MethodOptions = {}, of = image): Promise<Explanation> =>
  (await explain(model, of, { method, target, ...options }))[0];

const softmax = (values: ArrayLike<number>): Float64Array => {
  const powers = Float64Array.from(values, Math.exp);
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
};
const relu = (values: Float64Array): Float64Array => values.map((value) => Math.max(0, value));

/** The score of a target in plain arithmetic. */
type ScoreOf = (logits: Float64Array) => number;
const logit =
  (k: number): ScoreOf =>
  (logits) =>
    logits[k];

/** Activation and gradient of a layer in float64: the gradient by central differences through the rest of the network. */
function at(layer: "first" | "last", score: ScoreOf) {
  const one = firstLayer(x);
  const activation = layer === "first" ? one : lastLayer(one);
  const rest =
    layer === "first" ? (a: Float64Array) => score(headOf(lastLayer(a))) : (a: Float64Array) => score(headOf(a));
  const { channels, size: side } = layer === "first" ? first : last;
  return { activation, gradient: slopes(rest, activation), channels, places: side * side };
}
type Layer = ReturnType<typeof at>;

const sumChannels = ({ channels, places }: Layer, value: (at: number, channel: number) => number): Float64Array =>
  Float64Array.from({ length: places }, (_, place) => {
    let total = 0;
    for (let c = 0; c < channels; c++) total += value(place * channels + c, c);
    return total;
  });

const overPlaces = ({ channels, places }: Layer, value: (at: number, channel: number) => number): Float64Array =>
  Float64Array.from({ length: channels }, (_, c) => {
    let total = 0;
    for (let place = 0; place < places; place++) total += value(place * channels + c, c);
    return total;
  });

/** The definitions of the CAM family, from the papers and pytorch-grad-cam, before the cut at zero. */
const definitions: Record<string, (layer: Layer) => Float64Array> = {
  gradcam(layer) {
    const weights = overPlaces(layer, (at) => layer.gradient[at] / layer.places);
    return sumChannels(layer, (at, c) => weights[c] * layer.activation[at]);
  },
  "gradcam++"(layer) {
    const { activation: a, gradient: g } = layer;
    const totals = overPlaces(layer, (at) => a[at]);
    const alpha = (at: number, c: number): number =>
      g[at] === 0 ? 0 : g[at] ** 2 / (2 * g[at] ** 2 + totals[c] * g[at] ** 3 + 1e-6);
    const weights = overPlaces(layer, (at, c) => Math.max(g[at], 0) * alpha(at, c));
    return sumChannels(layer, (at, c) => weights[c] * a[at]);
  },
  hirescam: (layer) => sumChannels(layer, (at) => layer.gradient[at] * layer.activation[at]),
  layercam: (layer) => sumChannels(layer, (at) => Math.max(0, layer.gradient[at]) * layer.activation[at]),
};

describe("the CAM family against its definitions in float64", () => {
  const targets: Record<string, [Target, ScoreOf]> = {
    "one class": [2, logit(2)],
    "a difference": [{ class: 0, versus: 3 }, (logits) => logits[0] - logits[3]],
    "several classes": [
      [
        { class: 1, weight: 1 },
        { class: 2, weight: 0.5 },
      ],
      (logits) => logits[1] + 0.5 * logits[2],
    ],
  };
  for (const method of Object.keys(definitions))
    for (const [kind, [target, score]] of Object.entries(targets))
      for (const layer of ["first", "last"] as const)
        it(`${method}, ${kind}, ${layer}`, async () => {
          const want = definitions[method](at(layer, score));
          const layers = [{ first, last }[layer].label];
          const signed = await one(method, target, { layers, signed: true });
          expect(relativeL2(signed.heatmap.values, want)).toBeLessThan(2e-5);
          const cut = await one(method, target, { layers });
          expect(relativeL2(cut.heatmap.values, relu(want))).toBeLessThan(2e-5);
          expect(cut.heatmap.signed).toBe(false);
        });

  it("explains probabilities too, and finds the last spatial activation by itself", async () => {
    const want = definitions.gradcam(at("last", (logits) => softmax(logits)[1]));
    const { heatmap, details } = await one("gradcam", 1, { score: "prob", signed: true });
    expect(details.layers).toEqual([last.label]);
    expect(relativeL2(heatmap.values, want)).toBeLessThan(2e-5);
  });

  for (const score of ["logit", "prob"] as const)
    it(`exactCam is Grad-CAM of the ${score} without a backward pass`, async () => {
      for (const target of [1, { class: 2, versus: 0 }]) {
        const exact = await one("exactcam", target, { score, signed: true });
        const byGradient = await one("gradcam", target, { score, signed: true });
        expect(relativeL2(exact.heatmap.values, byGradient.heatmap.values)).toBeLessThan(1e-6);
        expect(exact.cost).toEqual({ forwards: 1, gradients: 0 });
      }
    });

  it("exactCam refuses what has no closed form, and `methodsFor` leaves it out", async () => {
    const { able, unable } = methodsFor(model, { layers: [last.label] });
    expect([able.map(({ name }) => name), unable]).toEqual([methodNames, []]);
    expect((await one("exactcam", 1, { layers: [last.label] })).details.layers).toEqual([last.label]);

    await expect(one("exactcam", 1, { layers: [first.label] })).rejects.toThrow(
      /last_relu.* alone, found layer "first_relu"/,
    );
    const maxPooled: ExplainableModel = {
      ...model,
      build: (input) => {
        const map = findLabel({ outputs: { logits: model.build(input).logits as Tensor } }, last.label);
        return { logits: maxReduce(map, [1, 2]) };
      },
    };
    for (const [subject, layers] of [
      [model, [first.label]],
      [maxPooled, undefined],
    ] as const) {
      const found = methodsFor(subject, { layers });
      expect(found.able.map(({ name }) => name)).toEqual(methodNames.filter((name) => name !== "exactcam"));
      expect(found.unable).toEqual([{ method: "exactcam", reason: expect.stringContaining("use gradcam") }]);
    }
  });

  it("EigenCAM projects on the first principal axis", async () => {
    const layer = at("first", logit(0));
    const means = overPlaces(layer, (at) => layer.activation[at] / layer.places);
    const centred = layer.activation.map((value, at) => value - means[at % layer.channels]);
    let axis = new Float64Array(layer.channels).fill(1);
    let map = new Float64Array(layer.places);
    for (let turn = 0; turn < 2000; turn++) {
      map = sumChannels({ ...layer }, (at, c) => centred[at] * axis[c]) as typeof map;
      axis = overPlaces(layer, (at) => centred[at] * map[Math.floor(at / layer.channels)]) as typeof axis;
      const length = Math.hypot(...axis);
      axis = axis.map((value) => value / length);
    }
    const { heatmap } = await one("eigencam", 0, { layers: [first.label], signed: true });
    const sign = Math.sign(map.reduce((sum, value, at) => sum + value * heatmap.values[at], 0));
    expect(
      relativeL2(
        heatmap.values,
        map.map((value) => sign * value),
      ),
    ).toBeLessThan(1e-5);
  });

  it("Score-CAM weighs channels by the softmax of masked scores", async () => {
    const layer = at("last", logit(2));
    const scores = Array.from({ length: layer.channels }, (_, c) => {
      const channel = Float64Array.from(
        { length: layer.places },
        (_, place) => layer.activation[place * layer.channels + c],
      );
      const mask = halfPixel(channel, last.size, size);
      const [low, high] = [Math.min(...mask), Math.max(...mask)];
      return logitsOf(x.map((value, at) => (value * (mask[Math.floor(at / 3)] - low)) / (high - low + 1e-8)))[2];
    });
    const weights = softmax(scores);
    const want = sumChannels(layer, (at, c) => weights[c] * layer.activation[at]);
    const { heatmap, cost } = await one("scorecam", 2);
    expect(relativeL2(heatmap.values, relu(want))).toBeLessThan(1e-5);
    expect(cost.forwards).toBe(layer.channels + 1);
  });

  it("fuses layers at the image's size with equal weight", async () => {
    const layers = [first.label, last.label];
    const { heatmap } = await one("layercam", 1, { layers });
    const maps = (["first", "last"] as const).map((name) => relu(definitions.layercam(at(name, logit(1)))));
    const scaled = maps.map((map) =>
      halfPixel(
        map.map((value) => value / Math.max(...map)),
        6,
        size,
      ),
    );
    expect(
      relativeL2(
        heatmap.values,
        scaled[0].map((value, at) => (value + scaled[1][at]) / 2),
      ),
    ).toBeLessThan(2e-5);
  });

  it("says that there is no positive evidence", async () => {
    const black = new Float32Array(perImage).fill(64);
    const { status, heatmap } = await one("gradcam", 0, {}, black);
    expect(status).toBe("no positive evidence");
    expect(heatmap.values.every((value) => value === 0)).toBe(true);
  });
});

/** Bilinear up-sampling with half-pixel centres, as tf.image.resize and torch (align_corners = False) have it. */
function halfPixel(map: Float64Array, from: number, to: number): Float64Array {
  const clamp = (place: number): number => Math.min(from - 1, Math.max(0, place));
  return Float64Array.from({ length: to * to }, (_, index) => {
    const [y, x] = [Math.floor(index / to), index % to].map((place) => clamp(((place + 0.5) * from) / to - 0.5));
    let value = 0;
    for (const [row, a] of [
      [Math.floor(y), 1 - (y % 1)],
      [Math.floor(y) + 1, y % 1],
    ])
      for (const [column, b] of [
        [Math.floor(x), 1 - (x % 1)],
        [Math.floor(x) + 1, x % 1],
      ])
        value += a * b * map[clamp(row) * from + clamp(column)];
    return value;
  });
}

const gradientOf = (point: Float64Array, score: ScoreOf): Float64Array => slopes((p) => score(logitsOf(p)), point);

/** Integrated Gradients in float64 with central differences: (x − x₀) Σ w · gradient. */
function integrated(
  origin: Float64Array,
  score: ScoreOf,
  nodes: ArrayLike<number>,
  weights: ArrayLike<number>,
): Float64Array {
  const total = new Float64Array(x.length);
  for (let step = 0; step < nodes.length; step++) {
    const gradient = gradientOf(
      x.map((value, at) => origin[at] + nodes[step] * (value - origin[at])),
      score,
    );
    gradient.forEach((value, at) => {
      total[at] += weights[step] * value * (x[at] - origin[at]);
    });
  }
  return total;
}

const black = preprocessed(new Float32Array(perImage));

describe("gradients, paths and perturbations against their definitions in float64", () => {
  const score = logit(1);

  it("saliency is |gradient|, input × gradient its product with the input", async () => {
    const gradient = gradientOf(x, score);
    const saliency = await one("saliency", 1);
    expect(relativeL2(saliency.attribution as Float32Array, gradient.map(Math.abs))).toBeLessThan(2e-5);
    expect(saliency.heatmap.values[5]).toBe(Math.max(...(saliency.attribution as Float32Array).subarray(15, 18)));
    const product = await one("input-x-gradient", 1);
    expect(
      relativeL2(
        product.attribution as Float32Array,
        gradient.map((value, at) => value * x[at]),
      ),
    ).toBeLessThan(2e-5);
  });

  // The points of each rule as Captum and the course practical define them, written out.
  const n = 9;
  const even = (at: (step: number) => number) => Array.from({ length: n }, (_, step) => at(step));
  const rules: Record<string, [number[], number[]]> = {
    linspace: [even((k) => k / (n - 1)), even(() => 1 / n)],
    left: [even((k) => k / n), even(() => 1 / n)],
    right: [even((k) => (k + 1) / n), even(() => 1 / n)],
    midpoint: [even((k) => (k + 0.5) / n), even(() => 1 / n)],
    trapezoid: [even((k) => k / (n - 1)), even((k) => (k === 0 || k === n - 1 ? 0.5 : 1) / (n - 1))],
    "gauss-legendre": [
      Array.from(quadrature("gauss-legendre", n).nodes),
      Array.from(quadrature("gauss-legendre", n).weights),
    ],
  };
  for (const [rule, [nodes, weights]] of Object.entries(rules))
    it(`Integrated Gradients, ${rule}`, async () => {
      const got = await one("ig", 1, { rule: rule as never, steps: n });
      const want = integrated(black, score, nodes, weights);
      expect(relativeL2(got.attribution as Float32Array, want)).toBeLessThan(5e-5);
      const rise = score(logitsOf(x)) - score(logitsOf(black));
      const gap = Math.abs(want.reduce((sum, value) => sum + value, 0) - rise);
      expect(Math.abs((got.details.completenessGap as number) - gap)).toBeLessThan(1e-4 * (1 + gap));
    });

  it("Integrated Gradients until nothing moves, for each image on its own", async () => {
    const results = await explain(model, pixels, { method: "ig", target: { each: [1, 2] }, rule: "adaptive" });
    const reference = await one("ig", 1, { rule: "midpoint", steps: 1024 });
    const want = reference.attribution as Float32Array;
    expect(results.map(({ status }) => status)).toEqual(["ok", "ok"]);
    expect(relativeL2(results[0].attribution as Float32Array, want)).toBeLessThan(3e-2);
    for (const { details, cost } of results) {
      expect(details.relativeGap as number).toBeLessThanOrEqual(1e-2);
      expect(details.mapChange as number).toBeLessThanOrEqual(3e-2);
      expect(cost.gradients).toBe(details.evaluations);
    }
  });

  it("averages baselines: expected gradients", async () => {
    const options = { rule: "midpoint", steps: 4 } as const;
    const both = await one("ig", 1, { ...options, baselines: ["black", "blur"] });
    const parts = [
      await one("ig", 1, { ...options, baselines: ["black"] }),
      await one("ig", 1, { ...options, baselines: ["blur"] }),
    ];
    const mean = (parts[0].attribution as Float32Array).map(
      (value, at) => (value + (parts[1].attribution as Float32Array)[at]) / 2,
    );
    expect(relativeL2(both.attribution as Float32Array, mean)).toBeLessThan(1e-6);
  });

  it("Blur IG follows the exact derivative of the blur", async () => {
    const steps = 6;
    const sigmas = Array.from({ length: steps }, (_, k) => largestSigma([size, size]) * (1 - (k + 0.5) / steps));
    const blurred = (sigma: number) => preprocessed(blur64(image, sigma));
    const want = new Float64Array(x.length);
    for (const sigma of sigmas) {
      const [above, below] = [blurred(sigma + 1e-5), blurred(sigma - 1e-5)];
      gradientOf(blurred(sigma), score).forEach((value, at) => {
        want[at] -= ((value * (above[at] - below[at])) / 2e-5) * (largestSigma([size, size]) / steps);
      });
    }
    const got = await one("blur-ig", 1, { rule: "midpoint", steps });
    expect(relativeL2(got.attribution as Float32Array, want)).toBeLessThan(1e-4);
    // The baseline `blur` is the same filter with a shorter tail.
    expect(relativeL2(gaussianBlur(image, [size, size], 1), blur64(image, 1))).toBeLessThan(5e-3);
  });

  it("SmoothGrad and VarGrad are mean and variance of the gradients of noisy copies", async () => {
    const samples = 5;
    const deviation = (0.15 * (Math.max(...image) - Math.min(...image))) / 64;
    const draws = Array.from({ length: samples }, (_, sample) =>
      gradientOf(
        x.map((value, lane) => {
          const bits = randomBitsAt({ seed: 7, stream: 0, sample, op: 0, lane });
          return value + deviation * inverseNormal(((bits >>> 9) + 0.5) * 2 ** -23);
        }),
        score,
      ),
    );
    const mean = x.map((_, at) => draws.reduce((sum, draw) => sum + draw[at] / samples, 0));
    const variance = x.map((_, at) => draws.reduce((sum, draw) => sum + (draw[at] - mean[at]) ** 2 / samples, 0));
    const smooth = await one("smoothgrad", 1, { samples, seed: 7 });
    expect(relativeL2(smooth.attribution as Float32Array, mean)).toBeLessThan(1e-4);
    const varied = await one("vargrad", 1, { samples, seed: 7 });
    expect(relativeL2(varied.attribution as Float32Array, variance)).toBeLessThan(1e-4);
  });

  it("Guided IG walks the path of its paper", async () => {
    const steps = 6;
    // From a flat image, gradients at different places would tie but for rounding.
    const start = randomPixels(3).subarray(2 * perImage);
    const want = guidedPath(preprocessed(start), x, steps, score);
    const guided = await one("guided-ig", 1, { steps, baselines: [start] });
    expect(relativeL2(guided.attribution as Float32Array, want)).toBeLessThan(1e-3);
    expect(guided.cost.gradients).toBe(steps + 1);
  });

  it("Guided IG moves the values up to the lower quantile where a quarter of them is no whole number", () => {
    const [image, origin] = [new Float32Array(6).fill(1), new Float32Array(6)];
    const walk = { x: new Float64Array(6), attribution: new Float64Array(6), image, origin };
    guidedStep(walk, Float32Array.of(1, 2, 3, 4, 5, 6), 0.5, 5, { fraction: 0.25, maxDistance: 0.5 });
    expect([...walk.x]).toEqual([0.5, 0.5, 0, 0, 0, 0]);
    expect([...walk.attribution]).toEqual([0.5, 1, 0, 0, 0, 0]);
  });

  it("occlusion is the mean fall of the score over the windows that hide a place", async () => {
    const { heatmap, details } = await one("occlusion", 1, { steps: 4 });
    const [window, stride] = [3, 2];
    expect(details).toMatchObject({ window, stride });
    const whole = score(logitsOf(x));
    const want = new Float64Array(size * size);
    const count = new Float64Array(size * size);
    for (let top = 0; top < size; top += stride)
      for (let left = 0; left < size; left += stride) {
        if (top - stride + window >= size || left - stride + window >= size) continue;
        const inside = (at: number): boolean => {
          const [row, column] = [Math.floor(at / size), at % size];
          return row >= top && row < top + window && column >= left && column < left + window;
        };
        const fall = whole - score(logitsOf(x.map((value, at) => (inside(Math.floor(at / 3)) ? 0 : value))));
        want.forEach((_, at) => {
          if (inside(at)) {
            want[at] += fall;
            count[at]++;
          }
        });
      }
    expect(
      relativeL2(
        heatmap.values,
        want.map((sum, at) => sum / count[at]),
      ),
    ).toBeLessThan(5e-5);
    expect(occlusionWindows([size, size], window, stride).count).toBe(36);
  });

  it("RISE is the mean of masks weighted by probabilities", async () => {
    const samples = 37;
    const masks = riseMasks([size, size], samples, 5);
    const want = new Float64Array(size * size);
    for (let index = 0; index < samples; index++) {
      const mask = new Float32Array(size * size);
      masks.fill(index, mask);
      const probability = softmax(logitsOf(x.map((value, at) => value * mask[Math.floor(at / 3)])))[1];
      mask.forEach((kept, at) => {
        want[at] += (probability * kept) / (samples * 0.5);
      });
    }
    const { heatmap } = await one("rise", 1, { samples, seed: 5 });
    expect(relativeL2(heatmap.values, want)).toBeLessThan(1e-5);
  });

  it("cuts every batch to what is allowed without moving a map", async () => {
    for (const method of methodNames) {
      const options = { samples: 9, steps: 7, target: 2, method };
      const [whole] = await explain(model, image, { ...options, maxBatch: 16 });
      const [cut] = await explain(model, image, { ...options, maxBatch: 2 });
      expect(relativeL2(cut.heatmap.values, whole.heatmap.values), method).toBeLessThan(1e-5);
      expect(
        whole.heatmap.values.some((value) => value !== 0),
        method,
      ).toBe(true);
    }
  });
});

/** A Gaussian blur in float64 with a tail of four of the largest σ; the border's pixels repeat. */
function blur64(pixels: ArrayLike<number>, sigma: number): Float64Array {
  const radius = Math.ceil(4 * largestSigma([size, size]));
  const weight = (k: number): number => Math.exp((-k * k) / (2 * sigma * sigma));
  let total = 0;
  for (let k = -radius; k <= radius; k++) total += weight(k);
  const clamp = (place: number): number => Math.min(size - 1, Math.max(0, place));
  const pass = (source: ArrayLike<number>, vertical: boolean): Float64Array =>
    Float64Array.from({ length: source.length }, (_, index) => {
      const [row, column, c] = [Math.floor(index / 3 / size), Math.floor(index / 3) % size, index % 3];
      let value = 0;
      for (let k = -radius; k <= radius; k++) {
        const [r, s] = vertical ? [clamp(row + k), column] : [row, clamp(column + k)];
        value += (weight(k) / total) * source[(r * size + s) * 3 + c];
      }
      return value;
    });
  return pass(pass(pixels, false), true);
}

/** Algorithm 1 of Kapishnikov et al. (2021) on whole arrays, with a quarter of the values at a time and a corridor of 0.02. */
function guidedPath(origin: Float64Array, image: Float64Array, steps: number, score: ScoreOf): Float64Array {
  const point = origin.slice();
  const attribution = new Float64Array(origin.length);
  const line = (share: number) => origin.map((value, at) => value + share * (image[at] - value));
  const distance = () => point.reduce((sum, value, at) => sum + Math.abs(value - image[at]), 0);
  const whole = distance();
  for (let step = 1; step <= steps; step++) {
    const gradient = gradientOf(point, score);
    const [low, high] = [line(Math.max(0, step / steps - 0.02)), line(Math.min(1, step / steps + 0.02))];
    const move = (next: Float64Array): void => {
      next.forEach((value, at) => {
        attribution[at] += (value - point[at]) * gradient[at];
        point[at] = value;
      });
    };
    // Behind the corridor means farther from the image than its lower end.
    move(point.map((value, at) => (Math.abs(value - image[at]) > Math.abs(low[at] - image[at]) ? low[at] : value)));
    for (let turn = 0; turn < 10; turn++) {
      const excess = distance() - whole * (1 - step / steps);
      if (excess <= 1e-9) break;
      const magnitude = gradient.map((value, at) => (point[at] === high[at] ? Infinity : Math.abs(value)));
      const threshold = magnitude.slice().sort()[Math.floor(0.25 * (magnitude.length - 1))];
      const chosen = magnitude.map((value) => Number(value <= threshold && value !== Infinity));
      const reach = chosen.reduce((sum, one, at) => sum + one * Math.abs(point[at] - high[at]), 0);
      if (reach === 0) break;
      const share = Math.min(1, excess / reach);
      move(
        point.map((value, at) =>
          chosen[at] === 0 ? value : share === 1 ? high[at] : value + share * (high[at] - value),
        ),
      );
    }
  }
  return attribution;
}

it("refuses images of another size and what is no target, in one line", async () => {
  for (const method of ["gradcam", "ig", "rise"]) {
    await expect(explain(model, pixels.slice(5), { method, target: 0 })).rejects.toThrow(ShapeError);
    for (const target of ["rose", undefined, null, {}] as unknown as Target[])
      await expect(explain(model, pixels, { method, target })).rejects.toThrow(UsageError);
  }
});

it.each([
  ["smoothgrad", { samples: 0 }, "samples"],
  ["rise", { samples: -1 }, "samples"],
  ["guided-ig", { steps: 0 }, "steps"],
  ["blur-ig", { steps: 2.5 }, "steps"],
  ["ig", { rule: "simpson" }, "gauss-legendre"],
  ["ig", { baselines: [] }, "baselines"],
  ["ig", { baselines: ["pink"] }, "noise"],
  ["ig", { tolerance: Number.NaN }, "tolerance"],
  ["gradcam", { score: "softmax" }, "logit, prob"],
  ["layercam", { layers: [] }, "layers"],
])("%s refuses %j by name", async (method, options, named) => {
  const refused = expect(one(method, 1, options as MethodOptions)).rejects;
  await refused.toThrow(UsageError);
  await refused.toThrow(named);
});

describe("long work", () => {
  const long: readonly (readonly [string, MethodOptions])[] = [
    ["ig", { steps: 12, maxBatch: 4 }],
    ["ig", { baselines: ["black", "white"], maxBatch: 4 }],
    ["blur-ig", { steps: 6, maxBatch: 2 }],
    ["guided-ig", { steps: 4 }],
    ["smoothgrad", { samples: 6, maxBatch: 2 }],
    ["occlusion", { maxBatch: 4 }],
    ["rise", { samples: 8, maxBatch: 2 }],
    ["scorecam", { maxBatch: 2 }],
  ];

  it.each(long)(
    "of %s with %j reports progress, ends with the signal, and starts again unharmed",
    async (name, options) => {
      using explainer = await methodNamed(name).create(model, options);
      const shares: number[] = [];
      const onProgress = (done: number, total: number): void => void shares.push(done / total);
      const expected = await explainer.explain(pixels, [0, 1], { onProgress });
      expect(shares.length).toBeGreaterThan(3);
      expect(shares).toEqual([...shares].sort((a, b) => a - b));
      expect(shares.at(-1)).toBeLessThanOrEqual(1);
      if (options.baselines === undefined) expect(shares.at(-1)).toBe(1);
      const controller = new AbortController();
      let reports = 0;
      const stop = (): void => {
        if (++reports === 2) controller.abort(new Error("enough"));
      };
      const stopped = explainer.explain(pixels, [0, 1], { signal: controller.signal, onProgress: stop });
      await expect(stopped).rejects.toThrow("enough");
      expect(reports).toBe(2);
      expect(await explainer.explain(pixels, [0, 1])).toEqual(expected);
    },
  );
});
