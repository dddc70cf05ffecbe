import { classes, featuresOf, headWeights, labelsOf, type Material, pixelsOf, preprocessed } from "../material.ts";
import { epsilon, head, type Layer, mobileNetV2Blocks } from "../network.ts";
import * as settings from "../workloads.ts";
import { changedParameters, type Work } from "./engine.ts";
import type { Any, Runtime } from "./tensorflow.ts";

interface Training {
  readonly optimiser: Any;
  readonly variables: readonly Any[];
  /** The variables whose change is compared. */
  readonly watched: readonly Any[];
  /** The mean loss of the batch. */
  readonly loss: () => Any;
  readonly constants: readonly Any[];
}

function training({ tf, select }: Runtime, { optimiser, variables, watched, loss, constants }: Training): Work {
  const run = async (): Promise<Float32Array> => {
    await select();
    const cost = optimiser.minimize(loss, true, [...variables]);
    const values = await cost.data();
    cost.dispose();
    return values;
  };
  const read = () => Promise.all(watched.map((variable) => variable.data() as Promise<Float32Array>));
  return {
    run,
    check: () => changedParameters(read, run),
    dispose: () => {
      optimiser.dispose();
      tf.dispose([...variables, ...constants]);
    },
  };
}

const oneHot = (tf: Any, labels: Int32Array, depth: number): Any =>
  tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(labels, "int32"), depth), "float32"));

/** Dense head, softmax cross-entropy, Adam. */
export function tensorFlowHeadStep(runtime: Runtime, { batch }: settings.Workload): Work {
  const { tf } = runtime;
  const { kernel: start } = headWeights();
  const kernel = tf.variable(tf.tensor(start.data, start.shape));
  const bias = tf.variable(tf.zeros([settings.headClasses]));
  const data = featuresOf(batch);
  const labels = oneHot(tf, labelsOf(batch, settings.headClasses), settings.headClasses);
  return training(runtime, {
    optimiser: tf.train.adam(settings.headLearningRate, 0.9, 0.999, 1e-7),
    variables: [kernel, bias],
    watched: [kernel],
    // Features are uploaded in every step, as training over an epoch does.
    loss: () => {
      const features = tf.tensor2d(data, [batch, settings.headFeatures]);
      return tf.losses.softmaxCrossEntropy(labels, tf.add(tf.matMul(features, kernel), bias));
    },
    constants: [labels],
  });
}

/** All layers, batch statistics, gradient descent with momentum. */
export function tensorFlowFineTuneStep(runtime: Runtime, { weights }: Material, workload: settings.Workload): Work {
  const { tf } = runtime;
  const { batch, size } = workload;
  const depthwise = new Set<string>();
  for (const layer of mobileNetV2Blocks().flatMap(({ layers }) => layers))
    if (layer.kind === "depthwise") depthwise.add(`${layer.name}/kernel`);
  const variables = new Map<string, Any>();
  const running: Any[] = [];
  for (const [name, { data, shape }] of weights) {
    if (name.startsWith("folded/")) continue;
    const moving = name.includes("/moving_");
    const variable = tf.variable(tf.tensor(data, depthwise.has(name) ? [...shape, 1] : shape), !moving);
    variables.set(name, variable);
    if (moving) running.push(variable);
  }
  const data = preprocessed(pixelsOf(batch, size));
  const labels = oneHot(tf, labelsOf(batch, classes), classes);
  const isTrained = (name: string): boolean => !name.includes("/moving_");
  return training(runtime, {
    optimiser: tf.train.momentum(settings.fineTuneLearningRate, settings.fineTuneMomentum),
    variables: [...variables].filter(([name]) => isTrained(name)).map(([, variable]) => variable),
    watched: settings.watchedParameters.map((name) => variables.get(name)),
    loss: () =>
      tf.losses.softmaxCrossEntropy(labels, trainingLogits(tf, variables, tf.tensor4d(data, [batch, size, size, 3]))),
    constants: [labels, ...running],
  });
}

/** The network with batch statistics; moves the running ones. */
function trainingLogits(tf: Any, variables: ReadonlyMap<string, Any>, images: Any): Any {
  const get = (name: string): Any => variables.get(name);
  const move = (name: string, value: Any): void =>
    get(name).assign(tf.add(tf.mul(get(name), 0.999), tf.mul(value, 0.001)));
  const apply = (x: Any, { name, normalisation, kind, stride, relu6 }: Layer): Any => {
    const convolve = kind === "depthwise" ? tf.depthwiseConv2d : tf.conv2d;
    const y = convolve(x, get(`${name}/kernel`), stride, "same");
    const { mean, variance } = tf.moments(y, [0, 1, 2]);
    move(`${normalisation}/moving_mean`, mean);
    move(`${normalisation}/moving_variance`, variance);
    const normal = tf.batchNorm(
      y,
      mean,
      variance,
      get(`${normalisation}/beta`),
      get(`${normalisation}/gamma`),
      epsilon,
    );
    return relu6 ? tf.relu6(normal) : normal;
  };
  const features = mobileNetV2Blocks().reduce((input, { layers, residual }) => {
    const y = layers.reduce(apply, input);
    return residual ? tf.add(input, y) : y;
  }, images);
  return tf.add(tf.matMul(tf.mean(features, [1, 2]), get(`${head}/kernel`)), get(`${head}/bias`));
}
