import type { Explainer, Explanation, Method, Target } from "../explanation.ts";
import type { ExplainableModel } from "../model.ts";

/** |∂x| + |∂y| of the mean of the channels by backward differences: image [H, W, 3] → [H, W]. */
function edgesOf(image: Float32Array, [height, width]: readonly [number, number]): Float32Array {
  const grey = Float32Array.from({ length: height * width }, (_, at) => {
    return (image[3 * at] + image[3 * at + 1] + image[3 * at + 2]) / 3;
  });
  return grey.map((value, at) => {
    const left = at % width === 0 ? value : grey[at - 1];
    const above = at < width ? value : grey[at - width];
    return Math.abs(value - left) + Math.abs(value - above);
  });
}

function createEdges(model: ExplainableModel): Promise<Explainer> {
  const [height, width] = model.inputSize;
  const size = height * width * 3;
  const explainer: Explainer = {
    async explain(pixels: Float32Array, targets: readonly Target[]): Promise<Explanation[]> {
      return targets.map((target, index) => {
        const values = edgesOf(pixels.subarray(index * size, (index + 1) * size), model.inputSize);
        const heatmap = { height, width, values, signed: false };
        return { method: "edges", target, heatmap, status: "ok", cost: { forwards: 0, gradients: 0 }, details: {} };
      });
    },
    dispose() {},
    [Symbol.dispose]() {},
  };
  return Promise.resolve(explainer);
}

/**
 * The edges of the picture, which look like an explanation and never ask the network (Adebayo et al. 2018): a control that
 * sanity checks must flag. It is no method of the registry.
 */
export const edgeControl: Method = {
  name: "edges",
  title: "edges of the picture",
  family: "gradient",
  create: createEdges,
};
