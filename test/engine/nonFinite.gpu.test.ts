import { describe, expect, it } from "vitest";
import { caseName } from "../../src/engine/checkOp.ts";
import { registry } from "../../src/engine/ops/registry.ts";
import { sizeOf } from "../../src/engine/types.ts";
import { testDevice } from "../device.ts";
import { checkNonFinite, checkNonFiniteEpilogue } from "./nonFinite.ts";

const largest = 6000;

for (const entry of registry) {
  const cases = entry.cases.filter(
    ({ inputs }) =>
      inputs.some(({ dtype = "f32" }) => dtype === "f32") && inputs.every(({ shape }) => sizeOf(shape) <= largest),
  );
  if (cases.length === 0) continue;
  describe(entry.op.name, () => {
    for (const opCase of cases)
      it(caseName(entry, opCase), async () => {
        expect(await checkNonFinite(await testDevice(), entry, opCase, 3)).toBeNull();
      });
    if (entry.op.traits.acceptsEpilogue)
      it("with everything fused behind it", async () => {
        for (const opCase of cases.slice(0, 3))
          expect(await checkNonFiniteEpilogue(await testDevice(), entry, opCase, 5)).toBeNull();
      });
  });
}
