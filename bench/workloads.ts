/** What every engine is asked to do; names, sizes and the rule by which results are compared. */
export type Kind =
  | "forward"
  | "inputGradient"
  | "integratedGradients"
  | "gradCam"
  | "headStep"
  | "fineTuneStep"
  | "augment";

/**
 * Logits and losses: largest difference in units of the largest value. Gradients and maps: the cosine of the angle. Images whose
 * values are brought to levels, where a rounding may choose the next one: the share of values within 1/255 of the range.
 */
export type Agreement = "values" | "directions" | "pixels";

export interface Workload {
  readonly name: string;
  readonly kind: Kind;
  readonly size: number;
  readonly batch: number;
  readonly agreement: Agreement;
}

export const integrationSteps = 50;
export const headClasses = 5;
export const headFeatures = 1280;
export const headLearningRate = 1e-3;
export const fineTuneLearningRate = 1e-3;
export const fineTuneMomentum = 0.9;

export const workloads: readonly Workload[] = [
  { name: "forward-224-b1", kind: "forward", size: 224, batch: 1, agreement: "values" },
  { name: "forward-224-b8", kind: "forward", size: 224, batch: 8, agreement: "values" },
  { name: "input-gradient-224-b1", kind: "inputGradient", size: 224, batch: 1, agreement: "directions" },
  { name: "input-gradient-224-b8", kind: "inputGradient", size: 224, batch: 8, agreement: "directions" },
  { name: "integrated-gradients-224-50", kind: "integratedGradients", size: 224, batch: 1, agreement: "directions" },
  { name: "gradcam-224", kind: "gradCam", size: 224, batch: 1, agreement: "directions" },
  { name: "head-step", kind: "headStep", size: 224, batch: 32, agreement: "directions" },
  { name: "fine-tune-step-96", kind: "fineTuneStep", size: 96, batch: 16, agreement: "directions" },
  { name: "augment-64x224", kind: "augment", size: 224, batch: 64, agreement: "pixels" },
];

/** Measured by fresh processes, not by `prepare` and `run`. */
export const coldStart = "cold-start";

/** The class whose score is explained, one per image. */
export const classesOf = (batch: number, classes: number): Int32Array =>
  Int32Array.from({ length: batch }, (_, index) => (7 + 37 * index) % classes);

/** Parameters near the input, in the middle and near the output whose change by one fine-tuning step is compared. */
export const watchedParameters: readonly string[] = [
  "Conv1/kernel",
  "block_6_depthwise/kernel",
  "block_13_project_BN/gamma",
  "Conv_1_bn/beta",
];
