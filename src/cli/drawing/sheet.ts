import type { Image } from "../../data/images.ts";
import { eachDot, letterHeight, letterWidth } from "./font.ts";

/** An image of a contact sheet with the words below it. */
export interface Cell {
  readonly image: Image;
  readonly label: string;
}

/** A row of cells; the title stands on a line of its own above it. */
export interface SheetRow {
  readonly title?: string;
  readonly cells: readonly Cell[];
}

const gap = 6;
const ink = 40;

function paste(sheet: Image, { width, height, data }: Image, left: number, top: number): void {
  for (let y = 0; y < height; y++)
    sheet.data.set(data.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * sheet.width + left) * 3);
}

function write(sheet: Image, text: string, left: number, top: number, scale: number): void {
  eachDot(text, (x, y) => {
    for (let down = 0; down < scale; down++) {
      const from = ((top + y * scale + down) * sheet.width + left + x * scale) * 3;
      if (left + (x + 1) * scale <= sheet.width) sheet.data.fill(ink, from, from + 3 * scale);
    }
  });
}

/** The largest size of letters, 1 or 2 dots a pixel, at which the text fits. */
const scaleFor = (text: string, width: number): number => (text.length * letterWidth * 2 <= width ? 2 : 1);

/** From the top of a line of small letters to that of the next; two fit where one of large letters does. */
const smallLine = letterHeight + 2;

/** Words on one line, or on two where they do not fit; what is longer than a line is cut off. */
function linesOf(text: string, letters: number): string[] {
  if (text.length <= letters) return [text];
  const end = text.lastIndexOf(" ", letters);
  const lines = end > 0 ? [text.slice(0, end), text.slice(end + 1)] : [text];
  return lines.map((line) => line.slice(0, letters));
}

/** Rows of images on white with labels below and titles above. All images of a sheet have one size. */
export function drawSheet(rows: readonly SheetRow[]): Image {
  const { width: cellWidth, height: cellHeight } = rows[0].cells[0].image;
  const labelled = rows.some(({ cells }) => cells.some(({ label }) => label !== ""));
  const line = 2 * letterHeight + gap;
  const heightOf = ({ title }: SheetRow): number => (title ? line + gap : 0) + cellHeight + (labelled ? line : 0) + gap;
  const width = gap + Math.max(...rows.map(({ cells }) => cells.length)) * (cellWidth + gap);
  const height = gap + rows.reduce((sum, row) => sum + heightOf(row), 0);
  const sheet: Image = { width, height, data: new Uint8Array(width * height * 3).fill(255) };
  let top = gap;
  for (const row of rows) {
    let below = top;
    if (row.title) {
      const scale = scaleFor(row.title, width - 2 * gap);
      linesOf(row.title, Math.floor((width - 2 * gap) / (letterWidth * scale))).forEach((text, place) => {
        write(sheet, text, gap, top + gap + place * smallLine, scale);
      });
      below += line + gap;
    }
    const scale = Math.min(...row.cells.map(({ label }) => scaleFor(label, cellWidth)));
    row.cells.forEach(({ image, label }, column) => {
      const left = gap + column * (cellWidth + gap);
      paste(sheet, image, left, below);
      linesOf(label, Math.floor(cellWidth / (letterWidth * scale))).forEach((text, place) => {
        const indent = Math.floor((cellWidth - text.length * letterWidth * scale) / 2);
        write(sheet, text, left + indent, below + cellHeight + Math.floor(gap / 2) + place * smallLine, scale);
      });
    });
    top += heightOf(row);
  }
  return sheet;
}
