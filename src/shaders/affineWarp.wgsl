// Geometric warp of images, NHWC, by a projective matrix per image that maps output pixels to input positions:
//   y[n, oy, ox, c] = x[n, v, u, c]   at   u = (m0·ox + m1·oy + m2) / d,   v = (m3·ox + m4·oy + m5) / d,   d = m6·ox + m7·oy + 1
// A position outside the image is folded before it is interpolated (sizes are those of one side):
//   reflect   d c b a | a b c d | d c b a     wrap   a b c d | a b c d | a b c d     nearest   a a a a | a b c d | d d d d
//   constant  is not folded: pixels outside count as `fillValue`, also as neighbours of pixels inside.
// A position without a finite value, or beyond 2^24 pixels, gives `fillValue`.
//   warp      one matrix per image; one invocation per column and run of rows
//   average   Σ_k w_k · warp_k(x) over a path of `steps` matrices per image, nine numbers each, the last the weight w_k:
//             translations give motion blur, zooms zoom blur. A matrix of weight 0 is left out. One invocation per pixel.
//   displace  u = ox + d[n, oy, ox, 0],  v = oy + d[n, oy, ox, 1]: `matrix` holds the displacement d, in pixels
// Bytes at least: both tensors once. FLOPs: 20 per pixel and 8 per element.
// Gain: a run of rows an invocation takes 2.8 times as long as copying the bytes, one row 5.7 times (lavapipe, docs/decisions/045).

struct Params {
  samples: u32,
  height: u32, width: u32,
  outHeight: u32, outWidth: u32,
  fillValue: f32,
  steps: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> matrix: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Pixels of a workgroup.
override COLUMNS: u32 = 16;
override ROWS: u32 = 4;
override CHANNELS: u32 = 3;
// 0 reflect, 1 nearest, 2 constant, 3 wrap.
override FILL: u32 = 0;
// Rows of the output that one invocation does.
override ROWS_EACH: u32 = 4;
// 1 takes the nearest pixel instead of interpolating.
override NEAREST: u32 = 0;

// Reflection about −1/2 and size − 1/2, whichever way the position left.
fn reflected(position: f32, size: f32) -> f32 {
  let period = 2.0 * size;
  let shifted = position + 0.5;
  let near = shifted - period * floor(shifted * (1.0 / period));
  return min(near, period - near) - 0.5;
}

// Its period is `size`, but the number of periods is counted in steps of size − 1: the rule of TensorFlow's kernel.
fn wrapped(position: f32, size: f32) -> f32 {
  if (position < 0.0) { return position + size * (trunc(-position / (size - 1.0)) + 1.0); }
  if (position > size - 1.0) { return position - size * trunc(position / (size - 1.0)); }
  return position;
}

fn folded(position: f32, length: u32) -> f32 {
  let size = f32(length);
  if (FILL == 2u) { return position; }
  if (length == 1u) { return 0.0; }
  var inside = position;
  if (FILL == 0u) { inside = reflected(position, size); }
  if (FILL == 3u) { inside = wrapped(position, size); }
  return clamp(inside, 0.0, size - 1.0);
}

// False for NaN and infinities too: their bits lie above those of 2^24.
fn isUsable(position: f32) -> bool {
  return (bitcast<u32>(position) & 0x7fffffffu) < 0x4b800000u;
}

// Two neighbours along one side: their lines clamped into the image, and whether they were inside.
struct Pair {
  lines: vec2u,
  inside: vec2<bool>,
  fraction: f32,
}

fn neighbours(position: f32, length: u32) -> Pair {
  let below = floor(position);
  // A folded position is inside, and at the last line its second neighbour has no weight.
  if (FILL != 2u) {
    let lower = u32(below);
    return Pair(vec2u(lower, min(lower + 1u, length - 1u)), vec2(true), position - below);
  }
  let wanted = vec2i(i32(below), i32(below) + 1);
  let found = clamp(wanted, vec2i(0), vec2i(i32(length) - 1));
  return Pair(vec2u(found), wanted == found, position - below);
}

fn colourAt(start: u32, c: u32, isInside: bool) -> f32 {
  if (FILL != 2u) { return x[start + c]; }
  return select(params.fillValue, x[start + c], isInside);
}

// Both weights explicit; a pixel without weight is left out, so that its NaN or infinity stays where it is.
fn interpolate(a: f32, b: f32, fraction: f32) -> f32 {
  return select(a * (1.0 - fraction) + b * fraction, a, fraction == 0.0);
}

// Halves away from zero, as TensorFlow's kernel: with `constant` a position of −1/2 lies outside.
fn rounded(position: f32) -> f32 {
  return select(floor(position + 0.5), ceil(position - 0.5), position < 0.0);
}

// Writes one pixel: the colour at (u, v), or the fill value where that is no usable position.
fn writePixel(to: u32, u: f32, v: f32, isPosition: bool, firstRow: u32) {
  var column = folded(select(0.0, u, isPosition), params.width);
  var row = folded(select(0.0, v, isPosition), params.height);
  if (NEAREST == 1u) {
    column = rounded(column);
    row = rounded(row);
  }
  let across = neighbours(column, params.width);
  let down = neighbours(row, params.height);
  let rows = (vec2u(firstRow) + down.lines) * params.width;
  let above = (vec2u(rows.x) + across.lines) * CHANNELS;
  let below = (vec2u(rows.y) + across.lines) * CHANNELS;
  for (var c = 0u; c < CHANNELS; c++) {
    var value = colourAt(above.x, c, across.inside.x && down.inside.x);
    if (NEAREST == 0u) {
      let first = interpolate(value, colourAt(above.y, c, across.inside.y && down.inside.x), across.fraction);
      let second = interpolate(
        colourAt(below.x, c, across.inside.x && down.inside.y),
        colourAt(below.y, c, across.inside.y && down.inside.y),
        across.fraction,
      );
      value = interpolate(first, second, down.fraction);
    }
    y[to + c] = select(params.fillValue, value, isPosition);
  }
}

// Image, row and column come from the grid: whole-number division is slow where a CPU does the work. Several rows share the
// reading of the matrix, and nothing branches: a driver may run both sides for every pixel.
@compute @workgroup_size(COLUMNS, ROWS)
fn warp(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.outWidth || id.z >= params.samples) { return; }
  let m = 8u * id.z;
  let ox = f32(id.x);
  let alongX = vec3f(matrix[m], matrix[m + 3u], matrix[m + 6u]) * ox;
  let perRow = vec3f(matrix[m + 1u], matrix[m + 4u], matrix[m + 7u]);
  let origin = vec3f(matrix[m + 2u], matrix[m + 5u], 1.0);
  let end = min((id.y + 1u) * ROWS_EACH, params.outHeight);
  for (var row = id.y * ROWS_EACH; row < end; row++) {
    let at = alongX + perRow * f32(row) + origin;
    let u = at.x / at.z;
    let v = at.y / at.z;
    let to = ((id.z * params.outHeight + row) * params.outWidth + id.x) * CHANNELS;
    writePixel(to, u, v, at.z != 0.0 && isUsable(u) && isUsable(v), id.z * params.height);
  }
}

// One channel at a position, bilinear.
fn sampled(image: u32, u: f32, v: f32, c: u32) -> f32 {
  if (!isUsable(u) || !isUsable(v)) { return params.fillValue; }
  let across = neighbours(folded(u, params.width), params.width);
  let down = neighbours(folded(v, params.height), params.height);
  let rows = (vec2u(image * params.height) + down.lines) * params.width;
  let above = (vec2u(rows.x) + across.lines) * CHANNELS;
  let below = (vec2u(rows.y) + across.lines) * CHANNELS;
  let first = interpolate(
    colourAt(above.x, c, across.inside.x && down.inside.x),
    colourAt(above.y, c, across.inside.y && down.inside.x),
    across.fraction,
  );
  let second = interpolate(
    colourAt(below.x, c, across.inside.x && down.inside.y),
    colourAt(below.y, c, across.inside.y && down.inside.y),
    across.fraction,
  );
  return interpolate(first, second, down.fraction);
}

@compute @workgroup_size(COLUMNS, ROWS)
fn average(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.outWidth || id.y >= params.outHeight || id.z >= params.samples) { return; }
  let to = ((id.z * params.outHeight + id.y) * params.outWidth + id.x) * CHANNELS;
  let ox = f32(id.x);
  let oy = f32(id.y);
  for (var c = 0u; c < CHANNELS; c++) {
    var total = 0.0;
    for (var k = 0u; k < params.steps; k++) {
      let m = 9u * (id.z * params.steps + k);
      let weight = matrix[m + 8u];
      if ((bitcast<u32>(weight) << 1u) == 0u) { continue; }
      let divisor = matrix[m + 6u] * ox + matrix[m + 7u] * oy + 1.0;
      let u = (matrix[m] * ox + matrix[m + 1u] * oy + matrix[m + 2u]) / divisor;
      let v = (matrix[m + 3u] * ox + matrix[m + 4u] * oy + matrix[m + 5u]) / divisor;
      if (divisor == 0.0) { total += weight * params.fillValue; } else { total += weight * sampled(id.z, u, v, c); }
    }
    y[to + c] = total;
  }
}

@compute @workgroup_size(COLUMNS, ROWS)
fn displace(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.outWidth || id.y >= params.outHeight || id.z >= params.samples) { return; }
  let pixel = (id.z * params.outHeight + id.y) * params.outWidth + id.x;
  let u = f32(id.x) + matrix[2u * pixel];
  let v = f32(id.y) + matrix[2u * pixel + 1u];
  for (var c = 0u; c < CHANNELS; c++) { y[pixel * CHANNELS + c] = sampled(id.z, u, v, c); }
}
