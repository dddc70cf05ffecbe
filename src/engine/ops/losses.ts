import { ShapeError } from "../errors.ts";
import type { Tensor } from "../graph.ts";
import { formatType } from "../types.ts";
import { multiply } from "./binary.ts";
import { gatherClass } from "./gather.ts";
import { sum } from "./reduce.ts";
import { logSoftmax } from "./softmax.ts";
import { scale } from "./unary.ts";

function checkLogits(logits: Tensor): void {
  if (logits.shape.length !== 2)
    throw new ShapeError(`expected logits [N, classes], found ${formatType(logits.type)}; flatten them first`);
}

/**
 * logits [N, C], labels i32 [N] → [N]: −log softmax(logits)[label], the cross-entropy of each sample in nats.
 * A label outside [0, C) gives NaN. Throws a ShapeError for other shapes.
 */
export function sparseCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  checkLogits(logits);
  return scale(gatherClass(logSoftmax(logits), labels), -1);
}

/**
 * logits [N, C], targets [N, C] (probabilities) → [N]: −Σ_c targets · log softmax(logits), the cross-entropy of each sample in nats.
 * Throws a ShapeError for other shapes.
 */
export function softCrossEntropy(logits: Tensor, targets: Tensor): Tensor {
  checkLogits(logits);
  return scale(sum(multiply(targets, logSoftmax(logits)), [1]), -1);
}
