import type { Language } from "../../src/report/language.ts";
import type { ReportData, RgbImage } from "../../src/report/types.ts";
import { type Heatmap, renderAttribution, renderHeatmap, renderOverlay } from "../../src/xai/overlay.ts";

export interface FixtureOptions {
  classNames?: string[];
  epochs?: number;
  mistakes?: number;
  masks?: boolean;
  explanations?: number;
  heatmaps?: boolean;
  size?: number;
  language?: Language;
  notebook?: ReportData["notebook"];
  scratch?: ReportData["scratch"];
  /** Where pictures come from; by default blobs of a colour that depends on the class. */
  draw?: (classIndex: number, index: number) => { image: RgbImage; mask: Uint8Array };
}

const perClassTest = 12;
const perClassValidation = 10;

/** A report of consistent, invented figures with every kind of content. The same options give the same data. */
export function reportData(options: FixtureOptions = {}): ReportData {
  const { classNames = ["daisy", "dandelion", "rose", "sunflower", "tulip"], epochs = 12, mistakes = 6 } = options;
  const { size = 32, draw = (c: number, i: number) => blob(c, i, size) } = options;
  const classes = classNames.length;
  const confusion = confusionWith(classes, mistakes);
  const wrongPairs = confusion.flatMap((row, i) => row.flatMap((n, j) => (i === j ? [] : Array(n).fill([i, j])))) as [
    number,
    number,
  ][];
  const total = classes * perClassTest;
  return {
    title: "Flowers told apart by their shape",
    language: options.language,
    notebook: options.notebook,
    scratch: options.scratch,
    createdAt: "2025-01-31",
    headline: {
      task: "A small convolutional network, trained from nothing on drawn flowers whose colour says little about the species.",
      testAccuracy: (total - mistakes) / total,
      testCount: total,
      chance: 1 / classes,
    },
    data: {
      name: "petals, drawn from seed 7",
      classNames,
      counts: {
        train: Array(classes).fill(80),
        validation: Array(classes).fill(perClassValidation),
        test: Array(classes).fill(perClassTest),
      },
      samples: classNames.flatMap((label, c) => [0, 1].map((i) => ({ label, image: draw(c, i).image }))),
      broken: [{ name: "rose/half-copied.jpg", reason: "expected 20480 bytes, got 8192" }],
    },
    history: history(epochs),
    bestEpoch: epochs === 0 ? undefined : Math.max(1, epochs - 2),
    evaluation: {
      accuracy: Math.fround((total - mistakes) / total),
      loss: 0.2871,
      confusion,
      perClass: classNames.map((name, i) => {
        const answered = confusion.reduce((n, row) => n + row[i], 0);
        return {
          name,
          precision: answered ? confusion[i][i] / answered : null,
          recall: confusion[i][i] / perClassTest,
          support: perClassTest,
        };
      }),
    },
    ...analysis(classNames, confusion, total, mistakes),
    explanations: Array.from({ length: options.explanations ?? 4 }, (_, k) =>
      explanation(k, classNames, draw, options),
    ),
    mistakes: wrongPairs.map(([i, j], k) => mistake(k, i, j, classNames, draw)),
    settings: {
      command: "npx tepal practical --seed 7 --epochs 12 --out out/petals",
      seed: 7,
      adapter: "SwiftShader (software)",
      network: "smallCnn",
      inputSize: "64 × 64 × 3",
      preprocessing: "x / 127.5 − 1",
      optimizer: "Adam, learning rate 0.001, batches of 32",
      weightsSha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
      versions: { tepal: "0.1.0", node: "20.19.0", webgpu: "0.6.2" },
    },
    timings: { loadData: 1.82, compile: 0.912, training: 96.4, evaluation: 0.48, explanations: 6.3 },
  };
}

/** The figures of the five answers, consistent with the confusion matrix. */
function analysis(
  classNames: string[],
  confusion: number[][],
  total: number,
  mistakes: number,
): Pick<ReportData, "answers" | "confusions" | "calibration" | "robustness"> {
  const accuracy = (total - mistakes) / total;
  const side = {
    testAccuracy: accuracy,
    correct: total - mistakes,
    trainAccuracy: 0.99,
    valAccuracy: 0.9,
    bestEpoch: 3,
  };
  const pairs = confusion
    .flatMap((row, actual) =>
      row.flatMap((count, predicted) =>
        count > 0 && actual !== predicted ? [{ actual, predicted, count, share: count / perClassTest }] : [],
      ),
    )
    .sort((a, b) => b.count - a.count);
  const model = (name: string, mce: number, drop: number) => ({
    name,
    cleanAccuracy: accuracy,
    meanAccuracy: accuracy - drop,
    mce,
    mceInterval: name === "baseline" ? null : { low: mce - 0.1, high: mce + 0.1 },
    relativeMce: mce,
    families: ["fog", "jpeg"].map((family, k) => ({
      name: family,
      group: k === 0 ? "weather" : "digital",
      accuracies: [accuracy - drop, accuracy - drop * (2 - k)],
      corruptionError: mce,
    })),
  });
  return {
    answers: {
      augmentation: {
        policy: "advanced: flip, rotation",
        epochs: 12,
        seeds: [7],
        testCount: total,
        baseline: { ...side, trainAccuracy: 1, valAccuracy: 0.8 },
        augmented: side,
        difference: { mean: 0.02, low: -0.01, high: 0.05 },
        mcNemar: { onlyFirst: 2, onlySecond: 4, p: 0.6875 },
        chosen: "augmented",
        ownCorruptions: [],
      },
      looking: {
        masks: { count: 50, hits: 44, mass: 0.66, area: 0.22, rightAnswers: 45, rightBeside: 5 },
        coarse: null,
        curves: { images: 4, insertion: 0.8, randomInsertion: 0.5, deletion: 0.2, randomDeletion: 0.45 },
      },
      mistake:
        mistakes === 0
          ? null
          : {
              name: `test/${classNames[pairs[0].actual]}-40.png`,
              predicted: classNames[pairs[0].predicted],
              actual: classNames[pairs[0].actual],
              probability: 0.93,
              actualProbability: 0.04,
              overlap: 0.7,
              predictedOnObject: true,
              actualOnObject: true,
            },
    },
    confusions: {
      classNames,
      pairs,
      perClass: classNames.map((name) => ({ name, precision: 0.9, recall: 0.9, f1: 0.9, support: perClassTest })),
    },
    calibration: {
      count: total,
      ece: 0.08,
      maximum: 0.2,
      overconfidence: 0.08,
      bins: [
        { low: 0, high: 0.5, count: 0, confidence: null, accuracy: null },
        { low: 0.5, high: 1, count: total, confidence: accuracy + 0.08, accuracy },
      ],
    },
    robustness: {
      count: total,
      severities: [1, 5],
      seed: 7,
      models: [model("baseline", 1, 0.2), model("augmented", 0.8, 0.15)],
    },
  };
}

function confusionWith(classes: number, mistakes: number): number[][] {
  const confusion = Array.from({ length: classes }, (_, i) =>
    Array.from({ length: classes }, (_, j) => (i === j ? perClassTest : 0)),
  );
  for (let k = 0; k < mistakes; k++) {
    const i = (k * k) % classes;
    confusion[i][i] -= 1;
    confusion[i][(i + 1 + (k % 2)) % classes] += 1;
  }
  return confusion;
}

function history(epochs: number): ReportData["history"] {
  return Array.from({ length: epochs }, (_, i) => ({
    epoch: i + 1,
    loss: 1.6 * Math.exp(-i / 4) + 0.12,
    accuracy: 1 - 0.72 * Math.exp(-i / 3.5),
    valLoss: 1.5 * Math.exp(-i / 4) + 0.26 + 0.05 * Math.sin(2.4 * i),
    valAccuracy: 0.93 - 0.6 * Math.exp(-i / 3) + 0.015 * Math.sin(3 * i),
  }));
}

type Draw = NonNullable<FixtureOptions["draw"]>;

function explanation(
  k: number,
  classNames: string[],
  draw: Draw,
  options: FixtureOptions,
): ReportData["explanations"][number] {
  const actual = k % classNames.length;
  const predicted = k % 4 === 3 ? (actual + 1) % classNames.length : actual;
  const { image, mask } = draw(actual, k + 10);
  const empty = k % 4 === 2;
  const heat = empty ? { values: new Float32Array(49), height: 7, width: 7 } : heatOf(mask, image);
  const { masks = true, heatmaps = false } = options;
  return {
    name: `test/${classNames[actual]}-${k}.png`,
    image,
    predicted: classNames[predicted],
    predictedProbability: 0.993 - 0.07 * k,
    actual: classNames[actual],
    gradcam: {
      overlay: renderOverlay(image, heat),
      ...(heatmaps && { heatmap: renderHeatmap(heat, image) }),
      status: empty ? "no positive evidence" : "ok",
      ...(masks && { pointingHit: !empty, massInMask: empty ? Number.NaN : 0.71 - 0.03 * k, maskArea: 0.22 }),
    },
    integratedGradients: {
      image: renderAttribution(attributionOf(image, mask), image.height, image.width),
      completenessGap: 0.000031 * (k + 1),
      steps: 32,
      rule: "gauss-legendre",
      baseline: "black",
    },
  };
}

function mistake(k: number, i: number, j: number, classNames: string[], draw: Draw): ReportData["mistakes"][number] {
  const { image, mask } = draw(i, k + 40);
  const heat = heatOf(mask, image);
  const elsewhere = { ...heat, values: heat.values.map((_, n) => heat.values[48 - n]) };
  return {
    name: `test/${classNames[i]}-${k + 40}.png`,
    image,
    predicted: classNames[j],
    probability: 0.4 + ((k * 37) % 59) / 100,
    actual: classNames[i],
    gradcamPredicted: renderOverlay(image, elsewhere),
    gradcamActual: renderOverlay(image, heat),
  };
}

/** The mask averaged to 7×7 with its peak at 1. */
function heatOf(mask: Uint8Array, { width, height }: RgbImage): Heatmap {
  const values = new Float32Array(49);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (mask[y * width + x]) values[7 * Math.floor((7 * y) / height) + Math.floor((7 * x) / width)] += 1;
    }
  }
  const peak = values.reduce((a, b) => Math.max(a, b), 1);
  return { values: values.map((v) => v / peak), height: 7, width: 7 };
}

/** Horizontal edges of the image, weak outside the mask: reads like an attribution. */
function attributionOf(image: RgbImage, mask: Uint8Array): Float32Array {
  const out = new Float32Array(image.data.length);
  for (let i = 3; i < out.length; i++) {
    const edge = (image.data[i] - image.data[i - 3]) / 255;
    out[i] = edge * (mask[Math.floor(i / 3)] ? 1 : 0.15);
  }
  return out;
}

/** A disc with petals on a shaded ground. */
function blob(classIndex: number, index: number, size: number): { image: RgbImage; mask: Uint8Array } {
  const data = new Uint8Array(3 * size * size);
  const mask = new Uint8Array(size * size);
  const petals = 4 + classIndex;
  for (let i = 0; i < size * size; i++) {
    const x = (i % size) / size - 0.5 + 0.04 * Math.sin(index);
    const y = Math.floor(i / size) / size - 0.5;
    const radius = Math.hypot(x, y);
    const inside = radius < 0.3 + 0.1 * Math.cos(petals * Math.atan2(y, x) + index);
    mask[i] = inside ? 255 : 0;
    const colour =
      radius < 0.1 ? [235, 190, 60] : inside ? [200, 90 + 8 * index, 140] : [70 + 60 * x, 110 + 70 * y, 70];
    data.set(colour.map(Math.round), 3 * i);
  }
  return { image: { width: size, height: size, data }, mask };
}
