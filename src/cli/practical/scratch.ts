/** The other way to a classifier: a small network from scratch on the same images, beside the head on a frozen backbone. */
import { correctAnswers } from "../../nn/errorAnalysis.ts";
import { predictAll } from "../../nn/prediction.ts";
import { mcNemar, pairedDifference } from "../../nn/significance.ts";
import type { ScratchComparison, ScratchSide } from "../../report/answers.ts";
import type { Material } from "./material.ts";
import type { Tested } from "./pair.ts";
import type { TrainedClassifier } from "./training.ts";

const sideOf = ({ classifier, outcome }: TrainedClassifier, right: Uint8Array, trained: number): ScratchSide => ({
  correct: right.reduce((sum, value) => sum + value, 0),
  curve: outcome.history.map(({ valAccuracy }) => valAccuracy),
  parameters: [...classifier.weightShapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0),
  trainedParameters: trained,
  inputSize: classifier.inputSize,
});

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/**
 * Tests a network from scratch and one whose head alone was trained, both without augmentation, on the same test images.
 * @param transferred the model on a frozen backbone
 * @param scratch disposed in the end
 */
export async function compareWithScratch(
  { train, test, classNames }: Material,
  transferred: Tested,
  scratch: TrainedClassifier,
): Promise<ScratchComparison> {
  try {
    const logits = await predictAll(scratch.classifier, test);
    const right = correctAnswers(logits, test.labels, classNames.length);
    const head = [...transferred.classifier.weightShapes].filter(([name]) => name.startsWith("predictions/"));
    const own = sideOf(scratch, right, 0);
    return {
      testCount: test.count,
      trainCount: train.count,
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
