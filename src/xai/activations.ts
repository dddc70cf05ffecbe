import { compile } from "../engine/compile.ts";
import { input } from "../engine/ops/sources.ts";
import { BATCH } from "../engine/types.ts";
import { type ExplainableModel, layerOf, preprocess } from "./model.ts";

/** An activation [height, width, channels] of one image. */
export interface Activation {
  readonly layer: string;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly values: Float32Array;
}

/** The activations of layers (the last spatial one by default) for one image at a time. */
export async function compileActivations(
  model: ExplainableModel,
  labels: readonly (string | undefined)[] = [undefined],
) {
  const built = model.build(preprocess(model, input("pixels", [BATCH, ...model.inputSize, 3])));
  const layers = labels.map((label) => layerOf(built, label));
  const outputs = Object.fromEntries(layers.map((layer, index) => [`layer${index}`, layer]));
  const plan = await compile(model.device, { outputs }, { parameters: model.parameters, maxBatch: 1 });
  return {
    /** pixels [1, H, W, 3] of 0 to 255. */
    async run(pixels: Float32Array): Promise<Activation[]> {
      const results = await plan.run({ pixels });
      return layers.map(({ node, shape: [, height, width, channels] }, index) => {
        const values = results[`layer${index}`] as Float32Array;
        return { layer: node.label ?? "unnamed layer", height, width, channels, values };
      });
    },
    dispose: () => plan.dispose(),
  };
}
