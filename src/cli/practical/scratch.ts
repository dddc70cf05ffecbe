/** The other way to a classifier: a small network from scratch on the same images, beside the head on a frozen backbone. */
import type { Device } from "../../engine/device.ts";
import { correctAnswers } from "../../nn/errorAnalysis.ts";
import { predictAll } from "../../nn/prediction.ts";
import { mcNemar, pairedDifference } from "../../nn/significance.ts";
import type { ScratchComparison, ScratchSide } from "../../report/answers.ts";
import type { Terminal } from "../terminal.ts";
import type { Material } from "./material.ts";
import type { Tested } from "./pair.ts";
import { type TrainedClassifier, type TrainingSettings, trainSmallCnn } from "./training.ts";

const sideOf = ({ classifier, outcome }: TrainedClassifier, right: Uint8Array, trained: number): ScratchSide => ({
  correct: right.reduce((sum, value) => sum + value, 0),
  epochs: outcome.history.length,
  parameters: [...classifier.weightShapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0),
  trainedParameters: trained,
  inputSize: classifier.inputSize,
});

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/**
 * Trains `smallCnn` without augmentation on the images that the head was trained on, and tests both on the same test images.
 * @param transferred the model whose head was trained without augmentation
 */
export async function compareWithScratch(
  device: Device,
  material: Material,
  transferred: Tested,
  settings: Omit<TrainingSettings, "policy">,
  terminal: Terminal,
): Promise<ScratchComparison> {
  const { test, classNames } = material;
  terminal.line(`smallCnn from scratch, seed ${settings.seed}: for comparison`);
  const scratch = await trainSmallCnn(device, material, { ...settings, policy: null }, terminal);
  try {
    const logits = await predictAll(scratch.classifier, test);
    const right = correctAnswers(logits, test.labels, classNames.length);
    const head = [...transferred.classifier.weightShapes].filter(([name]) => name.startsWith("predictions/"));
    const own = sideOf(scratch, right, 0);
    return {
      testCount: test.count,
      trainCount: material.train.count,
      transfer: sideOf(
        transferred,
        transferred.right,
        head.reduce((sum, [, shape]) => sum + sizeOf(shape), 0),
      ),
      scratch: { ...own, trainedParameters: own.parameters },
      difference: pairedDifference(right, transferred.right),
      p: mcNemar(right, transferred.right).p,
    };
  } finally {
    await scratch.classifier.dispose();
  }
}
