import { expect, it } from "vitest";
import { renderPetal } from "../../src/data/petals.ts";
import { defaultMemoryBudget } from "../../src/engine/compile.ts";
import { createClassifier, weightShapesOf } from "../../src/nn/classifier.ts";
import { initialise } from "../../src/nn/initialise.ts";
import { IntegratedGradients } from "../../src/xai/integratedGradients.ts";
import { methodNamed } from "../../src/xai/methods.ts";
import { testDevice } from "../device.ts";
import { expectDistance } from "../reference.ts";

const size = 224;
const rounds = 3;
const singles = 5;

/** Seconds of the processor, not of the clock: other programs of the machine do not count. */
async function processorSeconds(work: () => Promise<unknown>): Promise<number> {
  const started = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1e6;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

it("Integrated Gradients with 50 steps costs at most 55 gradients of one image, within the memory budget", async () => {
  const device = await testDevice();
  const architecture = {
    name: "mobilenetV2",
    width: 1,
    inputSize: [size, size],
    classes: 1000,
    head: "gap-dense",
  } as const;
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, 1);
  const classifier = createClassifier(device, {
    architecture,
    preprocessing: { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "tf" },
    classNames: null,
    tensors: new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }])),
  });
  const image = Float32Array.from(renderPetal({ seed: 1, index: 0, species: 0, size }).image.data);
  const black = new Float32Array(image.length);
  using saliency = await methodNamed("saliency").create(classifier.explainable);
  const gradient = () => saliency.explain(image, [1]);
  await gradient();
  const before = device.liveBytes;
  using integrated = await IntegratedGradients.create(classifier.explainable, { steps: 50 });
  const integrate = () => integrated.explain(image, black, 1);
  const first = await integrate();
  const held = device.liveBytes - before;
  const one: number[] = [];
  const fifty: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let repeat = 0; repeat < singles; repeat++) one.push(await processorSeconds(gradient));
    fifty.push(await processorSeconds(integrate));
  }
  console.info(
    `one gradient ${median(one).toFixed(2)} s, 50 steps ${median(fifty).toFixed(2)} s, ${(held / 2 ** 20).toFixed(0)} MiB`,
  );
  expectDistance("50 steps in gradients of one image", median(fifty) / median(one), 55);
  expectDistance("bytes held by Integrated Gradients", held, defaultMemoryBudget);
  // Nothing grows from one explanation to the next, and the answer stays.
  expect(device.liveBytes - before).toBe(held);
  expect((await integrate()).attribution).toEqual(first.attribution);
  await classifier.dispose();
});
