// Bilinear resizing, NHWC, half-pixel centres, no antialias, clamped at the border (tf.image.resize).
// Output position o lies at (o + 1/2)·size/outSize − 1/2 = numerator / (2·outSize) in the input: whole numbers, so the weights
// carry no rounding of coordinates.
//   resize:       y[n, oy, ox, c] = Σ_iy Σ_ix weight(oy, iy) · weight(ox, ix) · x[n, iy, ix, c]      over 2 × 2 pixels
//   transposed:   dx[n, iy, ix, c] = Σ_oy Σ_ox weight(oy, iy) · weight(ox, ix) · dy[n, oy, ox, c]    over the outputs near (iy, ix)
// One invocation per written element; channels are innermost; the transpose gathers, in order, without atomics.
// Bytes at least: both tensors once. FLOPs: 8 per output; transposed about 3 per output near the pixel.

struct Params {
  count: u32, // elements of the tensor that is written
  height: u32, width: u32, channels: u32,
  outHeight: u32, outWidth: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // dy of the transpose
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

struct Taps {
  lower: u32,
  upper: u32,
  fraction: f32, // weight of the upper one
}

fn taps(o: u32, size: u32, outSize: u32) -> Taps {
  let numerator = i32((2u * o + 1u) * size) - i32(outSize);
  let position = u32(max(numerator, 0));
  let lower = position / (2u * outSize);
  return Taps(lower, min(lower + 1u, size - 1u), f32(position % (2u * outSize)) / f32(2u * outSize));
}

@compute @workgroup_size(WORKGROUP)
fn resize(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let c = at % params.channels;
  let pixel = at / params.channels;
  let rows = taps(pixel / params.outWidth % params.outHeight, params.height, params.outHeight);
  let columns = taps(pixel % params.outWidth, params.width, params.outWidth);
  let image = pixel / params.outWidth / params.outHeight * params.height;
  let above = (image + rows.lower) * params.width;
  let below = (image + rows.upper) * params.width;
  let first = interpolate(x[(above + columns.lower) * params.channels + c], x[(above + columns.upper) * params.channels + c], columns.fraction);
  let second = interpolate(x[(below + columns.lower) * params.channels + c], x[(below + columns.upper) * params.channels + c], columns.fraction);
  y[at] = interpolate(first, second, rows.fraction);
}

// Both weights explicit; a pixel without weight is left out, so that its NaN or infinity stays where it is.
fn interpolate(a: f32, b: f32, fraction: f32) -> f32 {
  return select(a * (1.0 - fraction) + b * fraction, a, fraction == 0.0);
}

// What a value of an output gives to input i, which is its lower or upper tap, both at the border, or neither.
fn share(at: Taps, i: u32, value: f32) -> f32 {
  let lower = select(0.0, (1.0 - at.fraction) * value, at.lower == i);
  return lower + select(0.0, at.fraction * value, at.upper == i && at.fraction > 0.0);
}

// Outputs outside this range have no part in input i: those whose position is not in (i − 1, i + 1), or beyond the border.
fn firstOutput(i: u32, size: u32, outSize: u32) -> u32 {
  if (i == 0u) { return 0u; }
  let bound = (2u * i - 1u) * outSize / size / 2u;
  return max(bound, 1u) - 1u;
}

fn lastOutput(i: u32, size: u32, outSize: u32) -> u32 {
  return min((2u * i + 3u) * outSize / size / 2u + 1u, outSize - 1u);
}

@compute @workgroup_size(WORKGROUP)
fn transposed(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let c = at % params.channels;
  let pixel = at / params.channels;
  let ix = pixel % params.width;
  let iy = pixel / params.width % params.height;
  let image = pixel / params.width / params.height * params.outHeight;
  let firstX = firstOutput(ix, params.width, params.outWidth);
  let lastX = lastOutput(ix, params.width, params.outWidth);
  let lastY = lastOutput(iy, params.height, params.outHeight);
  var total = 0.0;
  for (var oy = firstOutput(iy, params.height, params.outHeight); oy <= lastY; oy++) {
    var row = 0.0;
    for (var ox = firstX; ox <= lastX; ox++) {
      let value = x[((image + oy) * params.outWidth + ox) * params.channels + c];
      row += share(taps(ox, params.width, params.outWidth), ix, value);
    }
    total += share(taps(oy, params.height, params.outHeight), iy, row);
  }
  y[at] = total;
}
