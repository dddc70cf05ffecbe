import { beforeAll, describe, expect, it, vi } from "vitest";
import { gradients } from "../../src/engine/autodiff.ts";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import { type Graph, labelsOf, rewrite, type Tensor } from "../../src/engine/graph.ts";
import { relu6Mask, relu6MaskOp } from "../../src/engine/ops/masks.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { runReference } from "../../src/engine/reference.ts";
import { BATCH } from "../../src/engine/types.ts";
import { type Classifier, createClassifier } from "../../src/nn/classifier.ts";
import { loadWeights } from "../../src/nn/formats/files.node.ts";
import { inspectWeights } from "../../src/nn/formats/inspect.ts";
import { baselinePixels } from "../../src/xai/baselines.ts";
import { ExactCam, exactCamMap } from "../../src/xai/exactCam.ts";
import { GradCam, normaliseByPeak } from "../../src/xai/gradCam.ts";
import { IntegratedGradients } from "../../src/xai/integratedGradients.ts";
import { type Score, scoreOf } from "../../src/xai/model.ts";
import { testDevice } from "../device.ts";
import { expectDistance, isQuickAdapter, loadTruth, type Truth, weightsFile } from "../reference.ts";
import { hasShared, shared } from "../shared.ts";

// Fifty gradients of MobileNetV2 at 224 pixels take a minute on SwiftShader, more on a busy machine.
vi.setConfig({ testTimeout: 600_000 });

const pixelsPerImage = 224 * 224 * 3;
const scores = ["logit", "prob"] as const;

describe.skipIf(!hasShared)("explanations of MobileNetV2 against float64 truth", () => {
  let truth: Truth;
  let classifier: Classifier;
  beforeAll(async () => {
    truth = loadTruth();
    const weights = await loadWeights(shared(weightsFile));
    const { preprocessing } = inspectWeights(weights);
    classifier = createClassifier(await testDevice(), {
      architecture: { name: "mobilenetV2", width: 1, inputSize: [224, 224], classes: 1000, head: "gap-dense" },
      preprocessing,
      classNames: null,
      tensors: weights.tensors,
    });
  });

  const gradCamBounds = { Conv_1_bn: 5e-6, out_relu: 5e-6, block_13_expand_relu: 1e-3 };
  for (const score of scores)
    for (const [layer, bound] of Object.entries(gradCamBounds))
      it(`Grad-CAM of the ${score} at ${layer}`, async () => {
        using gradCam = await GradCam.create(classifier.explainable, { layer, score, maxBatch: 4 });
        const { heatmaps } = await gradCam.explain(truth.tensor("pixels_u8"), Int32Array.from(truth.classes));
        const name = `gradcam/${score}/${layer}`;
        expectDistance(name, relativeL2(heatmaps, truth.tensor(name)), bound);
      });

  for (const score of scores)
    it(`exactCam of the ${score} is Grad-CAM at out_relu, for the price of a forward pass`, async () => {
      using exact = await ExactCam.create(classifier.explainable, { score, maxBatch: 4 });
      using gradCam = await GradCam.create(classifier.explainable, { score, layer: "out_relu", maxBatch: 4 });
      const pixels = truth.tensor("pixels_u8");
      const { layer, maps } = await exact.run(pixels, truth.classes);
      expect(layer).toBe("out_relu");
      const { heatmaps } = await gradCam.explain(pixels, truth.classes);
      const exactHeatmaps = normaliseByPeak(maps, truth.classes.length).heatmaps;
      expectDistance(`exactCam/${score} to Grad-CAM`, relativeL2(exactHeatmaps, heatmaps), 1e-5);
      expectDistance(
        `exactCam/${score} to truth`,
        relativeL2(exactHeatmaps, truth.tensor(`gradcam/${score}/out_relu`)),
        5e-6,
      );
      expectDistance(`exactCam/${score}, FLOP over a forward pass`, await costOverForward(classifier, score), 1.1);
    });

  it("finds the practical's layer by name", async () => {
    using gradCam = await GradCam.create(classifier.explainable, { layer: "by-name" });
    expect(gradCam.layer).toBe("Conv_1_bn");
  });

  for (const score of scores)
    it(`input gradients of the ${score}`, async () => {
      const x = input("x", [BATCH, 224, 224, 3]);
      const logits = classifier.build(x).logits as Tensor;
      const [gradient] = gradients(scoreOf(logits, input("classes", [BATCH], "i32"), score), [x]);
      const graph: Graph = { outputs: { gradient } };
      const fetch = score === "logit" ? [...labelsOf(graph).keys()].filter((label) => label.endsWith("_relu")) : [];
      const plan = await compile(await testDevice(), graph, { parameters: classifier.parameters, maxBatch: 1, fetch });
      const distances: number[] = [];
      for (let image = 0; image < truth.classes.length; image++) {
        const pixels = truth.tensor("input").slice(image * pixelsPerImage, (image + 1) * pixelsPerImage);
        const run = await plan.run({ x: pixels, classes: Int32Array.of(truth.classes[image]) });
        const want = truth.tensor(`input_grad/${score}`).subarray(image * pixelsPerImage, (image + 1) * pixelsPerImage);
        distances.push(relativeL2(run.gradient, want));
        expect(cosine(run.gradient, want)).toBeGreaterThanOrEqual(0.999);
        if (image === 0 && fetch.length > 0) {
          const twin = await float64Twin(classifier, graph, run, { x: pixels, classes: [truth.classes[image]] });
          expectDistance("input_grad, float64 twin with this run's masks", relativeL2(run.gradient, twin), 1e-5);
        }
      }
      plan.dispose();
      distances.sort((a, b) => a - b);
      expectDistance(`input_grad/${score}, worst of four`, distances[distances.length - 1], 2e-2);
      expectDistance(`input_grad/${score}, median`, (distances[1] + distances[2]) / 2, 5e-3);
    });

  for (const score of scores)
    for (const [rule, name] of [
      ["linspace", "linspace50"],
      ["gauss-legendre", "gausslegendre50"],
    ] as const)
      it.skipIf(!isQuickAdapter && (score === "prob" || rule === "linspace"))(
        `Integrated Gradients of the ${score}, ${name}`,
        async () => {
          using method = await IntegratedGradients.create(classifier.explainable, { score, rule, steps: 50 });
          const baseline = baselinePixels("zeros", [224, 224], classifier.preprocessing);
          // One image per rule and score keeps the run short; the long test takes all.
          const images = process.env.TEPAL_LONG ? truth.classes.map((_, index) => index) : [1];
          for (const image of images) {
            const pixels = truth.tensor("pixels_u8").slice(image * pixelsPerImage, (image + 1) * pixelsPerImage);
            const { attribution, relativeGap, evaluations } = await method.explain(
              pixels,
              baseline,
              truth.classes[image],
            );
            const want = truth
              .tensor(`ig/${score}/${name}`)
              .subarray(image * pixelsPerImage, (image + 1) * pixelsPerImage);
            expectDistance(`ig/${score}/${name}, image ${image}`, relativeL2(attribution, want), 3e-3);
            expect(relativeGap).toBeLessThan(0.5);
            // Linspace holds both ends; Gauss–Legendre needs them for the gap.
            expect(evaluations).toBe(rule === "linspace" ? 50 : 52);
          }
        },
      );
});

/** Floating-point operations of exactCam over those of a prediction, as the plans count them. */
async function costOverForward(classifier: Classifier, score: Score): Promise<number> {
  const logits = classifier.build(input("x", [BATCH, 224, 224, 3])).logits as Tensor;
  const { map } = exactCamMap(logits, input("targets", [BATCH, 1000]), score);
  const flops = await Promise.all(
    [logits, map].map(async (output) => {
      using plan = await compile(await testDevice(), { outputs: { output } }, { parameters: classifier.parameters });
      return plan.steps(1).main.reduce((sum, { call }) => sum + call.flops, 0);
    }),
  );
  return flops[1] / flops[0];
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, left, right] = [0, 0, 0];
  for (let index = 0; index < a.length; index++) {
    dot += a[index] * b[index];
    left += a[index] ** 2;
    right += b[index] ** 2;
  }
  return dot / Math.sqrt(left * right);
}

/** The gradient in float64, with every ReLU6 mask taken from the GPU's activations: rounding cannot flip it. */
async function float64Twin(
  classifier: Classifier,
  graph: Graph,
  run: Readonly<Record<string, ArrayLike<number>>>,
  feeds: Readonly<Record<string, ArrayLike<number>>>,
): Promise<Float64Array> {
  const given: Record<string, ArrayLike<number>> = { ...feeds };
  const twin = rewrite(graph, (node, inputs) => {
    if (node.op !== relu6MaskOp) return undefined;
    const activation = node.inputs[0];
    const label = activation.node.label as string;
    given[`run/${label}`] = run[label];
    return [relu6Mask(input(`run/${label}`, activation.shape), inputs[1])];
  });
  for (const name of classifier.parameters.names)
    if (!name.startsWith("xai/")) given[name] = await classifier.parameters.get(name);
  return runReference(twin, given, { references, batch: 1 }).outputs.gradient;
}
