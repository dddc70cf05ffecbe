import { expect, it } from "vitest";
import { checkOp } from "../../src/engine/checkOp.ts";
import type { Device } from "../../src/engine/device.ts";
import { DeviceError } from "../../src/engine/errors.ts";
import { registry } from "../../src/engine/ops/registry.ts";
import { CounterRandom } from "../../src/engine/random.ts";
import { sizeOf } from "../../src/engine/types.ts";
import { testDevice } from "../device.ts";
import { gradientMutants, kernelMutants, type Mutant } from "./mutations.ts";
import { checkNonFinite, checkNonFiniteEpilogue } from "./nonFinite.ts";

/** How many mutants, and the seed that draws them: TEPAL_MUTANTS=1000 TEPAL_MUTANT_SEED=2. */
const count = Number(process.env.TEPAL_MUTANTS ?? 100);
const seed = Number(process.env.TEPAL_MUTANT_SEED ?? 1);
/** The tolerances of ops.gpu.test.ts. */
const tolerance = 1e-5;
const differenceTolerance = 1e-6;

/** Mutants that compute the same as the original, with the reason. A name may be a part of the mutant's name. */
const equivalent: readonly (readonly [RegExp, string])[] = [
  [/softmax\.wgsl.* in top = x\[base/, "the first guess of a row's maximum: softmax does not depend on the shift"],
  [/softmax\.wgsl.*t < 0\.5/, "both formulas of log(1 + t) meet at 0.5"],
  [/softmaxGradient\.wgsl.*products \+=/, "the first value of a mean, which its correction makes good"],
  [
    /bitMasks\.wgsl.*"-" → "\+" in .*\(m - first\)/,
    "shifts count modulo 32, and the first row of a word is a multiple of eight",
  ],
  [/affineWarp\.wgsl.*">=" → ">" in .*id\.z >= params\.samples/, "the grid is as deep as there are samples"],
  [/clip\.wgsl.*id\.x > 0u/, "a single invocation, and more of them would write the same number"],
  [/conv2dTiled\.wgsl.*next = min\(o \+ 1u/, "the second vector of a last, odd block is computed and not stored"],
  [/randomPixels\.wgsl.*abs\(q\) <= 0\.425/, "both approximations of the quantile meet at 0.425"],
  [/impulseNoise: randomPixels\.wgsl.*photons/, "a branch of shot noise, which an override switches off"],
];

type Verdict = "numbers" | "non-finite" | "stray write" | "refused" | "does not compile" | null;

/** What the tests of an op say of a mutant: they are the same functions that the suite runs, in the same order. */
async function judge(device: Device, { entry, kind }: Mutant): Promise<Verdict> {
  try {
    for (const opCase of entry.cases) {
      const check = await checkOp(device, entry, opCase, 11);
      if (/stray write/.test(check.name)) return "stray write";
      const isRight = check.forward <= tolerance && check.gradient <= tolerance;
      if (!isRight || check.differences > differenceTolerance) return "numbers";
    }
    if (kind === "gradient") return null;
    for (const opCase of entry.cases.filter(({ inputs }) => inputs.every(({ shape }) => sizeOf(shape) <= 6000))) {
      if (await checkNonFinite(device, entry, opCase, 3)) return "non-finite";
      if (entry.op.traits.acceptsEpilogue && (await checkNonFiniteEpilogue(device, entry, opCase, 5)))
        return "non-finite";
    }
    return null;
  } catch (error) {
    return error instanceof DeviceError ? "does not compile" : "refused";
  }
}

/** A sample that gives every op the same chance: some kernels have a hundred times the text of others. */
function draw(mutantsOf: readonly (readonly Mutant[])[], wanted: number, random: CounterRandom): Mutant[] {
  const drawn = new Set<Mutant>();
  const all = mutantsOf.filter((mutants) => mutants.length > 0);
  const most = all.reduce((total, mutants) => total + mutants.length, 0);
  while (drawn.size < Math.min(wanted, most)) drawn.add(random.pick(random.pick(all)));
  return [...drawn];
}

it(`at least 95 % of ${count} mutants of kernels and gradient rules are caught by the tests of their op`, {
  timeout: 120_000 + count * 4000,
}, async () => {
  const device = await testDevice();
  const random = new CounterRandom(seed);
  const kernels = registry.map((entry) => kernelMutants(entry, device.traits));
  const rules = registry.map((entry) => gradientMutants(entry));
  const wantedKernels = Math.round(0.65 * count);
  const mutants = [...draw(kernels, wantedKernels, random), ...draw(rules, count - wantedKernels, random)];
  expect(mutants).toHaveLength(count);
  const verdicts = new Map<Verdict, string[]>();
  for (const mutant of mutants) {
    const verdict = await judge(device, mutant);
    verdicts.set(verdict, [...(verdicts.get(verdict) ?? []), mutant.name]);
  }
  const survivors = verdicts.get(null) ?? [];
  const known = survivors.filter((name) => equivalent.some(([pattern]) => pattern.test(name)));
  const missed = survivors.filter((name) => !known.includes(name));
  const summary = [...verdicts].map(([verdict, names]) => `${verdict ?? "survived"} ${names.length}`).join(", ");
  console.log(
    `${count} mutants: ${summary}; equivalent ${known.length}${missed.map((name) => `\n  missed: ${name}`).join("")}`,
  );
  expect(missed.length, missed.join("\n")).toBeLessThanOrEqual(0.05 * count);
  expect(known.length).toBeLessThanOrEqual(0.05 * count);
  expect(verdicts.get("does not compile")?.length ?? 0).toBeLessThan(0.2 * count);
});
