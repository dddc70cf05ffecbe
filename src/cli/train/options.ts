/** The options by which a command says how to train, under Keras' names where Keras has one, and what they mean together. */
import type { Policy } from "../../data/augment/policy.ts";
import { UsageError } from "../../engine/errors.ts";
import {
  adam,
  adamW,
  constantSchedule,
  cosineSchedule,
  type Optimiser,
  type Schedule,
  sgd,
  stepSchedule,
  warmUpSchedule,
} from "../../nn/optimisers.ts";
import type { TrainingOptions } from "../../nn/trainingLoop.ts";
import type { Arguments, OptionSpec } from "../options.ts";
import { policyOption, trainingPolicy } from "../policy.ts";

export const trainingOptions = {
  trainable: {
    type: "string",
    placeholder: "head|block_N|all",
    help: "what trains: the last layer, everything from a layer on, or all; else head with weights, all without",
  },
  batchNorm: {
    type: "choice",
    choices: ["frozen", "batch"],
    help: "batch normalisation of what trains: running statistics, or the batch's; else frozen with weights, batch without",
  },
  epochs: { type: "integer", min: 1, default: 10, help: "passes over the training images" },
  batch: { type: "integer", min: 1, default: 32, help: "images a batch" },
  accumulate: { type: "integer", min: 1, default: 1, help: "batches whose gradients make one step" },
  lr: { type: "number", min: 0, default: 1e-3, help: "learning rate" },
  optimiser: { type: "choice", choices: ["adam", "adamw", "sgd"], default: "adam", help: "rule that changes weights" },
  momentum: { type: "number", min: 0, max: 0.9999, help: "of sgd; else 0.9" },
  nesterov: { type: "boolean", help: "Nesterov's form of sgd's momentum" },
  weightDecay: { type: "number", min: 0, help: "of adamw; else 0.004" },
  schedule: {
    type: "choice",
    choices: ["constant", "cosine", "step"],
    default: "constant",
    help: "course of the learning rate over the steps",
  },
  stepEpochs: {
    type: "integer",
    min: 1,
    help: "epochs after which --schedule step lowers the rate; else a third of all",
  },
  stepFactor: { type: "number", min: 0, max: 1, help: "what --schedule step multiplies by; else 0.1" },
  warmUp: { type: "number", min: 0, default: 0, placeholder: "EPOCHS", help: "epochs in which the rate rises to --lr" },
  reduceLr: {
    type: "integer",
    min: 1,
    placeholder: "EPOCHS",
    help: "lower the rate when the validation loss has not improved for so long",
  },
  reduceFactor: { type: "number", min: 0, max: 1, help: "what --reduce-lr multiplies by; else 0.1" },
  minLr: { type: "number", min: 0, help: "where --reduce-lr ends; else 0" },
  earlyStopping: {
    type: "integer",
    min: 1,
    placeholder: "EPOCHS",
    help: "end when what is monitored has not improved for so long",
  },
  minDelta: { type: "number", min: 0, help: "the least improvement for --early-stopping; else 0" },
  monitor: {
    type: "choice",
    choices: ["val-accuracy", "val-loss"],
    default: "val-accuracy",
    help: "what chooses the epoch whose weights are kept",
  },
  dropout: {
    type: "number",
    min: 0,
    max: 0.99,
    default: 0,
    help: "share of the features dropped before the last layer",
  },
  labelSmoothing: {
    type: "number",
    min: 0,
    max: 0.99,
    default: 0,
    help: "share of each label spread over all classes",
  },
  l2: { type: "number", min: 0, default: 0, help: "penalty on the squares of kernels" },
  clipNorm: { type: "number", min: 0, help: "the largest norm of all gradients together" },
  seed: { type: "integer", min: 0, default: 0, help: "decides split, first weights, order, dropout and augmentation" },
  policy: policyOption,
} as const satisfies Record<string, OptionSpec>;

export type TrainingArguments = Arguments<typeof trainingOptions, readonly []>;

export interface TrainingChoice {
  readonly options: TrainingOptions & { readonly epochs: number; readonly batch: number; readonly seed: number };
  readonly policy: Policy | null;
  /** Every choice as plain JSON: what a model's file says of its training, and what a resumed training must repeat. */
  readonly recipe: Readonly<Record<string, unknown>>;
}

/** An option that was given although what it belongs to was not. */
function refuseStray(
  args: TrainingArguments,
  needed: boolean,
  flag: string,
  names: readonly (keyof TrainingArguments)[],
): void {
  const stray = names.find((name) => args[name] !== undefined && args[name] !== false);
  if (!needed && stray !== undefined)
    throw new UsageError(
      `--${stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} needs ${flag}; add it or leave the option out`,
    );
}

function optimiserOf({ optimiser, momentum = 0.9, nesterov, weightDecay }: TrainingArguments): Optimiser {
  if (optimiser === "sgd") return sgd({ momentum, nesterov });
  return optimiser === "adamw" ? adamW({ weightDecay }) : adam();
}

function scheduleOf({ schedule, warmUp, epochs, stepEpochs, stepFactor }: TrainingArguments): Schedule {
  const step = stepSchedule(stepEpochs ?? Math.max(1, Math.round(epochs / 3)), stepFactor);
  const main = { constant: constantSchedule, cosine: cosineSchedule, step }[schedule];
  return warmUp > 0 ? warmUpSchedule(warmUp, main) : main;
}

/** @throws UsageError for options that do not go together; DataError for a policy's file. */
export function trainingChoice(args: TrainingArguments): TrainingChoice {
  const { lr, reduceLr, earlyStopping, clipNorm, schedule, warmUp, epochs, batch, seed, accumulate } = args;
  if (lr === 0) throw new UsageError("--lr expects a number above 0, found 0; the default is 0.001");
  if (clipNorm === 0)
    throw new UsageError("--clip-norm expects a number above 0, found 0; leave it out to clip nothing");
  refuseStray(args, args.optimiser === "sgd", "--optimiser sgd", ["momentum", "nesterov"]);
  refuseStray(args, args.optimiser === "adamw", "--optimiser adamw", ["weightDecay"]);
  refuseStray(args, schedule === "step", "--schedule step", ["stepEpochs", "stepFactor"]);
  refuseStray(args, reduceLr !== undefined, "--reduce-lr", ["reduceFactor", "minLr"]);
  refuseStray(args, earlyStopping !== undefined, "--early-stopping", ["minDelta"]);
  if (reduceLr !== undefined && (schedule !== "constant" || warmUp > 0))
    throw new UsageError("--reduce-lr and --schedule or --warm-up both move the learning rate; leave one out");
  if (args.nesterov && args.momentum === 0)
    throw new UsageError("--nesterov needs a momentum above 0, found 0; leave one out");
  if (warmUp >= epochs)
    throw new UsageError(`--warm-up expects fewer epochs than the ${epochs} of --epochs, found ${warmUp}`);
  const { dropout, labelSmoothing, l2, monitor } = args;
  return {
    policy: trainingPolicy(args.policy),
    options: {
      epochs,
      batch,
      accumulate,
      learningRate: lr,
      optimiser: optimiserOf(args),
      schedule: scheduleOf(args),
      ...(reduceLr === undefined
        ? {}
        : { plateau: { patience: reduceLr, factor: args.reduceFactor, minLearningRate: args.minLr } }),
      ...(earlyStopping === undefined ? {} : { earlyStopping: { patience: earlyStopping, minDelta: args.minDelta } }),
      monitor: monitor === "val-loss" ? "valLoss" : "valAccuracy",
      dropout,
      labelSmoothing,
      l2,
      ...(clipNorm === undefined ? {} : { clipNorm }),
      seed,
    },
    recipe: recipeOf(args),
  };
}

/** The choices that were made, without those left out. */
function recipeOf({ lr, policy, ...args }: TrainingArguments): Record<string, unknown> {
  const named = Object.keys(trainingOptions).filter((name) => name in args) as (keyof typeof args)[];
  const given = named.map((name) => [name, args[name]] as const).filter(([, value]) => value !== undefined);
  return { learningRate: lr, ...Object.fromEntries(given) };
}
