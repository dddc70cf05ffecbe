import { expect, it } from "vitest";
import { caseData } from "../../src/engine/checkOp.ts";
import { compile } from "../../src/engine/compile.ts";
import { apply } from "../../src/engine/graph.ts";
import type { AdapterTraits, Choice, KernelContext, Op } from "../../src/engine/op.ts";
import { matmulHalfCases, matmulHalfTransposedCases } from "../../src/engine/ops/matmulHalf.ts";
import { input } from "../../src/engine/ops/sources.ts";
import { testDevice } from "../device.ts";
import { entryOf } from "./networks.ts";

/** Ways in which an adapter or a tuner may run the product: its own, without shared loads, unrolled, and small workgroups. */
const variants: readonly { readonly adapter?: Partial<AdapterTraits>; readonly choice?: Choice }[] = [
  {},
  { adapter: { subgroupSize: 0 } },
  { adapter: { subgroupSize: 0, software: false } },
  { choice: { across: 1, down: 32 } },
];

it("gives the same bits whatever kernel and workgroup an adapter takes", async () => {
  const device = await testDevice();
  for (const [name, cases] of [
    ["matmulHalf", matmulHalfCases()],
    ["matmulHalfTransposed", matmulHalfTransposedCases()],
  ] as const)
    for (const opCase of cases) {
      const { op } = entryOf(name);
      const data = caseData(opCase, 8);
      const results: Uint8Array[] = [];
      for (const { adapter, choice } of variants) {
        const kernel = (context: KernelContext) =>
          (op.kernel as NonNullable<Op["kernel"]>)({
            ...context,
            adapter: { ...context.adapter, ...adapter },
            choice: choice ?? context.choice,
          });
        const inputs = opCase.inputs.map(({ shape, dtype }, index) => input(`x${index}`, shape, dtype));
        const plan = await compile(device, { outputs: { y: apply({ ...op, kernel }, inputs) } });
        const { y } = await plan.run(Object.fromEntries(data.map((values, index) => [`x${index}`, values])));
        results.push(new Uint8Array(y.buffer.slice(0)));
        plan.dispose();
        plan.parameters.dispose();
      }
      for (const result of results) expect(Buffer.compare(result, results[0])).toBe(0);
    }
});
