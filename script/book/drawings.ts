/** Drawings as SVG text: tiles and threads of a kernel, slabs over time. Colours follow the page's through CSS variables. */
import type { Placement } from "../../src/cli/kernels/placement.ts";
import { formatShape } from "../../src/engine/types.ts";
import { escapeHtml } from "../../src/report/html.ts";
import type { SlabUse } from "./compiler.ts";

const ink = "var(--vp-c-text-1, #222)";
const soft = "var(--vp-c-text-3, #777)";
const accent = "var(--vp-c-brand-1, #3451b2)";
const line = "var(--vp-c-divider, #ccc)";

export const svg = (width: number, height: number, label: string, parts: readonly string[]): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="${escapeHtml(label)}" style="max-width:100%;height:auto" font-size="12" font-family="inherit">${parts.join("")}</svg>`;

const text = (x: number, y: number, words: string, colour = ink, anchor = "start"): string =>
  `<text x="${x}" y="${y}" fill="${colour}" text-anchor="${anchor}">${escapeHtml(words)}</text>`;

/** At most this many cells are drawn along a side; more are cut off with dots. */
const most = 16;

/** Cells in rows and columns, the first `marked` of them filled, in a square of `edge` pixels. */
function cells(
  [left, top, edge]: readonly number[],
  [columns, rows]: readonly number[],
  isMarked: (column: number, row: number) => boolean,
): string {
  const [shownColumns, shownRows] = [Math.min(columns, most), Math.min(rows, most)];
  const side = Math.min(edge / Math.max(shownColumns, shownRows), 22);
  const drawn: string[] = [];
  for (let row = 0; row < shownRows; row++)
    for (let column = 0; column < shownColumns; column++) {
      const fill = isMarked(column, row) ? accent : "none";
      drawn.push(
        `<rect x="${(left + column * side).toFixed(1)}" y="${(top + row * side).toFixed(1)}" width="${side.toFixed(1)}" height="${side.toFixed(1)}" fill="${fill}" fill-opacity="0.75" stroke="${soft}" stroke-width="0.7"/>`,
      );
    }
  if (columns > most) drawn.push(text(left + shownColumns * side + 3, top + side, "…", soft));
  if (rows > most) drawn.push(text(left, top + shownRows * side + 10, "⋮", soft));
  return drawn.join("");
}

/** Outputs of one invocation as columns and rows: by fours on a flat grid, whose vectors have four lanes. */
export function tileSides({ tile }: Placement): [number, number] {
  if (!("outputs" in tile)) return [tile.columns, tile.rows];
  const across = tile.outputs % 4 === 0 ? 4 : 1;
  return [across, tile.outputs / across];
}

/** The grid of workgroups, one workgroup of it and one invocation of that, side by side. */
export function threadDrawing(use: Placement): string {
  const { call, workgroup, output, tile } = use;
  const [x, y, z] = call.grid;
  const [columns, rows] = tileSides(use);
  const edge = 176;
  const lefts = [8, 248, 488];
  const top = 46;
  const isFirst = (column: number, row: number): boolean => column + row === 0;
  const outputs = "outputs" in tile ? `${tile.outputs}` : `${tile.rows} × ${tile.columns}`;
  // A workgroup in one line is folded, or it would be drawn too thin to count.
  const folded: [number, number] =
    workgroup[1] === 1 && workgroup[0] > most ? [most, Math.ceil(workgroup[0] / most)] : [workgroup[0], workgroup[1]];
  const flat: [number, number] = y === 1 && x > most ? [most, Math.ceil(x / most)] : [x, y];
  const titles: readonly (readonly [string, string])[] = [
    [`${x} × ${y}${z > 1 ? ` × ${z}` : ""} workgroups`, `write ${formatShape(output)}`],
    [`${workgroup[0]} × ${workgroup[1]} invocations`, "in each workgroup"],
    [`${outputs} ${outputs === "1" ? "output" : "outputs"}`, "of one invocation"],
  ];
  const grids: readonly (readonly [readonly number[], (column: number, row: number) => boolean])[] = [
    [flat, isFirst],
    [folded, isFirst],
    [[columns, rows], () => true],
  ];
  return svg(720, top + edge + 20, `${call.shader.name}.${call.entryPoint}: ${titles.flat().join(", ")}`, [
    ...titles.map(([first, second], index) => text(lefts[index], 16, first) + text(lefts[index], 33, second, soft)),
    ...grids.map(([sides, isMarked], index) => cells([lefts[index], top, edge], sides, isMarked)),
    text(222, top + 40, "→", soft),
    text(462, top + 40, "→", soft),
  ]);
}

/** Values as boxes: steps of the plan along x, bytes of each slab along y. */
export function slabDrawing(slabs: readonly number[], uses: readonly SlabUse[], steps: number): string {
  const [left, width, height, gap] = [70, 640, 380, 26];
  const bytes = slabs.reduce((sum, slab) => sum + slab, 0);
  const scale = height / bytes;
  const tops = slabs.map(
    (_, index) => 30 + index * gap + slabs.slice(0, index).reduce((sum, slab) => sum + slab, 0) * scale,
  );
  const at = (step: number): number => left + (step / (steps + 1)) * width;
  const boxes = uses.map(({ slab, offset, bytes: size, from, to, name }) => {
    const [x, y] = [at(from), tops[slab] + offset * scale];
    return `<rect x="${x.toFixed(1)}" y="${y.toFixed(1)}" width="${(at(to + 1) - x).toFixed(1)}" height="${Math.max(size * scale, 0.6).toFixed(1)}" fill="${accent}" fill-opacity="0.35" stroke="${accent}" stroke-width="0.7"><title>${escapeHtml(`${name}: ${(size / 2 ** 20).toFixed(2)} MiB, steps ${from} to ${to}`)}</title></rect>`;
  });
  const frames = slabs.map((slab, index) => [
    `<rect x="${left}" y="${tops[index].toFixed(1)}" width="${width}" height="${(slab * scale).toFixed(1)}" fill="none" stroke="${line}"/>`,
    text(left - 8, tops[index] + Math.max((slab * scale) / 2, 6), `slab ${index}`, ink, "end"),
    text(
      left - 8,
      tops[index] + Math.max((slab * scale) / 2, 6) + 15,
      `${(slab / 2 ** 20).toFixed(2)} MiB`,
      soft,
      "end",
    ),
  ]);
  const bottom = 30 + height + gap * (slabs.length - 1);
  const ticks = Array.from({ length: Math.floor(steps / 10) + 1 }, (_, index) => index * 10);
  return svg(720, bottom + 44, `${uses.length} values in ${slabs.length} slabs over ${steps} steps`, [
    ...frames.flat(),
    ...boxes,
    ...ticks.map((step) => text(at(step), bottom + 17, String(step), soft, "middle")),
    text(left + width / 2, bottom + 36, "dispatch", ink, "middle"),
  ]);
}
