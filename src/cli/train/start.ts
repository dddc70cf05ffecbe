/** What a training starts from: published weights with a new head, a saved model, or a network from scratch. */
import { UsageError } from "../../engine/errors.ts";
import { type ClassifierArchitecture, type ClassifierDescription, weightShapesOf } from "../../nn/classifier.ts";
import { KERAS_MOBILENET_V2_PREPROCESSING, NOTEBOOK_PREPROCESSING } from "../../nn/formats/inspect.ts";
import type { Preprocessing } from "../../nn/formats/manifest.ts";
import { heads, stems } from "../../nn/formats/manifest.ts";
import type { WeightTensor } from "../../nn/formats/weightSet.ts";
import { initialise } from "../../nn/initialise.ts";
import { mobileNetV2Widths } from "../../nn/mobilenetV2Table.ts";
import { smallCnnChannels } from "../../nn/smallCnn.ts";
import { EMBEDDED, readClassifier, withoutHead } from "../model.ts";
import type { Arguments, OptionSpec } from "../options.ts";

export const startOptions = {
  weights: {
    type: "path",
    exists: "file",
    word: EMBEDDED,
    placeholder: "FILE",
    help: "MobileNetV2's weights, under a new head; without a start, the small backbone of the package",
  },
  model: {
    type: "path",
    exists: "folder",
    placeholder: "DIR",
    help: "a trained model to go on from; its head stays when the classes are the same",
  },
  network: {
    type: "choice",
    choices: ["smallCnn", "mobilenetV2"],
    help: "a network from scratch, in place of --weights and --model",
  },
  channels: { type: "string", placeholder: "N,N,…", help: "channels of smallCnn's stages; else 16,32,64,128" },
  width: { type: "number", help: `width of mobilenetV2 from scratch: ${mobileNetV2Widths.join(", ")}; else 0.35` },
  stem: {
    type: "choice",
    choices: stems,
    help: "cifar keeps the resolution at the start, for images of 32 pixels; from scratch only, else imagenet",
  },
  head: {
    type: "choice",
    choices: heads,
    help: "what the last layer reads: the map's mean, or all of it; else gap-dense",
  },
  size: {
    type: "integer",
    min: 32,
    max: 1024,
    help: "edge of the input in pixels; else the model's, 224 for weights; from scratch the size of the data set's images, or 32",
  },
  resize: {
    type: "choice",
    choices: ["tf", "aspect"],
    help: "how photographs are resized; else the model's, or aspect",
  },
  preprocessing: {
    type: "choice",
    choices: ["model", "notebook"],
    default: "model",
    help: "the model's own, or the notebook's mistake: pixels of 0 to 255 as they are",
  },
} as const satisfies Record<string, OptionSpec>;

export type StartArguments = Arguments<typeof startOptions, readonly []>;

/** The edge in pixels of a network from scratch whose images have no size of their own. */
const SCRATCH_SIZE = 32;

/** What a training learns from. */
export interface TrainingImages {
  readonly classNames: readonly string[];
  /** Of every image in pixels, where they are squares of one size. */
  readonly edge?: number;
}

const isHead = (name: string): boolean => name.startsWith("predictions/");

function channelsOf(text: string | undefined): readonly number[] {
  if (text === undefined) return smallCnnChannels;
  const channels = text.split(",").map(Number);
  if (channels.length < 2 || channels.some((count) => !(Number.isInteger(count) && count >= 1)))
    throw new UsageError(`--channels expects two whole numbers or more such as 16,32,64, found "${text}"`);
  return channels;
}

function scratchArchitecture(args: StartArguments, { classNames, edge }: TrainingImages): ClassifierArchitecture {
  const { network, width = 0.35, stem, head, size = Math.max(edge ?? SCRATCH_SIZE, SCRATCH_SIZE) } = args;
  const classes = classNames.length;
  const common = { inputSize: [size, size] as const, classes, ...(stem ? { stem } : {}) };
  if (network === "smallCnn") {
    if (args.width !== undefined) throw new UsageError("--width is for mobilenetV2; smallCnn has --channels");
    return { name: "smallCnn", channels: channelsOf(args.channels), ...common, ...(head ? { head } : {}) };
  }
  if (args.channels !== undefined) throw new UsageError("--channels is for smallCnn; mobilenetV2 has --width");
  return { name: "mobilenetV2", width, head: head ?? "gap-dense", ...common };
}

/** First values of these weights from a seed. */
function drawn(architecture: ClassifierArchitecture, seed: number, chosen: (name: string) => boolean) {
  const shapes = new Map([...weightShapesOf(architecture)].filter(([name]) => chosen(name)));
  const values = initialise(shapes, seed);
  return new Map(
    [...shapes].map(([name, shape]): [string, WeightTensor] => [name, { shape: [...shape], data: values.get(name)! }]),
  );
}

function fromScratch(args: StartArguments, images: TrainingImages, seed: number): ClassifierDescription {
  const { classNames } = images;
  const architecture = scratchArchitecture(args, images);
  const preprocessing = { ...KERAS_MOBILENET_V2_PREPROCESSING, resize: resizeOf(args) ?? "aspect" };
  return { architecture, preprocessing, classNames, tensors: drawn(architecture, seed, () => true) };
}

const resizeOf = ({ resize }: StartArguments) => resize as Preprocessing["resize"] | undefined;

/** Whether training starts from a network that was trained before. */
export const isPretrained = ({ network }: StartArguments): boolean => network === undefined;

/**
 * The classifier that a training starts with, head and all.
 * @throws UsageError for options that do not go together; FileError, WeightsError for what the files hold.
 */
export async function startingClassifier(
  args: StartArguments,
  images: TrainingImages,
  seed: number,
): Promise<ClassifierDescription> {
  const { model, network, size, preprocessing } = args;
  if ([args.weights, model, network].filter((choice) => choice !== undefined).length > 1)
    throw new UsageError("expected one of --weights FILE, --model DIR and --network NAME, found several; keep one");
  const weights = args.weights ?? (model === undefined && network === undefined ? EMBEDDED : undefined);
  const start = isPretrained(args)
    ? await pretrained(
        args,
        images.classNames,
        seed,
        await readClassifier({ weights, model, size, resize: resizeOf(args) ?? (weights ? "aspect" : undefined) }),
      )
    : fromScratch(args, images, seed);
  if (preprocessing === "model") return start;
  const resize = start.preprocessing?.resize ?? "tf";
  return { ...start, preprocessing: { ...NOTEBOOK_PREPROCESSING, resize } };
}

async function pretrained(
  args: StartArguments,
  classNames: readonly string[],
  seed: number,
  source: ClassifierDescription,
): Promise<ClassifierDescription> {
  const stray = (["channels", "width", "stem"] as const).find((name) => args[name] !== undefined);
  if (stray) throw new UsageError(`--${stray} is for a network from scratch; leave it out or choose --network`);
  const { head } = args;
  const architecture = {
    ...source.architecture,
    classes: classNames.length,
    ...(head ? { head } : {}),
  } as ClassifierArchitecture;
  const keepsHead =
    head === undefined && source.classNames !== null && source.classNames.join("\n") === classNames.join("\n");
  const first = keepsHead ? new Map(source.tensors) : withoutHead(source.tensors);
  const tensors = new Map([...first, ...(keepsHead ? [] : drawn(architecture, seed, isHead))]);
  return { ...source, architecture, classNames, tensors };
}
