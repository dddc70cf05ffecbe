// Small filters of images, NHWC; pixels beyond the border repeat the border's. One invocation per pixel, which comes from the grid:
// whole-number division is slow where a CPU does the work.
//   line:      y[n, p, c] = Σ_k weights[n, k] · x[n, p + (k − r)·direction, c]     taps = 2r + 1 along rows or columns
//   sharpen:   y = clip(x + a[n]·(x − s)),  s = (Σ of the 3 × 3 neighbours + 4·x) / 13     a = 0 nothing, −1 smooth, 1 sharp
// A Gaussian blur is two lines. Bytes: 8 per element. FLOPs: line 2 per tap, sharpen 14.

struct Params {
  samples: u32, height: u32, width: u32, channels: u32,
  taps: u32,
  isVertical: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>; // the amounts of sharpen
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Pixels of a workgroup.
override COLUMNS: u32 = 16;
override ROWS: u32 = 4;

// Where the first channel of a pixel lies, with row and column brought to the border.
fn startOf(image: u32, row: i32, column: i32) -> u32 {
  let inside = vec2u(clamp(vec2i(row, column), vec2i(0), vec2i(i32(params.height) - 1, i32(params.width) - 1)));
  return ((image * params.height + inside.x) * params.width + inside.y) * params.channels;
}

fn isOutside(id: vec3u) -> bool {
  return id.x >= params.width || id.y >= params.height || id.z >= params.samples;
}

@compute @workgroup_size(COLUMNS, ROWS)
fn line(@builtin(global_invocation_id) id: vec3u) {
  if (isOutside(id)) { return; }
  let at = startOf(id.z, i32(id.y), i32(id.x));
  let direction = select(vec2i(0, 1), vec2i(1, 0), params.isVertical == 1u);
  let radius = i32(params.taps / 2u);
  for (var c = 0u; c < params.channels; c++) {
    var total = 0.0;
    for (var k = 0; k < i32(params.taps); k++) {
      let weight = weights[id.z * params.taps + u32(k)];
      let place = vec2i(i32(id.y), i32(id.x)) + (k - radius) * direction;
      // A pixel without weight is left out, so that its NaN or infinity stays where it is. Bits tell: a NaN compares as it likes.
      if ((bitcast<u32>(weight) << 1u) != 0u) { total += weight * x[startOf(id.z, place.x, place.y) + c]; }
    }
    y[at + c] = total;
  }
}

@compute @workgroup_size(COLUMNS, ROWS)
fn sharpen(@builtin(global_invocation_id) id: vec3u) {
  if (isOutside(id)) { return; }
  let at = startOf(id.z, i32(id.y), i32(id.x));
  let amount = weights[id.z];
  for (var c = 0u; c < params.channels; c++) {
    let centre = x[at + c];
    if ((bitcast<u32>(amount) << 1u) == 0u) {
      y[at + c] = centre;
      continue;
    }
    var sum = 4.0 * centre;
    for (var down = -1; down <= 1; down++) {
      for (var right = -1; right <= 1; right++) { sum += x[startOf(id.z, i32(id.y) + down, i32(id.x) + right) + c]; }
    }
    let value = centre + amount * (centre - sum / 13.0);
    let isNan = (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
    y[at + c] = select(clamp(value, 0.0, 255.0), value, isNan);
  }
}
