import { gradients } from "./autodiff.ts";
import { compile } from "./compile.ts";
import { type Device, pipelineKey } from "./device.ts";
import { apply, type Graph, makeNode, type Tensor } from "./graph.ts";
import type { OpCase, OpEntry } from "./op.ts";
import { add } from "./ops/binary.ts";
import { isMaskable } from "./ops/bitMasks.ts";
import { biasAdd } from "./ops/channel.ts";
import { relu6Mask } from "./ops/masks.ts";
import { matmul } from "./ops/matmul.ts";
import { references } from "./ops/registry.ts";
import { input, parameter } from "./ops/sources.ts";
import { relu, relu6 } from "./ops/unary.ts";
import { ParameterStore } from "./parameters.ts";
import { uniform } from "./random.ts";
import { runReference } from "./reference.ts";
import { formatShape, sizeOf, type TypedArray, typedArray } from "./types.ts";

export interface OpCheck {
  readonly name: string;
  /** Relative L2 distance of the GPU from float64, for the outputs and for each gradient. */
  readonly forward: number;
  readonly gradient: number;
  /** Of the float64 gradient from central differences of the float64 forward; NaN when there is no gradient rule. */
  readonly differences: number;
}

/** ‖got − want‖ / ‖want‖; infinite when anything is not a number where the other is, and absolute where `want` is zero. */
export function relativeL2(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  for (let index = 0; index < want.length; index++) {
    if (Object.is(got[index], want[index]) || (Number.isNaN(got[index]) && Number.isNaN(want[index]))) {
      if (Number.isFinite(want[index])) norm += want[index] ** 2;
      continue;
    }
    difference += (got[index] - want[index]) ** 2;
    norm += want[index] ** 2;
  }
  const distance = Math.sqrt(difference) / (norm > 0 ? Math.sqrt(norm) : 1);
  return Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
}

/** Rounding alone may put a gradient this far off where its terms cancel; nearer ones need no second look. */
const suspect = 1e-6;
/** Condition numbers up to this one are the kernel's to bear. */
const bearable = 16;

/**
 * The relative distance, with the terms' size in place of the result's where the terms cancel: the norm is at least what moving every
 * input by one unit in the last place (2⁻²³) moves the result by, divided by that unit and by sixteen (Higham 2002, §1.6).
 */
function conditionedL2(got: ArrayLike<number>, want: ArrayLike<number>, moved: () => ArrayLike<number>): number {
  const distance = relativeL2(got, want);
  if (!(distance > suspect && Number.isFinite(distance))) return distance;
  return distance / Math.max(1, relativeL2(moved(), want) / (bearable * 2 ** -23));
}

/** Every float moved by one unit in the last place, up or down. */
const movedByUnit = (feeds: Feeds): Feeds =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, data], index) => [
      name,
      data instanceof Float32Array
        ? data.map((value, at) => value * (1 + (uniform(index, 9, at) < 0.5 ? -1 : 1) * 2 ** -23))
        : data,
    ]),
  );

export const caseName = ({ op }: OpEntry, { inputs, attributes }: OpCase): string =>
  `${op.name}/${inputs.map(({ shape }) => formatShape(shape)).join("·")}${attributes ? ` ${JSON.stringify(attributes)}` : ""}`;

/** Random data of a case; every value a float32, so that both sides start from the same numbers. */
export function caseData({ inputs, distinct }: OpCase, seed: number): TypedArray[] {
  return inputs.map(
    ({ shape, dtype = "f32", scale = 1, offset = 0, below = 2, positive, avoid = [], halves }, index) => {
      const data = typedArray(dtype, sizeOf(shape));
      for (let at = 0; at < data.length; at++) {
        const draw = (lane: number): number => uniform(seed, 100 * index + lane, at);
        if (halves) data[at] = (((2 ** 16 * draw(0)) ^ (2 ** 32 * draw(1))) & 0xbfffbfff) | 0x04000400;
        else if (dtype !== "f32") data[at] = Math.floor(draw(0) * below);
        else {
          const normal = Math.sqrt(-2 * Math.log(1 - draw(0))) * Math.cos(2 * Math.PI * draw(1));
          let value = (positive ? Math.abs(normal) : normal) * scale + offset;
          for (const kink of avoid) if (Math.abs(value - kink) < 0.01) value = kink + 0.02;
          data[at] = distinct ? value + 1e-3 * at : value;
        }
      }
      return data;
    },
  );
}

/** Checks one case of an op: forward and gradients on the GPU against float64, and the float64 gradients against differences. */
export async function checkOp(device: Device, entry: OpEntry, opCase: OpCase, seed: number): Promise<OpCheck> {
  const data = caseData(opCase, seed);
  const name = caseName(entry, opCase);
  if (entry.op.traits.updates)
    return { name, forward: await checkUpdate(device, entry, opCase, data), gradient: 0, differences: Number.NaN };
  const { graph, feeds, cotangents, wrt } = caseGraph(entry, opCase, data, seed);
  const want = runReference(graph, feeds, { references }).outputs;
  let moved: typeof want | undefined;
  const movedAt = (key: string): ArrayLike<number> => {
    moved ??= runReference(graph, movedByUnit(feeds), { references }).outputs;
    return moved[key];
  };
  const plan = await compile(device, graph, { poison: true, reuse: false });
  try {
    const got = await plan.run(feeds);
    const distance = (prefix: string): number =>
      Math.max(
        0,
        ...Object.keys(want)
          .filter((key) => key.startsWith(prefix))
          .map((key) => conditionedL2(got[key], want[key], () => movedAt(key))),
      );
    const stray = await plan.strayWrites();
    if (stray) return { name: `${name}: ${stray}`, forward: Number.POSITIVE_INFINITY, gradient: 0, differences: 0 };
    const epilogue = await checkEpilogues(device, entry, opCase, feeds);
    const differences = wrt.length > 0 ? centralDifferences(graph, { ...feeds, ...cotangents }, wrt, want) : Number.NaN;
    return { name, forward: Math.max(distance("y"), epilogue), gradient: distance("d"), differences };
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

/** The kernels whose epilogues were checked on a device: once each, because every one is several pipelines to compile. */
const checkedEpilogues = new WeakMap<Device, Set<string>>();

/** The op with each stage fused behind it, against float64; infinite when they are not fused or write astray. */
async function checkEpilogues(
  device: Device,
  { op }: OpEntry,
  { inputs, attributes }: OpCase,
  feeds: Feeds,
): Promise<number> {
  if (!op.traits.acceptsEpilogue || !op.kernel) return 0;
  const types = inputs.map(({ shape, dtype = "f32" }) => ({ shape, dtype }));
  const plain = { inputs: types, outputs: op.infer(types, attributes ?? {}), attributes: attributes ?? {} };
  const key = pipelineKey({ call: op.kernel({ ...plain, adapter: device.traits }), access: [] });
  const checked = checkedEpilogues.get(device) ?? new Set();
  checkedEpilogues.set(device, checked);
  if (checked.has(key)) return 0;
  checked.add(key);
  const main = apply(
    op,
    inputs.map(({ shape, dtype }, index) => input(`x${index}`, shape, dtype)),
    attributes,
  );
  const extras = epilogueFeeds(main.shape);
  const all = { ...Object.fromEntries(inputs.map((_, index) => [`x${index}`, feeds[`x${index}`]])), ...extras };
  let worst = 0;
  for (const { outputs, dispatches } of epiloguesOf(main)) {
    const graph: Graph = { outputs };
    const plan = await compile(device, graph, { poison: true, reuse: false });
    try {
      const used = Object.fromEntries(Object.entries(all).filter(([name]) => plan.options.inputs.has(name)));
      const got = await plan.run(used);
      const want = runReference(graph, used, { references }).outputs;
      const isSound = plan.dispatches === dispatches && (await plan.strayWrites()) === null;
      const distances = Object.keys(want).map((name) => relativeL2(got[name], want[name]));
      worst = Math.max(worst, ...(isSound ? distances : [Number.POSITIVE_INFINITY]));
    } finally {
      plan.dispose();
      plan.parameters.dispose();
    }
  }
  return worst;
}

/** Operands of the stages for a result of this shape. */
function epilogueFeeds(shape: readonly number[]): Feeds {
  const channels = shape[shape.length - 1];
  const shapes = { bias: [channels], residual: shape, seen: shape, mixing: [channels, channels] };
  const data = caseData({ inputs: Object.values(shapes).map((one) => ({ shape: one, scale: 5 })) }, 23);
  return Object.fromEntries(Object.keys(shapes).map((name, index) => [name, data[index]]));
}

interface Epilogue {
  readonly outputs: Record<string, Tensor>;
  /** Fewer than its nodes, when all stages are fused. */
  readonly dispatches: number;
}

/** What a kernel may take behind it: bias, either activation and an addition, and where it knows them a mask read and one written. */
function epiloguesOf(main: Tensor): Epilogue[] {
  const biased = biasAdd(main, input("bias", main.shape.slice(-1)));
  const residual = input("residual", main.shape);
  const [first, second] = [add(relu(biased), residual), relu6(biased)];
  const { op, attributes, inputs, outputs } = main.node;
  const types = { inputs: inputs.map(({ type }) => type), outputs: outputs.map(({ type }) => type), attributes };
  const masks = (isMaskable(main.type) && op.traits.masks?.(types)) || null;
  const mixed = matmul(residual, input("mixing", [...main.shape.slice(-1), ...main.shape.slice(-1)]));
  return [
    masks
      ? { outputs: { y: relu6Mask(input("seen", main.shape), first) }, dispatches: 2 }
      : { outputs: { y: first }, dispatches: 1 },
    masks && masks.writesRows > 0
      ? { outputs: { y: second, g: relu6Mask(second, mixed) }, dispatches: 2 }
      : { outputs: { y: add(second, residual) }, dispatches: 1 },
  ];
}

type Feeds = Readonly<Record<string, TypedArray>>;

interface CaseGraph {
  readonly graph: Graph;
  readonly feeds: Record<string, TypedArray>;
  /** The weights of each output, also of one that no gradient reads. */
  readonly cotangents: Record<string, TypedArray>;
  readonly wrt: readonly number[];
}

/** Outputs y0, y1, … and, for a seed per output, the gradients d0, d1, … of the inputs. */
export function caseGraph(
  { op }: OpEntry,
  { inputs, attributes, differentiate }: OpCase,
  data: readonly TypedArray[],
  seed: number,
): CaseGraph {
  const feeds: Record<string, TypedArray> = {};
  const tensors = inputs.map(({ shape, dtype }, index) => {
    feeds[`x${index}`] = data[index];
    return input(`x${index}`, shape, dtype);
  });
  const node = makeNode(op, tensors, attributes);
  const outputs: Record<string, Tensor> = Object.fromEntries(
    node.outputs.map((output, index) => [`y${index}`, output]),
  );
  const floats = inputs.flatMap(({ dtype = "f32" }, index) => (dtype === "f32" ? [index] : []));
  const wrt = op.gradient ? (differentiate ?? floats) : [];
  if (wrt.length > 0) {
    // One output after the other: each has its own cotangent, and the gradients add up.
    const totals = new Map<number, Tensor[]>();
    node.outputs.forEach((output, index) => {
      if (output.dtype !== "f32") return;
      feeds[`c${index}`] = caseData({ inputs: [{ shape: output.shape }] }, seed + 7 + index)[0] as Float32Array;
      for (const at of wrt) {
        const gradient = tryGradient(output, tensors[at], input(`c${index}`, output.shape));
        if (gradient) totals.set(at, [...(totals.get(at) ?? []), gradient]);
      }
    });
    for (const [at, parts] of totals)
      parts.forEach((part, index) => {
        outputs[`d${at}.${index}`] = part;
      });
  }
  const used = new Set(Object.values(outputs).flatMap((tensor) => inputNames(tensor)));
  const cotangents = Object.fromEntries(Object.entries(feeds).filter(([key]) => key.startsWith("c")));
  return {
    graph: { outputs },
    cotangents,
    feeds: Object.fromEntries(Object.entries(feeds).filter(([key]) => used.has(key))),
    wrt,
  };
}

/** Not every output depends on every input. */
function tryGradient(y: Tensor, x: Tensor, seed: Tensor): Tensor | null {
  try {
    return gradients(y, [x], seed)[0];
  } catch (error) {
    if (/does not depend/.test((error as Error).message)) return null;
    throw error;
  }
}

function inputNames(tensor: Tensor): string[] {
  const names: string[] = [];
  const seen = new Set<object>();
  const visit = (node: Tensor["node"]): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.op.traits.source === "input") names.push(node.attributes.name);
    for (const operand of node.inputs) visit(operand.node);
  };
  visit(tensor.node);
  return names;
}

/** The largest relative distance of a directional derivative from the central difference along random directions. */
function centralDifferences(
  graph: Graph,
  feeds: Record<string, TypedArray>,
  wrt: readonly number[],
  want: Record<string, Float64Array>,
): number {
  const forward: Graph = {
    outputs: Object.fromEntries(Object.entries(graph.outputs).filter(([key]) => key.startsWith("y"))),
  };
  const step = 1e-5;
  let worst = 0;
  for (const at of wrt) {
    const x = feeds[`x${at}`];
    const direction = Float64Array.from(x, (_, index) => uniform(11 + at, 3, index) - 0.5);
    const evaluate = (sign: number): Record<string, Float64Array> => {
      const moved = Float64Array.from(x, (value, index) => value + sign * step * direction[index]);
      const rest = Object.fromEntries(Object.entries(feeds).filter(([key]) => key.startsWith("x")));
      return runReference(forward, { ...rest, [`x${at}`]: moved }, { references }).outputs;
    };
    const [above, below] = [evaluate(1), evaluate(-1)];
    let numeric = 0;
    let analytic = 0;
    let scale = 1e-12;
    for (const key of Object.keys(forward.outputs)) {
      const cotangent = feeds[`c${key.slice(1)}`];
      if (!cotangent) continue;
      above[key].forEach((value, index) => {
        const slope = (cotangent[index] * (value - below[key][index])) / (2 * step);
        numeric += slope;
        scale += Math.abs(slope);
      });
    }
    for (const [key, gradient] of Object.entries(want))
      if (key.startsWith(`d${at}.`))
        gradient.forEach((value, index) => {
          analytic += value * direction[index];
        });
    worst = Math.max(worst, Math.abs(numeric - analytic) / scale);
  }
  return worst;
}

/** Runs an update node once on the GPU and in float64 and compares the parameters it leaves. */
async function checkUpdate(
  device: Device,
  { op }: OpEntry,
  { inputs, attributes }: OpCase,
  data: readonly TypedArray[],
): Promise<number> {
  const updated = op.traits.updates ?? [];
  const store = new ParameterStore(device);
  const feeds: Record<string, TypedArray> = {};
  const tensors = inputs.map(({ shape, dtype }, index) => {
    feeds[`x${index}`] = data[index];
    if (!updated.includes(index)) return input(`x${index}`, shape, dtype);
    store.set(`x${index}`, data[index], shape);
    return parameter(`x${index}`, shape, dtype);
  });
  const graph: Graph = { outputs: {}, updates: [makeNode(op, tensors, attributes)] };
  const want = runReference(graph, feeds, { references }).parameters;
  const plan = await compile(device, graph, { parameters: store, poison: true, reuse: false });
  try {
    await plan.run(
      Object.fromEntries(Object.entries(feeds).filter(([key]) => !updated.includes(Number(key.slice(1))))),
    );
    const distances = await Promise.all(
      updated.map(async (index) => relativeL2(await store.get(`x${index}`), want[`x${index}`])),
    );
    return Math.max(...distances);
  } finally {
    plan.dispose();
    store.dispose();
  }
}
