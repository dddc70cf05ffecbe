import { normaliseByPeak } from "../../src/xai/gradCam.ts";
import { quadrature } from "../../src/xai/quadrature.ts";
import { channelsFirst, channelsLast, kernelChannelsFirst } from "../channelsFirst.ts";
import { classes, type Material, pixelsOf, preprocessed } from "../material.ts";
import { folded, head, type Layer, mobileNetV2Blocks, padding, type Weights } from "../network.ts";
import * as settings from "../workloads.ts";
import type { Engine, Work } from "./engine.ts";

/** jax-js is a dependency of the bench alone, so its types are not here where the repository is type-checked. */
// biome-ignore lint/suspicious/noExplicitAny: see above
type Any = any;

interface Model {
  readonly jax: Any;
  readonly features: (x: Any) => Any;
  readonly head: (features: Any) => Any;
}

/** Measured on lavapipe with two cores, which other work shared. */
const tooLong = "its gradient of the whole network did not compile within nine minutes; --patient waits";

/** jax-js on WebGPU: images and kernels with channels first, everything under `jit`. A `.ref` keeps an array for another use. */
export function jaxEngine(jax: Any, version: string, patient: boolean): Engine {
  const models = new Map<Material, Model>();
  return {
    name: "jax-js",
    version,
    async prepare(workload, material) {
      const model = models.get(material) ?? buildModel(jax, material);
      models.set(material, model);
      switch (workload.kind) {
        case "forward":
          return forward(model, workload);
        case "inputGradient":
          return patient ? inputGradient(model, workload) : tooLong;
        case "integratedGradients":
          return patient ? integratedGradients(model, workload) : tooLong;
        case "gradCam":
          return gradCam(model, workload);
        case "headStep":
        case "fineTuneStep":
          return "jax-js keeps optimisers in a package of their own, which this bench does not install";
        case "augment":
          return "jax-js has no warp of images";
        default:
          return workload.kind satisfies never;
      }
    },
  };
}

function buildModel(jax: Any, { weights }: Material): Model {
  const { numpy: np, lax, nn } = jax;
  const arrayOf = ({ shape, data }: Weights): Any => np.array(data).reshape([...shape]);
  const arrays = new Map<string, { kernel: Any; bias: Any }>();
  const blocks = mobileNetV2Blocks();
  for (const { name } of blocks.flatMap(({ layers }) => layers)) {
    const { kernel, bias } = folded(weights, name);
    const column = { shape: [bias.data.length, 1, 1], data: bias.data };
    arrays.set(name, { kernel: arrayOf(kernelChannelsFirst(kernel)), bias: arrayOf(column) });
  }
  const kernel = arrayOf(weights.get(`${head}/kernel`)!);
  const bias = arrayOf(weights.get(`${head}/bias`)!);
  const apply = (x: Any, { name, kind, stride, relu6 }: Layer): Any => {
    const { kernel, bias } = arrays.get(name)!;
    const pads = [2, 3].map((axis) => padding(x.shape[axis], kernel.shape[axis], stride));
    const groups = kind === "depthwise" ? { featureGroupCount: x.shape[1] } : {};
    const y = lax.convGeneralDilated(x, kernel.ref, [stride, stride], pads, groups).add(bias.ref);
    return relu6 ? nn.relu6(y) : y;
  };
  return {
    jax,
    features: (x) =>
      blocks.reduce((input, { layers, residual }) => {
        if (!residual) return layers.reduce(apply, input);
        return layers.reduce(apply, input.ref).add(input);
      }, x),
    head: (features) => np.matmul(np.mean(features, [2, 3]), kernel.ref).add(bias.ref),
  };
}

/** The sum of the scores of the explained classes, one per image. */
function scoreOf({ jax, head }: Model, indices: Int32Array): (features: Any) => Any {
  const { numpy: np } = jax;
  const data = new Float32Array(indices.length * classes);
  indices.forEach((index, row) => {
    data[row * classes + index] = 1;
  });
  const mask = np.array(data).reshape([indices.length, classes]);
  return (features) => np.sum(head(features).mul(mask.ref));
}

/** Runs `compute` on preprocessed images with channels first. */
function onImages({ jax }: Model, { batch, size }: settings.Workload, compute: (x: Any) => Any): Work {
  const data = channelsFirst(preprocessed(pixelsOf(batch, size)), batch, size);
  const jitted = jax.jit(compute);
  return {
    run: () => jitted(jax.numpy.array(data).reshape([batch, 3, size, size])).data(),
    dispose: () => jitted.dispose(),
  };
}

const forward = (model: Model, workload: settings.Workload): Work =>
  onImages(model, workload, (x) => model.head(model.features(x)));

function inputGradient(model: Model, workload: settings.Workload): Work {
  const { batch, size } = workload;
  const score = scoreOf(model, settings.classesOf(batch, classes));
  const work = onImages(
    model,
    workload,
    model.jax.grad((x: Any) => score(model.features(x))),
  );
  return { ...work, run: async () => channelsLast(await work.run(), batch, size) };
}

function gradCam(model: Model, workload: settings.Workload): Work {
  const { numpy: np } = model.jax;
  const gradientOf = model.jax.grad(scoreOf(model, settings.classesOf(workload.batch, classes)));
  const work = onImages(model, workload, (x) => {
    const features = model.features(x);
    const weights = np.mean(gradientOf(features.ref), [2, 3], { keepdims: true });
    return model.jax.nn.relu(np.sum(features.mul(weights), 1));
  });
  return { ...work, run: async () => normaliseByPeak(await work.run(), workload.batch).heatmaps };
}

/** Points of the path that go together; jax-js compiles a function for each batch. */
const integrationBatch = 5;

function integratedGradients(model: Model, { size }: settings.Workload): Work {
  const { numpy: np, grad, jit } = model.jax;
  const { nodes, weights } = quadrature("gauss-legendre", settings.integrationSteps);
  const [classIndex] = settings.classesOf(1, classes);
  const score = scoreOf(model, new Int32Array(integrationBatch).fill(classIndex));
  const chunk = jit((image: Any, alphas: Any, shares: Any) => {
    const x = image.add(1).mul(alphas).sub(1);
    const gradient = grad((at: Any) => score(model.features(at)))(x);
    return np.sum(gradient.mul(shares), 0);
  });
  const data = channelsFirst(preprocessed(pixelsOf(1, size)), 1, size);
  const column = (values: Float64Array, start: number): Any =>
    np.array(Float32Array.from(values.subarray(start, start + integrationBatch))).reshape([integrationBatch, 1, 1, 1]);
  return {
    run: async () => {
      const image = np.array(data).reshape([1, 3, size, size]);
      let total = np.zeros([3, size, size]);
      for (let start = 0; start < settings.integrationSteps; start += integrationBatch)
        total = total.add(chunk(image.ref, column(nodes, start), column(weights, start)));
      const values = await image.add(1).reshape([3, size, size]).mul(total).data();
      return channelsLast(values, 1, size);
    },
    dispose: () => chunk.dispose(),
    note: `batches of ${integrationBatch}`,
  };
}
