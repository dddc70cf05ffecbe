import type { OpEntry, Reference } from "../op.ts";
import * as binary from "./binary.ts";
import * as channel from "./channel.ts";
import * as masks from "./masks.ts";
import * as matmul from "./matmul.ts";
import * as reduce from "./reduce.ts";
import * as reshape from "./reshape.ts";
import * as sources from "./sources.ts";
import * as unary from "./unary.ts";

/** Every op with its float64 reference and its cases: one line each. Only tests, `verify`, `doctor` and the CPU interpreter import it. */
export const registry: readonly OpEntry[] = [
  { op: sources.fillOp, reference: sources.fillReference, cases: sources.fillCases },
  { op: unary.reluOp, reference: unary.reluReference, cases: unary.reluCases },
  { op: unary.relu6Op, reference: unary.relu6Reference, cases: unary.relu6Cases },
  { op: unary.scaleOp, reference: unary.scaleReference, cases: unary.scaleCases },
  { op: unary.squareOp, reference: unary.squareReference, cases: unary.squareCases },
  { op: unary.expOp, reference: unary.expReference, cases: unary.expCases },
  { op: masks.reluMaskOp, reference: masks.reluMaskReference, cases: masks.maskCases },
  { op: masks.relu6MaskOp, reference: masks.relu6MaskReference, cases: masks.maskCases },
  { op: binary.addOp, reference: binary.addReference, cases: binary.binaryCases },
  { op: binary.subtractOp, reference: binary.subtractReference, cases: binary.binaryCases },
  { op: binary.multiplyOp, reference: binary.multiplyReference, cases: binary.binaryCases },
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
  { op: matmul.matmulOuterOp, reference: matmul.matmulOuterReference, cases: matmul.matmulOuterCases },
];

/** The float64 loops by op name, for `runReference`. */
export const references: ReadonlyMap<string, Reference> = new Map(
  registry.flatMap(({ op, reference }) => (reference ? [[op.name, reference] as const] : [])),
);
