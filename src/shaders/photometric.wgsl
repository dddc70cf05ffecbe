// Point operations on RGB images of 0 to 255: each image has a program of K steps (code, amount), applied in order to each pixel.
//   0 nothing       1 brightness  clip(x + a)          2 contrast  clip((x − μ)·a + μ), μ per image and channel
//   3 saturation    clip(g + (x − g)·a), g the grey    4 hue       turned by a whole turns × a in HSV, a in [−1, 1]
//   5 greyscale     x + (g − x)·a                      6 posterise the upper a bits of floor(x)
//   7 solarise      255 − x where x ≥ a            8 saturation of HSV  v − (v − x)·a, v the largest channel; not clipped
// with g = 0.2989·r + 0.587·g + 0.114·b. One invocation per pixel; x is read and y written once whatever K is.
//   apply: without means (contrast turns about 0);   applyAbout: μ from `means`, which are those of x, so contrast comes first.
// Bytes: 24 per pixel. FLOPs: about 20 per pixel and step.

struct Params {
  samples: u32, height: u32, width: u32,
  steps: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> program: array<f32>;
@group(0) @binding(3) var<storage, read> means: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// Pixels of a workgroup; image, row and column come from the grid.
override COLUMNS: u32 = 16;
override ROWS: u32 = 4;
// Bit c is set when programs may have code c. The others are compiled out: a driver may run every branch for every pixel.
override CODES: u32 = 511;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// A NaN made of the bits of a NaN or of an infinity; `value - value` is 0 for some compilers.
fn notNumber(value: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(value) | 0x7fc00000u);
}

// Clamping drops a NaN on some drivers.
fn clip(value: vec3f) -> vec3f {
  let inside = clamp(value, vec3f(0.0), vec3f(255.0));
  return vec3f(
    select(inside.x, value.x, isNan(value.x)),
    select(inside.y, value.y, isNan(value.y)),
    select(inside.z, value.z, isNan(value.z)),
  );
}

fn grey(rgb: vec3f) -> f32 {
  return 0.2989 * rgb.x + 0.587 * rgb.y + 0.114 * rgb.z;
}

// In turns, from 0; a colour without chroma has none and keeps it whatever is added.
fn hueOf(rgb: vec3f, highest: f32, chroma: f32) -> f32 {
  if (highest == rgb.x) { return (rgb.y - rgb.z) / chroma / 6.0; }
  if (highest == rgb.y) { return ((rgb.z - rgb.x) / chroma + 2.0) / 6.0; }
  return ((rgb.x - rgb.y) / chroma + 4.0) / 6.0;
}

// The share of chroma that a channel `offset` sixths before red has at this hue (Smith 1978).
fn share(hue: f32, offset: f32) -> f32 {
  let k = offset + 6.0 * hue;
  let place = k - 6.0 * floor(k / 6.0);
  return clamp(min(place, 4.0 - place), 0.0, 1.0);
}

fn turnHue(rgb: vec3f, turns: f32) -> vec3f {
  // max and min drop a NaN on some drivers; a colour with one has no hue to turn.
  if (isNan(rgb.x) || isNan(rgb.y) || isNan(rgb.z)) { return rgb; }
  let highest = max(rgb.x, max(rgb.y, rgb.z));
  let chroma = highest - min(rgb.x, min(rgb.y, rgb.z));
  if (!(chroma > 0.0)) { return rgb; }
  // A turn that is no number gives no number: the clamps below would hide it.
  if ((bitcast<u32>(turns) & 0x7fffffffu) >= 0x7f800000u) { return vec3f(notNumber(turns)); }
  let hue = hueOf(rgb, highest, chroma) + turns;
  return vec3f(highest) - chroma * vec3f(share(hue, 5.0), share(hue, 3.0), share(hue, 1.0));
}

fn saturateHsv(rgb: vec3f, amount: f32) -> vec3f {
  // max drops a NaN on some drivers; a colour with one has no saturation to change.
  if (isNan(rgb.x) || isNan(rgb.y) || isNan(rgb.z)) { return rgb; }
  let value = vec3f(max(rgb.x, max(rgb.y, rgb.z)));
  return value - (value - rgb) * amount;
}

fn has(code: u32) -> bool {
  return (CODES & (1u << code)) != 0u;
}

fn applyStep(rgb: vec3f, code: u32, amount: f32, mean: vec3f) -> vec3f {
  if (has(1u) && code == 1u) { return clip(rgb + amount); }
  if (has(2u) && code == 2u) { return clip((rgb - mean) * amount + mean); }
  if (has(3u) && code == 3u) { return clip(grey(rgb) + (rgb - grey(rgb)) * amount); }
  if (has(4u) && code == 4u) { return turnHue(rgb, amount); }
  if (has(5u) && code == 5u) { return rgb + (grey(rgb) - rgb) * amount; }
  if (has(6u) && code == 6u) {
    // No whole number of bits can be made of a NaN or of −∞.
    if (isNan(amount) || amount < -3e38) { return vec3f(notNumber(amount)); }
    let size = f32(1u << (8u - min(u32(amount), 8u)));
    return floor(rgb / size) * size;
  }
  if (has(7u) && code == 7u) { return select(rgb, 255.0 - rgb, rgb >= vec3f(amount)); }
  if (has(8u) && code == 8u) { return saturateHsv(rgb, amount); }
  return rgb;
}

fn run(id: vec3u, mean: vec3f) {
  let at = 3u * ((id.z * params.height + id.y) * params.width + id.x);
  var rgb = vec3f(x[at], x[at + 1u], x[at + 2u]);
  let first = 2u * params.steps * id.z;
  for (var k = 0u; k < params.steps; k++) {
    rgb = applyStep(rgb, u32(program[first + 2u * k]), program[first + 2u * k + 1u], mean);
  }
  y[at] = rgb.x;
  y[at + 1u] = rgb.y;
  y[at + 2u] = rgb.z;
}

@compute @workgroup_size(COLUMNS, ROWS)
fn apply(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width || id.y >= params.height || id.z >= params.samples) { return; }
  run(id, vec3f(0.0));
}

@compute @workgroup_size(COLUMNS, ROWS)
fn applyAbout(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width || id.y >= params.height || id.z >= params.samples) { return; }
  run(id, vec3f(means[3u * id.z], means[3u * id.z + 1u], means[3u * id.z + 2u]));
}
