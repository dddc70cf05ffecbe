import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { relativeL2 } from "../src/engine/checkOp.ts";
import { compile } from "../src/engine/compile.ts";
import { Device } from "../src/engine/device.ts";
import { ParameterStore } from "../src/engine/parameters.ts";
import { openGpu } from "../src/engine/softwareAdapter.node.ts";
import { parseSafetensors, toFloat64 } from "../src/nn/formats/safetensors.ts";
import { GradCam } from "../src/xai/gradCam.ts";
import { IntegratedGradients } from "../src/xai/integratedGradients.ts";
import type { ExplainableModel } from "../src/xai/model.ts";
import { fill } from "./engines/tepal.ts";
import { readOptions } from "./options.ts";
import { bench } from "./paths.ts";
import { table } from "./print.ts";
import * as cases from "./referenceCases.ts";

type Values = Record<string, ArrayLike<number>>;

interface Comparison {
  readonly name: string;
  /** ‖got − want‖ / ‖want‖. */
  readonly distance: number;
  readonly bound: number;
  readonly ok: boolean;
}

function readFixtures(): Map<string, Float64Array> {
  const path = join(bench, cases.fixtures);
  if (!existsSync(path)) throw new Error(`expected ${path}, found none; make it: npm run bench -- make-reference`);
  const { tensors } = parseSafetensors(readFileSync(path));
  return new Map(Array.from(tensors, ([name, tensor]) => [name, toFloat64(tensor)]));
}

async function runNetwork(device: Device, parameters: ParameterStore): Promise<Values> {
  using plan = await compile(device, cases.networkGraph(), { parameters });
  const scale = Math.fround(1 / 127.5);
  const x = cases.imagePixels().map((value) => Math.fround(value * scale) - 1);
  return await plan.run({ x, classes: Int32Array.of(cases.classIndex) });
}

/** The explanations by the classes that applications use. */
async function runExplanations(model: ExplainableModel): Promise<Values> {
  const pixels = cases.imagePixels();
  using cam = await GradCam.create(model, { layer: cases.camLabel });
  const { heatmaps, peaks } = await cam.explain(pixels, Int32Array.of(cases.classIndex));
  using method = await IntegratedGradients.create(model, { steps: cases.steps });
  const { attribution } = await method.explain(pixels, new Float32Array(pixels.length), cases.classIndex);
  return { gradCam: heatmaps.map((value) => value * peaks[0]), integratedGradients: attribution };
}

async function runOps(device: Device): Promise<Values> {
  const values: Values = {};
  for (const [number, each] of cases.opCases.entries()) {
    const { graph, feeds } = cases.opGraph(each, number);
    const plan = await compile(device, graph);
    for (const [name, data] of Object.entries(await plan.run(feeds))) values[`ops/${each.name}/${name}`] = data;
    plan.dispose();
    plan.parameters.dispose();
  }
  return values;
}

function compare(got: Values, want: ReadonlyMap<string, Float64Array>): Comparison[] {
  return [...want].map(([name, expected]) => {
    const bound = cases.bounds.get(name) ?? cases.opBound;
    const distance = got[name] ? relativeL2(got[name], expected) : Number.POSITIVE_INFINITY;
    return { name, distance, bound, ok: distance <= bound };
  });
}

/** Compares this machine's GPU with the float64 fixtures; fails above the bounds. */
export async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const want = readFixtures();
  const { adapter, description } = await openGpu();
  const device = await Device.open(adapter, description);
  const parameters = fill(new ParameterStore(device), cases.weights());
  const model: ExplainableModel = {
    device,
    parameters,
    inputSize: [cases.size, cases.size],
    preprocessing: { scale: 1 / 127.5, offset: -1 },
    build: cases.build,
  };
  const got = {
    ...(await runNetwork(device, parameters)),
    ...(await runExplanations(model)),
    ...(await runOps(device)),
  };
  const comparisons = compare(got, want);
  const failed = comparisons.filter(({ ok }) => !ok);
  const rows = comparisons.map(({ name, distance, bound, ok }) => [
    name,
    distance.toExponential(1),
    bound.toExponential(0),
    ok ? "ok" : "FAILED",
  ]);
  const text = `${description}\n\n${table([["result", "distance", "bound", ""], ...rows], options.markdown)}\n${comparisons.length - failed.length} passed, ${failed.length} failed\n`;
  process.stdout.write(options.json ? `${JSON.stringify({ adapter: description, comparisons }, null, 2)}\n` : text);
  if (failed.length > 0) process.exitCode = 1;
}
