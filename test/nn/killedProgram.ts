/** Trains with augmentation and dropout, resumes by itself, and says on stdout where it is; bundled and killed by the tests. */
import { writeFileSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { augmentedSource } from "../../src/cli/policy.ts";
import { builtInPolicies } from "../../src/data/augment/policy.ts";
import { Device } from "../../src/engine/device.ts";
import { uniform } from "../../src/engine/random.ts";
import { openGpu } from "../../src/engine/softwareAdapter.node.ts";
import { createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import type { OpenFile } from "../../src/nn/formats/atomicFile.node.ts";
import { readCheckpoint, writeCheckpoint } from "../../src/nn/formats/checkpoint.node.ts";
import { historyCsv, historyJson } from "../../src/nn/history.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { trainNetwork } from "../../src/nn/networkTraining.ts";
import { cosineSchedule } from "../../src/nn/optimisers.ts";
import { hostSource } from "../../src/nn/pixelSource.ts";

const [folder, epochs] = process.argv.slice(2);
const path = join(folder, "checkpoint.safetensors");
const say = (text: string): void => void writeSync(1, `${text}\n`);

/** Writes half, says so, waits, and writes the rest: a kill that follows the word is inside the write. */
const slowly: OpenFile = async (to) => {
  const file = await open(to, "w");
  return {
    async writeFile(content) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      const half = Math.floor(bytes.length / 2);
      await file.write(bytes.subarray(0, half));
      say("half");
      await new Promise((resolve) => setTimeout(resolve, 25));
      await file.write(bytes.subarray(half));
    },
    sync: () => file.sync(),
    close: () => file.close(),
  };
};

const architecture = { name: "smallCnn", inputSize: [32, 32], classes: 3, channels: [4, 8] } as const;
const inputSize = architecture.inputSize;
const pixelsPerImage = 32 * 32 * 3;

function pictures(count: number, seed: number) {
  const labels = Int32Array.from({ length: count }, (_, index) => index % 3);
  const pixels = Uint8Array.from({ length: count * pixelsPerImage }, (_, at) => {
    const isBright = at % 3 === labels[Math.floor(at / pixelsPerImage)];
    return (isBright ? 110 : 80) + 100 * uniform(seed, 1, at);
  });
  const batch = (indices: ArrayLike<number>) => {
    const chosen = new Uint8Array(indices.length * pixelsPerImage);
    for (let row = 0; row < indices.length; row++)
      chosen.set(
        pixels.subarray(pixelsPerImage * indices[row], pixelsPerImage * (indices[row] + 1)),
        pixelsPerImage * row,
      );
    return chosen;
  };
  return hostSource({ count, labels, dtype: "u8" as const, batch, ids: Uint32Array.from(labels.keys()) });
}

const { adapter, description } = await openGpu();
const device = await Device.open(adapter, description);
const shapes = weightShapesOf(architecture);
const values = initialise(shapes, 4);
const classifier = createClassifier(device, {
  architecture,
  preprocessing: { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "tf" },
  classNames: ["red", "green", "blue"],
  tensors: new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }])),
});
const found = await readCheckpoint(path);
say(`resumed ${found?.state.position.step ?? 0}`);
const train = augmentedSource(pictures(26, 1), builtInPolicies.basic, { seed: 2, inputSize });
const { history, best } = await trainNetwork(
  classifier,
  { train, validation: pictures(12, 2) },
  {
    epochs: Number(epochs),
    batch: 6,
    learningRate: 5e-3,
    schedule: cosineSchedule,
    dropout: 0.2,
    seed: 2,
    resume: found?.state,
    checkpoint: {
      every: 2,
      save: async (state) => {
        say("writing");
        await writeCheckpoint(path, { state, config: {}, adapter: description, tuning: null }, slowly);
        say("written");
      },
    },
    onProgress: ({ done, total }) => say(done < total ? "mid-epoch" : "epoch"),
  },
);
writeFileSync(join(folder, "history.json"), historyJson(history, best));
writeFileSync(join(folder, "history.csv"), historyCsv(history));
say("finished");
process.exit(0);
