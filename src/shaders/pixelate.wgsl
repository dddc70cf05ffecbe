// Pixelation of images, NHWC: the image is cut into `rows` × `columns` cells, and every pixel gets the mean of its cell.
//   cell of pixel i along a side of `length` pixels in `cells` parts:  ⌊(2i + 1) · cells / (2 · length)⌋
//   y[n, i, j, c] = mean of x[n, p, q, c] over the pixels (p, q) of the cell of (i, j), row by row
// A pixel belongs to the cell that holds its centre, so cells differ by a pixel where the sizes do not divide.
// One invocation per element. Bytes: 8 per element. FLOPs: one per pixel of a cell.

struct Params {
  count: u32,
  height: u32, width: u32, channels: u32,
  rows: u32, columns: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

fn cellOf(place: u32, length: u32, cells: u32) -> u32 {
  return (2u * place + 1u) * cells / (2u * length);
}

// The first pixel of a cell: the smallest i with (2i + 1) · cells ≥ 2 · length · cell.
fn firstOf(cell: u32, length: u32, cells: u32) -> u32 {
  let edge = 2u * length * cell;
  return select((edge - cells + 2u * cells - 1u) / (2u * cells), 0u, edge <= cells);
}

@compute @workgroup_size(WORKGROUP)
fn pixelate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let pixel = at / params.channels;
  let column = cellOf(pixel % params.width, params.width, params.columns);
  let row = cellOf(pixel / params.width % params.height, params.height, params.rows);
  let image = pixel / params.width / params.height;
  let left = firstOf(column, params.width, params.columns);
  let right = firstOf(column + 1u, params.width, params.columns);
  let top = firstOf(row, params.height, params.rows);
  let bottom = firstOf(row + 1u, params.height, params.rows);
  var total = 0.0;
  for (var p = top; p < bottom; p++) {
    for (var q = left; q < right; q++) {
      total += x[((image * params.height + p) * params.width + q) * params.channels + at % params.channels];
    }
  }
  y[at] = total / f32((bottom - top) * (right - left));
}
