// Small filters of images, NHWC; pixels beyond the border repeat the border's. One invocation per element.
//   line:      y[n, p, c] = Σ_k weights[n, k] · x[n, p + (k − r)·direction, c]     taps = 2r + 1 along rows or columns
//   sharpen:   y = clip(x + a[n]·(x − s)),  s = (Σ of the 3 × 3 neighbours + 4·x) / 13     a = 0 nothing, −1 smooth, 1 sharp
//   square:    y[n, i, j, c] = Σ_kl weights[n, k, l] · x[n, i + k − r, j + l − r, c]     taps = 2r + 1 along each side
// A Gaussian blur is two lines, a defocus one square. Bytes: 8 per element. FLOPs: line 2 per tap, square 2 per tap², sharpen 14.

struct Params {
  count: u32,
  height: u32, width: u32, channels: u32,
  taps: u32,
  isVertical: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>; // the amounts of sharpen
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

struct Place {
  image: u32, row: i32, column: i32, channel: u32,
}

fn placeOf(at: u32) -> Place {
  let pixel = at / params.channels;
  let rows = pixel / params.width;
  return Place(rows / params.height, i32(rows % params.height), i32(pixel % params.width), at % params.channels);
}

fn pixelAt(place: Place, down: i32, right: i32) -> f32 {
  let row = u32(clamp(place.row + down, 0, i32(params.height) - 1));
  let column = u32(clamp(place.column + right, 0, i32(params.width) - 1));
  return x[((place.image * params.height + row) * params.width + column) * params.channels + place.channel];
}

@compute @workgroup_size(WORKGROUP)
fn line(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let place = placeOf(at);
  let down = i32(params.isVertical);
  let radius = i32(params.taps / 2u);
  var total = 0.0;
  for (var k = 0; k < i32(params.taps); k++) {
    let weight = weights[place.image * params.taps + u32(k)];
    // A pixel without weight is left out, so that its NaN or infinity stays where it is. Bits tell: a NaN compares as it likes.
    if ((bitcast<u32>(weight) << 1u) != 0u) { total += weight * pixelAt(place, (k - radius) * down, (k - radius) * (1 - down)); }
  }
  y[at] = total;
}

@compute @workgroup_size(WORKGROUP)
fn square(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let place = placeOf(at);
  let radius = i32(params.taps / 2u);
  var next = place.image * params.taps * params.taps;
  var total = 0.0;
  for (var down = -radius; down <= radius; down++) {
    for (var right = -radius; right <= radius; right++) {
      let weight = weights[next];
      if ((bitcast<u32>(weight) << 1u) != 0u) { total += weight * pixelAt(place, down, right); }
      next++;
    }
  }
  y[at] = total;
}

@compute @workgroup_size(WORKGROUP)
fn sharpen(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.count) { return; }
  let place = placeOf(at);
  let amount = weights[place.image];
  let centre = x[at];
  if ((bitcast<u32>(amount) << 1u) == 0u) {
    y[at] = centre;
    return;
  }
  var sum = 4.0 * centre;
  for (var down = -1; down <= 1; down++) {
    for (var right = -1; right <= 1; right++) { sum += pixelAt(place, down, right); }
  }
  let value = centre + amount * (centre - sum / 13.0);
  let isNan = (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
  y[at] = select(clamp(value, 0.0, 255.0), value, isNan);
}
