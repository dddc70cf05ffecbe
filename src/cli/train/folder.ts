/** A training as the command runs it: checkpoints, history and timings in a folder, progress on the terminal. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Device } from "../../engine/device.ts";
import { InterruptedError } from "../../engine/errors.ts";
import { openGpu } from "../../engine/softwareAdapter.node.ts";
import type { Classifier } from "../../nn/classifier.ts";
import { writeAtomically } from "../../nn/formats/atomicFile.node.ts";
import { readCheckpoint, writeCheckpoint } from "../../nn/formats/checkpoint.node.ts";
import { type Checkpoint, checkConfig } from "../../nn/formats/checkpoint.ts";
import type { WeightTensor } from "../../nn/formats/weightSet.ts";
import { type EpochRecord, historyCsv, historyJson } from "../../nn/history.ts";
import { type NetworkData, type NetworkTrainingOptions, trainNetwork } from "../../nn/networkTraining.ts";
import type { TrainingOutcome, TrainingProgress } from "../../nn/trainingLoop.ts";
import type { TrainingState } from "../../nn/trainingState.ts";
import type { Photographs } from "../storedSource.ts";
import type { Terminal } from "../terminal.ts";
import { historyChart } from "./chart.ts";

export interface FolderOptions {
  readonly out: string;
  /** What the result follows from; a checkpoint of anything else is refused. */
  readonly config: Checkpoint["config"];
  readonly adapter: string;
  readonly resume: boolean;
  /** Steps between checkpoints within an epoch. */
  readonly checkpointEvery?: number;
  readonly terminal: Terminal;
}

/** Wall times, which no claim of identity covers. */
interface Timings {
  readonly epochs: readonly { readonly epoch: number; readonly seconds: number; readonly imagesPerSecond: number }[];
}

/** Pictures of each part whose pixels count in `imagesHash`: enough to tell other photographs or another size. */
const HASHED_PICTURES = 16;

/** SHA-256 over all names and labels of images, and over the pixels of some of them. */
export async function imagesHash(parts: readonly Photographs[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { names, labels, count, pixels } of parts) {
    hash.update(JSON.stringify(names)).update(labels);
    const step = Math.max(1, Math.ceil(count / HASHED_PICTURES));
    for (let index = 0; index < count; index += step) hash.update(await pixels(index));
  }
  return hash.digest("hex");
}

/** SHA-256 over names and values of tensors. */
export function tensorsHash(tensors: ReadonlyMap<string, WeightTensor>): string {
  const hash = createHash("sha256");
  for (const name of [...tensors.keys()].sort()) hash.update(name).update(tensors.get(name)!.data);
  return hash.digest("hex");
}

/**
 * Trains, and keeps in the folder `checkpoint.safetensors`, `history.json`, `history.csv` and `timings.json` as it goes.
 * @throws what `trainNetwork` throws; FileError for a checkpoint that cannot be used, or a full disk; InterruptedError at Ctrl-C.
 */
export async function trainInFolder(
  classifier: Classifier,
  data: NetworkData,
  options: NetworkTrainingOptions,
  folder: FolderOptions,
): Promise<TrainingOutcome> {
  const { out, config, adapter, terminal } = folder;
  const path = join(out, "checkpoint.safetensors");
  const resume = await startingState(path, folder);
  const timings = new TimingsFile(join(out, "timings.json"), data.train.count, resume);
  const view = new TrainingView(terminal, options.epochs ?? 10, data.train.count, resume);
  const interrupted = new AbortController();
  const stop = (): void =>
    interrupted.abort(new InterruptedError(`stopped by Ctrl-C; the same command with --resume goes on from ${path}`));
  process.once("SIGINT", stop);
  try {
    const outcome = await trainNetwork(classifier, data, {
      ...options,
      resume: resume?.state,
      signal: interrupted.signal,
      checkpoint: {
        every: folder.checkpointEvery,
        save: async (state) => {
          // No choice changes a bit: the table is kept to tell what ran, not to be used again.
          const tuning = (classifier.device.tuning?.toJSON() ?? null) as Checkpoint["tuning"];
          await writeCheckpoint(path, { state, config, adapter, tuning });
          if (state.position.position === 0) await writeHistory(out, state);
        },
      },
      recovery: { open: () => anotherDevice(terminal) },
      onPrepare: view.prepare,
      onProgress: view.step,
      onEpoch: (record, seconds) => {
        view.epoch(record);
        timings.add(record.epoch, seconds);
      },
    });
    await writeHistory(out, { position: outcome });
    await timings.written;
    view.finish(outcome);
    return outcome;
  } finally {
    process.off("SIGINT", stop);
  }
}

async function startingState(path: string, { resume, config, adapter, terminal }: FolderOptions) {
  const found = await readCheckpoint(path).catch((error) => {
    if (resume) throw error;
    return null;
  });
  if (!found) {
    if (resume) terminal.line(`no checkpoint in ${path} yet: training starts from the beginning`);
    return undefined;
  }
  if (!resume) {
    terminal.warn(`${path} of an earlier training is replaced; --resume would go on with it`);
    return undefined;
  }
  checkConfig(found.config, config);
  if (found.adapter !== adapter)
    terminal.warn(`the checkpoint was made on ${found.adapter}; on ${adapter} the last bits of the history may differ`);
  const { epoch, position, step } = found.state.position;
  terminal.line(`resuming after step ${step}: epoch ${epoch}, image ${position}`);
  return found;
}

async function writeHistory(
  out: string,
  { position: { history, best } }: { readonly position: Pick<TrainingState["position"], "history" | "best"> },
): Promise<void> {
  await writeAtomically(join(out, "history.json"), historyJson(history, best));
  await writeAtomically(join(out, "history.csv"), historyCsv(history));
}

async function anotherDevice(terminal: Terminal): Promise<Device> {
  terminal.warn("the GPU device was lost; going on from a few steps before on a new one");
  const { adapter, description } = await openGpu();
  return Device.open(adapter, description);
}

/** `timings.json`: the epochs that this process trained after those of the processes before it. */
class TimingsFile {
  written: Promise<void> = Promise.resolve();

  constructor(
    readonly path: string,
    readonly images: number,
    readonly resumed: Checkpoint | undefined,
  ) {}

  add(epoch: number, seconds: number): void {
    const rounded = (value: number): number => Number(value.toPrecision(4));
    this.written = this.written.then(async () => {
      const known = this.resumed || epoch > 1 ? await this.#read() : [];
      const epochs = known.filter((entry) => entry.epoch < epoch);
      epochs.push({ epoch, seconds: rounded(seconds), imagesPerSecond: rounded(this.images / seconds) });
      await writeAtomically(this.path, `${JSON.stringify({ epochs }, null, 2)}\n`);
    });
    // A failure is thrown where the file is waited for.
    this.written.catch(() => undefined);
  }

  async #read(): Promise<Timings["epochs"][number][]> {
    try {
      return [...(JSON.parse(await readFile(this.path, "utf8")) as Timings).epochs];
    } catch {
      // Times of an earlier process that was killed in its first epoch, or of nobody's file.
      return [];
    }
  }
}

/** What people see of a training. */
class TrainingView {
  readonly #history: EpochRecord[];
  #prepare: ReturnType<Terminal["progress"]> | null = null;
  #bar: ReturnType<Terminal["progress"]> | null = null;
  readonly #from: number;

  constructor(
    readonly terminal: Terminal,
    readonly epochs: number,
    readonly images: number,
    resumed: Checkpoint | undefined,
  ) {
    const at = resumed?.state.position;
    this.#history = [...(at?.history ?? [])];
    this.#from = at ? (at.epoch - 1) * images + at.position : 0;
  }

  readonly prepare = (done: number, total: number): void => {
    this.#prepare ??= this.terminal.progress("computing what the frozen layers give", total);
    this.#prepare.update(done);
    if (done === total) this.#prepare.finish();
  };

  readonly step = ({ epoch, epochs, done, total, loss, accuracy }: TrainingProgress): void => {
    this.#bar ??= this.terminal.progress("training", epochs * total - this.#from);
    const note = `epoch ${epoch}/${epochs}, loss ${loss.toFixed(4)}, accuracy ${accuracy.toFixed(4)}`;
    this.#bar.update((epoch - 1) * total + done - this.#from, note);
  };

  epoch(record: EpochRecord): void {
    this.#history.push(record);
    this.terminal.picture(historyChart(this.#history, this.terminal.columns));
  }

  finish({ best }: TrainingOutcome): void {
    this.#bar?.finish(`best validation accuracy ${best.valAccuracy.toFixed(4)} in epoch ${best.epoch}`);
  }
}
