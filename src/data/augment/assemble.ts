import type { FillMode } from "../../engine/ops/affine.ts";
import type { PhotometricStep } from "../../engine/ops/photometric.ts";
import type { ImageSize } from "../images.ts";
import type { Range, Settings } from "./fields.ts";
import type { CompositeLayer, GeometricLayer, Mode, Operation } from "./layer.ts";
import { layerTypes } from "./layers.ts";
import { augMixDepth, augMixWidth } from "./mixedLayers.ts";
import {
  augMixSteps,
  levelStep,
  operationAmount,
  operationStep,
  operationSteps,
  operationsMatrix,
} from "./operations.ts";
import { type Drawn, opsOf, pixelOp } from "./parameters.ts";
import type { Policy } from "./policy.ts";
import {
  type Box,
  blurStage,
  branchesStage,
  cutMixStage,
  equaliseStage,
  eraseStage,
  eraseWithNoiseStage,
  levelsStage,
  mixUpStage,
  noiseStage,
  type Stage,
  StageList,
  sharpenStage,
} from "./stages.ts";

/** `fused`: one resampling for neighbouring geometric layers of one border rule. `sequential`: one for each layer, as Keras does. */
export const resamplings = ["fused", "sequential"] as const;
export type Resampling = (typeof resamplings)[number];

export interface AssemblyOptions extends ImageSize {
  readonly mode: Mode;
  readonly resample: Resampling;
}

const numberOf = (drawn: Drawn, layer: number, name: string): number => drawn[layer][name] as number;

/** A rectangle of `area` (part of the image's) and aspect `ratio`, at the shares `top` and `left` of the room around it. */
export function boxOf({ height, width }: ImageSize, area: number, ratio: number, top: number, left: number): Box {
  const rows = Math.min(height, Math.round(Math.sqrt((area * height * width) / ratio)));
  const columns = Math.min(width, Math.round(Math.sqrt(area * height * width * ratio)));
  return [Math.floor(top * (height - rows + 1)), Math.floor(left * (width - columns + 1)), rows, columns];
}

/** The pixels inside a box of these shares of the sides, at these shares of the room around it, none of them rounded. */
export function fractionalBox(
  { height, width }: ImageSize,
  [rows, columns]: readonly [number, number],
  [top, left]: readonly [number, number],
): Box {
  const span = (length: number, share: number, place: number): readonly [number, number] => {
    const start = place * (length - share * length);
    return [Math.ceil(start), Math.ceil(start + share * length) - Math.ceil(start)];
  };
  const [[y, boxHeight], [x, boxWidth]] = [span(height, rows, top), span(width, columns, left)];
  return [y, x, boxHeight, boxWidth];
}

/** The box of CutMix about (x, y), shares of the sides, cut at the border: in whole pixels, and the part of the image it covers. */
export function cutMixBox(size: ImageSize, lambda: number, y: number, x: number): { box: Box; exactArea: number } {
  const side = Math.sqrt(1 - lambda);
  const span = (length: number, centre: number): [number, number] => [
    Math.max(0, (centre - side / 2) * length),
    Math.min(length, (centre + side / 2) * length),
  ];
  const [top, bottom] = span(size.height, y);
  const [left, right] = span(size.width, x);
  const [row, column] = [Math.round(top), Math.round(left)];
  return {
    box: [row, column, Math.round(bottom) - row, Math.round(right) - column],
    exactArea: ((bottom - top) * (right - left)) / (size.height * size.width),
  };
}

function addGeometric(
  list: StageList,
  layer: GeometricLayer,
  index: number,
  settings: Settings,
  resample: Resampling,
): void {
  const from = list.size;
  const to = layer.sizeAfter?.(from, settings) ?? from;
  const { fill } = settings as { fill: FillMode | "policy" };
  const own = fill === "policy" ? list.border.fill : fill;
  list.addMatrix((drawn) => layer.matrix(drawn[index], from, settings), to, layer.staysInside ? undefined : own);
  if (resample === "sequential") list.flushMatrices();
}

type OperationsOf = (drawn: Drawn) => readonly Operation[];

const drawnOperations =
  (index: number): OperationsOf =>
  (drawn) =>
    drawn[index].operations as readonly Operation[];

/** Operations drawn for each image: the graph has a place for every kind, and unused ones do nothing. */
function addOperations(list: StageList, count: number, operations: OperationsOf): void {
  const { size } = list;
  list.addMatrix((drawn) => operationsMatrix(operations(drawn), size), size, list.border.fill);
  for (let place = 0; place < count; place++) {
    list.addStep({ row: (drawn) => operationStep(operations(drawn)[place]), kinds: operationSteps }, true);
    list.addStage(equaliseStage((drawn) => operationAmount(operations(drawn)[place], "equalise")));
    list.addStage(sharpenStage((drawn) => operationAmount(operations(drawn)[place], "sharpen")));
  }
}

/**
 * A chain of AugMix: what comes before the first equalisation is a program on the pixels. Equalisation makes whole levels, so
 * everything from there on acts on a table of the 256, whatever it is, and the image is looked up in it once.
 */
function addChain(list: StageList, operations: OperationsOf): void {
  const { size } = list;
  const split = (drawn: Drawn): number => {
    const first = operations(drawn).findIndex((operation) => operationAmount(operation, "equalise") !== 0);
    return first < 0 ? augMixDepth : first;
  };
  const places = Array.from({ length: augMixDepth }, (_, place) => place);
  list.addMatrix((drawn) => operationsMatrix(operations(drawn), size), size, list.border.fill);
  for (const place of places) {
    const row = (drawn: Drawn) => operationStep(place < split(drawn) ? operations(drawn)[place] : undefined);
    list.addStep({ row, kinds: augMixSteps }, false);
  }
  const program = (drawn: Drawn) =>
    places.flatMap((place) => levelStep(place < split(drawn) ? undefined : operations(drawn)[place]));
  list.addStage(levelsStage(augMixDepth, program));
}

function augMixStage(list: StageList, index: number): Stage {
  const branches = Array.from({ length: augMixWidth }, (_, chain) => {
    const own = new StageList(list.size, list.border);
    addChain(own, (drawn) => (drawn[index].chains as readonly Operation[][])[chain]);
    own.flush();
    return own.stages;
  });
  return branchesStage(branches, (drawn) => {
    const own = numberOf(drawn, index, "own");
    return [own, ...(drawn[index].weights as readonly number[]).map((weight) => (1 - own) * weight)];
  });
}

function drawnCutMix(size: ImageSize, index: number, mode: Mode): Stage {
  const cut = (drawn: Drawn) =>
    cutMixBox(size, numberOf(drawn, index, "lambda"), numberOf(drawn, index, "y"), numberOf(drawn, index, "x"));
  const ownShare = (drawn: Drawn): number => {
    const { box, exactArea } = cut(drawn);
    return 1 - (mode === "keras3" ? exactArea : (box[2] * box[3]) / (size.height * size.width));
  };
  return cutMixStage((drawn) => cut(drawn).box, ownShare);
}

function erasingStage(size: ImageSize, { index, settings, op, mode }: Place): Stage {
  const box = (drawn: Drawn): Box => {
    if ("rows" in drawn[index]) {
      const [rows, columns, top, left] = ["rows", "columns", "top", "left"].map((name) => numberOf(drawn, index, name));
      return fractionalBox(size, [rows, columns], [top, left]);
    }
    const [area, ratio, top, left] = ["area", "ratio", "top", "left"].map((name) => numberOf(drawn, index, name));
    return area === 0 ? [0, 0, 0, 0] : boxOf(size, area, ratio, top, left);
  };
  // Keras 3 fills with noise where no colour is given.
  if (mode === "keras3" && settings.fill === "random")
    return eraseWithNoiseStage(box, (drawn) => numberOf(drawn, index, "noise"), op + pixelOp, size);
  return eraseStage(box, (drawn) => drawn[index].colour as readonly number[]);
}

/** The stages of a policy for images of one size, in the order in which they run. */
export function assemble(policy: Policy, { height, width, mode, resample }: AssemblyOptions): StageList {
  const list = new StageList({ height, width }, policy);
  const ops = opsOf(policy);
  policy.layers.forEach(({ type, settings }, index) => {
    const layer = layerTypes[type];
    if (layer.kind === "geometric") addGeometric(list, layer, index, settings, resample);
    else if (layer.kind === "photometric")
      list.addStep(
        { row: (drawn) => layer.step(drawn[index]), kinds: [layer.stepName?.(mode) ?? (type as PhotometricStep)] },
        layer.aboutMean ?? false,
      );
    else if (layer.kind === "randAugment") addOperations(list, settings.operations as number, drawnOperations(index));
    else list.addStage(compositeStage(list, layer.kind, { index, settings, op: ops[index], mode }));
  });
  list.flush();
  return list;
}

interface Place {
  readonly index: number;
  readonly settings: Settings;
  readonly op: number;
  readonly mode: Mode;
}

function compositeStage(list: StageList, kind: Exclude<CompositeLayer["kind"], "randAugment">, place: Place): Stage {
  const { index, settings, op, mode } = place;
  const value = (name: string) => (drawn: Drawn) => numberOf(drawn, index, name);
  switch (kind) {
    case "equalise":
      return equaliseStage(value("active"));
    case "sharpen":
      return sharpenStage(value("amount"));
    case "blur":
      return blurStage(value("sigma"), (settings.sigma as Range)[1]);
    case "noise":
      return noiseStage(value("sigma"), op + pixelOp);
    case "erasing":
      return erasingStage(list.size, place);
    case "augMix":
      return augMixStage(list, index);
    case "mixUp":
      return mixUpStage(value("lambda"));
    case "cutMix":
      return drawnCutMix(list.size, index, mode);
    default:
      return kind satisfies never;
  }
}
