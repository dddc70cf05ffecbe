import type { OpCase, OpEntry, Reference } from "../op.ts";
import * as affine from "./affine.ts";
import * as batchNormTraining from "./batchNormTraining.ts";
import * as binary from "./binary.ts";
import * as bitMasks from "./bitMasks.ts";
import * as cast from "./cast.ts";
import * as channel from "./channel.ts";
import * as clip from "./clip.ts";
import * as conv2d from "./conv2d.ts";
import * as depthwise from "./depthwise.ts";
import * as dropout from "./dropout.ts";
import * as erase from "./erase.ts";
import * as extremes from "./extremes.ts";
import * as filters from "./filters.ts";
import * as gather from "./gather.ts";
import * as histogram from "./histogram.ts";
import * as levels from "./levels.ts";
import * as masks from "./masks.ts";
import * as matmul from "./matmul.ts";
import * as matmulHalf from "./matmulHalf.ts";
import * as mix from "./mix.ts";
import * as nonFinite from "./nonFinite.ts";
import * as photometric from "./photometric.ts";
import * as pixelate from "./pixelate.ts";
import * as pool from "./pool.ts";
import * as randomPixels from "./randomPixels.ts";
import * as reduce from "./reduce.ts";
import * as resample from "./resample.ts";
import * as reshape from "./reshape.ts";
import * as resize from "./resize.ts";
import * as softmax from "./softmax.ts";
import * as sources from "./sources.ts";
import * as unary from "./unary.ts";
import * as updates from "./updates.ts";

/** One line an op. */
const entries: readonly (Omit<OpEntry, "cases"> & { readonly cases: () => readonly OpCase[] })[] = [
  { op: sources.fillOp, reference: sources.fillReference, cases: sources.fillCases },
  { op: unary.reluOp, reference: unary.reluReference, cases: unary.reluCases },
  { op: unary.relu6Op, reference: unary.relu6Reference, cases: unary.relu6Cases },
  { op: unary.scaleOp, reference: unary.scaleReference, cases: unary.scaleCases },
  { op: unary.squareOp, reference: unary.squareReference, cases: unary.squareCases },
  { op: unary.expOp, reference: unary.expReference, cases: unary.expCases },
  { op: masks.reluMaskOp, reference: masks.reluMaskReference, cases: masks.maskCases },
  { op: masks.relu6MaskOp, reference: masks.relu6MaskReference, cases: masks.maskCases },
  { op: bitMasks.packMaskOp, reference: bitMasks.packReference, cases: bitMasks.packMaskCases },
  { op: bitMasks.applyMaskOp, reference: bitMasks.applyMaskReference, cases: bitMasks.applyMaskCases },
  { op: binary.addOp, reference: binary.addReference, cases: binary.binaryCases },
  { op: binary.subtractOp, reference: binary.subtractReference, cases: binary.binaryCases },
  { op: binary.multiplyOp, reference: binary.multiplyReference, cases: binary.binaryCases },
  { op: binary.divideOp, reference: binary.divideReference, cases: binary.divideCases },
  { op: reshape.reshapeOp, reference: reshape.reshapeReference, cases: reshape.reshapeCases },
  { op: reduce.partialSumOp, reference: reduce.partialSumReference, cases: reduce.partialSumCases },
  { op: reduce.sumOp, reference: reduce.sumReference, cases: reduce.sumCases },
  { op: reduce.expandOp, reference: reduce.expandReference, cases: reduce.expandCases },
  { op: channel.biasAddOp, reference: channel.biasAddReference, cases: channel.channelVectorCases },
  { op: channel.channelScaleOp, reference: channel.channelScaleReference, cases: channel.channelVectorCases },
  { op: channel.channelAffineOp, reference: channel.channelAffineReference, cases: channel.channelAffineCases },
  {
    op: channel.batchNormCoefficientsOp,
    reference: channel.batchNormCoefficientsReference,
    cases: channel.batchNormCoefficientsCases,
  },
  { op: matmul.matmulOp, reference: matmul.matmulReference, cases: matmul.matmulCases },
  { op: matmul.matmulTransposedOp, reference: matmul.matmulTransposedReference, cases: matmul.matmulTransposedCases },
  {
    op: matmul.matmulOuterPartialOp,
    reference: matmul.matmulOuterPartialReference,
    cases: matmul.matmulOuterPartialCases,
  },
  { op: matmulHalf.matmulHalfOp, reference: matmulHalf.matmulHalfReference, cases: matmulHalf.matmulHalfCases },
  {
    op: matmulHalf.matmulHalfTransposedOp,
    reference: matmulHalf.matmulHalfTransposedReference,
    cases: matmulHalf.matmulHalfTransposedCases,
  },
  { op: matmul.matmulOuterOp, reference: matmul.matmulOuterReference, cases: matmul.matmulOuterCases },
  {
    op: conv2d.conv2dOp,
    reference: conv2d.conv2dReference,
    cases: conv2d.conv2dCases,
  },
  {
    op: conv2d.conv2dInputGradientOp,
    reference: conv2d.conv2dInputGradientReference,
    cases: conv2d.conv2dInputGradientCases,
  },
  {
    op: conv2d.conv2dWeightPartialOp,
    reference: conv2d.conv2dWeightPartialReference,
    cases: conv2d.conv2dWeightPartialCases,
  },
  {
    op: conv2d.conv2dWeightGradientOp,
    reference: conv2d.conv2dWeightGradientReference,
    cases: conv2d.conv2dWeightGradientCases,
  },
  {
    op: depthwise.depthwiseConv2dOp,
    reference: depthwise.depthwiseConv2dReference,
    cases: depthwise.depthwiseConv2dCases,
  },
  {
    op: depthwise.depthwiseInputGradientOp,
    reference: depthwise.depthwiseInputGradientReference,
    cases: depthwise.depthwiseInputGradientCases,
  },
  {
    op: depthwise.depthwiseWeightPartialOp,
    reference: depthwise.depthwiseWeightPartialReference,
    cases: depthwise.depthwiseWeightPartialCases,
  },
  {
    op: depthwise.depthwiseWeightGradientOp,
    reference: depthwise.depthwiseWeightGradientReference,
    cases: depthwise.depthwiseWeightGradientCases,
  },
  { op: softmax.softmaxOp, reference: softmax.softmaxReference, cases: softmax.softmaxCases },
  { op: softmax.logSoftmaxOp, reference: softmax.logSoftmaxReference, cases: softmax.softmaxCases },
  { op: softmax.softmaxCenterOp, reference: softmax.softmaxCenterReference, cases: softmax.softmaxGradientCases },
  { op: softmax.softmaxGradientOp, reference: softmax.softmaxGradientReference, cases: softmax.softmaxGradientCases },
  {
    op: softmax.logSoftmaxGradientOp,
    reference: softmax.logSoftmaxGradientReference,
    cases: softmax.logSoftmaxGradientCases,
  },
  { op: gather.gatherOp, reference: gather.gatherReference, cases: gather.gatherCases },
  { op: gather.scatterOp, reference: gather.scatterReference, cases: gather.scatterCases },
  { op: cast.castOp, reference: cast.castReference, cases: cast.castCases },
  { op: updates.adamUpdateOp, reference: updates.adamUpdateReference, cases: updates.adamUpdateCases },
  { op: updates.adamWUpdateOp, reference: updates.adamUpdateReference, cases: updates.adamWUpdateCases },
  { op: updates.sgdUpdateOp, reference: updates.sgdUpdateReference, cases: updates.sgdUpdateCases },
  {
    op: updates.runningAverageUpdateOp,
    reference: updates.runningAverageUpdateReference,
    cases: updates.runningAverageUpdateCases,
  },
  { op: updates.accumulateUpdateOp, reference: updates.accumulateUpdateReference, cases: updates.assignCases },
  { op: updates.assignUpdateOp, reference: updates.assignUpdateReference, cases: updates.assignCases },
  {
    op: nonFinite.nonFinitePartialOp,
    reference: nonFinite.nonFinitePartialReference,
    cases: nonFinite.nonFinitePartialCases,
  },
  {
    op: nonFinite.nonFiniteCountOp,
    reference: nonFinite.nonFiniteCountReference,
    cases: nonFinite.nonFiniteCountCases,
  },
  {
    op: batchNormTraining.variancePartialOp,
    reference: batchNormTraining.variancePartialReference,
    cases: batchNormTraining.variancePartialCases,
  },
  {
    op: batchNormTraining.batchNormApplyOp,
    reference: batchNormTraining.batchNormApplyReference,
    cases: batchNormTraining.batchNormApplyCases,
  },
  {
    op: batchNormTraining.batchNormGradientSumsOp,
    reference: batchNormTraining.batchNormGradientSumsReference,
    cases: batchNormTraining.batchNormGradientSumsCases,
  },
  {
    op: batchNormTraining.batchNormInputGradientOp,
    reference: batchNormTraining.batchNormInputGradientReference,
    cases: batchNormTraining.batchNormInputGradientCases,
  },
  {
    op: batchNormTraining.batchNormTrainingOp,
    reference: batchNormTraining.batchNormTrainingReference,
    cases: batchNormTraining.batchNormTrainingCases,
  },
  { op: pool.maxPool2dOp, reference: pool.maxPool2dReference, cases: pool.maxPool2dCases },
  { op: pool.maxPool2dGradientOp, reference: pool.maxPool2dGradientReference, cases: pool.maxPool2dGradientCases },
  { op: extremes.argMaxOp, reference: extremes.argMaxReference, cases: extremes.argMaxCases },
  { op: extremes.maxReduceOp, reference: extremes.maxReduceReference, cases: extremes.maxReduceCases },
  { op: resample.resampleOp, reference: resample.resampleReference, cases: resample.resampleCases },
  { op: resize.resizeBilinearOp, reference: resize.resizeBilinearReference, cases: resize.resizeBilinearCases },
  {
    op: resize.resizeBilinearTransposedOp,
    reference: resize.resizeBilinearTransposedReference,
    cases: resize.resizeBilinearCases,
  },
  { op: affine.affineWarpOp, reference: affine.affineWarpReference, cases: affine.affineWarpCases },
  { op: affine.warpAverageOp, reference: affine.warpAverageReference, cases: affine.warpAverageCases },
  { op: affine.displaceOp, reference: affine.displaceReference, cases: affine.displaceCases },
  {
    op: photometric.photometricOp,
    reference: photometric.photometricReference,
    cases: photometric.photometricCases,
  },
  {
    op: photometric.photometricAboutOp,
    reference: photometric.photometricReference,
    cases: photometric.photometricAboutCases,
  },
  { op: histogram.histogramOp, reference: histogram.histogramReference, cases: histogram.histogramCases },
  {
    op: histogram.equaliseTableOp,
    reference: histogram.equaliseTableReference,
    cases: histogram.equaliseTableCases,
  },
  { op: levels.levelTableOp, reference: levels.levelTableReference, cases: levels.levelTableCases },
  { op: histogram.lookUpOp, reference: histogram.lookUpReference, cases: histogram.lookUpCases },
  { op: filters.filterRowsOp, reference: filters.filterRowsReference, cases: filters.filterLineCases },
  { op: filters.filterColumnsOp, reference: filters.filterColumnsReference, cases: filters.filterLineCases },
  { op: filters.filterSquareOp, reference: filters.filterSquareReference, cases: filters.filterSquareCases },
  { op: filters.sharpenOp, reference: filters.sharpenReference, cases: filters.sharpenCases },
  { op: erase.eraseOp, reference: erase.eraseReference, cases: erase.eraseCases },
  { op: erase.noiseOp, reference: erase.noiseReference, cases: erase.noiseCases },
  { op: dropout.dropoutOp, reference: dropout.dropoutReference, cases: dropout.dropoutCases },
  { op: clip.clipFactorOp, reference: clip.clipFactorReference, cases: clip.clipFactorCases },
  { op: pixelate.pixelateOp, reference: pixelate.pixelateReference, cases: pixelate.pixelateCases },
  {
    op: randomPixels.shotNoiseOp,
    reference: randomPixels.shotNoiseReference,
    cases: randomPixels.shotNoiseCases,
  },
  {
    op: randomPixels.impulseNoiseOp,
    reference: randomPixels.impulseNoiseReference,
    cases: randomPixels.impulseNoiseCases,
  },
  {
    op: randomPixels.uniformFieldOp,
    reference: randomPixels.uniformFieldReference,
    cases: randomPixels.fieldCases,
  },
  {
    op: randomPixels.normalFieldOp,
    reference: randomPixels.normalFieldReference,
    cases: randomPixels.fieldCases,
  },
  { op: mix.mixUpOp, reference: mix.mixUpReference, cases: mix.mixUpCases },
  { op: mix.cutMixOp, reference: mix.cutMixReference, cases: mix.cutMixCases },
];

/** Every op with its float64 reference and its cases. Only tests, `verify`, `doctor` and the CPU interpreter import it. */
export const registry: readonly OpEntry[] = entries.map((entry) => ({ ...entry, cases: entry.cases() }));

/** The float64 loops by op name, for `runReference`. */
export const references: ReadonlyMap<string, Reference> = new Map(
  registry.flatMap(({ op, reference }) => (reference ? [[op.name, reference] as const] : [])),
);
