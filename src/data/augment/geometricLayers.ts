import { fillModes } from "../../engine/ops/affine.ts";
import { flipMatrix, rotationMatrix, shearMatrix, translationMatrix, windowMatrix, zoomMatrix } from "./affine.ts";
import { type GeometricLayer, geometric, range, spread } from "./layer.ts";

const fill = {
  kind: "choice",
  choices: ["policy", ...fillModes],
  default: "policy",
  help: "the border rule; policy means the policy's. Neighbours are resampled together while their rules agree",
} as const;

const side = (help: string) => ({ kind: "integer", default: 224, min: 1, max: 16384, help }) as const;

const number = (value: unknown): number => value as number;

/** The size that a crop of at most this size leaves. */
const cropped = (size: { height: number; width: number }, wanted: { height: number; width: number }) => ({
  height: Math.min(size.height, wanted.height),
  width: Math.min(size.width, wanted.width),
});

/** The layers that move pixels, by name. Consecutive ones are one resampling. */
export const geometricLayers: Readonly<Record<string, GeometricLayer>> = {
  flip: geometric({
    number: 1,
    summary: "mirrors left to right and upside down",
    formula: "u = W − 1 − x, v = H − 1 − y, each with probability 1/2; keras3: one coin for both axes",
    fields: {
      horizontal: { kind: "boolean", default: true, help: "left to right" },
      vertical: { kind: "boolean", default: true, help: "upside down" },
      fill,
    },
    draw: ({ horizontal, vertical }, random, mode) => {
      const [first, second] = [random.uniform() < 0.5, random.uniform() < 0.5];
      return {
        horizontal: Number(horizontal && first),
        vertical: Number(vertical && (mode === "keras3" ? first : second)),
      };
    },
    staysInside: true,
    matrix: ({ horizontal, vertical }, size) => flipMatrix(size, horizontal === 1, vertical === 1),
  }),
  rotation: geometric({
    number: 2,
    summary: "turns about the centre ((W − 1)/2, (H − 1)/2)",
    formula: "u = cos φ·x − sin φ·y, v = sin φ·x + cos φ·y about the centre, φ ~ U(factor)·2π",
    fields: { factor: spread(0.125, 1, "part of a whole turn"), fill },
    draw: ({ factor }, random) => ({ angle: random.uniform(...factor) * 2 * Math.PI }),
    matrix: ({ angle }, size) => rotationMatrix(size, number(angle)),
  }),
  zoom: geometric({
    number: 3,
    summary: "zooms out (factors above 0) or in (below) about the centre",
    formula: "u = z_w·x, v = z_h·y about the centre, z ~ U(1 + lo, 1 + hi); width null: z_w = z_h",
    fields: {
      height: spread(0.2, 5, "part added to the height that is seen", -0.95),
      width: { ...spread(0.2, 5, "of the width; null keeps the aspect", -0.95), default: null, optional: true },
      fill,
    },
    draw: ({ height, width }, random) => {
      const down = 1 + random.uniform(...height);
      const across = random.uniform();
      return { height: down, width: width ? 1 + width[0] + (width[1] - width[0]) * across : down };
    },
    matrix: ({ height, width }, size) => zoomMatrix(size, number(height), number(width)),
  }),
  translation: geometric({
    number: 4,
    summary: "moves down and right (positive) by parts of a pixel too",
    formula: "u = x − t_w·W, v = y − t_h·H, t ~ U(factor)",
    fields: { height: spread(0.2, 1, "part of the height"), width: spread(0.2, 1, "part of the width"), fill },
    draw: ({ height, width }, random) => ({ down: random.uniform(...height), right: random.uniform(...width) }),
    matrix: ({ down, right }, { height, width }) => translationMatrix(number(right) * width, number(down) * height),
  }),
  shear: geometric({
    number: 5,
    summary: "slants rows and columns about the centre",
    formula: "u = x − s_x·y, v = y − s_y·x about the centre, s ~ U(factor)",
    fields: { x: spread(0.2, 2, "pixels to the right per row"), y: spread(0, 2, "pixels down per column"), fill },
    draw: ({ x, y }, random) => ({ x: random.uniform(...x), y: random.uniform(...y) }),
    matrix: ({ x, y }, size) => shearMatrix(size, number(x), number(y)),
  }),
  crop: geometric({
    number: 6,
    summary: "cuts a window at whole pixels",
    formula: "u = x + left, v = y + top, left ~ {0 … W − width}, top ~ {0 … H − height}",
    fields: {
      height: side("of the window, at most the image's"),
      width: side("of the window, at most the image's"),
      fill,
    },
    draw: (_, random) => ({ top: random.uniform(), left: random.uniform() }),
    matrix: ({ top, left }, size, settings) => {
      const window = cropped(size, settings);
      const at = (share: unknown, room: number): number => Math.floor(number(share) * (room + 1));
      return translationMatrix(-at(left, size.width - window.width), -at(top, size.height - window.height));
    },
    sizeAfter: cropped,
    staysInside: true,
  }),
  randomResizedCrop: geometric({
    number: 7,
    summary: "cuts a window of random area and aspect, and brings it to a fixed size (Szegedy et al. 2015)",
    formula: "w = min(W, √(a·r·W·H)), h = min(H, √(a·W·H / r)), a ~ U(scale), ln r ~ U(ln ratio), placed uniformly",
    fields: {
      height: side("of the result"),
      width: side("of the result"),
      scale: range(0.25, 1, 0.001, 1, "area of the window, part of the image's"),
      ratio: range(0.75, 4 / 3, 0.05, 20, "width of the window over its height"),
      fill,
    },
    draw: ({ scale, ratio }, random) => ({
      area: random.uniform(...scale),
      ratio: Math.exp(random.uniform(Math.log(ratio[0]), Math.log(ratio[1]))),
      top: random.uniform(),
      left: random.uniform(),
    }),
    matrix: ({ area, ratio, top, left }, size, to) => {
      const pixels = number(area) * size.width * size.height;
      const width = Math.min(size.width, Math.sqrt(pixels * number(ratio)));
      const height = Math.min(size.height, Math.sqrt(pixels / number(ratio)));
      const corner = { top: number(top) * (size.height - height), left: number(left) * (size.width - width) };
      return windowMatrix({ ...corner, height, width }, to);
    },
    sizeAfter: (_, { height, width }) => ({ height, width }),
  }),
};
