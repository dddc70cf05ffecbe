/** A training that is interrupted anywhere goes on to the very same bytes: from a checkpoint, or on another device. */
import { beforeAll, describe, expect, it } from "vitest";
import { Device } from "../../src/engine/device.ts";
import { DeviceLostError, FileError } from "../../src/engine/errors.ts";
import { normal, uniform } from "../../src/engine/random.ts";
import { openGpu } from "../../src/engine/softwareAdapter.node.ts";
import { createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import { parseCheckpoint, serializeCheckpoint } from "../../src/nn/formats/checkpoint.ts";
import { parseSafetensors, serializeSafetensors, toFloat32 } from "../../src/nn/formats/safetensors.ts";
import { type HeadData, trainHead } from "../../src/nn/headTraining.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { type NetworkTrainingOptions, trainNetwork } from "../../src/nn/networkTraining.ts";
import { adamW, cosineSchedule, sgd, warmUpSchedule } from "../../src/nn/optimisers.ts";
import { hostSource } from "../../src/nn/pixelSource.ts";
import type { TrainingOptions } from "../../src/nn/trainingLoop.ts";
import type { TrainingState } from "../../src/nn/trainingState.ts";
import { testDevice } from "../device.ts";

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

const freshDevice = async (): Promise<Device> => {
  const { adapter, description } = await openGpu();
  return Device.open(adapter, description);
};

function clouds(count: number, seed: number) {
  const labels = Int32Array.from({ length: count }, (_, index) => index % 4);
  const features = Float32Array.from({ length: count * 12 }, (_, at) => {
    const label = labels[Math.floor(at / 12)];
    return normal(9, label, at % 12) + 1.5 * normal(seed, 1, at);
  });
  return { features, labels };
}
const headData: HeadData = { channels: 12, classes: 4, train: clouds(61, 1), validation: clouds(30, 2) };

/** Everything that has a state: moments, a schedule, dropout, accumulation with a short last group, plateaus and early stopping. */
const withState: TrainingOptions = {
  epochs: 5,
  batch: 7,
  accumulate: 2,
  learningRate: 2e-2,
  optimiser: adamW(),
  dropout: 0.3,
  labelSmoothing: 0.1,
  l2: 1e-4,
  clipNorm: 1,
  seed: 3,
  plateau: { patience: 1, factor: 0.5, minDelta: 0.5 },
  earlyStopping: { patience: 4 },
};

const architecture = { name: "smallCnn", inputSize: [32, 32], classes: 3, channels: [4, 8] } as const;
const shapes = weightShapesOf(architecture);
const pictures = (count: number, seed: number) => {
  const labels = Int32Array.from({ length: count }, (_, index) => index % 3);
  const pixels = Uint8Array.from({ length: count * 3072 }, (_, at) => {
    const bright = at % 3 === labels[Math.floor(at / 3072)] ? 130 : 60;
    return bright + 100 * uniform(seed, 1, at);
  });
  const batch = (indices: ArrayLike<number>) => {
    const chosen = new Uint8Array(indices.length * 3072);
    Array.from(indices, (index, row) => chosen.set(pixels.subarray(3072 * index, 3072 * (index + 1)), 3072 * row));
    return chosen;
  };
  return hostSource({ count, labels, dtype: "u8" as const, batch });
};
const networkData = { train: pictures(26, 1), validation: pictures(12, 2) };
const networkOptions: NetworkTrainingOptions = {
  epochs: 3,
  batch: 5,
  learningRate: 1e-2,
  optimiser: sgd({ momentum: 0.9, nesterov: true }),
  schedule: warmUpSchedule(1, cosineSchedule),
  dropout: 0.2,
  seed: 2,
};

async function trainedNetwork(on: Device, options: Partial<NetworkTrainingOptions> = {}) {
  const values = initialise(shapes, 4);
  const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }]));
  const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "tf" } as const;
  const classifier = createClassifier(on, { architecture, preprocessing, classNames: null!, tensors });
  try {
    const outcome = await trainNetwork(classifier, networkData, { ...networkOptions, ...options });
    return { ...outcome, tensors: await classifier.tensors() };
  } finally {
    await classifier.dispose();
  }
}

/** Every state in which a training can be interrupted, through the bytes of a checkpoint. */
async function statesOf(train: (options: Pick<TrainingOptions, "checkpoint">) => Promise<unknown>) {
  const states: TrainingState[] = [];
  const save = async (state: TrainingState) => {
    const bytes = await serializeCheckpoint({ state, config: {}, adapter: "this", tuning: null });
    states.push((await parseCheckpoint(bytes)).state);
  };
  await train({ checkpoint: { every: 1, save } });
  return states;
}

describe("a checkpoint", () => {
  it("resumes a head's training from every step to the same bytes", async () => {
    const whole = await trainHead(device, headData, withState);
    const states = await statesOf((more) => trainHead(device, headData, { ...withState, ...more }));
    expect(states.length).toBe(5 * whole.history.length + whole.history.length);
    expect(new Set(states.map(({ position }) => position.plateau.factor)).size).toBeGreaterThan(1);
    for (const resume of states) expect(await trainHead(device, headData, { ...withState, resume })).toEqual(whole);
  });

  it("resumes a network's training with running statistics from every step to the same bytes", async () => {
    const whole = await trainedNetwork(device);
    const states = await statesOf((more) => trainedNetwork(device, more));
    expect(states.length).toBe(3 * 6 + 3);
    for (const resume of states.filter((_, index) => index % 4 === 1))
      expect(await trainedNetwork(device, { resume })).toEqual(whole);
  });

  it("of another training is refused", async () => {
    const [resume] = await statesOf((more) => trainHead(device, headData, { ...withState, ...more }));
    const other = { ...withState, resume, optimiser: sgd() };
    await expect(trainHead(device, headData, other)).rejects.toThrow(/another training: expected sgd\/velocity/);
  });

  it("that is damaged anywhere, or made to deceive, is a FileError", async () => {
    const [state] = await statesOf((more) => trainHead(device, headData, { ...withState, ...more }));
    const bytes = await serializeCheckpoint({ state, config: { lr: 1 }, adapter: "this", tuning: null });
    for (let at = 0; at < bytes.length; at += 97) {
      const damaged = bytes.slice();
      damaged[at] ^= 0x11;
      await expect(parseCheckpoint(damaged), `byte ${at}`).rejects.toThrow(FileError);
      await expect(parseCheckpoint(bytes.subarray(0, at)), `cut at ${at}`).rejects.toThrow(FileError);
    }
    const { metadata, tensors } = parseSafetensors(bytes);
    const stored = Object.fromEntries(
      [...tensors].map(([name, tensor]) => [
        name,
        { dtype: "F32" as const, shape: tensor.shape, data: toFloat32(tensor) },
      ]),
    );
    const forged = (checkpoint: string, more = {}) =>
      parseCheckpoint(serializeSafetensors(stored, { ...metadata, checkpoint, ...more }));
    await expect(forged(metadata.checkpoint.replace('"step":1', '"step":2'))).rejects.toThrow(/SHA-256/);
    await expect(forged(metadata.checkpoint, { version: "2" })).rejects.toThrow(/version 1/);
  });
});

describe("a lost device", () => {
  it("ends a training that may not recover with DeviceLostError", async () => {
    const own = await freshDevice();
    let steps = 0;
    const onProgress = () => {
      if (++steps === 4) own.destroy();
    };
    await expect(trainHead(own, headData, { ...withState, onProgress })).rejects.toThrow(DeviceLostError);
  });

  it("is rolled back from, at most `every` steps, and the history is the same", async () => {
    const whole = await trainHead(device, headData, withState);
    let own = await freshDevice();
    let opened = 0;
    let done = 0;
    const seen: number[] = [];
    const { tensors, history, best } = await trainHead(own, headData, {
      ...withState,
      onProgress: ({ epoch, done: samples }) => {
        seen.push(1000 * epoch + samples);
        if (++done === 9 || done === 30) own.destroy();
      },
      recovery: {
        every: 2,
        open: async () => {
          opened++;
          own = await freshDevice();
          return own;
        },
      },
    });
    own.destroy();
    expect(opened).toBe(2);
    expect({ tensors, history, best }).toEqual(whole);
    // Two steps of two batches each are the most that is done twice, at either loss.
    expect(seen.length - new Set(seen).size).toBeLessThanOrEqual(2 * 4);
  });

  it("takes a whole network along", async () => {
    const whole = await trainedNetwork(device);
    let own = await freshDevice();
    let done = 0;
    const recovered = await trainedNetwork(own, {
      onProgress: () => {
        if (++done === 8) own.destroy();
      },
      recovery: {
        every: 3,
        open: async () => {
          own = await freshDevice();
          return own;
        },
      },
    });
    expect(recovered).toEqual(whole);
    own.destroy();
  });
});
