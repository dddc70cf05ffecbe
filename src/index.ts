/**
 * Tepal's core: what a browser imports. It has no dependency and touches nothing when it is loaded; a device comes from
 * `Device.open(await navigator.gpu.requestAdapter())`, or `Device.adopt(device)` where the host has one.
 */
export { Augmentation } from "./data/augment/augmentation.ts";
export { Augmenter } from "./data/augment/augmenter.ts";
export { invertHeatmap } from "./data/augment/heatmap.ts";
export { builtInPolicies, PolicyBuilder, parsePolicy, policyToJson } from "./data/augment/policy.ts";
export { Corrupter } from "./data/corruptions/corrupter.ts";
export { Corruption, corruptionNames } from "./data/corruptions/corruption.ts";
export {
  type ClassScore,
  type ExplainOptions,
  ImageClassifier,
  type ImageExplanation,
  type ImageSource,
  type LoadOptions,
} from "./embed/imageClassifier.ts";
export { gradients } from "./engine/autodiff.ts";
export { type CompileOptions, compile } from "./engine/compile.ts";
export { Device } from "./engine/device.ts";
export * from "./engine/errors.ts";
export { findLabel, type Graph, labelled, labelsOf, type Node, type Tensor } from "./engine/graph.ts";
export { halfWeights, type StoredWeights, type WeightFormat } from "./engine/halfWeights.ts";
export { batchNormTraining } from "./engine/ops/batchNormTraining.ts";
export { add, multiply, subtract } from "./engine/ops/binary.ts";
export { cast, normalise } from "./engine/ops/cast.ts";
export { batchNorm, biasAdd, channelAffine, channelScale } from "./engine/ops/channel.ts";
export { conv2d, pointwiseConv2d, samePadding } from "./engine/ops/conv2d.ts";
export { depthwiseConv2d } from "./engine/ops/depthwise.ts";
export { dropout } from "./engine/ops/dropout.ts";
export { argMax, maxReduce } from "./engine/ops/extremes.ts";
export { gatherClass } from "./engine/ops/gather.ts";
export { softCrossEntropy, sparseCrossEntropy } from "./engine/ops/losses.ts";
export { matmul } from "./engine/ops/matmul.ts";
export { nonFiniteCount } from "./engine/ops/nonFinite.ts";
export { maxPool2d } from "./engine/ops/pool.ts";
export { globalAveragePool, mean, sum } from "./engine/ops/reduce.ts";
export { flatten, reshape } from "./engine/ops/reshape.ts";
export { resizeBilinear } from "./engine/ops/resize.ts";
export { logSoftmax, softmax } from "./engine/ops/softmax.ts";
export { constant, fill, input, ones, parameter } from "./engine/ops/sources.ts";
export { exp, relu, relu6, scale, square } from "./engine/ops/unary.ts";
export {
  accumulateUpdate,
  adamUpdate,
  adamWUpdate,
  assignUpdate,
  runningAverageUpdate,
  sgdUpdate,
} from "./engine/ops/updates.ts";
export { ParameterStore } from "./engine/parameters.ts";
export type { Plan, RunInputs, RunOutputs } from "./engine/plan/plan.ts";
export { uniform } from "./engine/random.ts";
export { type TuneOptions, type TuneResult, tune } from "./engine/tuner.ts";
export { type Tuning, type TuningRecord, TuningTable } from "./engine/tuning.ts";
export { loadTuning, saveTuning } from "./engine/tuningStore.ts";
export { BATCH, type DType, type Shape, type TensorType } from "./engine/types.ts";
export { FrameReader } from "./interop/frameReader.ts";
export { OverlayPainter } from "./interop/overlayPainter.ts";
export { narrowMobileNetV2 } from "./nn/channelSelection.ts";
export { Classifier, type ClassifierDescription, createClassifier, weightShapesOf } from "./nn/classifier.ts";
export { distil } from "./nn/distillation.ts";
export { parseCheckpoint, serializeCheckpoint } from "./nn/formats/checkpoint.ts";
export { inspectWeights } from "./nn/formats/inspect.ts";
export { parseModel, serializeModel } from "./nn/formats/model.ts";
export { parseSafetensors, serializeSafetensors } from "./nn/formats/safetensors.ts";
export { trainHead } from "./nn/headTraining.ts";
export { initialise } from "./nn/initialise.ts";
export { evaluateLogits } from "./nn/metrics.ts";
export { mobileNetV2 } from "./nn/mobilenetV2.ts";
export { trainNetwork } from "./nn/networkTraining.ts";
export { adam, adamW, cosineSchedule, sgd, stepSchedule, warmUpSchedule } from "./nn/optimisers.ts";
export { hostSource } from "./nn/pixelSource.ts";
export { smallCnn } from "./nn/smallCnn.ts";
export { trainableFrom } from "./nn/trainableLayers.ts";
export type * from "./types.ts";
export { type BaselineChoice, baselineNames, baselinePixels, meanPixels } from "./xai/baselines.ts";
export { colormap, colormapNames } from "./xai/colormaps.ts";
export { conventions } from "./xai/conventions.ts";
export { renderExplanation } from "./xai/display.ts";
export { InsertionDeletion } from "./xai/evidence/curves.ts";
export { mapDrift } from "./xai/evidence/drift.ts";
export { edgeControl } from "./xai/evidence/edgeControl.ts";
export { EvidenceBench } from "./xai/evidence/evidence.ts";
export { locationEvidence, pointingGame } from "./xai/evidence/location.ts";
export { rankMethods, summarise } from "./xai/evidence/ranking.ts";
export { road } from "./xai/evidence/road.ts";
export { cascadingRandomisation, randomLabelCheck } from "./xai/evidence/sanity.ts";
export { Scorer } from "./xai/evidence/scorer.ts";
export { maxSensitivity } from "./xai/evidence/sensitivity.ts";
export { shortcutFinding } from "./xai/evidence/shortcut.ts";
export { rocAuc, spearman } from "./xai/evidence/statistics.ts";
export { ExactCam, exactCamMap } from "./xai/exactCam.ts";
export type { Explainer, Explanation, MethodOptions, Target } from "./xai/explanation.ts";
export { GradCam, gradCamMap } from "./xai/gradCam.ts";
export { IntegratedGradients } from "./xai/integratedGradients.ts";
export { Introspector } from "./xai/introspection.ts";
export { type ExplainRequest, explain, methodNamed, methodNames } from "./xai/methods.ts";
export { renderAttribution, renderHeatmap, renderOverlay } from "./xai/overlay.ts";
export { PreprocessingCheck } from "./xai/preprocessingVerdict.ts";
export { quadrature, quadratureRules } from "./xai/quadrature.ts";
