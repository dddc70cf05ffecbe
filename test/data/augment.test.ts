import { readFileSync } from "node:fs";
import { mat3 } from "gl-matrix";
import { describe, expect, it } from "vitest";
import {
  compose,
  flipMatrix,
  invert,
  rotationMatrix,
  shearMatrix,
  transform,
  translationMatrix,
  warpRow,
  windowMatrix,
  zoomMatrix,
} from "../../src/data/augment/affine.ts";
import { assemble, boxOf, cutMixBox } from "../../src/data/augment/assemble.ts";
import { Augmentation } from "../../src/data/augment/augmentation.ts";
import { layerTypes } from "../../src/data/augment/layers.ts";
import {
  batchPartners,
  drawParameters,
  epochPartners,
  formatAddress,
  parseAddress,
} from "../../src/data/augment/parameters.ts";
import {
  builtInPolicies,
  describePolicy,
  PolicyBuilder,
  parsePolicy,
  parsePolicyText,
  policyToJson,
} from "../../src/data/augment/policy.ts";
import { DataError } from "../../src/engine/errors.ts";
import { epochOrder } from "../../src/engine/random.ts";
import { hasShared, shared } from "../shared.ts";

const size = { height: 50, width: 80 };

/** gl-matrix keeps its 3 × 3 matrices by columns. */
const fromGl = (m: mat3): number[] => [m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]];
const close = (got: ArrayLike<number>, want: ArrayLike<number>, digits = 9): void => {
  expect(got.length).toBe(want.length);
  for (let index = 0; index < want.length; index++) expect(got[index]).toBeCloseTo(want[index], digits);
};

describe("matrices", () => {
  const chain = [
    flipMatrix(size, true, false),
    rotationMatrix(size, 0.3),
    zoomMatrix(size, 1.1, 0.8),
    shearMatrix(size, 0.2, -0.1),
    translationMatrix(3.5, -2),
  ];

  it("compose from the left in float64, and invert", () => {
    const whole = compose(...chain);
    for (const [x, y] of [
      [0, 0],
      [79, 0],
      [12.25, 49],
    ]) {
      const [u, v] = chain.reduceRight(([x, y], m) => transform(m, x, y) as [number, number], [x, y]);
      close(transform(whole, x, y), [u, v], 12);
      close(transform(invert(whole), u, v), [x, y], 11);
    }
    expect(compose()).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    // No float32 on the way.
    expect(compose([1 / 3, 0, 0, 0, 1, 0, 0, 0, 1], [1 / 3, 0, 0, 0, 1, 0, 0, 0, 1])[0]).toBe((1 / 3) * (1 / 3));
  });

  it("are gl-matrix's rotation, scaling and translation about the centre", () => {
    const centre = [(size.width - 1) / 2, (size.height - 1) / 2] as const;
    const about = (act: (m: mat3) => mat3): number[] => {
      const moved = mat3.fromTranslation(new Array(9) as mat3, centre);
      return fromGl(mat3.translate(new Array(9) as mat3, act(moved), [-centre[0], -centre[1]]));
    };
    close(
      rotationMatrix(size, 0.7),
      about((m) => mat3.rotate(new Array(9) as mat3, m, 0.7)),
    );
    close(
      zoomMatrix(size, 1.3, 0.6),
      about((m) => mat3.scale(new Array(9) as mat3, m, [0.6, 1.3])),
    );
    close(translationMatrix(4, -7.5), fromGl(mat3.fromTranslation(new Array(9) as mat3, [-4, 7.5])));
  });

  it("are one resampling while layers ask for one border rule, and keep the rule that a layer names", () => {
    const fills = (...layers: object[]): string[] => {
      const policy = parsePolicy({ name: "borders", layers });
      const { stages } = assemble(policy, { ...size, mode: "documented", resample: "fused" });
      return stages.flatMap(({ warp }) => (warp ? [warp.fill] : []));
    };
    const [flip, rotation, moved] = [{ type: "flip" }, { type: "rotation" }, { type: "translation", fill: "constant" }];
    expect(fills(flip, rotation, { type: "zoom" })).toEqual(["reflect"]);
    expect(fills(moved)).toEqual(["constant"]);
    expect(fills(flip, moved, { type: "crop", height: 20, width: 20 })).toEqual(["constant"]);
    expect(fills(rotation, flip, moved, { type: "shear", fill: "constant" })).toEqual(["reflect", "constant"]);
  });

  it("map corners where the formulas say", () => {
    expect(transform(flipMatrix(size, true, true), 0, 0)).toEqual([79, 49]);
    close(transform(windowMatrix({ top: 10, left: 20, height: 25, width: 40 }, size), -0.5, -0.5), [19.5, 9.5]);
    close(transform(windowMatrix({ top: 10, left: 20, height: 25, width: 40 }, size), 79.5, 49.5), [59.5, 34.5]);
    expect(() => invert(zoomMatrix(size, 0, 1))).toThrow(DataError);
  });

  it.skipIf(!hasShared)("are the ones that Keras recorded", () => {
    const meta = JSON.parse(readFileSync(shared("reference/augment.json"), "utf8"));
    for (const fill of ["reflect", "nearest", "constant", "wrap"]) {
      const { angle, rotation_matrix: recorded } = meta[`rotation/${fill}`];
      angle.forEach((degrees: number, index: number) => {
        const own = warpRow(rotationMatrix({ height: 224, width: 224 }, (degrees * Math.PI) / 180));
        close(own, recorded[index], 4);
      });
    }
  });
});

describe("policies", () => {
  it("survive the way through JSON, defaults and all", () => {
    for (const policy of Object.values(builtInPolicies)) {
      const text = JSON.stringify(policyToJson(policy));
      expect(parsePolicyText(text, "file")).toEqual(policy);
    }
    expect(describePolicy(builtInPolicies.advanced)).toContain("rotation           factor [-0.04, 0.04]");
  });

  it("advanced holds the practical's kinds of layers, and AugMix last", () => {
    const types = builtInPolicies.advanced.layers.map(({ type }) => type);
    const practical = ["flip", "rotation", "zoom", "translation", "brightness", "contrast"];
    expect(types.slice(0, practical.length)).toEqual(practical);
    expect(types.at(-1)).toBe("augMix");
  });

  const faults: [string, unknown, RegExp][] = [
    ["no layers", { layers: [] }, /a layer or more/],
    ["a list", [], /expected \{/],
    ["an unknown key", { layers: [{ type: "flip" }], Fill: "wrap" }, /unknown key "Fill"/],
    ["an unknown layer", { layers: [{ type: "Flip" }] }, /layers\[0\]: type expects one of flip, /],
    ["an unknown setting", { layers: [{ type: "flip", angle: 1 }] }, /unknown setting "angle"; choose from horizontal/],
    [
      "a value out of range",
      { layers: [{ type: "flip" }, { type: "rotation", factor: 2 }] },
      /layers\[1\] \(rotation\): factor expects/,
    ],
    ["NaN", { layers: [{ type: "contrast", factor: Number.NaN }] }, /factor expects/],
    ["a pair upside down", { layers: [{ type: "blur", sigma: [2, 1] }] }, /sigma expects a pair/],
    ["half a bit", { layers: [{ type: "randAugment", operations: 1.5 }] }, /a whole number/],
    ["an unknown fill", { fill: "mirror", layers: [{ type: "flip" }] }, /fill expects one of reflect/],
    ["a prototype's name", { layers: [{ type: "constructor" }] }, /type expects/],
    ["mixing too early", { layers: [{ type: "mixUp" }, { type: "flip" }] }, /the last layer/],
  ];
  for (const [what, value, message] of faults)
    it(`with ${what} are refused in one line`, () => {
      expect(() => parsePolicy(value, "mine.json")).toThrow(DataError);
      expect(() => parsePolicy(value, "mine.json")).toThrow(message);
    });

  it("that are not JSON name the file", () => {
    expect(() => parsePolicyText("{", "mine.json")).toThrow(/mine\.json: expected a policy in JSON/);
  });
});

describe("addresses", () => {
  const all = new PolicyBuilder("all");
  for (const type of Object.keys(layerTypes)) if (type !== "mixUp") all.add(type);
  const everything = all.build();

  it("give the same parameters alone, in any order and between others", () => {
    const ids = Array.from({ length: 40 }, (_, index) => index * 17);
    const alone = new Map(ids.map((id) => [id, JSON.stringify(drawParameters(everything, { seed: 3, epoch: 2, id }))]));
    for (const id of [...ids].reverse())
      expect(JSON.stringify(drawParameters(everything, { seed: 3, epoch: 2, id }))).toBe(alone.get(id));
    expect(new Set(alone.values()).size).toBe(ids.length);
  });

  it("feed the GPU the same numbers whatever the batch", () => {
    const augmentation = new Augmentation(everything, { height: 224, width: 224 });
    const samples = Array.from({ length: 12 }, (_, id) => ({ seed: 9, epoch: 1, id, partner: id ^ 1 }));
    const whole = augmentation.feeds(samples);
    for (const batch of [2, 4, 6])
      for (let first = 0; first < samples.length; first += batch) {
        const part = augmentation.feeds(
          samples.slice(first, first + batch).map((each) => ({ ...each, partner: each.partner - first })),
        );
        for (const [name, values] of Object.entries(part)) {
          const perSample = values.length / batch;
          const same = whole[name].subarray(first * perSample, (first + batch) * perSample);
          if (name !== `augment/${lastStage(whole)}/0`)
            expect(Buffer.from(values.buffer).equals(Buffer.from(same.slice().buffer)), name).toBe(true);
        }
      }
  });

  it("change with the seed, the epoch, the id, and a second layer of the kind, and not with other layers", () => {
    const policy = new PolicyBuilder("two").add("rotation").add("rotation").build();
    const angles = [
      { seed: 1, epoch: 0, id: 0 },
      { seed: 2, epoch: 0, id: 0 },
      { seed: 1, epoch: 1, id: 0 },
      { seed: 1, epoch: 0, id: 1 },
    ].flatMap((address) => drawParameters(policy, address).map(({ angle }) => angle));
    expect(new Set(angles).size).toBe(8);
    const other = new PolicyBuilder("other").add("flip").add("rotation").build();
    expect(drawParameters(other, { seed: 1, epoch: 0, id: 0 })[1].angle).toBe(angles[0]);
  });

  it("are written seed:epoch:id", () => {
    expect(formatAddress(parseAddress("7:0:4294967295"))).toBe("7:0:4294967295");
    for (const text of ["7:0", "a:0:1", "1:0:4294967296", "1:-1:0", ""])
      expect(() => parseAddress(text), text).toThrow(DataError);
    expect(() => drawParameters(everything, { seed: 0.5, epoch: 0, id: 0 })).toThrow(/seed .* whole number/);
  });
});

const lastStage = (feeds: object): number => Math.max(...Object.keys(feeds).map((name) => Number(name.split("/")[1])));

describe("partners", () => {
  it("come in pairs from the epoch's order, the same in batches of every even size", () => {
    const count = 31;
    const order = epochOrder(count, 5, 2);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
    expect(epochOrder(count, 5, 3)).not.toEqual(order);
    const partners = epochPartners(count);
    for (const [place, partner] of partners.entries()) expect(partners[partner]).toBe(place);
    expect(partners[30]).toBe(30);
    for (const batch of [2, 4, 10, 32])
      for (let first = 0; first < count; first += batch) {
        const own = batchPartners(first, Math.min(batch, count - first), count);
        for (const [offset, partner] of own.entries()) expect(partner + first).toBe(partners[first + offset]);
      }
    expect(() => batchPartners(0, 3, count)).toThrow(/even batch size/);
  });

  it("must be in the batch", () => {
    const augmentation = new Augmentation(new PolicyBuilder("mix").add("mixUp").build(), { height: 4, width: 4 });
    const address = { seed: 1, epoch: 0, id: 0 };
    expect(() => augmentation.feeds([address])).toThrow(DataError);
    expect(() => augmentation.feeds([{ ...address, partner: 1 }])).toThrow(/partner/);
  });
});

describe("boxes", () => {
  it("of erasing lie in the image and have the area", () => {
    for (let k = 0; k < 50; k++) {
      const [top, left, height, width] = boxOf(size, 0.2, 0.5 + k / 25, k / 50, (50 - k) / 51);
      expect(top >= 0 && left >= 0 && top + height <= size.height && left + width <= size.width).toBe(true);
      expect((height * width) / (size.height * size.width)).toBeCloseTo(0.2, 1);
    }
  });

  it("of CutMix are cut at the border, and the label follows the pixels", () => {
    const { box, exactArea } = cutMixBox(size, 0.75, 0.5, 0.5);
    expect(box).toEqual([13, 20, 25, 40]);
    expect(exactArea).toBeCloseTo(0.25, 12);
    const corner = cutMixBox(size, 0.75, 0, 0);
    expect(corner.box).toEqual([0, 0, 13, 20]);
    expect(corner.exactArea).toBeCloseTo(0.0625, 12);
    const whole = cutMixBox(size, 0, 0.5, 0.5);
    expect(whole.box).toEqual([0, 0, 50, 80]);
  });
});
