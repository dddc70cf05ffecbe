/** What a practical has finished: kept beside its report until that is written, so that an interruption costs one part alone. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Device } from "../../engine/device.ts";
import { createClassifier } from "../../nn/classifier.ts";
import { writeAtomically } from "../../nn/formats/atomicFile.node.ts";
import { loadModel, saveModel } from "../../nn/formats/files.node.ts";
import type { TrainingOutcome } from "../../nn/trainingLoop.ts";
import { keptRecord, readRecord } from "../keptRecord.ts";
import type { Terminal } from "../terminal.ts";
import type { TrainedClassifier, TrainingMaterial } from "./training.ts";

const remedy = "start anew without --resume or choose another --out";

export interface KeptOptions {
  /** The folder of the practical. */
  readonly out: string;
  /** Whether parts of an earlier call are taken up; otherwise they are removed. */
  readonly resume: boolean;
  /** Plain data from which the parts follow: a call with others does not take them up. */
  readonly choices: object;
}

/** Parts by name; each is written as a whole or not at all. */
export class KeptParts {
  private constructor(
    private readonly folder: string,
    private readonly terminal: Terminal,
  ) {}

  /** Throws a DataError when parts of other choices are to be taken up; FileError where the folder cannot be used. */
  static async open({ out, resume, choices }: KeptOptions, terminal: Terminal): Promise<KeptParts> {
    const folder = join(out, "parts");
    const path = join(folder, "choices.json");
    if (!resume) await rm(folder, { recursive: true, force: true });
    else if ((await keptRecord(path, choices, remedy)) === null)
      terminal.line(`nothing is kept in ${folder}: the practical starts from the beginning`);
    await mkdir(folder, { recursive: true });
    await writeAtomically(path, asText({ settings: choices }));
    return new KeptParts(folder, terminal);
  }

  /** What was kept under a name, else what `make` gives, which is kept: plain data. */
  async values<T>(name: string, make: () => Promise<T>): Promise<T> {
    const path = join(this.folder, `${name}.json`);
    const kept = await readRecord(path);
    if (kept) return this.#told(name, kept.value as T);
    const value = await make();
    await writeAtomically(path, asText({ value }));
    return value;
  }

  /** The same for a training: the network is kept as a model. */
  async training(
    name: string,
    { device, material }: { readonly device: Device; readonly material: TrainingMaterial },
    make: () => Promise<TrainedClassifier>,
  ): Promise<TrainedClassifier> {
    let made: TrainedClassifier | undefined;
    const folder = join(this.folder, name);
    const { outcome, recipe } = await this.values(name, async () => {
      made = await make();
      const { train, validation } = material;
      const splits = { train: train.names, validation: validation.names, test: [] };
      const manifest = made.classifier.manifest({ seed: 0, splits, training: { ...made.recipe } });
      await saveModel(folder, { manifest, tensors: await made.classifier.tensors() });
      return { outcome: plainOutcome(made.outcome), recipe: made.recipe };
    });
    if (made) return made;
    const { manifest, tensors } = await loadModel(folder);
    const { architecture, preprocessing, classNames } = manifest;
    return {
      classifier: createClassifier(device, { architecture, preprocessing, classNames, tensors }),
      outcome,
      recipe,
    };
  }

  /** Removes the parts: the report is written. */
  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }

  #told<T>(name: string, value: T): T {
    this.terminal.line(`${name}: kept from before`);
    return value;
  }
}

const asText = (value: object): string => `${JSON.stringify(value)}\n`;

/** The outcome of a head carries its tensors, which the model has. */
const plainOutcome = ({ history, best }: TrainingOutcome): TrainingOutcome => ({ history, best });
