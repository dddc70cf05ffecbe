/** Makes the embedded backbone: MobileNetV2 0.35, first weights out of the teacher's, then taught the teacher's features. */
import { selectImages } from "../../data/datasets.ts";
import type { Device } from "../../engine/device.ts";
import { WeightsError } from "../../engine/errors.ts";
import { narrowMobileNetV2 } from "../../nn/channelSelection.ts";
import { type Classifier, type ClassifierDescription, createClassifier, weightShapesOf } from "../../nn/classifier.ts";
import { distil } from "../../nn/distillation.ts";
import { saveBackbone } from "../../nn/formats/files.node.ts";
import type { WeightTensor } from "../../nn/formats/weightSet.ts";
import type { EpochRecord } from "../../nn/history.ts";
import { initialise } from "../../nn/initialise.ts";
import { cosineSchedule, type Schedule } from "../../nn/optimisers.ts";
import { readClassifier, withoutHead } from "../model.ts";
import type { Terminal } from "../terminal.ts";
import { centreCrops, randomCrops } from "./crops.ts";
import { loadJoined, type MaterialPaths, openSources, type Source, teacherFeatures } from "./material.ts";
import { BACKBONE_BATCH, BACKBONE_SIZE, BACKBONE_WIDTH, type Phase, phases } from "./recipe.ts";

export interface BackboneSettings extends MaterialPaths {
  readonly teacher: string;
  readonly out: string;
  readonly cache: string;
  readonly seed: number;
}

export interface BackbonePhase extends Phase {
  readonly history: readonly EpochRecord[];
}

/** One image of this many watches the training and is not trained on. */
const WATCH_STRIDE = 20;

/** Images are kept a twelfth larger than the window that is cut from them. */
const margined = (size: number): number => Math.round(size * (13 / 12));

/** Steps in which the learning rate rises to its full height, as a share of all. */
const WARM_UP = 0.05;

const warmUpCosine: Schedule = (step, steps) =>
  step < WARM_UP * steps
    ? (step + 1) / (WARM_UP * steps)
    : cosineSchedule(step - WARM_UP * steps, steps - WARM_UP * steps);

/**
 * Trains in the phases of the recipe; after each epoch the weights lie in `out` as float16, without a head.
 * @throws FileError, DataError for the material; WeightsError for a teacher that is not MobileNetV2; what `distil` throws.
 */
export async function trainBackbone(
  device: Device,
  adapter: string,
  settings: BackboneSettings,
  terminal: Terminal,
): Promise<readonly BackbonePhase[]> {
  const sources = await openSources(settings);
  const targets = await teacherFeatures(device, sources, { ...settings, adapter }, terminal);
  const classes = sources.reduce((sum, { classNames }) => sum + classNames.length, 0);
  let student = await firstStudent(settings.teacher, classes, settings.seed);
  const done: BackbonePhase[] = [];
  for (const [index, phase] of phases.entries()) {
    const classifier = createClassifier(device, atSize(student, phase.size));
    const save = async (): Promise<void> =>
      saveBackbone(settings.out, withoutHead(await classifier.tensors()), {
        preprocessing: classifier.preprocessing,
        inputSize: BACKBONE_SIZE,
      });
    const history = await trainPhase(
      classifier,
      { sources, targets, phase, seed: settings.seed + index, save },
      terminal,
    );
    student = { ...student, tensors: await classifier.tensors() };
    await classifier.dispose();
    done.push({ ...phase, history });
  }
  return done;
}

const atSize = (description: ClassifierDescription, size: number): ClassifierDescription => ({
  ...description,
  architecture: { ...description.architecture, inputSize: [size, size] },
});

/** The narrow network with weights out of the teacher's, and a head of random numbers that is thrown away in the end. */
async function firstStudent(teacher: string, classes: number, seed: number): Promise<ClassifierDescription> {
  const { architecture: wide, preprocessing, tensors } = await readClassifier({ weights: teacher });
  if (wide.name !== "mobilenetV2")
    throw new WeightsError(`expected MobileNetV2 as the teacher, found ${wide.name}; choose another file`);
  const { size } = phases[0];
  const inputSize = [size, size] as const;
  const architecture = { ...wide, width: BACKBONE_WIDTH, inputSize, classes };
  const shapes = weightShapesOf(architecture);
  const random = initialise(shapes, seed);
  const narrowed = narrowMobileNetV2(tensors, { from: wide.width, to: BACKBONE_WIDTH });
  const first = (name: string, shape: readonly number[]): WeightTensor =>
    narrowed.get(name) ?? { shape: [...shape], data: random.get(name) as Float32Array };
  return {
    architecture,
    preprocessing,
    classNames: null,
    tensors: new Map([...shapes].map(([name, shape]) => [name, first(name, shape)])),
  };
}

interface PhaseParts {
  readonly sources: readonly Source[];
  readonly targets: Float32Array;
  readonly phase: Phase;
  readonly seed: number;
  readonly save: () => Promise<void>;
}

async function trainPhase(
  classifier: Classifier,
  { sources, targets, phase, seed, save }: PhaseParts,
  terminal: Terminal,
): Promise<readonly EpochRecord[]> {
  const { size, epochs, learningRate } = phase;
  const { images } = await loadJoined(sources, margined(size), terminal);
  const all = Array.from(images.labels, (_, index) => index);
  const trained = all.filter((index) => index % WATCH_STRIDE !== WATCH_STRIDE - 1);
  const watched = all.filter((index) => index % WATCH_STRIDE === WATCH_STRIDE - 1);
  const train = randomCrops(selectImages(images, trained), size, seed);
  const validation = centreCrops(selectImages(images, watched), size);
  const bar = terminal.progress(`teaching at ${size} px`, epochs * train.count);
  const { history } = await distil(
    classifier,
    { train, targets: rowsOf(targets, targets.length / all.length, trained), validation },
    {
      epochs,
      learningRate,
      batch: BACKBONE_BATCH,
      schedule: warmUpCosine,
      seed,
      keep: save,
      onProgress: ({ epoch, done, total, loss, accuracy }) =>
        bar.update(
          (epoch - 1) * total + done,
          `epoch ${epoch}/${epochs}, loss ${loss.toFixed(3)}, accuracy ${accuracy.toFixed(3)}`,
        ),
      onEpoch: ({ epoch, loss, accuracy, valAccuracy }) =>
        terminal.line(
          `${size} px, epoch ${epoch}: loss ${loss.toFixed(4)}, accuracy ${accuracy.toFixed(4)}, watched ${valAccuracy.toFixed(4)}`,
        ),
    },
  );
  bar.finish();
  return history;
}

function rowsOf(rows: Float32Array, channels: number, indices: readonly number[]): Float32Array {
  const chosen = new Float32Array(indices.length * channels);
  indices.forEach((row, place) => {
    chosen.set(rows.subarray(row * channels, (row + 1) * channels), place * channels);
  });
  return chosen;
}
