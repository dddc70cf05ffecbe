/** One kernel by itself: an op on random operands of given shapes, checked against float64 and timed. */
import { caseData, relativeL2 } from "../../engine/checkOp.ts";
import { compile } from "../../engine/compile.ts";
import type { Device } from "../../engine/device.ts";
import { UsageError } from "../../engine/errors.ts";
import { makeNode } from "../../engine/graph.ts";
import type { Attributes, KernelCall, KernelContext, Op, OpCase, OpEntry, Shader } from "../../engine/op.ts";
import { references, registry } from "../../engine/ops/registry.ts";
import { input } from "../../engine/ops/sources.ts";
import { contextOf } from "../../engine/plan/encoding.ts";
import { runReference } from "../../engine/reference.ts";
import { formatShape } from "../../engine/types.ts";
import { suggestion } from "../options.ts";

export interface AloneResult {
  readonly op: string;
  readonly kernel: string;
  readonly overrides: Readonly<Record<string, number>>;
  readonly shapes: readonly (readonly number[])[];
  readonly attributes: Attributes;
  /** Relative L2 distance of the outputs from float64. */
  readonly error: number;
  readonly ok: boolean;
  readonly milliseconds: number;
  readonly gflopsPerSecond: number;
  readonly gigabytesPerSecond: number;
}

/** Relative L2 error that a kernel may have, as in `tepal doctor`. */
const tolerance = 1e-5;

/** The call that an op makes for a case, without a GPU. */
function callOf({ op }: OpEntry, opCase: OpCase, device: Device): KernelCall | undefined {
  const node = makeNode(op, tensorsOf(opCase), opCase.attributes);
  return op.kernel?.(contextOf(node, 1, device.traits));
}

const tensorsOf = ({ inputs }: OpCase) => inputs.map(({ shape, dtype }, index) => input(`x${index}`, shape, dtype));

/** Ops that run by themselves: not those expanded into others, nor updates, which have no result to compare. */
const runnable = (): OpEntry[] => registry.filter(({ op, reference }) => op.kernel && reference && !op.traits.updates);

/**
 * The ops that a name means: an op by its name, or those of a shader (`matmulTiled`) or entry point (`matmulTiled.product`).
 * @throws UsageError for a name that is none.
 */
export function findOps(name: string, device: Device): OpEntry[] {
  const entries = runnable();
  const named = entries.filter(({ op }) => op.name === name);
  if (named.length > 0) return named;
  const kernels = new Map<OpEntry, Set<string>>();
  for (const entry of entries)
    for (const opCase of entry.cases) {
      const call = callOf(entry, opCase, device);
      if (!call) continue;
      const names = [call.shader.name, `${call.shader.name}.wgsl`, `${call.shader.name}.${call.entryPoint}`];
      kernels.set(entry, new Set([...(kernels.get(entry) ?? []), ...names]));
    }
  const found = entries.filter((entry) => kernels.get(entry)?.has(name));
  if (found.length > 0) return found;
  const known = [...entries.map(({ op }) => op.name), ...[...kernels.values()].flatMap((names) => [...names])];
  throw new UsageError(
    `no op or kernel "${name}" runs by itself; ${suggestion(name, known, "tepal kernels --list names them")}`,
  );
}

/** `49x960,960x160` as shapes. Throws a UsageError. */
export function parseShapes(text: string): number[][] {
  const shapes = text.split(",").map((part) => part.trim().split(/[x×]/).map(Number));
  if (shapes.flat().every((size) => Number.isInteger(size) && size >= 0)) return shapes;
  throw new UsageError(`--shape expects sizes such as 49x960,960x160, one shape an input, found "${text}"`);
}

/** Attributes as JSON. Throws a UsageError. */
export function parseAttributes(text: string): Attributes {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Attributes;
  } catch {
    // Said below, with what was expected.
  }
  throw new UsageError(`--attributes expects a JSON object such as {"strides":[2,2]}, found "${text}"`);
}

/**
 * The cases to run: those of the registry, or its first with the given shapes and attributes in place of its own.
 * @throws UsageError when the number of shapes is not the number of inputs.
 */
export function casesOf({ op, cases }: OpEntry, shapes?: number[][], attributes?: Attributes): readonly OpCase[] {
  if (!shapes)
    return attributes ? cases.map((one) => ({ ...one, attributes: { ...one.attributes, ...attributes } })) : cases;
  const [first] = cases;
  if (shapes.length !== first.inputs.length)
    throw new UsageError(
      `--shape: ${op.name} has ${first.inputs.length} inputs, found ${shapes.length} shapes; such as ${first.inputs.map(({ shape }) => shape.join("x")).join(",")}`,
    );
  const inputs = first.inputs.map((one, index) => ({ ...one, shape: shapes[index] }));
  return [{ ...first, inputs, attributes: { ...first.attributes, ...attributes } }];
}

/** The op with another text for one of its shaders; `version` tells the device that it is another module. */
export function withSource(entry: OpEntry, { name, code }: Shader, version: number): OpEntry {
  const kernel = (context: KernelContext): KernelCall => {
    const call = (entry.op.kernel as NonNullable<Op["kernel"]>)(context);
    return call.shader.name === name ? { ...call, shader: { name: `${name} (edit ${version})`, code } } : call;
  };
  return { ...entry, op: { ...entry.op, kernel } };
}

/** Runs one case: forward against float64 in poisoned memory, then the median time of `repeats` dispatches. */
export async function runAlone(device: Device, entry: OpEntry, opCase: OpCase, repeats: number): Promise<AloneResult> {
  const node = makeNode(entry.op, tensorsOf(opCase), opCase.attributes);
  const graph = { outputs: Object.fromEntries(node.outputs.map((output, index) => [`y${index}`, output])) };
  const feeds = Object.fromEntries(caseData(opCase, 1).map((data, index) => [`x${index}`, data]));
  const want = runReference(graph, feeds, { references }).outputs;
  const plan = await compile(device, graph, { poison: true, reuse: false });
  try {
    const got = await plan.run(feeds);
    const stray = await plan.strayWrites();
    const distances = Object.keys(want).map((name) => relativeL2(got[name], want[name]));
    const error = stray === null ? Math.max(0, ...distances) : Number.POSITIVE_INFINITY;
    const [time] = await plan.profile(feeds, repeats);
    const [{ call }] = plan.steps(1).main;
    return {
      op: entry.op.name,
      kernel: `${call.shader.name}.${call.entryPoint}`,
      overrides: call.overrides ?? {},
      shapes: opCase.inputs.map(({ shape }) => shape),
      attributes: opCase.attributes ?? {},
      error,
      ok: error <= tolerance,
      milliseconds: time.milliseconds,
      gflopsPerSecond: time.flops / time.milliseconds / 1e6,
      gigabytesPerSecond: time.bytes / time.milliseconds / 1e6,
    };
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

/** One line per result, as `tepal kernels run` prints it. */
export const aloneText = (result: AloneResult): string =>
  [
    result.ok ? "ok    " : "FAILED",
    result.op.padEnd(22),
    result.shapes.map(formatShape).join(" ").padEnd(34),
    result.kernel.padEnd(36),
    `error ${result.error.toExponential(1)}`.padEnd(15),
    `${result.milliseconds.toFixed(3)} ms`.padStart(11),
    `${result.gflopsPerSecond.toFixed(2)} GFLOP/s`.padStart(15),
    `${result.gigabytesPerSecond.toFixed(2)} GB/s`.padStart(12),
  ].join("  ");
