/** Layouts of the peers that keep channels before rows. */
import type { Weights } from "./network.ts";

/** HWIO or HWC to [out, in / groups, h, w]. */
export function kernelChannelsFirst({ shape, data }: Weights): Weights {
  const [height, width, inner, outer] = shape.length === 4 ? shape : [shape[0], shape[1], 1, shape[2]];
  const turned = new Float32Array(data.length);
  const area = height * width;
  for (let at = 0; at < area; at++)
    for (let i = 0; i < inner; i++)
      for (let o = 0; o < outer; o++) turned[(o * inner + i) * area + at] = data[(at * inner + i) * outer + o];
  return { shape: [outer, inner, height, width], data: turned };
}

/** Images [N, H, W, 3] to [N, 3, H, W]. */
export const channelsFirst = (data: Float32Array, batch: number, size: number): Float32Array =>
  moved(data, batch, size * size, 3);

/** Images [N, 3, H, W] to [N, H, W, 3]. */
export const channelsLast = (data: Float32Array, batch: number, size: number): Float32Array =>
  moved(data, batch, 3, size * size);

/** [batch, rows, columns] to [batch, columns, rows]. */
function moved(data: Float32Array, batch: number, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let n = 0; n < batch; n++)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++)
        result[(n * columns + column) * rows + row] = data[(n * rows + row) * columns + column];
  return result;
}
