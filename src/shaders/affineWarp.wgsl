// Geometric warp of images, NHWC, by a projective matrix per image that maps output pixels to input positions:
//   y[n, oy, ox, c] = x[n, v, u, c]   at   u = (m0·ox + m1·oy + m2) / d,   v = (m3·ox + m4·oy + m5) / d,   d = m6·ox + m7·oy + 1
// A position outside the image is folded before it is interpolated (sizes are those of one side):
//   reflect   d c b a | a b c d | d c b a     wrap   a b c d | a b c d | a b c d     nearest   a a a a | a b c d | d d d d
//   constant  is not folded: pixels outside count as `fillValue`, also as neighbours of pixels inside.
// A position without a finite value, or beyond 2^24 pixels, gives `fillValue`. One invocation per output pixel, all channels.
//   warp      one matrix per image
//   average   Σ_k w_k · warp_k(x) over a path of `steps` matrices per image, nine numbers each, the last the weight w_k:
//             translations give motion blur, zooms zoom blur. A matrix of weight 0 is left out.
//   displace  u = ox + d[n, oy, ox, 0],  v = oy + d[n, oy, ox, 1]: `matrix` holds the displacement d, in pixels
// Bytes at least: both tensors once. FLOPs: 20 per pixel and 8 per element.

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
// 1 takes the nearest pixel instead of interpolating.
override NEAREST: u32 = 0;

fn reflected(position: f32, size: f32) -> f32 {
  let period = 2.0 * size;
  if (position < 0.0) {
    let near = position + period * trunc(-position / period);
    return select(-near - 1.0, near + period, near < -size);
  }
  if (position > size - 1.0) {
    let near = position - period * trunc(position / period);
    return select(near, period - near - 1.0, near >= size);
  }
  return position;
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

// One neighbour: where its first channel lies, clamped into the image, and whether it is there.
struct Tap {
  start: u32,
  isInside: bool,
}

fn tap(image: u32, row: i32, column: i32) -> Tap {
  let inside = vec2i(clamp(column, 0, i32(params.width) - 1), clamp(row, 0, i32(params.height) - 1));
  let start = ((image * params.height + u32(inside.y)) * params.width + u32(inside.x)) * CHANNELS;
  return Tap(start, inside.x == column && inside.y == row);
}

fn valueAt(at: Tap, c: u32) -> f32 {
  return select(params.fillValue, x[at.start + c], at.isInside);
}

// Both weights explicit; a pixel without weight is left out, so that its NaN or infinity stays where it is.
fn interpolate(a: f32, b: f32, fraction: f32) -> f32 {
  return select(a * (1.0 - fraction) + b * fraction, a, fraction == 0.0);
}

// Image, row and column come from the grid: whole-number division is slow where a CPU does the work.
@compute @workgroup_size(COLUMNS, ROWS)
fn warp(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.outWidth || id.y >= params.outHeight || id.z >= params.samples) { return; }
  let image = id.z;
  let to = ((image * params.outHeight + id.y) * params.outWidth + id.x) * CHANNELS;
  let ox = f32(id.x);
  let oy = f32(id.y);
  let m = 8u * image;
  let divisor = matrix[m + 6u] * ox + matrix[m + 7u] * oy + 1.0;
  let u = (matrix[m] * ox + matrix[m + 1u] * oy + matrix[m + 2u]) / divisor;
  let v = (matrix[m + 3u] * ox + matrix[m + 4u] * oy + matrix[m + 5u]) / divisor;
  if (divisor == 0.0 || !isUsable(u) || !isUsable(v)) {
    for (var c = 0u; c < CHANNELS; c++) { y[to + c] = params.fillValue; }
    return;
  }
  let column = folded(u, params.width);
  let row = folded(v, params.height);
  if (NEAREST == 1u) {
    let nearest = tap(image, i32(floor(row + 0.5)), i32(floor(column + 0.5)));
    for (var c = 0u; c < CHANNELS; c++) { y[to + c] = valueAt(nearest, c); }
    return;
  }
  let left = i32(floor(column));
  let above = i32(floor(row));
  let across = column - floor(column);
  let down = row - floor(row);
  let upperLeft = tap(image, above, left);
  let upperRight = tap(image, above, left + 1);
  let lowerLeft = tap(image, above + 1, left);
  let lowerRight = tap(image, above + 1, left + 1);
  for (var c = 0u; c < CHANNELS; c++) {
    let first = interpolate(valueAt(upperLeft, c), valueAt(upperRight, c), across);
    let second = interpolate(valueAt(lowerLeft, c), valueAt(lowerRight, c), across);
    y[to + c] = interpolate(first, second, down);
  }
}

// One channel at a position, bilinear.
fn sampled(image: u32, u: f32, v: f32, c: u32) -> f32 {
  if (!isUsable(u) || !isUsable(v)) { return params.fillValue; }
  let column = folded(u, params.width);
  let row = folded(v, params.height);
  let left = i32(floor(column));
  let above = i32(floor(row));
  let across = column - floor(column);
  let first = interpolate(valueAt(tap(image, above, left), c), valueAt(tap(image, above, left + 1), c), across);
  let second = interpolate(valueAt(tap(image, above + 1, left), c), valueAt(tap(image, above + 1, left + 1), c), across);
  return interpolate(first, second, row - floor(row));
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
