import { beforeAll, describe, expect, it } from "vitest";
import { relativeL2 } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import { Device } from "../../src/engine/device.ts";
import { DeviceError, GraphError, LimitError, ShapeError } from "../../src/engine/errors.ts";
import { apply, type Graph, type Tensor } from "../../src/engine/graph.ts";
import { defineOp, type KernelCall } from "../../src/engine/op.ts";
import { add, multiply, subtract } from "../../src/engine/ops/binary.ts";
import { biasAdd } from "../../src/engine/ops/channel.ts";
import { matmul } from "../../src/engine/ops/matmul.ts";
import { expand, mean, sum } from "../../src/engine/ops/reduce.ts";
import { references } from "../../src/engine/ops/registry.ts";
import { reshape } from "../../src/engine/ops/reshape.ts";
import { constant, fill, input, parameter } from "../../src/engine/ops/sources.ts";
import { relu, scale, square } from "../../src/engine/ops/unary.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import type { Plan } from "../../src/engine/plan/plan.ts";
import { runReference } from "../../src/engine/reference.ts";
import { openGpu } from "../../src/engine/softwareAdapter.node.ts";
import { BATCH, f32 } from "../../src/engine/types.ts";
import { testDevice } from "../device.ts";
import { descend, descentOp, descentReference, feedsOf, normals, smallMobileNet, storeOf } from "./networks.ts";

let device: Device;
beforeAll(async () => {
  device = await testDevice();
});

/** Compiles, hands the plan over, and frees it. */
async function withPlan<T>(
  graph: Graph,
  options: Parameters<typeof compile>[2],
  use: (plan: Plan) => Promise<T>,
): Promise<T> {
  const plan = await compile(device, graph, options);
  try {
    return await use(plan);
  } finally {
    plan.dispose();
    if (!options?.parameters) plan.parameters.dispose();
  }
}

describe("reuse of memory", () => {
  for (const explain of [false, true])
    it(`cannot be seen${explain ? ", with a backward pass" : ""}: poisoned and reused equals separate, bit for bit`, async () => {
      const network = smallMobileNet({ explain });
      const parameters = storeOf(device, network);
      const x = normals(3 * network.perSample, 1);
      const run = (options: object) =>
        withPlan(network.graph, { parameters, maxBatch: 3, ...options }, async (plan) => {
          const outputs = await plan.run({ x });
          if (plan.options.poison) expect(await plan.strayWrites()).toBeNull();
          return outputs;
        });
      const reused = await run({ reuse: true, poison: true });
      expect(reused).toEqual(await run({ reuse: false }));
      expect(reused).toEqual(await run({ reuse: true }));
      const want = runReference(network.graph, feedsOf(network, x), { references, batch: 3 }).outputs;
      for (const name of Object.keys(want)) expect(relativeL2(reused[name], want[name]), name).toBeLessThan(1e-5);
      parameters.dispose();
    });

  it("nor can one-bit masks: bit for bit the gradient of kept activations, in less memory", async () => {
    // Stems of 14, 8 and 5 pixels a line: the words of the depthwise tiles fit, those of the convolution's, none.
    for (const size of [28, 16, 9]) {
      const network = smallMobileNet({ size, explain: true });
      const parameters = storeOf(device, network);
      const x = normals(3 * network.perSample, 1);
      const run = (options: object) =>
        withPlan(network.graph, { parameters, maxBatch: 3, ...options }, async (plan) => {
          const outputs = await plan.run({ x });
          if (plan.options.poison) expect(await plan.strayWrites()).toBeNull();
          return { outputs, bytes: plan.activationBytes };
        });
      const kept = await run({ bitMasks: false });
      for (const options of [{ poison: true }, { reuse: false }])
        expect((await run(options)).outputs).toEqual(kept.outputs);
      expect((await run({})).bytes).toBeLessThan(0.7 * kept.bytes);
      parameters.dispose();
    }
  });

  it("is near its lower bound, and smaller than separate buffers", async () => {
    const network = smallMobileNet();
    const parameters = storeOf(device, network);
    await withPlan(network.graph, { parameters }, async ({ layout: { memory } }) => {
      const total = memory.slabs.reduce((sum, bytes) => sum + bytes, 0);
      expect(total).toBeGreaterThanOrEqual(memory.lowerBound);
      expect(total).toBeLessThanOrEqual(1.5 * memory.lowerBound);
    });
    parameters.dispose();
  });

  it("never lets two live values share bytes, nor an output a buffer with an input of its dispatch", async () => {
    for (const explain of [false, true]) {
      const network = smallMobileNet({ explain });
      const parameters = storeOf(device, network);
      await withPlan(network.graph, { parameters, maxBatch: 2 }, async (plan) => expect(overlaps(plan)).toEqual([]));
      parameters.dispose();
    }
  });
});

/** Every pair of values that are alive together and share bytes, or that one dispatch reads and writes in one buffer. */
function overlaps({ schedule: { main, storageOf }, layout: { storage }, graph }: Plan): string[] {
  const found: string[] = [];
  const last = new Map<Tensor, number>();
  main.forEach((node, step) => {
    for (const value of [...node.outputs, ...node.inputs.map(storageOf)]) last.set(value, step);
  });
  for (const output of Object.values(graph.outputs)) last.set(storageOf(output), main.length);
  const values = main.flatMap((node, step) => node.outputs.map((tensor) => ({ tensor, from: step })));
  for (const a of values)
    for (const b of values) {
      if (a === b || a.from > b.from || (last.get(a.tensor) as number) < b.from) continue;
      const [left, right] = [storage.get(a.tensor), storage.get(b.tensor)];
      if (left?.kind !== "slab" || right?.kind !== "slab" || left.slab !== right.slab) continue;
      if (left.offset < right.offset + right.bytes && right.offset < left.offset + left.bytes)
        found.push(`${a.tensor.node.op.name} and ${b.tensor.node.op.name} share bytes`);
    }
  for (const node of main)
    for (const output of node.outputs)
      for (const read of node.inputs) {
        const [to, from] = [storage.get(output), storage.get(storageOf(read))];
        if (to?.kind === "slab" && from?.kind === "slab" && to.slab === from.slab)
          found.push(`${node.op.name} reads and writes slab ${to.slab}`);
      }
  return found;
}

describe("fetching", () => {
  it("a labelled value changes no bit of anything else, and returns what the reference says", async () => {
    const network = smallMobileNet();
    const parameters = storeOf(device, network);
    const x = normals(2 * network.perSample, 2);
    const plain = await withPlan(network.graph, { parameters, maxBatch: 2 }, (plan) => plan.run({ x }));
    const labels = ["stem", "block1", "block2", "pool"];
    const wanted = Object.fromEntries(labels.map((label) => [label, true]));
    for (const fetch of [...labels.map((label) => [label]), labels]) {
      const fetched = await withPlan(network.graph, { parameters, maxBatch: 2, fetch }, (plan) => plan.run({ x }));
      expect(fetched.logits).toEqual(plain.logits);
      for (const label of fetch) {
        expect(fetched[label].some((value) => value !== 0)).toBe(true);
        delete wanted[label];
      }
    }
    expect(wanted).toEqual({});
    parameters.dispose();
  });

  it("an unknown label is refused and names others", async () => {
    const { graph } = smallMobileNet();
    await expect(compile(device, graph, { fetch: ["block3"] })).rejects.toThrow(GraphError);
    await expect(compile(device, graph, { fetch: ["block"] })).rejects.toThrow(/block1/);
  });
});

describe("the batch", () => {
  it("of any size up to the largest gives each sample the bits it has alone", async () => {
    const network = smallMobileNet({ explain: true });
    const parameters = storeOf(device, network);
    const samples = 5;
    const x = normals(samples * network.perSample, 3);
    await withPlan(network.graph, { parameters, maxBatch: samples, poison: true }, async (plan) => {
      const whole = await plan.run({ x });
      for (const size of [1, 2, 3, 4, 1, 5]) {
        for (let start = 0; start + size <= samples; start++) {
          const part = await plan.run({ x: x.slice(start * network.perSample, (start + size) * network.perSample) });
          for (const [name, values] of Object.entries(whole)) {
            const each = values.length / samples;
            expect(part[name]).toEqual(values.slice(start * each, (start + size) * each));
          }
        }
        expect(await plan.strayWrites()).toBeNull();
      }
    });
    parameters.dispose();
  });

  it("may be zero", async () => {
    const network = smallMobileNet();
    const parameters = storeOf(device, network);
    await withPlan(network.graph, { parameters, maxBatch: 2 }, async (plan) => {
      expect((await plan.run({ x: new Float32Array(0) })).logits).toHaveLength(0);
    });
    parameters.dispose();
  });

  it("cut into micro-batches by a small budget equals the whole", async () => {
    const network = smallMobileNet({ explain: true });
    const parameters = storeOf(device, network);
    const x = normals(7 * network.perSample, 4);
    const whole = await withPlan(network.graph, { parameters, maxBatch: 7 }, async (plan) => ({
      outputs: await plan.run({ x }),
      bytes: plan.layout.bytes,
    }));
    const memoryBudget = Math.floor(whole.bytes / 2);
    const parts = await withPlan(network.graph, { parameters, maxBatch: 7, memoryBudget }, async (plan) => {
      expect(plan.chunk).toBeLessThan(7);
      expect(plan.layout.bytes).toBeLessThanOrEqual(memoryBudget);
      return plan.run({ x });
    });
    expect(parts).toEqual(whole.outputs);
    parameters.dispose();
  });

  it("whose samples are coupled is refused over budget before anything is allocated, naming limit and fitting batch", async () => {
    const x = input("x", [BATCH, 256]);
    const graph = { outputs: { y: sum(square(scale(x, 2)), [0]) } };
    const before = [device.liveBytes, device.liveBuffers];
    const attempt = compile(device, graph, { maxBatch: 64, memoryBudget: 100_000 });
    await expect(attempt).rejects.toThrow(LimitError);
    await expect(attempt).rejects.toThrow(/memory budget is 0\.1 MiB; use a batch of \d+ or less/);
    expect([device.liveBytes, device.liveBuffers]).toEqual(before);
    const fitting = Number(/batch of (\d+)/.exec(await attempt.catch((error) => error.message))?.[1]);
    await withPlan(graph, { maxBatch: fitting, memoryBudget: 100_000 }, (plan) => plan.run({ x: normals(256, 1) }));
    await expect(compile(device, graph, { maxBatch: fitting + 1, memoryBudget: 100_000 })).rejects.toThrow(LimitError);
  });

  it("of a value above the binding limit is refused by name", async () => {
    const size = device.gpu.limits.maxStorageBufferBindingSize / 4 + 1024;
    const graph = { outputs: { y: sum(scale(input("x", [size]), 2), [0]) } };
    const attempt = compile(device, graph, { memoryBudget: 2 ** 40 });
    await expect(attempt).rejects.toThrow(LimitError);
    await expect(attempt).rejects.toThrow(/binding limit/);
  });

  it("has its effect on values that no input reaches as well", async () => {
    const x = input("x", [BATCH, 3]);
    const shifted = expand(scale(fill(f32(BATCH, 3), 2), 0.5), [BATCH, 4, 3], [1]);
    const graph = { outputs: { y: add(sum(shifted, [1]), x), z: shifted } };
    await withPlan(graph, { maxBatch: 4, poison: true }, async (plan) => {
      await plan.run({ x: new Float32Array(3) });
      const { y, z } = await plan.run({ x: new Float32Array(12) });
      expect(y).toEqual(new Float32Array(12).fill(4));
      expect(z).toEqual(new Float32Array(48).fill(1));
    });
  });
});

describe("wrong inputs of a run", () => {
  const x = input("x", [BATCH, 4]);
  const graph = { outputs: { y: add(relu(x), input("b", [4])) } };
  const b = new Float32Array(4);
  const cases: [string, Record<string, never> | object, new (...args: never[]) => Error, RegExp][] = [
    ["an unknown name", { x: b, b, w: b }, GraphError, /no input "w".*x, b/],
    ["a missing input", { b }, GraphError, /no value was given for input "x"/],
    ["a wrong length", { x: new Float32Array(5), b }, ShapeError, /5 values do not fit/],
    ["a wrong length of a fixed input", { x: b, b: new Float32Array(8) }, ShapeError, /8 values do not fit/],
    ["another type", { x: new Int32Array(4), b }, ShapeError, /Int32Array/],
  ];
  for (const [name, inputs, type, message] of cases)
    it(`${name} is a ${type.name}, and the plan runs on`, async () => {
      await withPlan(graph, { maxBatch: 2 }, async (plan) => {
        const attempt = plan.run(inputs as never);
        await expect(attempt).rejects.toThrow(type);
        await expect(attempt).rejects.toThrow(message);
        expect((await plan.run({ x: normals(8, 1).map(Math.abs), b })).y).toEqual(normals(8, 1).map(Math.abs));
      });
    });

  it("a disposed plan is a GraphError", async () => {
    const plan = await compile(device, graph);
    plan.dispose();
    plan.dispose();
    plan.parameters.dispose();
    await expect(plan.run({ x: b, b })).rejects.toThrow(GraphError);
  });

  it("a parameter that the store lacks is a GraphError, and leaves no buffer", async () => {
    const before = [device.liveBytes, device.liveBuffers];
    const lacking = { outputs: { y: matmul(relu(x), parameter("absent", [4, 4])) } };
    await expect(compile(device, lacking)).rejects.toThrow(GraphError);
    expect([device.liveBytes, device.liveBuffers]).toEqual(before);
  });

  it("a parameter of another shape is a ShapeError, and leaves no buffer", async () => {
    const parameters = new ParameterStore(device);
    parameters.set("w", new Float32Array(8), [2, 4]);
    const before = [device.liveBytes, device.liveBuffers];
    const other = { outputs: { y: matmul(relu(x), parameter("w", [4, 4])) } };
    await expect(compile(device, other, { parameters })).rejects.toThrow(ShapeError);
    expect([device.liveBytes, device.liveBuffers]).toEqual(before);
    parameters.dispose();
  });
});

describe("updates", () => {
  const known = new Map([...references, [descentOp.name, descentReference]]);

  async function check(graph: Graph, initial: Record<string, Float32Array>, inputs: Record<string, Float32Array>) {
    const parameters = new ParameterStore(device);
    for (const [name, data] of Object.entries(initial)) parameters.set(name, data, [data.length]);
    const want = runReference(graph, { ...initial, ...inputs }, { references: known });
    await withPlan(graph, { parameters }, async (plan) => {
      const outputs = await plan.run(inputs);
      for (const [name, values] of Object.entries(want.outputs))
        expect(relativeL2(outputs[name], values), name).toBeLessThan(1e-6);
      for (const [name, values] of Object.entries(want.parameters))
        expect(relativeL2(await parameters.get(name), values), name).toBeLessThan(1e-6);
    });
    parameters.dispose();
  }

  it("run after every reader of the old value, wherever the reader stands", async () => {
    const w = parameter("w", [5]);
    const x = input("x", [5]);
    const early = multiply(w, x);
    const late = subtract(square(scale(relu(early), 3)), reshape(w, [5]));
    await check({ outputs: { late }, updates: [descend(w, early, 0.5)] }, { w: normals(5, 1) }, { x: normals(5, 2) });
  });

  it("that read another updated parameter read its old value, in either order of listing", async () => {
    const [w, v] = [parameter("w", [5]), parameter("v", [5])];
    const x = input("x", [5]);
    const reader = descend(w, v, 0.5);
    const writer = descend(v, x, 0.25);
    for (const updates of [
      [reader, writer],
      [writer, reader],
    ])
      await check({ outputs: {}, updates }, { w: normals(5, 1), v: normals(5, 2) }, { x: normals(5, 3) });
  });

  it("that read each other's parameter are refused: one of them would read a new value", async () => {
    const [w, v] = [parameter("w", [5]), parameter("v", [5])];
    const parameters = new ParameterStore(device);
    for (const name of ["w", "v"]) parameters.set(name, normals(5, 1), [5]);
    const graph = { outputs: {}, updates: [descend(w, v, 0.5), descend(v, w, 0.5)] };
    await expect(compile(device, graph, { parameters })).rejects.toThrow(GraphError);
    parameters.dispose();
  });

  it("of a parameter that is an output too are refused: the old value would be gone", async () => {
    const w = parameter("w", [5]);
    const parameters = new ParameterStore(device);
    parameters.set("w", normals(5, 1), [5]);
    for (const output of [w, reshape(w, [1, 5])]) {
      const graph = { outputs: { output }, updates: [descend(w, input("x", [5]), 0.5)] };
      await expect(compile(device, graph, { parameters })).rejects.toThrow(GraphError);
    }
    parameters.dispose();
  });
});

describe("parameters", () => {
  it("that change in the store, or by another plan's update, refresh what is folded from them", async () => {
    const network = smallMobileNet();
    const parameters = storeOf(device, network);
    const x = normals(network.perSample, 5);
    const want = (): Float64Array => runReference(network.graph, feedsOf(network, x), { references }).outputs.logits;
    await withPlan(network.graph, { parameters }, async (plan) => {
      expect(plan.schedule.prologue.length).toBeGreaterThan(0);
      const first = (await plan.run({ x })).logits;
      expect(relativeL2(first, want())).toBeLessThan(1e-5);
      const gamma = network.parameters["block1/bn1/gamma"];
      gamma.data = gamma.data.map((value) => 1.5 * value);
      parameters.set("block1/bn1/gamma", gamma.data, gamma.shape);
      const second = (await plan.run({ x })).logits;
      expect(relativeL2(second, want())).toBeLessThan(1e-5);
      expect(relativeL2(second, first)).toBeGreaterThan(1e-3);
      const update = {
        outputs: {},
        updates: [descend(parameter("block1/bn1/gamma", gamma.shape), input("g", gamma.shape), 1)],
      };
      await withPlan(update, { parameters }, (other) => other.run({ g: gamma.data.map(() => 0.125) }));
      gamma.data = gamma.data.map((value) => value - 0.125);
      expect(relativeL2((await plan.run({ x })).logits, want())).toBeLessThan(1e-5);
    });
    parameters.dispose();
  });

  it("reach a prologue that reads a repeated constant", async () => {
    const parameters = new ParameterStore(device);
    parameters.set("w", normals(6, 1), [6]);
    const w = parameter("w", [6]);
    const folded = square(add(w, fill(f32(6), 3)));
    const graph = { outputs: { y: multiply(input("x", [6]), add(folded, constant([1, 2, 3, 4, 5, 6]))) } };
    const want = normals(6, 1).map((value, index) => (value + 3) ** 2 + index + 1);
    await withPlan(graph, { parameters, poison: true }, async (plan) => {
      for (let run = 0; run < 2; run++)
        expect(relativeL2((await plan.run({ x: new Float32Array(6).fill(1) })).y, want)).toBeLessThan(1e-6);
    });
    parameters.dispose();
  });
});

describe("an error of the GPU never ends in zeros", () => {
  const call = (code: string, changes: Partial<KernelCall> = {}): KernelCall => ({
    shader: { name: `planted ${code.length} ${JSON.stringify(changes)}`, code },
    entryPoint: "main",
    uniforms: [1],
    grid: [1, 1, 1],
    flops: 1,
    bytes: 1,
    ...changes,
  });
  const declarations = `
    @group(0) @binding(0) var<uniform> count: u32;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;`;
  const valid = `${declarations}\n@compute @workgroup_size(1) fn main() { y[0] = x[0]; }`;
  const planted = (kernel: KernelCall): Tensor =>
    apply(defineOp("planted", { arity: 1, infer: ([x]) => [x], kernel: () => kernel, traits: {} }), [input("x", [4])]);
  /** Compiles and runs twice: an error may be reported only after the call that caused it. */
  const run = (y: Tensor) => withPlan({ outputs: { y } }, {}, (plan) => plan.run({ x: new Float32Array(4) }));

  const faults: [string, Tensor, new (...args: never[]) => Error, RegExp][] = [
    [
      "an invalid shader",
      planted(call(`${declarations}\n@compute @workgroup_size(1) fn main() { y[0] = z; }`)),
      DeviceError,
      /wgsl:\d+:\d+/,
    ],
    ["a missing entry point", planted(call(valid, { entryPoint: "absent" })), DeviceError, /absent|does not compile/],
    ["a workgroup above the limit", planted(call(valid.replace("size(1)", "size(65536)"))), DeviceError, /GPU|compile/],
    [
      "a binding that does not exist",
      planted(call(valid, { bindings: [{ input: 3 }, { output: 0 }] })),
      GraphError,
      /does not exist/,
    ],
    ["an unbound binding", planted(call(valid, { bindings: [{ output: 0 }] })), DeviceError, /GPU|compile/],
    [
      "a write to what is bound for reading",
      planted(call(valid, { bindings: [{ output: 0 }, { input: 0 }] })),
      DeviceError,
      /GPU|compile/,
    ],
    ["an oversize dispatch", planted(call(valid, { grid: [70_000, 1, 1] })), LimitError, /70000.*65535/],
    ["a grid that is no whole number", planted(call(valid, { grid: [1.5, 1, 1] })), LimitError, /1\.5/],
    ["too many uniforms", planted(call(valid, { uniforms: new Array(80).fill(0) })), GraphError, /80 uniform words/],
    ["a uniform that is no whole number", planted(call(valid, { uniforms: [0.5] })), GraphError, /word 0 is 0\.5/],
  ];
  for (const [name, y, type, message] of faults)
    it(`${name} is a ${type.name} and leaves no buffer`, async () => {
      const before = [device.liveBytes, device.liveBuffers];
      const attempt = run(y);
      await expect(attempt).rejects.toThrow(type);
      await expect(attempt).rejects.toThrow(message);
      expect([device.liveBytes, device.liveBuffers]).toEqual(before);
      await withPlan({ outputs: { y: relu(input("x", [1])) } }, {}, async (plan) =>
        expect(await plan.run({ x: new Float32Array([2]) })).toEqual({ y: new Float32Array([2]) }),
      );
    });

  it("a range outside of its buffer is a DeviceError of the run", async () => {
    await withPlan({ outputs: { y: relu(input("x", [4])) } }, {}, async (plan) => {
      const small = device.createBuffer(16, GPUBufferUsage.STORAGE, "small");
      const bind = device.guarded(async () =>
        device.gpu.createBindGroup({
          layout: device.layout(["storage"]),
          entries: [
            { binding: 0, resource: { buffer: small } },
            { binding: 1, resource: { buffer: small, offset: 0, size: 4096 } },
          ],
        }),
      );
      await expect(bind).rejects.toThrow(DeviceError);
      device.destroyBuffer(small);
      expect((await plan.run({ x: new Float32Array([1, -1, 2, -2]) })).y).toEqual(new Float32Array([1, 0, 2, 0]));
    });
  });

  it("an error behind the back of a plan ends its next run, not in zeros", async () => {
    await withPlan({ outputs: { y: relu(input("x", [4])) } }, {}, async (plan) => {
      device.gpu.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
      await expect(plan.run({ x: new Float32Array(4) })).rejects.toThrow(DeviceError);
      expect((await plan.run({ x: new Float32Array([1, -1, 2, -2]) })).y).toEqual(new Float32Array([1, 0, 2, 0]));
    });
  });

  it("a submission that the GPU refuses fails the run that made it", async () => {
    const store = new ParameterStore(device);
    store.set("w", normals(4, 1), [4]);
    const graph = { outputs: { y: multiply(input("x", [4]), parameter("w", [4])) } };
    await withPlan(graph, { parameters: store }, async (plan) => {
      await plan.run({ x: new Float32Array(4) });
      store.delete("w"); // destroys a buffer that the plan still binds
      await expect(plan.run({ x: new Float32Array(4) })).rejects.toThrow(DeviceError);
    });
  });

  it("a lost device is a DeviceError of every later run", async () => {
    const { adapter } = await openGpu();
    const own = await Device.open(adapter);
    const plan = await compile(own, { outputs: { y: mean(input("x", [4]), [0]) } });
    own.destroy();
    for (let attempt = 0; attempt < 2; attempt++)
      await expect(plan.run({ x: new Float32Array(4) })).rejects.toThrow(DeviceError);
  });
});

describe("a grid of more than 65,535 workgroups", () => {
  it("folds into a second dimension and still reaches every element once", async () => {
    const size = 65_535 * 64 + 4098;
    const x = input("x", [size]);
    const channels = reshape(x, [size / 2, 2]);
    const graph = { outputs: { y: add(relu(x), x), z: biasAdd(channels, constant([1, 2])) } };
    const values = Float32Array.from({ length: size }, (_, index) => (index % 1021) - 500);
    await withPlan(graph, { poison: true }, async (plan) => {
      expect(plan.steps(1).main.some(({ call }) => call.grid[1] > 1)).toBe(true);
      const { y, z } = await plan.run({ x: values });
      expect(await plan.strayWrites()).toBeNull();
      let wrong = 0;
      for (let index = 0; index < size; index++) {
        if (y[index] !== Math.max(values[index], 0) + values[index]) wrong++;
        if (z[index] !== values[index] + 1 + (index % 2)) wrong++;
      }
      expect(wrong).toBe(0);
    });
  });
});
