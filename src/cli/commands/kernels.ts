import { UsageError } from "../../engine/errors.ts";
import type { Shader } from "../../engine/op.ts";
import { measureRoofline } from "../../engine/roofline.ts";
import { entryPointsOf, headerOf, specialise } from "../../engine/shaderSource.ts";
import { type CommandContext, columns, defineCommand } from "../command.ts";
import { withDevice } from "../device.ts";
import { parseAttributes, parseShapes } from "../kernels/alone.ts";
import { catalogue } from "../kernels/catalogue.ts";
import { explainShader, explanationText } from "../kernels/explain.ts";
import { measureSubject, openSubject, type Specialisation, type Subject } from "../kernels/measure.ts";
import type { Placement } from "../kernels/placement.ts";
import { runKernel, watchKernel } from "../kernels/run.ts";
import { headerText, kernelTable, layerTable, rooflineText, specialisationText, totalsText } from "../kernels/text.ts";
import { suggestion } from "../options.ts";

/** Does a name mean this entry point, or the shader that it is in? */
const isNamed = (name: string, shader: string, entryPoint: string): boolean =>
  [shader, `${shader}.wgsl`, entryPoint, `${shader}.${entryPoint}`].includes(name);

/** The shaders that a name means: those of ops, and those that only the network's plan chose. */
function findShaders(name: string, specialisations: readonly Specialisation[]): Shader[] {
  const shaders = new Map([...catalogue()].map(([key, { shader }]) => [key, shader]));
  for (const { shader } of specialisations) shaders.set(shader.name, shader);
  const found = [...shaders.values()].filter(({ name: shader, code }) =>
    entryPointsOf(code).some((entryPoint) => isNamed(name, shader, entryPoint)),
  );
  if (found.length > 0) return found;
  const known = [...shaders.values()].flatMap((shader) => [shader.name, ...entryPointsOf(shader.code)]);
  throw new UsageError(`unknown kernel "${name}"; ${suggestion(name, known, "tepal kernels --list names them")}`);
}

const selects = (name: string | undefined, kernel: string): boolean => {
  const [shader, entryPoint] = kernel.split(".");
  return name === undefined || isNamed(name, shader, entryPoint);
};

const sourceOf = ({ shader, entryPoint, overrides, layers }: Specialisation) => ({
  kernel: `${shader.name}.${entryPoint}`,
  overrides,
  layers,
  wgsl: specialise(shader.code, entryPoint, overrides),
});

/** The specialisations that a name selects, and with their defaults the entry points that the network does not use. */
function chosen(name: string | undefined, { specialisations }: Subject, shaders: readonly Shader[]): Specialisation[] {
  const used = specialisations.filter(({ shader, entryPoint }) => selects(name, `${shader.name}.${entryPoint}`));
  const unused = shaders.flatMap((shader) =>
    entryPointsOf(shader.code)
      .filter((entryPoint) => selects(name, `${shader.name}.${entryPoint}`))
      .filter((entryPoint) => !used.some((one) => one.shader.name === shader.name && one.entryPoint === entryPoint))
      .map((entryPoint) => ({ shader, entryPoint, overrides: {}, layers: [] })),
  );
  return [...used, ...unused];
}

function listShaders() {
  return [...catalogue().values()].map(({ shader, summary, entryPoints, ops }) => ({
    name: shader.name,
    summary,
    entryPoints,
    ops,
  }));
}

interface RunArguments {
  readonly shape?: string;
  readonly attributes?: string;
  readonly watch: boolean;
  readonly shaders?: string;
}

function refuseRunOptions(options: RunArguments): void {
  const given = Object.entries(options).find(([, value]) => value !== undefined && value !== false);
  if (given) throw new UsageError(`--${given[0]} belongs to tepal kernels run NAME; --help shows it`);
}

/** `tepal kernels NAME --explain`: needs no GPU. */
function explainCommand(name: string | undefined, context: CommandContext) {
  if (name === undefined)
    throw new UsageError("--explain expects a kernel, found none; such as tepal kernels matmulTiled --explain");
  const shaders = findShaders(name, []).map((shader) => explainShader(shader));
  context.print(shaders.map(explanationText).join("\n\n"));
  return { shaders: shaders.map(({ uses, ...words }) => ({ ...words, uses: uses.map(useOf) })) };
}

const useOf = ({ call, workgroup, tile, output, layers, origin }: Placement) => ({
  ...{ entryPoint: call.entryPoint, overrides: call.overrides ?? {}, grid: call.grid },
  ...{ workgroup, tile, output, layers, origin },
});

/** `tepal kernels run NAME`. */
function runCommand(name: string | undefined, repeats: number, args: RunArguments, context: CommandContext) {
  if (name === undefined) throw new UsageError("run expects a kernel, found none; such as tepal kernels run matmul");
  const { shape, attributes, watch, shaders } = args;
  const shapes = shape === undefined ? undefined : parseShapes(shape);
  const options = {
    name,
    shapes,
    attributes: attributes === undefined ? undefined : parseAttributes(attributes),
    repeats,
  };
  if (shaders !== undefined && !watch) throw new UsageError("--shaders is where --watch reads; add --watch");
  return withDevice(
    (device, adapter): Promise<object> =>
      watch ? watchKernel(device, { ...options, shaders }, context) : runKernel(device, adapter, options, context),
  );
}

export const command = defineCommand({
  name: "kernels",
  summary: "what MobileNetV2's kernels cost on this adapter, and their WGSL",
  usage: "[NAME] [--size 224] [--batch 1] [--source | --explain] | run NAME [--shape SIZES] [--watch] | --list",
  positionals: [
    { name: "name", type: "string", help: "a shader (conv2d) or an entry point (conv2d.forward)" },
    { name: "kernel", type: "string", help: "after run: the op (matmul), shader or entry point that runs by itself" },
  ],
  options: {
    size: { type: "integer", default: 224, min: 32, max: 1024, help: "edge of the images in pixels" },
    batch: { type: "integer", default: 1, min: 1, max: 256, help: "images of one run" },
    repeats: { type: "integer", default: 5, min: 1, max: 100, help: "times are medians of this many runs" },
    source: { type: "boolean", help: "print the WGSL of every specialisation as well (NAME does so by itself)" },
    explain: { type: "boolean", help: "NAME's formula, layout, threads, tile and gain; needs no GPU" },
    list: { type: "boolean", help: "list all shaders with their entry points and ops; needs no GPU" },
    shape: {
      type: "string",
      placeholder: "SIZES",
      help: "run: the inputs' shapes, such as 49x960,960x160; by default those of the op's tests",
    },
    attributes: { type: "string", placeholder: "JSON", help: 'run: such as {"strides":[2,2]}; by default the tests\'' },
    watch: { type: "boolean", help: "run: again after every save of the kernel's WGSL, until Ctrl-C" },
    shaders: { type: "path", exists: "folder", help: "run --watch: where the WGSL is; by default the checkout's" },
  },
  examples: [
    ["tepal kernels", "FLOPs, bytes and time per layer and per kernel"],
    ["tepal kernels matmul --size 96", "one shader: its header, its specialised WGSL and the layers that use it"],
    ["tepal kernels depthwiseSliding --explain", "formula, layout, threads, tile and measured gain"],
    ["tepal kernels run matmul --shape 49x960,960x160", "one kernel alone: against float64, and its time"],
    ["tepal kernels run depthwiseSliding.stride1 --watch", "the same after every save of its WGSL"],
    ["tepal kernels --list", "all shaders"],
  ],
  async run({ name, kernel, size, batch, repeats, source, explain, list, ...alone }, context) {
    if (name === "run") return runCommand(kernel, repeats, alone, context);
    if (kernel !== undefined) throw new UsageError(`unexpected argument "${kernel}"; did you mean run ${kernel}?`);
    refuseRunOptions(alone);
    if (explain) return explainCommand(name, context);
    if (list) {
      const shaders = listShaders();
      const rows = shaders.map(
        (one) => [one.name, `${one.summary}\n      entry points: ${one.entryPoints.join(", ")}`] as const,
      );
      context.print(columns(rows));
      return { shaders };
    }
    return withDevice(async (device, adapter) => {
      const subject = await openSubject(device, size, batch);
      try {
        const shaders = name === undefined ? [] : findShaders(name, subject.specialisations);
        const cost = await measureSubject(subject, repeats);
        const roofline = await measureRoofline(device, repeats);
        const layers = cost.layers.filter(({ kernel }) => selects(name, kernel));
        const kernels = cost.kernels.filter(({ kernel }) => selects(name, kernel));
        const sources = source || name !== undefined ? chosen(name, subject, shaders) : [];
        for (const shader of shaders) context.print(`${headerText(shader)}\n`);
        if (sources.length > 0) context.print(`${sources.map(specialisationText).join("\n\n")}\n`);
        context.print(`MobileNetV2, ${size} × ${size} pixels, batch ${batch}, on ${adapter}\n`);
        if (layers.length > 0) context.print(`${layerTable(layers)}\n\n${kernelTable(kernels)}\n`);
        context.print(`${totalsText(cost, batch)}\n${rooflineText(roofline)}`);
        return {
          ...{ adapter, size, batch, repeats, layers, kernels, totals: cost.totals, roofline },
          ...(name === undefined
            ? {}
            : { shaders: shaders.map((one) => ({ name: one.name, header: headerOf(one.code) })) }),
          ...(sources.length > 0 ? { sources: sources.map(sourceOf) } : {}),
        };
      } finally {
        subject.dispose();
      }
    });
  },
});
