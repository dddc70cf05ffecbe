// Random numbers in images, NHWC, each at address[n] = (seed, stream, sample, op) with lane = the element's number in its image.
//   shot:      y = clip(255 / a · k),  k ~ Poisson(a · clip(x) / 255): a[n] photons at full brightness; a = 0 leaves the image
//   impulse:   y = 0 or 255 with probability a[n] / 2 each, else x
//   uniform:   y ~ U[0, 1)                                normal:   y ~ N(0, 1)
// k by inversion of the distribution function up to a mean of 32; above it k ≈ λ + √λ·z + (z² − 1) / 6, z standard normal
// (Cornish and Fisher 1938), which a byte does not tell from it. Normal numbers by Wichura's algorithm AS 241 (1988).
// One invocation per pixel. Bytes: 8 per element. FLOPs: about 20 per element, shot up to 100.
// The generator is that of random.wgsl, repeated because every file compiles alone.

struct Params {
  samples: u32, height: u32, width: u32, channels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> amount: array<f32>;
@group(0) @binding(3) var<storage, read> address: array<u32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

// Pixels of a workgroup; image, row and column come from the grid.
override COLUMNS: u32 = 16;
override ROWS: u32 = 4;

// The upper 32 bits of a 64-bit product, by halves of 16 bits: WGSL has no 64-bit integer.
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffffu;
  let aHigh = a >> 16u;
  let bLow = b & 0xffffu;
  let bHigh = b >> 16u;
  let cross = aHigh * bLow;
  // At most 2^32 − 1, so the sum cannot wrap.
  let middle = ((aLow * bLow) >> 16u) + (cross & 0xffffu) + aLow * bHigh;
  return aHigh * bHigh + (cross >> 16u) + (middle >> 16u);
}

fn philox4x32(start: vec4<u32>, startKey: vec2<u32>) -> vec4<u32> {
  var counter = start;
  var key = startKey;
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiplyHigh(0xd2511f53u, counter.x);
    let low0 = 0xd2511f53u * counter.x;
    let high1 = multiplyHigh(0xcd9e8d57u, counter.z);
    let low1 = 0xcd9e8d57u * counter.z;
    counter = vec4<u32>(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return counter;
}

fn randomBits(seed: u32, stream: u32, sample: u32, op: u32, lane: u32) -> u32 {
  return philox4x32(vec4<u32>(lane / 4u, 0u, op, sample), vec2<u32>(seed, stream))[lane % 4u];
}

// Φ⁻¹(p) for p in [2^-24, 1 − 2^-24]; the relative error is about 10^-7.
fn inverseNormal(p: f32) -> f32 {
  let q = p - 0.5;
  if (abs(q) <= 0.425) {
    let r = 0.180625 - q * q;
    let over = ((59.10937472 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179;
    return q * over / (((67.18756360 * r + 78.757757664) * r + 17.895169469) * r + 1.0);
  }
  let r = sqrt(-log(select(1.0 - p, p, q < 0.0))) - 1.6;
  let over = ((0.17023821103 * r + 1.3067284816) * r + 2.75681539) * r + 1.4234372777;
  return sign(q) * over / ((0.12021132975 * r + 0.7370016425) * r + 1.0);
}

fn isFinite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) < 0x7f800000u;
}

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// A NaN made of the bits of a NaN or of an infinity; `value - value` is 0 for some compilers.
fn notNumber(value: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(value) | 0x7fc00000u);
}

fn bitsOf(image: u32, lane: u32) -> u32 {
  let a = 4u * image;
  return randomBits(address[a], address[a + 1u], address[a + 2u], address[a + 3u], lane);
}

fn uniformOf(bits: u32) -> f32 {
  return f32(bits >> 8u) * 0x1p-24f;
}

fn normalOf(bits: u32) -> f32 {
  return inverseNormal((f32(bits >> 9u) + 0.5) * 0x1p-23f);
}

fn poisson(mean: f32, bits: u32) -> f32 {
  if (mean > 32.0) {
    let z = normalOf(bits);
    return mean + sqrt(mean) * z + (z * z - 1.0) / 6.0;
  }
  let chance = uniformOf(bits);
  var count = 0.0;
  var term = exp(-mean);
  var total = term;
  // 100 is more than ten standard deviations above 32.
  while (chance >= total && count < 100.0) {
    count += 1.0;
    term *= mean / count;
    total += term;
  }
  return count;
}

fn shotValue(value: f32, photons: f32, bits: u32) -> f32 {
  if (isNan(value)) { return value; }
  if (!isFinite(photons)) { return notNumber(photons); }
  if (photons <= 0.0) { return value; }
  let counted = poisson(photons * clamp(value, 0.0, 255.0) / 255.0, bits);
  return clamp(255.0 / photons * counted, 0.0, 255.0);
}

fn impulseValue(value: f32, share: f32, bits: u32) -> f32 {
  if (!isFinite(share)) { return notNumber(share); }
  let chance = uniformOf(bits);
  if (chance < 0.5 * share) { return 0.0; }
  return select(value, 255.0, chance < share);
}

// 0 shot, 1 impulse, 2 uniform, 3 normal.
fn valueAt(kind: u32, image: u32, at: u32, lane: u32) -> f32 {
  let bits = bitsOf(image, lane);
  if (kind == 0u) { return shotValue(x[at], amount[image], bits); }
  if (kind == 1u) { return impulseValue(x[at], amount[image], bits); }
  if (kind == 2u) { return uniformOf(bits); }
  return normalOf(bits);
}

fn run(id: vec3u, kind: u32) {
  if (id.x >= params.width || id.y >= params.height || id.z >= params.samples) { return; }
  let lane = params.channels * (id.y * params.width + id.x);
  let at = params.channels * params.height * params.width * id.z + lane;
  for (var c = 0u; c < params.channels; c++) { y[at + c] = valueAt(kind, id.z, at + c, lane + c); }
}

@compute @workgroup_size(COLUMNS, ROWS)
fn shot(@builtin(global_invocation_id) id: vec3u) { run(id, 0u); }

@compute @workgroup_size(COLUMNS, ROWS)
fn impulse(@builtin(global_invocation_id) id: vec3u) { run(id, 1u); }

@compute @workgroup_size(COLUMNS, ROWS)
fn uniformField(@builtin(global_invocation_id) id: vec3u) { run(id, 2u); }

@compute @workgroup_size(COLUMNS, ROWS)
fn normalField(@builtin(global_invocation_id) id: vec3u) { run(id, 3u); }
