import { cpus, loadavg } from "node:os";
import type { KernelReport, LadderResult, Rung } from "../src/cli/kernels/measured.ts";
import { gradients } from "../src/engine/autodiff.ts";
import { compile } from "../src/engine/compile.ts";
import { Device } from "../src/engine/device.ts";
import { apply, type Node, nodesOf, type Tensor } from "../src/engine/graph.ts";
import type { Op } from "../src/engine/op.ts";
import { naiveConv2dKernels } from "../src/engine/ops/conv2d.ts";
import { naiveDepthwiseKernels } from "../src/engine/ops/depthwise.ts";
import { matmul, naiveMatmulKernels } from "../src/engine/ops/matmul.ts";
import { sum } from "../src/engine/ops/reduce.ts";
import { input } from "../src/engine/ops/sources.ts";
import { runPasses } from "../src/engine/passes/index.ts";
import { uniform } from "../src/engine/random.ts";
import { measureRoofline, type Roofline } from "../src/engine/roofline.ts";
import { openGpu } from "../src/engine/softwareAdapter.node.ts";
import { atBatch, BATCH, formatShape, type Shape, sizeOf } from "../src/engine/types.ts";
import { mobileNetV2 } from "../src/nn/mobilenetV2.ts";
import { log } from "./log.ts";
import { type Options, readOptions } from "./options.ts";
import { figure, table } from "./print.ts";
import { median, rounded } from "./statistics.ts";

type Kernel = NonNullable<Op["kernel"]>;

/** The lowest rung of every ladder, by the op that it computes. */
const naiveKernels: Readonly<Record<string, Kernel>> = {
  ...naiveMatmulKernels,
  ...naiveConv2dKernels,
  ...naiveDepthwiseKernels,
};

/** An op on the shapes that a layer gives it. */
interface Subject {
  /** Of the first layer of these shapes. */
  readonly layer: string;
  readonly op: Op;
  readonly shapes: readonly Shape[];
  readonly attributes: Node["attributes"];
  readonly layers: number;
}

/** The shapes in which a training step of MobileNetV2 at 224 px uses the ops that have ladders, each once. */
function subjects(): Subject[] {
  const x = input("x", [BATCH, 224, 224, 3]);
  const { logits, trainable } = mobileNetV2(x, { classes: 1000 });
  const wrt = [x, ...trainable.values()];
  const results = gradients(sum(logits!, [1]), wrt);
  const outputs = Object.fromEntries([...results, logits!].map((tensor, index) => [`y${index}`, tensor]));
  const graph = runPasses({ outputs }, { optimise: false });
  const found = new Map<string, Subject>();
  for (const node of nodesOf(graph)) {
    if (!(node.op.name in naiveKernels)) continue;
    const shapes = node.inputs.map(({ shape }) => atBatch(shape, 1));
    const key = JSON.stringify([node.op.name, shapes, node.attributes]);
    const known = found.get(key);
    if (known) found.set(key, { ...known, layers: known.layers + 1 });
    else found.set(key, { layer: nameOf(node), op: node.op, shapes, attributes: node.attributes, layers: 1 });
  }
  return [...found.values()];
}

/** The node's label, the layer of its weights, or the layer that gives its first input. */
function nameOf({ label, inputs, op }: Node): string {
  if (label) return label;
  const weights = inputs.map(({ node }) => baseOf(node)).find(({ op }) => op.traits.source === "parameter");
  if (weights) return weights.attributes.name.split("/")[0];
  const { label: source } = baseOf(inputs[0].node);
  return source ? `behind ${source}` : op.name;
}

/** The node behind views. */
const baseOf = (node: Node): Node => (node.op.traits.view ? baseOf(node.inputs[0].node) : node);

const product: Subject = {
  layer: "product of 1024 × 1024",
  op: matmul(input("a", [1024, 1024]), input("b", [1024, 1024])).node.op,
  shapes: [
    [1024, 1024],
    [1024, 1024],
  ],
  attributes: {},
  layers: 0,
};

/** As good as no work: what is left is the dispatch. */
const least: Subject = {
  ...product,
  layer: "product of 1 × 4 and 4 × 4",
  shapes: [
    [1, 4],
    [4, 4],
  ],
};

/**
 * Kernels follow each other in one submission, as they do in a plan: alone, a short one would be charged for waking the adapter's threads.
 * The naive ones are too slow to be repeated, and too long for that to matter.
 */
const copies = 8;

async function measureRung(
  device: Device,
  { op, shapes, attributes }: Subject,
  kernel: Kernel,
  repeats: number,
  count = copies,
) {
  const inputs = shapes.map((shape, index): Tensor => input(`in${index}`, shape));
  const outputs = Array.from({ length: count }, (_, copy) => [
    `y${copy}`,
    apply({ ...op, kernel }, inputs, attributes),
  ]);
  const plan = await compile(device, { outputs: Object.fromEntries(outputs) }, { optimise: false });
  try {
    const data = shapes.map((shape, index) =>
      Float32Array.from({ length: sizeOf(shape) }, (_, at) => uniform(7, index, at) - 0.5),
    );
    const feeds = Object.fromEntries(data.map((values, index) => [`in${index}`, values]));
    const result = (await plan.run(feeds)).y0;
    const times = await plan.profile(feeds, repeats);
    return { result, time: { ...times[0], milliseconds: median(times.map(({ milliseconds }) => milliseconds)) } };
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

/** GFLOP/s that the roofs allow at this many FLOPs per byte. */
const attainable = (roofline: Roofline, intensity: number): number =>
  Math.min(roofline.multiplyAddGflopsPerSecond, roofline.copyGigabytesPerSecond * intensity);

type Measured = Awaited<ReturnType<typeof measureRung>>;

function rungOf({ time }: Measured, roofline: Roofline): Rung {
  const { kernel, milliseconds, flops, bytes } = time;
  const gflopsPerSecond = flops / milliseconds / 1e6;
  return {
    kernel,
    milliseconds: rounded(milliseconds),
    gflopsPerSecond: rounded(gflopsPerSecond),
    gigabytesPerSecond: rounded(bytes / milliseconds / 1e6),
    roofline: rounded(gflopsPerSecond / attainable(roofline, flops / bytes)),
  };
}

const bits = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const sameBits = (a: ArrayBufferView, b: ArrayBufferView): boolean => Buffer.compare(bits(a), bits(b)) === 0;

interface Climbed {
  readonly subject: Subject;
  readonly naive: Measured;
  readonly between: Measured | null;
  readonly fast: Measured;
}

async function climb(device: Device, subject: Subject, repeats: number): Promise<Climbed> {
  const kernel = subject.op.kernel as Kernel;
  const naive = await measureRung(device, subject, naiveKernels[subject.op.name], Math.min(2, repeats), 1);
  const fast = await measureRung(device, subject, kernel, repeats);
  const withoutSubgroups: Kernel = (context) =>
    kernel({ ...context, adapter: { ...context.adapter, subgroupSize: 0 } });
  const other = await measureRung(device, subject, withoutSubgroups, repeats);
  return { subject, naive, between: other.time.kernel === fast.time.kernel ? null : other, fast };
}

function ladderOf(
  { subject, naive, between, fast }: Climbed,
  { roofline, productGflopsPerSecond }: Yardstick,
): LadderResult {
  const [low, high] = [rungOf(naive, roofline), rungOf(fast, roofline)];
  return {
    op: subject.op.name,
    layer: subject.layer,
    layers: subject.layers,
    shapes: subject.shapes.map(formatShape),
    flops: fast.time.flops,
    bytes: fast.time.bytes,
    naive: low,
    between: between && rungOf(between, roofline),
    fast: high,
    speedup: rounded(low.milliseconds / high.milliseconds),
    ofProduct: rounded(high.gflopsPerSecond / productGflopsPerSecond),
    sameBits: [between ?? fast, fast].every(({ result }) => sameBits(naive.result, result)),
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

function ladderTable(ladders: readonly LadderResult[], markdown: boolean): string {
  const head = ["op", "layer", "shapes", "naive ms", "fast ms", "gain", "GFLOP/s", "GB/s", "of roofline", "of 1024³"];
  const rows = ladders.map(({ op, layer, layers, shapes, naive, fast, speedup, ofProduct }) => [
    op,
    layers > 1 ? `${layer} and ${layers - 1} more` : layer,
    shapes.join(" · "),
    figure(naive.milliseconds),
    figure(fast.milliseconds),
    `${figure(speedup)}×`,
    figure(fast.gflopsPerSecond),
    figure(fast.gigabytesPerSecond),
    percent(fast.roofline),
    percent(ofProduct),
  ]);
  return table([head, ...rows], markdown);
}

/** The roofs, the best product and the shortest dispatch. What else the machine does only lowers them, so the best of several counts. */
interface Yardstick {
  readonly roofline: Roofline;
  readonly productGflopsPerSecond: number;
  readonly dispatchMilliseconds: number;
}

async function measureYardstick(device: Device, repeats: number): Promise<Yardstick> {
  const roofline = await measureRoofline(device, repeats);
  const { time } = await measureRung(device, product, product.op.kernel as Kernel, repeats);
  const dispatch = await measureRung(device, least, least.op.kernel as Kernel, repeats);
  return {
    roofline,
    productGflopsPerSecond: rounded(time.flops / time.milliseconds / 1e6),
    dispatchMilliseconds: rounded(dispatch.time.milliseconds),
  };
}

const better = (a: Yardstick, b: Yardstick): Yardstick => ({
  roofline: {
    copyGigabytesPerSecond: Math.max(a.roofline.copyGigabytesPerSecond, b.roofline.copyGigabytesPerSecond),
    multiplyAddGflopsPerSecond: Math.max(a.roofline.multiplyAddGflopsPerSecond, b.roofline.multiplyAddGflopsPerSecond),
  },
  productGflopsPerSecond: Math.max(a.productGflopsPerSecond, b.productGflopsPerSecond),
  dispatchMilliseconds: Math.min(a.dispatchMilliseconds, b.dispatchMilliseconds),
});

async function measureLadders(device: Device, { only, quick, rounds }: Options): Promise<KernelReport> {
  const repeats = rounds ?? (quick ? 3 : 9);
  const wanted = subjects().filter(
    ({ op, layer }) => only.length === 0 || only.includes(op.name) || only.includes(layer),
  );
  if (wanted.length === 0) throw new Error(`--only expects ops or layers of MobileNetV2, found ${only.join(", ")}`);
  const loadBefore = rounded(loadavg()[0]);
  const before = await measureYardstick(device, repeats);
  const climbed: Climbed[] = [];
  for (const subject of wanted) {
    climbed.push(await climb(device, subject, repeats));
    log(`${subject.op.name} ${subject.layer} (${climbed.length} of ${wanted.length})`);
  }
  const yardstick = better(before, await measureYardstick(device, repeats));
  return {
    adapter: device.description,
    repeats,
    processors: cpus().length,
    load: [loadBefore, rounded(loadavg()[0])],
    ...yardstick,
    ladders: climbed.map((each) => ladderOf(each, yardstick)),
  };
}

/** Every ladder of kernels on the shapes of MobileNetV2 at batch 1; fails where two rungs differ by a bit. */
export async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const { adapter, description } = await openGpu();
  const report = await measureLadders(await Device.open(adapter, description), options);
  const { roofline, productGflopsPerSecond, dispatchMilliseconds, ladders } = report;
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else {
    const roofs = `multiply-add ${figure(roofline.multiplyAddGflopsPerSecond)} GFLOP/s, copy ${figure(roofline.copyGigabytesPerSecond)} GB/s`;
    process.stdout.write(
      `${report.adapter}: ${roofs}, product of 1024 × 1024 at ${figure(productGflopsPerSecond)} GFLOP/s, a dispatch of next to nothing ${figure(dispatchMilliseconds)} ms\n\n${ladderTable(ladders, options.markdown)}`,
    );
  }
  const different = ladders.filter((ladder) => !ladder.sameBits);
  if (different.length === 0) return;
  for (const { op, layer } of different) log(`${op} ${layer}: the rungs differ`);
  process.exitCode = 1;
}
