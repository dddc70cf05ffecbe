/** `tepal kernels NAME --explain`: formula, layout, threads, tile and gain of a shader, in words. */
import type { Shader } from "../../engine/op.ts";
import { formatShape } from "../../engine/types.ts";
import { type Anatomy, anatomyOf } from "./anatomy.ts";
import { type Gain, gainsOf, measurements, shortName } from "./measured.ts";
import { type Placement, placements } from "./placement.ts";

export interface KernelExplanation extends Anatomy {
  readonly uses: readonly Placement[];
  readonly gains: readonly { readonly adapter: string; readonly gains: readonly Gain[] }[];
}

/** Everything that is known of a shader without a GPU. */
export function explainShader(shader: Shader, known = placements()): KernelExplanation {
  const anatomy = anatomyOf(shader);
  return {
    ...anatomy,
    uses: anatomy.entryPoints.flatMap((entryPoint) => known.get(`${shader.name}.${entryPoint}`) ?? []),
    gains: measurements
      .map((report) => ({ adapter: shortName(report.adapter), gains: gainsOf(report, shader.name) }))
      .filter(({ gains }) => gains.length > 0),
  };
}

const times = (factor: number): string => (factor >= 10 ? factor.toFixed(0) : factor.toFixed(1));

export const gainText = ({ kernel, shapes, least, median, greatest }: Gain): string =>
  shapes === 1
    ? `${kernel}: ${times(median)} times faster than the naive kernel`
    : `${kernel}: ${times(least)} to ${times(greatest)} times faster than the naive kernel on ${shapes} shapes, median ${times(median)}`;

export const tileText = ({ tile }: Placement): string =>
  "outputs" in tile
    ? `${tile.outputs} ${tile.outputs === 1 ? "output" : "outputs"} per invocation`
    : `${tile.rows} × ${tile.columns} outputs per invocation, idle ones at the border counted in`;

/** Sizes without the ones at their end: 8 × 4 × 1 is 8 × 4. */
const sizes = (all: readonly number[]): string => all.join(" × ").replace(/( × 1)+$/, "");

const originText = ({ layers, origin }: Placement): string => {
  if (origin === "tests") return "a case of its tests";
  const more = layers.length > 1 ? ` and ${layers.length - 1} more` : "";
  return `${layers[0]}${more}, ${origin} of MobileNetV2`;
};

export const useText = (use: Placement): string =>
  `${use.call.entryPoint} for ${formatShape(use.output)} (${originText(use)}): workgroups of ${sizes(use.workgroup)}, a grid of ${sizes(use.call.grid)}, ${tileText(use)}`;

/** Workgroups of one matrix or image: of few, idle invocations at the border blur what one of them does. */
const groupsOf = ({ call: { grid } }: Placement): number => grid[0] * grid[1];

/** The use of each entry point with the largest grid. */
export const typicalUses = (uses: readonly Placement[]): Placement[] => [
  ...uses
    .reduce((best, use) => {
      const known = best.get(use.call.entryPoint);
      return known && groupsOf(known) >= groupsOf(use) ? best : best.set(use.call.entryPoint, use);
    }, new Map<string, Placement>())
    .values(),
];

/** Said where a kernel stands alone, so that a missing figure is not taken for a forgotten one. */
export const singleRung =
  "The only form of this kernel here: there is no slower one to compare it with, so none is claimed.";

/** What the author measured against the rung below, and what `docs/figures` holds. */
function gainLines({ gain, gains }: KernelExplanation): string[] {
  const measured = gains.flatMap((each) => each.gains.map((one) => `${gainText(one)} (${each.adapter})`));
  const all = [...gain, ...measured];
  return all.length > 0 ? all : [singleRung];
}

export function explanationText(explanation: KernelExplanation): string {
  const { name, formula, layout, threads, cost, notes, uses } = explanation;
  const parts: readonly (readonly [title: string, lines: readonly string[]])[] = [
    ["Formula", formula],
    ["Layout", layout],
    ["Threads", threads],
    ["Tile", typicalUses(uses).map(useText)],
    ["Cost", cost],
    ["Gain", gainLines(explanation)],
    ["Notes", notes],
  ];
  const shown = parts.filter(([, lines]) => lines.length > 0);
  return [
    `${name}.wgsl`,
    ...shown.map(([title, lines]) => [title, ...lines.map((line) => `  ${line.trim()}`)].join("\n")),
  ].join("\n\n");
}
