/** What one may choose of the practical, and what suits where nothing is chosen. */
import { corruptionNames } from "../../data/corruptions/corruption.ts";
import { RESIZE_MODES } from "../../data/resize.ts";
import { languages } from "../../report/language.ts";
import { dataOptions } from "../dataset.ts";
import { EMBEDDED } from "../model.ts";
import type { OptionSpec } from "../options.ts";

/** Settings that suit each network; an option given on the command line takes their place. */
export const defaults = {
  smallCnn: { epochs: 6, batch: 16, learningRate: 1e-2 },
  head: { epochs: 10, batch: 32, learningRate: 1e-3 },
  /** On petals in minutes: every augmented epoch goes through the whole backbone. */
  briefHead: { epochs: 4, batch: 16, learningRate: 1e-3 },
};

/** Flowers of each species that are drawn for a backbone in minutes. */
export const briefPetals = { train: 80, validation: 25, test: 30 } as const;

/** Edge in pixels of a backbone's images, and of photographs for smallCnn. */
export const defaultSize = 96;

/** What is measured: within minutes on two cores, or everything. */
export const extents = {
  brief: {
    seeds: 1,
    corruptions: ["gaussianNoise", "defocusBlur", "motionBlur", "fog", "pixelate", "jpeg"],
    severities: [1, 3, 5],
    corrupted: 60,
    mapped: 100,
    curved: 5,
    count: 10,
  },
  full: {
    seeds: 3,
    corruptions: corruptionNames,
    severities: [1, 2, 3, 4, 5],
    corrupted: Number.POSITIVE_INFINITY,
    mapped: Number.POSITIVE_INFINITY,
    curved: 50,
    count: 30,
  },
} as const;

export const practicalOptions = {
  ...dataOptions,
  weights: {
    type: "path",
    exists: "file",
    word: EMBEDDED,
    placeholder: "FILE",
    help: "MobileNetV2's weights: frozen backbone, new head; else the small backbone of the package",
  },
  network: { type: "choice", choices: ["smallCnn"], help: "a network from scratch, in place of --weights" },
  split: { type: "path", exists: "file", placeholder: "FILE", help: "JSON that lists the photographs of each part" },
  out: {
    type: "path",
    default: "practical",
    placeholder: "DIR",
    help: "where report, model and history are written",
  },
  size: {
    type: "integer",
    min: 32,
    max: 1024,
    help: "edge of the images in pixels, else 96; 64 for smallCnn on petals",
  },
  resize: { type: "choice", choices: RESIZE_MODES, default: "aspect", help: "how photographs are resized" },
  seed: { type: "integer", min: 0, default: 1, help: "decides drawings, split, first weights and order" },
  epochs: {
    type: "integer",
    min: 1,
    help: "passes over the training images, else 6 for smallCnn, 4 for a head on petals, 10 on photographs or with --full",
  },
  batch: {
    type: "integer",
    min: 1,
    help: "images a step, else 16 for smallCnn and a head on petals, 32 for a head on photographs or with --full",
  },
  lr: { type: "number", min: 0, help: "learning rate of Adam, else 0.01 for smallCnn, 0.001 for a head" },
  explain: { type: "integer", min: 1, max: 100, help: "test images to explain, else 10, with --full 30" },
  steps: {
    type: "integer",
    min: 48,
    max: 4096,
    default: 256,
    help: "the most evaluations of Integrated Gradients per image; most need fewer",
  },
  policy: {
    type: "string",
    default: "advanced",
    placeholder: "basic|advanced|FILE",
    help: "augments the images of the second model, anew in each epoch; FILE is a policy in JSON",
  },
  lang: { type: "choice", choices: languages, default: "en", help: "language of the report" },
  compat: {
    type: "choice",
    choices: ["notebook"],
    help: "also run the original notebook's choices one by one and show what each costs",
  },
  scratch: {
    type: "boolean",
    help: "also train smallCnn from scratch on the same images, and compare; --full does too",
  },
  scratchSize: {
    type: "integer",
    min: 32,
    max: 1024,
    default: 64,
    help: "edge of smallCnn's images there; 32 for CIFAR-10",
  },
  full: { type: "boolean", help: "three seeds, all corruptions at five severities, all test images" },
  resume: {
    type: "boolean",
    help: "go on from the trainings and corruptions that an interrupted call with the same choices kept in --out",
  },
  strict: { type: "boolean", help: "fail at a broken photograph instead of skipping it" },
} as const satisfies Record<string, OptionSpec>;
