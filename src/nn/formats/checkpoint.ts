/** A checkpoint as bytes: one safetensors file whose metadata hold the state, the settings and a checksum over all of it. */

import { FileError } from "../../engine/errors.ts";
import type { StateTensors, TrainingPosition, TrainingState } from "../trainingState.ts";
import { type DocumentName, Field } from "./field.ts";
import { parseJson } from "./manifest.ts";
import { sha256 } from "./model.ts";
import { parseSafetensors, serializeSafetensors, type TensorToStore, toFloat32 } from "./safetensors.ts";
import type { WeightTensor } from "./weightSet.ts";

export interface Checkpoint {
  readonly state: TrainingState;
  /** What the training's result follows from: options, policy, hashes of data and weights; plain JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What the adapter calls itself: bits are equal per adapter. */
  readonly adapter: string;
  /** The table of tuned kernels that was in use, `null` for the built-in choices; plain JSON. */
  readonly tuning: Readonly<Record<string, unknown>> | null;
}

const FORMAT = "tepal-checkpoint";
const document: DocumentName = { name: "checkpoint", remedy: "start the training anew without --resume" };

const damaged = (expected: string, found: string): FileError =>
  new FileError(`checkpoint: expected ${expected}; found ${found}; ${document.remedy}`);

/** The checksum covers the JSON and, in order, the name, shape and bytes of each tensor. */
async function checksum(json: string, tensors: readonly (readonly [string, TensorBytes])[]): Promise<string> {
  const encoder = new TextEncoder();
  const hashes = await Promise.all(
    tensors.map(async ([name, { shape, bytes }]) => `${name} [${shape}] ${await sha256(bytes)}`),
  );
  return sha256(encoder.encode([json, ...hashes.sort()].join("\n")));
}

interface TensorBytes {
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const asBytes = ({ shape, data }: WeightTensor): TensorBytes => ({
  shape,
  bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});

/** Equal checkpoints give equal bytes. */
export async function serializeCheckpoint({ state, config, adapter, tuning }: Checkpoint): Promise<Uint8Array> {
  const { position, tensors, best } = state;
  const named = [...prefixed("current/", tensors), ...prefixed("best/", best)];
  const json = JSON.stringify({ position, config, adapter, tuning });
  const hash = await checksum(
    json,
    named.map(([name, tensor]) => [name, asBytes(tensor)]),
  );
  const stored: Record<string, TensorToStore> = Object.create(null);
  for (const [name, { shape, data }] of named) stored[name] = { dtype: "F32", shape, data };
  return serializeSafetensors(stored, { format: FORMAT, version: "1", checkpoint: json, sha256: hash });
}

const prefixed = (prefix: string, tensors: StateTensors): [string, WeightTensor][] =>
  [...tensors].map(([name, tensor]) => [prefix + name, tensor]);

/**
 * Reads what `serializeCheckpoint` wrote.
 * @throws FileError where anything is missing, damaged or not what its checksum says.
 */
export async function parseCheckpoint(bytes: Uint8Array): Promise<Checkpoint> {
  const file = parseSafetensors(bytes);
  const { format, version, checkpoint: json = "", sha256: expected } = file.metadata;
  if (format !== FORMAT || version !== "1") throw damaged(`${FORMAT} of version 1`, `${format} of version ${version}`);
  const found = await checksum(json, [...file.tensors]);
  if (found !== expected) throw damaged(`SHA-256 ${String(expected).slice(0, 12)}…`, `${found.slice(0, 12)}…`);
  const root = new Field(parseJson(json, "checkpoint"), "checkpoint", document);
  const tensors = new Map<string, WeightTensor>();
  const best = new Map<string, WeightTensor>();
  for (const [name, tensor] of file.tensors) {
    const match = /^(current|best)\/(.+)$/.exec(name);
    if (!match || tensor.dtype !== "F32")
      throw damaged("float32 tensors current/… and best/…", `${tensor.dtype} ${name}`);
    const target = match[1] === "current" ? tensors : best;
    target.set(match[2], { shape: tensor.shape, data: toFloat32(tensor) });
  }
  return {
    state: { position: readPosition(root.member("position")), tensors, best },
    config: root.member("config").record(),
    adapter: root.member("adapter").text(),
    tuning: root.member("tuning").orNull((field) => field.record()),
  };
}

function readPosition(field: Field): TrainingPosition {
  const number = (name: string) => (of: Field) => of.member(name).number();
  const best = (of: Field) => ({
    epoch: of.member("epoch").integer(1),
    valAccuracy: number("valAccuracy")(of),
    valLoss: number("valLoss")(of),
  });
  const waiting = (of: Field) => ({
    best: of.member("best").orNull((value) => value.number()),
    wait: of.member("wait").integer(0),
  });
  const plateau = field.member("plateau");
  return {
    epoch: field.member("epoch").integer(1),
    position: field.member("position").integer(0),
    step: field.member("step").integer(0),
    lossSum: number("lossSum")(field),
    correct: field.member("correct").integer(0),
    history: field
      .member("history")
      .items()
      .map((record) => ({
        epoch: record.member("epoch").integer(1),
        loss: number("loss")(record),
        accuracy: number("accuracy")(record),
        valLoss: number("valLoss")(record),
        valAccuracy: number("valAccuracy")(record),
        learningRate: number("learningRate")(record),
      })),
    best: field.member("best").orNull(best),
    earlyStopping: waiting(field.member("earlyStopping")),
    plateau: {
      ...waiting(plateau),
      cooldown: plateau.member("cooldown").integer(0),
      factor: number("factor")(plateau),
    },
    stopped: field.member("stopped").flag(),
  };
}

/**
 * @throws FileError naming the settings that differ, when a checkpoint is of a training with others.
 */
export function checkConfig(found: Checkpoint["config"], expected: Checkpoint["config"]): void {
  const text = (value: unknown): string => JSON.stringify(value) ?? "nothing";
  const names = [...new Set([...Object.keys(found), ...Object.keys(expected)])];
  const differing = names.filter((name) => text(found[name]) !== text(expected[name]));
  if (differing.length === 0) return;
  const [name] = differing;
  const more = differing.length > 1 ? ` and ${differing.length - 1} more (${differing.slice(1).join(", ")})` : "";
  throw new FileError(
    `checkpoint: expected ${name} ${text(expected[name]).slice(0, 60)}${more}; found ${text(found[name]).slice(0, 60)}; resume with the settings, data and weights that it was made with, or start anew without --resume`,
  );
}
