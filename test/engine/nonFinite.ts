import { caseData } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Device } from "../../src/engine/device.ts";
import { apply, type Graph, makeNode, type Tensor } from "../../src/engine/graph.ts";
import type { OpCase, OpEntry } from "../../src/engine/op.ts";
import { add } from "../../src/engine/ops/binary.ts";
import { biasAdd } from "../../src/engine/ops/channel.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { input, parameter } from "../../src/engine/ops/sources.ts";
import { relu, relu6 } from "../../src/engine/ops/unary.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import { uniform } from "../../src/engine/random.ts";
import { runReference } from "../../src/engine/reference.ts";
import type { TypedArray } from "../../src/engine/types.ts";
import { normals } from "./networks.ts";

type Feeds = Record<string, TypedArray>;

/** What a float32 is: a finite number, not a number, or an infinity of either sign. Overflow to float32 counts as infinite. */
const classOf = (value: number): string => {
  const single = Math.fround(value);
  return Number.isNaN(single) ? "NaN" : Number.isFinite(single) ? "finite" : single > 0 ? "+Inf" : "-Inf";
};

const planted = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

interface Planting {
  readonly where: string;
  /** The input that holds the planted value. */
  readonly name: string;
  readonly feeds: Feeds;
}

/** The feeds with one element of one float input replaced, for each input, a few positions and each non-finite value. */
function* plantings(feeds: Feeds, seed: number): Generator<Planting> {
  for (const [name, data] of Object.entries(feeds)) {
    if (!(data instanceof Float32Array) || data.length === 0) continue;
    const positions = new Set([0, data.length - 1, Math.floor(uniform(seed, 1, data.length) * data.length)]);
    for (const at of positions)
      for (const value of planted) {
        const changed = data.slice();
        changed[at] = value;
        yield { where: `${value} at ${name}[${at}]`, name, feeds: { ...feeds, [name]: changed } };
      }
  }
}

/**
 * Zero padding leaves one thing open: 0 · NaN at the border. The reference leaves such terms out, other kernels multiply
 * the zeros, so a convolution may add a NaN where the second operand is not finite. It may never lose one.
 */
const multipliesPadding = ({ attributes }: OpCase): boolean =>
  Boolean(attributes?.padding && attributes.strides && !attributes.size);

/** Compares the class of every element; names the first that differs. */
function difference(got: Feeds, want: Record<string, Float64Array>, mayAddNaN = false): string | null {
  for (const [name, values] of Object.entries(want))
    for (let index = 0; index < values.length; index++) {
      const [found, expected] = [classOf(got[name][index]), classOf(values[index])];
      if (found !== expected && !(mayAddNaN && found === "NaN"))
        return `${name}[${index}] is ${found}, float64 gives ${expected}`;
    }
  return null;
}

/** Plants NaN and infinities in a case of an op; what differs in class from float64, or null. */
export async function checkNonFinite(
  device: Device,
  entry: OpEntry,
  opCase: OpCase,
  seed: number,
): Promise<string | null> {
  const data = caseData(opCase, seed);
  const feeds = Object.fromEntries(data.map((values, index) => [`x${index}`, values]));
  if (entry.op.traits.updates) return checkUpdate(device, entry, opCase, feeds, seed);
  const node = makeNode(
    entry.op,
    opCase.inputs.map(({ shape, dtype }, index) => input(`x${index}`, shape, dtype)),
    opCase.attributes,
  );
  const outputs = Object.fromEntries(node.outputs.map((output, index) => [`y${index}`, output]));
  return checkGraph(device, { outputs }, feeds, seed, multipliesPadding(opCase));
}

/** The same with everything that a kernel can take into its epilogue fused behind the op. */
export async function checkNonFiniteEpilogue(
  device: Device,
  entry: OpEntry,
  opCase: OpCase,
  seed: number,
): Promise<string | null> {
  const feeds: Feeds = Object.fromEntries(caseData(opCase, seed).map((values, index) => [`x${index}`, values]));
  const x = opCase.inputs.map(({ shape, dtype }, index) => input(`x${index}`, shape, dtype));
  for (const activation of [relu, relu6]) {
    const main = apply(entry.op, x, opCase.attributes);
    const [channels, size] = [main.shape[main.shape.length - 1], main.shape.reduce((a, b) => a * b, 1)];
    const y = add(activation(biasAdd(main, input("bias", [channels]))), input("residual", main.shape));
    const extra = { bias: normals(channels, seed), residual: normals(size, seed, 1) };
    const fault = await checkGraph(device, { outputs: { y } }, { ...feeds, ...extra }, seed, multipliesPadding(opCase));
    if (fault) return `${activation.name}: ${fault}`;
  }
  return null;
}

async function checkGraph(
  device: Device,
  graph: Graph,
  feeds: Feeds,
  seed: number,
  padded: boolean,
): Promise<string | null> {
  const plan = await compile(device, graph);
  try {
    for (const { where, name, feeds: changed } of plantings(feeds, seed)) {
      const want = runReference(graph, changed, { references }).outputs;
      const fault = difference(await plan.run(changed), want, padded && name === "x1");
      if (fault) return `${where}: ${fault}`;
    }
    return null;
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

async function checkUpdate(
  device: Device,
  { op }: OpEntry,
  { inputs, attributes }: OpCase,
  feeds: Feeds,
  seed: number,
): Promise<string | null> {
  const names = (op.traits.updates ?? []).map((index) => `x${index}`);
  const tensors = inputs.map(({ shape, dtype }, index): Tensor => {
    const source = names.includes(`x${index}`) ? parameter : input;
    return source(`x${index}`, shape, dtype);
  });
  const graph: Graph = { outputs: {}, updates: [makeNode(op, tensors, attributes)] };
  using store = new ParameterStore(device);
  const write = (values: Feeds): void => {
    for (const name of names) store.set(name, values[name], inputs[Number(name.slice(1))].shape);
  };
  write(feeds);
  const plan = await compile(device, graph, { parameters: store });
  try {
    for (const { where, feeds: changed } of plantings(feeds, seed)) {
      write(changed);
      await plan.run(Object.fromEntries(Object.entries(changed).filter(([name]) => !names.includes(name))));
      const got = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await store.get(name)])));
      const fault = difference(got, runReference(graph, changed, { references }).parameters);
      if (fault) return `${where}: ${fault}`;
    }
    return null;
  } finally {
    plan.dispose();
  }
}
