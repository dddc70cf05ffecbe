import { describe, expect, it } from "vitest";
import { caseName, checkOp } from "../../src/engine/checkOp.ts";
import { registry } from "../../src/engine/ops/registry.ts";
import { testDevice } from "../device.ts";

/** Single ops and their gradients: relative L2 against float64; the float64 gradients against central differences. */
const tolerance = 1e-5;
const differenceTolerance = 1e-6;

for (const entry of registry)
  describe(entry.op.name, () => {
    for (const opCase of entry.cases)
      it(caseName(entry, opCase), async () => {
        const check = await checkOp(await testDevice(), entry, opCase, 1 + Math.floor(Math.random() * 1e6));
        expect(check.forward, check.name).toBeLessThanOrEqual(tolerance);
        expect(check.gradient, check.name).toBeLessThanOrEqual(tolerance);
        if (!Number.isNaN(check.differences))
          expect(check.differences, check.name).toBeLessThanOrEqual(differenceTolerance);
      });
  });
