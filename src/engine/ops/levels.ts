import code from "../../shaders/levels.wgsl?raw";
import { ShapeError } from "../errors.ts";
import { apply, type Tensor } from "../graph.ts";
import { flatGrid } from "../kernel.ts";
import { defineOp, type OpCase, type Reference, type Shader } from "../op.ts";
import { formatType, sizeOf } from "../types.ts";

const shader: Shader = { name: "levels", code };
const levels = 256;

/** The steps of a level program by their codes; `levels.wgsl` says what each does with its amount. */
export const levelCodes = { nothing: 0, equalise: 1, posterise: 2, solarise: 3 } as const;

/** counts i32 [N, C, 256], program i32 [N, steps, 2] of (code of {@link levelCodes}, amount) → where each level goes, f32 [N, C, 256]. */
export const levelTableOp = defineOp("levelTable", {
  arity: 2,
  infer: ([counts, program]) => {
    if (counts.dtype !== "i32" || counts.shape.length !== 3 || counts.shape[2] !== levels)
      throw new ShapeError(`expected counts i32 [N, C, 256], found ${formatType(counts)}`);
    const { shape } = program;
    if (program.dtype !== "i32" || shape.length !== 3 || shape[0] !== counts.shape[0] || shape[2] !== 2)
      throw new ShapeError(
        `expected a program i32 [N, steps, 2] for each image of ${formatType(counts)}, found ${formatType(program)}`,
      );
    return [{ dtype: "f32", shape: counts.shape }];
  },
  kernel: ({ inputs: [counts, program] }) => {
    const [samples, channels] = counts.shape;
    const steps = program.shape[1];
    return {
      shader,
      entryPoint: "levelTable",
      uniforms: [samples * channels, channels, steps],
      grid: flatGrid(samples * channels, 1),
      flops: 4 * steps * sizeOf(counts.shape),
      bytes: 8 * sizeOf(counts.shape),
    };
  },
});

/** The table of `ImageOps.equalize` for counts by level. */
function spread(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const last = counts.findLast((count) => count > 0) ?? 0;
  const step = Math.floor((total - last) / 255);
  let below = Math.floor(step / 2);
  return counts.map((count, level) => {
    const place = step === 0 ? level : Math.min(Math.floor(below / step), 255);
    below += count;
    return place;
  });
}

function levelStep(places: readonly number[], counts: ArrayLike<number>, step: number, amount: number): number[] {
  if (step === levelCodes.equalise) {
    const tally = new Array<number>(levels).fill(0);
    places.forEach((place, level) => {
      tally[place] += counts[level];
    });
    const table = spread(tally);
    return places.map((place) => table[place]);
  }
  const size = 2 ** (8 - Math.min(Math.max(amount, 0), 8));
  if (step === levelCodes.posterise) return places.map((place) => Math.floor(place / size) * size);
  return step === levelCodes.solarise ? places.map((place) => (place >= amount ? 255 - place : place)) : [...places];
}

export const levelTableReference: Reference = ([counts, program]) => {
  const [, channels] = counts.shape;
  const [, steps] = program.shape;
  const table = new Float64Array(counts.data.length);
  for (let first = 0; first < table.length; first += levels) {
    const image = Math.floor(first / levels / channels);
    let places = Array.from({ length: levels }, (_, level) => level);
    for (let k = 0; k < steps; k++) {
      const at = 2 * (image * steps + k);
      places = levelStep(places, counts.data.subarray(first, first + levels), program.data[at], program.data[at + 1]);
    }
    table.set(places, first);
  }
  return [table];
};

/** Programs of codes and small amounts for many images, so that an equalisation after any other step is met. */
export const levelTableCases = (): OpCase[] =>
  [
    { samples: 9, channels: 3, counts: 40, steps: 4, codes: 4 },
    { samples: 60, channels: 1, counts: 4, steps: 3, codes: 4 },
    { samples: 60, channels: 2, counts: 9, steps: 3, codes: 4 },
    { samples: 5, channels: 1, counts: 2, steps: 7, codes: 9 },
  ].map(({ samples, channels, counts, steps, codes }) => ({
    inputs: [
      { shape: [samples, channels, levels], dtype: "i32", below: counts },
      { shape: [samples, steps, 2], dtype: "i32", below: codes },
    ],
  }));

/** Where the levels of images with these counts [N, C, 256] go by their programs [N, steps, 2]; for `lookUp`. */
export const levelTable = (counts: Tensor, program: Tensor): Tensor => apply(levelTableOp, [counts, program]);
