import { describe, expect, it } from "vitest";
import { caseData } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import { makeNode } from "../../src/engine/graph.ts";
import type { AdapterTraits, Attributes, KernelCall, KernelContext, Op } from "../../src/engine/op.ts";
import {
  batchNormApplyOp,
  batchNormGradientSumsOp,
  batchNormInputGradientOp,
  batchNormTraining,
  variancePartialOp,
} from "../../src/engine/ops/batchNormTraining.ts";
import { addOp, multiplyOp, subtractOp } from "../../src/engine/ops/binary.ts";
import { castOp } from "../../src/engine/ops/cast.ts";
import { biasAddOp, channelAffineOp, channelScaleOp } from "../../src/engine/ops/channel.ts";
import { relu6MaskOp, reluMaskOp } from "../../src/engine/ops/masks.ts";
import { expandOp, partialSumOp, sum } from "../../src/engine/ops/reduce.ts";
import { reshapeOp } from "../../src/engine/ops/reshape.ts";
import { input, parameter } from "../../src/engine/ops/sources.ts";
import { expOp, relu6, relu6Op, reluOp, scaleOp, squareOp } from "../../src/engine/ops/unary.ts";
import { adamUpdateOp, sgdUpdateOp } from "../../src/engine/ops/updates.ts";
import { ParameterStore } from "../../src/engine/parameters.ts";
import { BATCH, type DType, type Shape, sizeOf, type TypedArray } from "../../src/engine/types.ts";
import { testDevice } from "../device.ts";

interface Operand {
  readonly shape: Shape;
  readonly dtype?: DType;
  readonly data: TypedArray;
}

/** Every NaN counts as the same one: which bits it has is the driver's affair. */
const bitsOf = (data: TypedArray): Uint32Array => {
  const plain = data.map((value: number) => (Number.isNaN(value) ? Number.NaN : value)) as TypedArray;
  return new Uint32Array(plain.buffer as ArrayBuffer);
};

/** Runs one op and returns the bits of its outputs; `as` makes it choose as another adapter would. */
async function run(op: Op, operands: readonly Operand[], attributes: Attributes, as: Partial<AdapterTraits> = {}) {
  let entryPoint = "";
  const kernel = (context: KernelContext): KernelCall => {
    const call = (op.kernel as NonNullable<Op["kernel"]>)({ ...context, adapter: { ...context.adapter, ...as } });
    entryPoint = call.entryPoint;
    return call;
  };
  const inputs = operands.map(({ shape, dtype }, at) => input(`x${at}`, shape, dtype));
  const { outputs } = makeNode({ ...op, kernel }, inputs, attributes);
  const graph = { outputs: Object.fromEntries(outputs.map((output, at) => [`y${at}`, output])) };
  const plan = await compile(await testDevice(), graph, { poison: true });
  try {
    const results = await plan.run(Object.fromEntries(operands.map(({ data }, at) => [`x${at}`, data])));
    expect(await plan.strayWrites()).toBeNull();
    return {
      entryPoint,
      shapes: outputs.map(({ shape }) => shape),
      bits: outputs.map((_, at) => bitsOf(results[`y${at}`])),
    };
  } finally {
    plan.dispose();
    plan.parameters.dispose();
  }
}

/** What a fast rung must not stumble over, in every position of a vector. */
const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 6, 2 ** -149, 3e38];

function randomOperand(shape: Shape, seed: number, dtype: DType = "f32", positive = false): Operand {
  const [data] = caseData(
    { inputs: [{ shape, dtype, below: dtype === "u8" ? 256 : 2 ** 31, scale: 4, positive }] },
    seed,
  );
  if (dtype === "f32" && !positive && data.length > 30)
    special.forEach((value, at) => {
      data[4 * at + (at % 4)] = value;
    });
  return { shape, dtype, data };
}

const software = [true, false];

describe("flat kernels give the same bits with vectors as element by element", () => {
  const unary = [reluOp, relu6Op, squareOp, expOp].map((op) => ({ op, operands: 1, attributes: {} }));
  const binary = [reluMaskOp, relu6MaskOp, addOp, subtractOp, multiplyOp].map((op) => ({
    op,
    operands: 2,
    attributes: {},
  }));
  const others: { op: Op; operands: number; attributes: Attributes; dtype?: DType }[] = [
    { op: scaleOp, operands: 1, attributes: { factor: 0.3, offset: -1.5 } },
    { op: castOp, operands: 1, attributes: { dtype: "f32" }, dtype: "u8" },
    { op: castOp, operands: 1, attributes: { dtype: "f32" }, dtype: "i32" },
    { op: castOp, operands: 1, attributes: { dtype: "i32" } },
  ];
  for (const { op, operands, attributes, dtype } of [...unary, ...binary, ...others] as typeof others)
    it(`${op.name} ${JSON.stringify({ ...attributes, dtype })}`, async () => {
      // The last shape is more than one round of a workgroup's vectors.
      for (const shape of [
        [7, 3, 4],
        [2, 4],
        [1, 5, 12],
        [5, 1031, 4],
      ]) {
        const flat = [sizeOf(shape)];
        const data = Array.from({ length: operands }, (_, at) => randomOperand(flat, 3 + at, dtype));
        const want = await run(op, data, attributes);
        expect(want.entryPoint).not.toMatch(/Vectors$/);
        const shaped = data.map((operand) => ({ ...operand, shape }));
        for (const traits of software) {
          const got = await run(op, shaped, attributes, { software: traits });
          expect(got.entryPoint).toMatch(/Vectors$/);
          expect(got.bits).toEqual(want.bits);
        }
      }
    });

  it("chooses by the shape of a sample, not by the batch", async () => {
    for (const batch of [1, 3, 4]) {
      expect((await run(reluOp, [randomOperand([batch, 5], 1)], {})).entryPoint).toBe("relu");
      expect((await run(reluOp, [randomOperand([batch, 8], 1)], {})).entryPoint).toBe("reluVectors");
    }
  });
});

/** The operand without its last column, or with columns repeated behind the others: [.., from] → [.., to]. */
function withColumns({ shape, dtype, data }: Operand, to: number): Operand {
  const from = shape[shape.length - 1];
  const rows = sizeOf(shape.slice(0, -1));
  const result = new (data.constructor as Float32ArrayConstructor)(rows * to);
  for (let row = 0; row < rows; row++)
    for (let c = 0; c < to; c++) result[row * to + c] = data[row * from + (c % from)];
  return { shape: [...shape.slice(0, -1), to], dtype, data: result };
}

const columnsOf = (bits: Uint32Array, from: number, to: number): Uint32Array => bits.filter((_, at) => at % from < to);

describe("kernels over columns give the same bits with vectors as column by column", () => {
  const epsilon = 1e-3;
  const vectorised: { op: Op; vectors?: number; images?: number; attributes?: Attributes; reshape?: boolean }[] = [
    { op: biasAddOp, vectors: 1 },
    { op: channelScaleOp, vectors: 1 },
    { op: channelAffineOp, vectors: 2 },
    { op: variancePartialOp, vectors: 1, attributes: { splits: 5 } },
    { op: batchNormApplyOp, vectors: 4, attributes: { epsilon } },
    { op: batchNormGradientSumsOp, images: 2, vectors: 2, attributes: { epsilon, splits: 5 } },
    { op: batchNormInputGradientOp, images: 2, vectors: 5, attributes: { epsilon } },
    { op: partialSumOp, attributes: { axes: [1, 2], splits: 4, mean: true } },
    { op: partialSumOp, attributes: { axes: [0, 1], splits: 1, mean: false } },
  ];
  for (const { op, vectors = 0, images = 1, attributes = {} } of vectorised)
    it(`${op.name} ${JSON.stringify(attributes)}`, async () => {
      for (const [leading, columns] of [
        [[2, 9, 7], 4],
        [[3, 5, 1], 20],
        [[5, 23, 9], 64],
        [[1, 1, 1], 8],
      ] as const) {
        const operands = [
          ...Array.from({ length: images }, (_, at) => randomOperand([...leading, columns], 5 + at)),
          // The second vector is a variance where there is one.
          ...Array.from({ length: vectors }, (_, at) => randomOperand([columns], 15 + at, "f32", at === 1)),
        ];
        const odd = operands.map((operand) => withColumns(operand, columns + 1));
        const want = await run(op, odd, attributes);
        expect(want.entryPoint).not.toMatch(/Vectors$/);
        for (const traits of software) {
          const got = await run(op, operands, attributes, { software: traits });
          expect(got.entryPoint).toMatch(/Vectors$/);
          expect(got.bits).toEqual(want.bits.map((bits) => columnsOf(bits, columns + 1, columns)));
        }
      }
    });

  it("expand", async () => {
    for (const [outer, reduced, inner] of [
      [3, 7, 4],
      [1, 300, 20],
      [5, 1, 64],
    ]) {
      const attributes = (last: number): Attributes => ({ shape: [outer, reduced, last], axes: [1], mean: true });
      const operand = randomOperand([outer, inner], 7);
      const want = await run(expandOp, [withColumns(operand, inner + 1)], attributes(inner + 1));
      expect(want.entryPoint).toBe("expand");
      for (const traits of software) {
        const got = await run(expandOp, [operand], attributes(inner), { software: traits });
        expect(got.entryPoint).toBe("expandVectors");
        expect(got.bits).toEqual([columnsOf(want.bits[0], inner + 1, inner)]);
      }
    }
  });
});

describe("optimisers", () => {
  const shape = [5, 31, 4];
  const scalars = [0.01, 0];
  for (const [op, attributes] of [
    [adamUpdateOp, { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 }],
    [sgdUpdateOp, { momentum: 0.9, nesterov: true }],
    [sgdUpdateOp, { momentum: 0.9, nesterov: false }],
  ] as const)
    it(`${op.name} ${JSON.stringify(attributes)} leaves the same bits with vectors as element by element`, async () => {
      const updated = op.traits.updates as readonly number[];
      const device = await testDevice();
      const results: Uint32Array[][] = [];
      for (const as of [shape, [sizeOf(shape)]]) {
        using store = new ParameterStore(device);
        const feeds: Record<string, Float32Array> = {};
        const tensors = Array.from({ length: op.arity }, (_, at) => {
          const isScalar = at >= op.arity - 2;
          const { data } = isScalar
            ? { data: Float32Array.of(scalars[at - op.arity + 2]) }
            : randomOperand(as, 40 + at, "f32", at === 2);
          if (updated.includes(at)) store.set(`x${at}`, data, as);
          else feeds[`x${at}`] = data as Float32Array;
          return (updated.includes(at) ? parameter : input)(`x${at}`, isScalar ? [] : as);
        });
        const graph = { outputs: {}, updates: [makeNode(op, tensors, attributes)] };
        const plan = await compile(device, graph, { parameters: store });
        await plan.run(feeds);
        results.push(await Promise.all(updated.map(async (at) => bitsOf(await store.get(`x${at}`)))));
        expect(plan.steps(1).main[0].call.entryPoint.endsWith("Vectors")).toBe(as === shape);
        plan.dispose();
      }
      expect(results[0]).toEqual(results[1]);
    });
});

describe("lowering", () => {
  it("turns a sum over axes of length 1 into a view", async () => {
    const x = input("x", [2, 1, 3]);
    const plan = await compile(await testDevice(), { outputs: { y: sum(x, [1]) } });
    expect(plan.dispatches).toBe(0);
    expect(plan.graph.outputs.y.node.op).toBe(reshapeOp);
    expect((await plan.run({ x: Float32Array.of(1, 2, 3, 4, 5, 6) })).y).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
    plan.dispose();
    plan.parameters.dispose();
  });

  it("applies the activation behind batch normalisation in its dispatch", async () => {
    const [x, gamma, beta] = [input("x", [BATCH, 6, 5, 8]), input("gamma", [8]), input("beta", [8])];
    const y = relu6(batchNormTraining(x, gamma, beta)[0]);
    const plan = await compile(await testDevice(), { outputs: { y } }, { maxBatch: 2 });
    const names = plan.schedule.main.map(({ op }) => op.name);
    expect(names.at(-1)).toBe("batchNormApply");
    expect(names).not.toContain("relu6");
    plan.dispose();
    plan.parameters.dispose();
  });

  it("keeps grids within their limit, however many rows there are", () => {
    const huge: Shape = [1 << 12, 1 << 11, 1 << 7, 4];
    const adapter: AdapterTraits = { software: false, maxInvocations: 256, subgroupSize: 0, float16: false };
    for (const op of [reluOp, channelScaleOp]) {
      const types = [huge, [4]].map((shape) => ({ dtype: "f32" as const, shape }));
      const call = op.kernel?.({ inputs: types, outputs: [types[0]], attributes: {}, adapter }) as KernelCall;
      expect(Math.max(...call.grid)).toBeLessThanOrEqual(65535);
      expect(call.entryPoint).toMatch(/Vectors$/);
    }
  });
});
