/** A small network with seeded weights, as the two files of a saved model. */
import { weightShapesOf } from "../../src/nn/classifier.ts";
import { serializeModel } from "../../src/nn/formats/model.ts";
import { initialise } from "../../src/nn/initialise.ts";

export const size = 32;
export const classNames = ["daisy", "rose", "tulip"];

export async function smallModelFiles(
  seed = 1,
): Promise<{ json: Uint8Array<ArrayBuffer>; safetensors: Uint8Array<ArrayBuffer> }> {
  const architecture = { name: "smallCnn", inputSize: [size, size], classes: 3, channels: [8, 16] } as const;
  const shapes = weightShapesOf(architecture);
  const values = initialise(shapes, seed);
  const tensors = new Map([...shapes].map(([name, shape]) => [name, { shape: [...shape], data: values.get(name)! }]));
  const preprocessing = { name: "x/127.5 - 1", scale: 1 / 127.5, offset: -1, resize: "aspect" } as const;
  const manifest = { format: "tepal-model", version: 1, architecture, preprocessing, classNames, seed } as const;
  const { json, safetensors } = await serializeModel({ manifest, tensors });
  return { json: new TextEncoder().encode(json), safetensors: new Uint8Array(safetensors) };
}
