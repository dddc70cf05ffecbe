import {
  flipMatrix,
  type Matrix,
  rotationMatrix,
  translationMatrix,
  warpRow,
  zoomMatrix,
} from "../../data/augment/affine.ts";
import type { ImageSize } from "../../data/images.ts";
import { FileError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/graph.ts";
import { affineWarp, type FillMode, fillModes, type Interpolation, interpolations } from "../../engine/ops/affine.ts";
import { photometric, photometricCodes } from "../../engine/ops/photometric.ts";
import { resizeBilinear } from "../../engine/ops/resize.ts";
import { constant } from "../../engine/ops/sources.ts";

/** What a recorded tensor is made from, and how: with the file's parameters, not with drawn ones. */
export interface RecordedCase {
  /** The name of the tensor that is the operation's input. */
  readonly input: string;
  /** Largest difference that counts as equal, of values from 0 to 255. */
  readonly tolerance: number;
  build(x: Tensor): Tensor;
}

type Recorded = Readonly<Record<string, unknown>>;

/** Nested lists of numbers or booleans in one line. */
function flatten(value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap(flatten);
  if (typeof value === "number" || typeof value === "boolean") return [Number(value)];
  throw new FileError(`expected numbers, found ${JSON.stringify(value)}`);
}

/** `key` of the record as one list with `perImage` numbers for each of `samples` images. */
function numbers(record: Recorded, key: string, samples: number, perImage: number): number[][] {
  const values = flatten(record[key]);
  if (values.length !== samples * perImage)
    throw new FileError(`expected ${samples} × ${perImage} numbers as ${key}, found ${values.length}`);
  return Array.from({ length: samples }, (_, index) => values.slice(index * perImage, (index + 1) * perImage));
}

/** The matrices of a geometric layer, by the first part of the tensor's name. */
const matrices: Readonly<Record<string, (record: Recorded, samples: number, size: ImageSize) => readonly number[][]>> =
  {
    rotation: (record, samples, size) =>
      record.rotation_matrix === undefined
        ? numbers(record, "angle", samples, 1).map(([degrees]) => row(rotationMatrix(size, (degrees * Math.PI) / 180)))
        : numbers(record, "rotation_matrix", samples, 8),
    zoom: (record, samples, size) => {
      const width = numbers(record, record.width_zoom === undefined ? "height_zoom" : "width_zoom", samples, 1);
      return numbers(record, "height_zoom", samples, 1).map(([height], index) =>
        row(zoomMatrix(size, height, width[index][0])),
      );
    },
    translation: (record, samples) =>
      numbers(record, "translations", samples, 2).map(([right, down]) => row(translationMatrix(right, down))),
    // Keras 3's RandomFlip("horizontal_and_vertical") tosses one coin for both axes.
    flip: (record, samples, size) =>
      numbers(record, "flips", samples, 1).map(([flipped]) => row(flipMatrix(size, flipped === 1, flipped === 1))),
  };

const row = (matrix: Matrix): number[] => warpRow(matrix);

const layerTolerance = 0.05;
const resizeTolerance = 0.01;

/** `rotation/reflect/nearest`: the last part is the interpolation, bilinear where it is missing; what is outside is `fill_value`. */
function geometricCase(kind: string, fill: FillMode, interpolation: Interpolation, record: Recorded): RecordedCase {
  return {
    input: "images",
    tolerance: layerTolerance,
    build: (x) => {
      const [samples, height, width] = x.shape;
      const rows = matrices[kind](record, samples, { height, width });
      const fillValue = record.fill_value === undefined ? 0 : flatten(record.fill_value)[0];
      return affineWarp(x, constant(rows.flat(), [samples, 8]), { fill, interpolation, fillValue });
    },
  };
}

/** `rgb_delta` is one number for an image; `contrast_factor` too, about the mean of each channel. */
function photometricCase(kind: "brightness" | "contrast", record: Recorded): RecordedCase {
  const key = kind === "brightness" ? "rgb_delta" : "contrast_factor";
  return {
    input: "images",
    tolerance: layerTolerance,
    build: (x) => {
      const [samples] = x.shape;
      const program = numbers(record, key, samples, 1).flatMap(([amount]) => [photometricCodes[kind], amount]);
      return photometric(x, constant(program, [samples, 1, 2]), { contrast: kind === "contrast" });
    },
  };
}

function resizeCase(name: string): RecordedCase {
  const match = /^resize\/bilinear_(\d+)x(\d+)$/.exec(name);
  if (!match) throw new FileError(`expected resize/bilinear_HEIGHTxWIDTH, found ${name}`);
  const [height, width] = match.slice(1).map(Number);
  return { input: "resize/input", tolerance: resizeTolerance, build: (x) => resizeBilinear(x, { height, width }) };
}

/**
 * How the tensor `name` is made again: rotation/FILL, zoom/FILL, translation/FILL (each perhaps with /nearest), flip, brightness, contrast, resize/bilinear_HxW.
 * @param parameters the file's JSON object, by tensor
 * @throws FileError for another name, or parameters that are missing or of another form
 */
export function recordedCase(name: string, parameters: Recorded): RecordedCase {
  if (name.startsWith("resize/")) return resizeCase(name);
  const record = parameters[name];
  if (typeof record !== "object" || record === null)
    throw new FileError(
      `expected the parameters of ${name} as an object in the JSON file, found ${JSON.stringify(record)}`,
    );
  const [kind, fill = "reflect", interpolation = "bilinear", ...rest] = name.split("/");
  if (kind === "brightness" || kind === "contrast") return photometricCase(kind, record as Recorded);
  const isKnown =
    Object.hasOwn(matrices, kind) &&
    fillModes.includes(fill as FillMode) &&
    interpolations.includes(interpolation as Interpolation);
  if (!isKnown || rest.length > 0)
    throw new FileError(
      `expected ${Object.keys(matrices).join(", ")} with a fill of ${fillModes.join(", ")} and perhaps ${interpolations.join(" or ")}, brightness, contrast or resize, found ${name}`,
    );
  return geometricCase(kind, fill as FillMode, interpolation as Interpolation, record as Recorded);
}
