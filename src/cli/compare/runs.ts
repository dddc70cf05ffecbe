/** The trainings of a comparison: each policy with each seed, all with one budget; a finished one is kept and not repeated. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Policy } from "../../data/augment/policy.ts";
import type { Device } from "../../engine/device.ts";
import type { ClassifierDescription } from "../../nn/classifier.ts";
import { writeAtomically } from "../../nn/formats/atomicFile.node.ts";
import { saveModel } from "../../nn/formats/files.node.ts";
import type { BestEpoch, EpochRecord } from "../../nn/history.ts";
import type { BatchNormMode } from "../../nn/layers.ts";
import { keptRecord } from "../keptRecord.ts";
import { savedPolicy } from "../policy.ts";
import {
  fineTuneBackbone,
  type TrainedClassifier,
  type TrainingMaterial,
  trainFrozenBackbone,
  trainSmallCnn,
} from "../practical/training.ts";
import type { Terminal } from "../terminal.ts";

/** What all runs share. Plain data: a comparison goes on only with the very same. */
export interface Budget {
  readonly data: string;
  readonly root: string | null;
  readonly split: string | null;
  /** SHA-256 of the backbone; null for smallCnn from scratch. */
  readonly weights: string | null;
  /** `head`, `block_N` or `all`; null for smallCnn, of which all trains. */
  readonly trainedFrom: string | null;
  /** How the trained part of a backbone normalises; null for smallCnn. */
  readonly normalisation: BatchNormMode | null;
  readonly size: number;
  readonly resize: "tf" | "aspect";
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  /** Decides drawings and splits; the seed of the first training. */
  readonly seed: number;
}

export interface ComparedPolicy {
  readonly name: string;
  readonly policy: Policy | null;
}

export interface Run {
  readonly policy: string;
  readonly seed: number;
  readonly best: BestEpoch;
  readonly history: readonly EpochRecord[];
  /** The folder of the model. */
  readonly model: string;
}

/** The folder name of a policy: that of a file may hold anything. */
const folderName = (name: string): string => name.replace(/[^A-Za-z0-9_-]+/g, "_");

export interface RunPlace {
  readonly folder: string;
  readonly budget: Budget;
  readonly compared: ComparedPolicy;
  readonly seed: number;
}

const settingsOf = ({ budget, compared, seed }: RunPlace): object => ({
  ...budget,
  policy: savedPolicy(compared.policy),
  trainingSeed: seed,
});

const recordPath = ({ folder, compared, seed }: RunPlace): string =>
  join(folder, "runs", `${folderName(compared.name)}-${seed}`, "run.json");

/** A training that an earlier call finished. Throws a DataError if it was made with other settings. */
export async function finishedRun(place: RunPlace): Promise<Run | null> {
  const record = await keptRecord(recordPath(place), settingsOf(place));
  return record as unknown as Run | null;
}

export interface RunMaterial {
  readonly material: TrainingMaterial;
  /** The backbone; null trains smallCnn from scratch. */
  readonly description: ClassifierDescription | null;
}

function trainClassifier(
  device: Device,
  settings: Budget & { readonly policy: Policy | null },
  { material, description }: RunMaterial,
  terminal: Terminal,
): Promise<TrainedClassifier> {
  const { trainedFrom: part, normalisation: batchNorm } = settings;
  if (description === null || part === null || batchNorm === null)
    return trainSmallCnn(device, material, settings, terminal);
  if (part === "head") return trainFrozenBackbone(device, description, material, settings, terminal);
  return fineTuneBackbone(device, description, material, { ...settings, part, batchNorm }, terminal);
}

/** Trains one policy with one seed and keeps model and history. The record is written last, so that it stands for a whole run. */
export async function trainRun(
  device: Device,
  place: RunPlace,
  { material, description }: RunMaterial,
  terminal: Terminal,
): Promise<Run> {
  const { budget, compared, seed } = place;
  const settings = { ...budget, seed, policy: compared.policy };
  terminal.line(`policy ${compared.name}, seed ${seed}`);
  const { classifier, outcome, recipe } = await trainClassifier(device, settings, { material, description }, terminal);
  const folder = join(recordPath(place), "..");
  const model = join(folder, "model");
  await mkdir(folder, { recursive: true });
  const { train, validation } = material;
  const manifest = classifier.manifest({
    seed: budget.seed,
    splits: { train: train.names, validation: validation.names, test: [] },
    training: { ...recipe, policy: savedPolicy(compared.policy), trainingSeed: seed, best: outcome.best },
  });
  await saveModel(model, { manifest, tensors: await classifier.tensors() });
  await classifier.dispose();
  const run: Run = { policy: compared.name, seed, best: outcome.best, history: outcome.history, model };
  await writeAtomically(recordPath(place), `${JSON.stringify({ ...run, settings: settingsOf(place) }, null, 2)}\n`);
  return run;
}
