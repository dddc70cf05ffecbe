import { ShapeError } from "../../engine/errors.ts";
import { apply, type Tensor } from "../../engine/graph.ts";
import { batchNormTraining } from "../../engine/ops/batchNormTraining.ts";
import { add, multiply, subtract } from "../../engine/ops/binary.ts";
import { batchNorm, biasAdd } from "../../engine/ops/channel.ts";
import { conv2d } from "../../engine/ops/conv2d.ts";
import { depthwiseConv2d } from "../../engine/ops/depthwise.ts";
import { gatherClass } from "../../engine/ops/gather.ts";
import { softCrossEntropy, sparseCrossEntropy } from "../../engine/ops/losses.ts";
import { matmul } from "../../engine/ops/matmul.ts";
import { maxPool2d } from "../../engine/ops/pool.ts";
import { globalAveragePool, mean, sum } from "../../engine/ops/reduce.ts";
import { registry } from "../../engine/ops/registry.ts";
import { reshape } from "../../engine/ops/reshape.ts";
import { resizeBilinear } from "../../engine/ops/resize.ts";
import { logSoftmax, softmax } from "../../engine/ops/softmax.ts";
import { relu, relu6 } from "../../engine/ops/unary.ts";
import { formatShape, type Shape } from "../../engine/types.ts";
import { type Settings, windowsFor } from "./settings.ts";

/** One way to understand a case; `reading` says which where the name leaves several. */
export interface Reading {
  readonly y: Tensor;
  readonly reading?: string;
}

interface OpContext {
  readonly inputs: readonly Tensor[];
  readonly output: Shape;
  readonly settings: Settings;
}

export interface ReferenceOp {
  /** Numbers of inputs that it takes. */
  readonly arity: readonly number[];
  /** Inputs that hold whole numbers: labels and indices. */
  readonly integers?: readonly number[];
  readonly build: (context: OpContext) => readonly Reading[];
}

const simple = (f: (...inputs: Tensor[]) => Tensor, arity = 1): ReferenceOp => ({
  arity: [arity],
  build: ({ inputs }) => [{ y: f(...inputs) }],
});

function checkImages(x: Tensor, output: Shape): void {
  if (x.shape.length !== 4 || output.length !== 4)
    throw new ShapeError(`expected images [N, H, W, C], found ${formatShape(x.shape)} to ${formatShape(output)}`);
}

const convolution: ReferenceOp = {
  arity: [2, 3],
  build: ({ inputs: [x, w, bias], output, settings }) => {
    checkImages(x, output);
    if (w.shape.length !== 4)
      throw new ShapeError(`expected weights [kh, kw, C, channels], found ${formatShape(w.shape)}`);
    const kernel = [w.shape[0], w.shape[1]] as const;
    return windowsFor(x.shape, kernel, output, settings).map(({ window, reading }) => {
      const y = conv2d(x, w, window);
      return { y: bias ? biasAdd(y, bias) : y, reading };
    });
  },
};

/** TensorFlow writes depthwise weights [kh, kw, C, 1]; ours are [kh, kw, C]. */
function channelWeights(w: Tensor): Tensor {
  if (w.shape.length === 4 && w.shape[3] !== 1)
    throw new ShapeError(`expected a channel multiplier of 1, weights [kh, kw, C, 1], found ${formatShape(w.shape)}`);
  return w.shape.length === 4 ? reshape(w, w.shape.slice(0, 3)) : w;
}

const depthwise: ReferenceOp = {
  arity: [2, 3],
  build: ({ inputs: [x, w, bias], output, settings }) => {
    checkImages(x, output);
    const weights = channelWeights(w);
    const kernel = [weights.shape[0], weights.shape[1]] as const;
    return windowsFor(x.shape, kernel, output, settings).map(({ window, reading }) => {
      const y = depthwiseConv2d(x, weights, window);
      return { y: bias ? biasAdd(y, bias) : y, reading };
    });
  },
};

/** A window without a size in the name is as large as its step, or as the sizes of the images suggest. */
const maxPool: ReferenceOp = {
  arity: [1],
  build: ({ inputs: [x], output, settings }) => {
    checkImages(x, output);
    const implied = [Math.ceil(x.shape[1] / output[1]), Math.ceil(x.shape[2] / output[2])] as const;
    const size = settings.kernel ?? settings.strides ?? implied;
    return windowsFor(x.shape, size, output, settings).map(({ window, reading }) => ({
      y: maxPool2d(x, { size, ...window }),
      reading: `window ${size.join("×")}, ${reading}`,
    }));
  },
};

const resize: ReferenceOp = {
  arity: [1],
  build: ({ inputs: [x], output }) => {
    checkImages(x, output);
    return [{ y: resizeBilinear(x, { height: output[1], width: output[2] }) }];
  },
};

/** The ε of Keras' MobileNetV2 and the one most other layers have, unless the name states one. */
const epsilons = ({ epsilon }: Settings): readonly number[] => (epsilon === undefined ? [1e-3, 1e-5] : [epsilon]);

const batchNormTrain: ReferenceOp = {
  arity: [3],
  build: ({ inputs: [x, gamma, beta], settings }) =>
    epsilons(settings).map((epsilon) => ({
      y: batchNormTraining(x, gamma, beta, { epsilon })[0],
      reading: `ε = ${epsilon}`,
    })),
};

const batchNormFrozen: ReferenceOp = {
  arity: [5],
  build: ({ inputs: [x, gamma, beta, average, variance], settings }) =>
    epsilons(settings).map((epsilon) => ({
      y: batchNorm(x, { gamma, beta, mean: average, variance, epsilon }),
      reading: `ε = ${epsilon}`,
    })),
};

/** Sets of axes whose removal (or reduction to 1) takes one shape to the other. */
function axesBetween(from: Shape, to: Shape): number[][] {
  const found: number[][] = [];
  for (let mask = 1; mask < 1 << from.length; mask++) {
    const axes = from.flatMap((_, axis) => (mask & (1 << axis) ? [axis] : []));
    const rest = from.filter((_, axis) => !axes.includes(axis));
    const kept = from.map((size, axis) => (axes.includes(axis) ? 1 : size));
    if ([rest, kept].some((shape) => shape.join() === to.join())) found.push(axes);
  }
  return found;
}

const reduction = (f: (x: Tensor, axes: readonly number[], keepDims: boolean) => Tensor): ReferenceOp => ({
  arity: [1],
  build: ({ inputs: [x], output, settings }) => {
    const choices = settings.axes ? [settings.axes] : axesBetween(x.shape, output);
    if (choices.length === 0)
      throw new ShapeError(`no axes take ${formatShape(x.shape)} to ${formatShape(output)}; check out`);
    const keepDims = x.shape.length === output.length;
    return choices.map((axes) => ({ y: f(x, axes, keepDims), reading: `axes ${axes.join(", ")}` }));
  },
});

/** A loss per sample, or over the batch where the file's output is one number. */
const loss = (f: (logits: Tensor, targets: Tensor) => Tensor): ReferenceOp["build"] => {
  return ({ inputs: [logits, targets], output }) => {
    const perSample = f(logits, targets);
    if (output.length > 0) return [{ y: perSample }];
    return [
      { y: mean(perSample, [0]), reading: "mean over the batch" },
      { y: sum(perSample, [0]), reading: "sum over the batch" },
    ];
  };
};

const sparseLoss: ReferenceOp = { arity: [2], integers: [1], build: loss(sparseCrossEntropy) };
const softLoss: ReferenceOp = { arity: [2], build: loss(softCrossEntropy) };
const dense: ReferenceOp = {
  arity: [2, 3],
  build: ({ inputs: [x, w, bias] }) => [{ y: bias ? biasAdd(matmul(x, w), bias) : matmul(x, w) }],
};

const table: Readonly<Record<string, ReferenceOp>> = {
  conv2d: convolution,
  pointwise: convolution,
  depthwise,
  gap: simple((x) => globalAveragePool(x)),
  maxpool2d: maxPool,
  resizebilinear: resize,
  softmax: simple((x) => softmax(x)),
  logsoftmax: simple((x) => logSoftmax(x)),
  matmul: simple((a, b) => matmul(a, b), 2),
  dense,
  relu: simple((x) => relu(x)),
  relu6: simple((x) => relu6(x)),
  batchnormtrain: batchNormTrain,
  batchnormfrozen: batchNormFrozen,
  biasadd: simple((x, bias) => biasAdd(x, bias), 2),
  add: simple((a, b) => add(a, b), 2),
  subtract: simple((a, b) => subtract(a, b), 2),
  multiply: simple((a, b) => multiply(a, b), 2),
  sum: reduction(sum),
  mean: reduction((x, axes, keepDims) => mean(x, axes, keepDims)),
  flatten: { arity: [1], build: ({ inputs: [x], output }) => [{ y: reshape(x, output) }] },
  sparsecrossentropy: sparseLoss,
  softcrossentropy: softLoss,
  gatherclass: { arity: [2], integers: [1], build: ({ inputs: [x, index] }) => [{ y: gatherClass(x, index) }] },
};

/** Other names by which frameworks know the ops of the table. */
const aliases: Readonly<Record<string, string>> = {
  conv: "conv2d",
  pointwiseconv2d: "pointwise",
  depthwiseconv2d: "depthwise",
  depthwiseconv: "depthwise",
  globalaveragepool: "gap",
  globalavgpool: "gap",
  globalaveragepooling: "gap",
  globalaveragepooling2d: "gap",
  maxpool: "maxpool2d",
  maxpooling2d: "maxpool2d",
  resize: "resizebilinear",
  bilinear: "resizebilinear",
  linear: "dense",
  batchnormtraining: "batchnormtrain",
  batchnorminference: "batchnormfrozen",
  frozenbatchnorm: "batchnormfrozen",
  bias: "biasadd",
  sub: "subtract",
  mul: "multiply",
  reducesum: "sum",
  reducemean: "mean",
  reshape: "flatten",
  sparsesoftmaxcrossentropy: "sparsecrossentropy",
  sparsexent: "sparsecrossentropy",
  softmaxcrossentropy: "softcrossentropy",
  gather: "gatherclass",
};

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** Names that stand for two ops: the inputs tell which. */
function byInputs(name: string, shapes: readonly Shape[]): string {
  if (name === "batchnorm") return shapes.length === 5 ? "batchnormfrozen" : "batchnormtrain";
  if (name === "scale") return "multiply";
  if (name === "crossentropy")
    return shapes[1]?.length === shapes[0].length ? "softcrossentropy" : "sparsecrossentropy";
  return name;
}

/**
 * The op that a reference file means by a name: capitals and separators do not matter, and any op of the registry that
 * needs no attributes is found under its own name.
 * @throws ShapeError for an unknown op, naming those that are known.
 */
export function findOp(name: string, shapes: readonly Shape[]): ReferenceOp {
  const key = byInputs(plain(name), shapes);
  const known = table[aliases[key] ?? key];
  if (known) return known;
  const entry = registry.find(({ op, cases }) => plain(op.name) === key && cases.some((one) => !one.attributes));
  if (!entry) throw new ShapeError(`unknown op "${name}"; expected one of ${Object.keys(table).join(", ")}`);
  return simple((...inputs) => apply(entry.op, inputs), entry.op.arity);
}
