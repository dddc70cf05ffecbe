import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { renderPetal } from "../../../src/data/petals.ts";
import { gradients } from "../../../src/engine/autodiff.ts";
import type { Graph, Tensor } from "../../../src/engine/graph.ts";
import { gatherClass } from "../../../src/engine/ops/gather.ts";
import { references } from "../../../src/engine/ops/registry.ts";
import { softmax } from "../../../src/engine/ops/softmax.ts";
import { input } from "../../../src/engine/ops/sources.ts";
import { runReference } from "../../../src/engine/reference.ts";
import { BATCH } from "../../../src/engine/types.ts";
import { type Classifier, createClassifier, weightShapesOf } from "../../../src/nn/classifier.ts";
import { initialise } from "../../../src/nn/initialise.ts";
import { InsertionDeletion } from "../../../src/xai/evidence/curves.ts";
import { edgeControl } from "../../../src/xai/evidence/edgeControl.ts";
import { EvidenceBench } from "../../../src/xai/evidence/evidence.ts";
import { imputeLinearly } from "../../../src/xai/evidence/imputation.ts";
import { RandomisedModel, weightLayers } from "../../../src/xai/evidence/randomisation.ts";
import { road } from "../../../src/xai/evidence/road.ts";
import { cascadingRandomisation } from "../../../src/xai/evidence/sanity.ts";
import { Scorer } from "../../../src/xai/evidence/scorer.ts";
import { maxSensitivity } from "../../../src/xai/evidence/sensitivity.ts";
import { fallingOrder } from "../../../src/xai/evidence/statistics.ts";
import type { Explainer } from "../../../src/xai/explanation.ts";
import { Introspector } from "../../../src/xai/introspection.ts";
import { methodNamed } from "../../../src/xai/methods.ts";
import { testDevice } from "../../device.ts";

const size = 32;
const classes = 3;
const drawn = renderPetal({ seed: 2, index: 3, species: 3, size });
const image = Float32Array.from(drawn.image.data);
const classIndex = 1;
let classifier: Classifier;
let weights: Record<string, ArrayLike<number>>;

beforeAll(async () => {
  const architecture = { name: "smallCnn", inputSize: [size, size], classes, channels: [6, 8, 10] } as const;
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, 4);
  const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }]));
  const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "tf" } as const;
  classifier = createClassifier(await testDevice(), {
    architecture,
    preprocessing,
    classNames: null,
    tensors,
  });
  weights = Object.fromEntries(values);
});
afterAll(() => classifier.dispose());

/** Class probabilities of images [N, H, W, 3] in float64. */
function probabilities(images: readonly ArrayLike<number>[]): Float64Array {
  const x = input("x", [BATCH, size, size, 3]);
  const graph = { outputs: { p: softmax(classifier.build(x).logits as Tensor) } };
  const values = images.flatMap((each) => Array.from(each, (pixel) => pixel / 127.5 - 1));
  return runReference(graph, { ...weights, x: values }, { references, batch: images.length }).outputs.p;
}

const probabilityOf = (each: ArrayLike<number>): number => probabilities([each])[classIndex];

/** A planted method that draws the image's edges and never asks the network. */
const edgeDetector = (): Promise<Explainer> => edgeControl.create(classifier.explainable);

describe("evidence against float64", () => {
  it("insertion and deletion are the scores of the composites, and turn around with the order", async () => {
    using curves = await InsertionDeletion.create(classifier.explainable, { steps: 4, maxBatch: 3 });
    const relevance = Float32Array.from({ length: size * size }, (_, at) => (at * 7919) % 1013);
    const fill = image.map((_, at) => [90, 120, 60][at % 3]);
    const order = fallingOrder(relevance);
    const { insertion, deletion } = await curves.curves({ image, fill, target: classIndex }, order);
    const composite = (from: Float32Array, to: Float32Array, count: number): Float32Array => {
      const mixed = Float32Array.from(from);
      for (const place of order.subarray(0, count))
        for (let c = 0; c < 3; c++) mixed[3 * place + c] = to[3 * place + c];
      return mixed;
    };
    for (let step = 0; step <= 4; step++) {
      const count = (step * size * size) / 4;
      expect(insertion.scores[step]).toBeCloseTo(probabilityOf(composite(fill, image, count)), 5);
      expect(deletion.scores[step]).toBeCloseTo(probabilityOf(composite(image, fill, count)), 5);
    }
    // Deleting in one order is inserting in the opposite one, read backwards.
    const opposite = await curves.curves({ image, fill, target: classIndex }, order.slice().reverse());
    expect(opposite.insertion.auc).toBeCloseTo(deletion.auc, 5);
  });

  it("ROAD scores the imputed images, and a map and its opposite exchange the two curves", async () => {
    using scorer = await Scorer.create(classifier.explainable, 3);
    const relevance = Float32Array.from({ length: size * size }, (_, at) => (at * 7919) % 1013);
    const shares = [0.2, 0.6];
    const result = await road(scorer, image, classIndex, relevance, { shares, seed: 5 });
    expect(result.image).toBeCloseTo(probabilityOf(image), 5);
    shares.forEach((share, index) => {
      const removed = new Uint8Array(size * size);
      for (const place of fallingOrder(relevance).subarray(0, Math.round(share * removed.length))) removed[place] = 1;
      const want = probabilityOf(imputeLinearly(image, removed, [size, size], { seed: 5 }));
      expect(result.mostRelevantFirst[index]).toBeCloseTo(want, 5);
    });
    expect(result.combined).toBeCloseTo(
      (result.leastRelevantFirst[0] +
        result.leastRelevantFirst[1] -
        result.mostRelevantFirst[0] -
        result.mostRelevantFirst[1]) /
        4,
      12,
    );
  });

  it("max-sensitivity is the largest relative change among neighbours that stay within the radius", async () => {
    const seen: Float32Array[] = [];
    const base = await edgeDetector();
    const watching: Explainer = {
      ...base,
      explain: (pixels, targets) => {
        for (let n = 0; n < targets.length; n++) seen.push(pixels.slice(n * image.length, (n + 1) * image.length));
        return base.explain(pixels, targets);
      },
    };
    const result = await maxSensitivity(watching, image, classIndex, { samples: 3, radius: 4, seed: 9 });
    const [own] = await base.explain(image, [classIndex]);
    const changes: number[] = [];
    for (const neighbour of seen.slice(1)) {
      expect(Math.max(...neighbour.map((value, at) => Math.abs(value - image[at])))).toBeLessThanOrEqual(4);
      const [other] = await base.explain(neighbour, [classIndex]);
      const norm = (values: number[]): number => Math.hypot(...values);
      const difference = [...other.heatmap.values].map((value, at) => value - own.heatmap.values[at]);
      changes.push(norm(difference) / norm([...own.heatmap.values]));
    }
    expect(changes).toHaveLength(3);
    expect(result.maximum).toBeCloseTo(Math.max(...changes), 6);
  });
});

describe("sanity checks", () => {
  it("pass gradient methods and flag a planted edge detector", async () => {
    const check = (create: Parameters<typeof cascadingRandomisation>[0]) =>
      cascadingRandomisation(create, classifier.explainable, image, [classIndex], { stages: 3, draws: 3 });
    const edges = await check(edgeDetector);
    expect(edges).toMatchObject({ passed: false, remaining: 1 });
    expect(edges.stages.map(({ rankCorrelation }) => rankCorrelation)).toEqual([1, 1, 1]);
    for (const name of ["gradcam", "saliency", "input-x-gradient"]) {
      const { passed, stages } = await check((model) => methodNamed(name).create(model));
      expect({ name, passed }).toEqual({ name, passed: true });
      expect(stages[stages.length - 1].layers).toBe(weightLayers(classifier.explainable).length);
    }
  });

  it("flag a map that says nothing, whatever the network forgets", async () => {
    const nothing = (): Promise<Explainer> =>
      Promise.resolve({
        explain: async (_pixels, targets) =>
          targets.map((target) => ({
            ...{
              method: "nothing",
              target,
              status: "no positive evidence",
              cost: { forwards: 0, gradients: 0 },
              details: {},
            },
            heatmap: { values: new Float32Array(4), height: 2, width: 2, signed: false },
          })),
        dispose() {},
        [Symbol.dispose]() {},
      });
    const options = { stages: 2, draws: 1 };
    const evidence = await cascadingRandomisation(nothing, classifier.explainable, image, [classIndex], options);
    expect(evidence).toMatchObject({ remaining: 1, passed: false });
  });

  it("takes weights away from the top, leaves those below and the original alone, and gives them back", async () => {
    using randomised = await RandomisedModel.create(classifier.explainable);
    const { layers, model } = randomised;
    expect(layers[0].parameter).toBe("predictions/kernel");
    expect(layers[layers.length - 1].parameter).toBe("stem/kernel");
    const kernels = Object.keys(weights).filter((name) => name.endsWith("/kernel"));
    expect(layers.map(({ parameter }) => parameter).sort()).toEqual(kernels.sort());
    randomised.randomiseTop(2, 1);
    const changed = async (): Promise<string[]> => {
      const names: string[] = [];
      for (const { parameter } of layers) {
        const [now, before] = [await model.parameters.get(parameter), weights[parameter]];
        if (now.some((value, at) => value !== before[at])) names.push(parameter);
        expect(await classifier.parameters.get(parameter)).toEqual(before);
      }
      return names;
    };
    expect(await changed()).toEqual(layers.slice(0, 2).map(({ parameter }) => parameter));
    randomised.randomiseTop(0, 1);
    expect(await changed()).toEqual([]);
  });
});

describe("evidence for a difference of classes", () => {
  const target = { class: 2, versus: 0 };
  const difference = (p: Float64Array, row = 0): number => p[row * classes + 2] - p[row * classes];

  it("measures the difference of the scores everywhere", async () => {
    const options = { curveSteps: 2, sanity: { stages: 1, draws: 1 }, sensitivity: { samples: 1 } };
    using bench = await EvidenceBench.create(classifier.explainable, methodNamed("gradcam"), options);
    const { curves, road: removed } = await bench.measure(image, target);
    const want = difference(probabilities([image]));
    expect(curves.insertion.scores[2]).toBeCloseTo(want, 5);
    expect(curves.deletion.scores[0]).toBeCloseTo(want, 5);
    expect(removed.image).toBeCloseTo(want, 5);
  });

  it("refuses a class that does not exist", async () => {
    using scorer = await Scorer.create(classifier.explainable);
    await expect(scorer.score(image, [classes])).rejects.toThrow("expected classes from 0 to 2");
  });
});

describe("all evidence for one map", () => {
  it("is there, repeats, and names what it was measured with", async () => {
    const options = { curveSteps: 5, sanity: { stages: 2 }, sensitivity: { samples: 2 }, fill: "mean" } as const;
    using bench = await EvidenceBench.create(classifier.explainable, methodNamed("input-x-gradient"), options);
    const mask = { values: drawn.mask, height: size, width: size };
    const first = await bench.measure(image, classIndex, mask);
    expect(await bench.measure(image, classIndex, mask)).toEqual(first);
    expect(first.curves.fill).toBe("mean");
    expect(first.curves.insertion.scores).toHaveLength(6);
    expect(first.location?.maskArea).toBeCloseTo(drawn.mask.filter((value) => value > 0).length / size ** 2, 12);
    // Gradient times input of preprocessed values says nothing of the step from black: the gap is what is left over.
    const { attribution } = await bench.explain(image, classIndex);
    const x = input("x", [BATCH, size, size, 3]);
    const graph = { outputs: { z: classifier.build(x).logits as Tensor } };
    const logit = (values: ArrayLike<number>): number =>
      runReference(graph, { ...weights, x: Array.from(values, (v) => v / 127.5 - 1) }, { references }).outputs.z[
        classIndex
      ];
    const total = (attribution as Float32Array).reduce((sum, value) => sum + value, 0);
    const want = Math.abs(total - (logit(image) - logit(image.map(() => 0))));
    expect(first.completeness?.gap).toBeCloseTo(want, 4);
  });
});

describe("introspection", () => {
  it("reports each layer as float64 sees it", async () => {
    using introspector = await Introspector.create(classifier.explainable);
    const { layers, score } = await introspector.inspect(image, classIndex);
    const x = input("x", [BATCH, size, size, 3]);
    const { logits } = classifier.build(x);
    const graph: Graph = { outputs: { logits: logits as Tensor } };
    const values = Float32Array.from(image, (v) => v / 127.5 - 1);
    const seen = new Map<string, Float64Array>();
    const labelled = new Map<string, Tensor>();
    const run = runReference(
      graph,
      { ...weights, x: values },
      {
        references,
        observe: (node, results) => {
          if (node.label) seen.set(node.label, results[0]);
          if (node.label) labelled.set(node.label, node.outputs[0]);
          return undefined;
        },
      },
    );
    expect(score).toBeCloseTo(run.outputs.logits[classIndex], 4);
    expect(layers.map(({ label }) => label)).toEqual([...seen.keys()].filter((label) => label.endsWith("_relu")));
    for (const layer of layers) {
      const of = seen.get(layer.label) as Float64Array;
      const before = seen.get(layer.label.replace(/_relu$/, "")) as Float64Array;
      expect(layer.maximum).toBeCloseTo(Math.max(...of), 4);
      expect(layer.minimum).toBeCloseTo(Math.min(...of), 4);
      expect(layer.clipping?.dead).toBeCloseTo(of.filter((v) => v === 0).length / of.length, 4);
      expect(layer.clipping?.saturated).toBeCloseTo(of.filter((v) => v === 6).length / of.length, 4);
      const mean = before.reduce((sum, v) => sum + v, 0) / before.length;
      const deviation = Math.sqrt(before.reduce((sum, v) => sum + (v - mean) ** 2, 0) / before.length);
      expect(layer.observed.mean).toBeCloseTo(mean, 4);
      expect(layer.observed.deviation).toBeCloseTo(deviation, 4);
      // Fresh statistics: mean 0, variance 1, γ 1, β 0.
      expect(layer.expected.mean).toBe(0);
      expect(layer.expected.deviation).toBeCloseTo(1, 12);
      expect(layer.expectedClipping?.dead).toBeCloseTo(0.5, 6);
      const [gradient] = gradients(gatherClass(logits as Tensor, input("classes", [BATCH], "i32")), [
        labelled.get(layer.label) as Tensor,
      ]);
      const feeds = { ...weights, x: values, classes: [classIndex] };
      const want = runReference({ outputs: { gradient } }, feeds, { references }).outputs.gradient;
      expect(layer.gradientNorm).toBeCloseTo(Math.hypot(...want), 4);
    }
  });
});
