// Random erasing and noise of images of 0 to 255, NHWC. One invocation per pixel. Bytes: 8 per element.
//   erase:   y = colours[n, c] inside the box of image n (top, left, height, width in pixels), else x; with PICTURE = 1 the
//            colours are another picture [n, y, x, c], which shows through the box
//   noise:   y = clip(x + σ[n] · z),  z the standard normal number at address[n] = (seed, stream, sample, op), lane = the
//            element's number in its image. z = Φ⁻¹((⌊bits / 2^9⌋ + 1/2) / 2^23) by Wichura's algorithm AS 241 (1988), which
//            needs no trigonometry and so differs less between drivers than the pairs of Box and Muller.
// The generator is that of random.wgsl, repeated because every file compiles alone.

struct Params {
  samples: u32, height: u32, width: u32, channels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> boxes: array<f32>; // the σ of noise
@group(0) @binding(3) var<storage, read> colours: array<f32>;
@group(0) @binding(4) var<storage, read> address: array<u32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;

// Pixels of a workgroup; image, row and column come from the grid.
override COLUMNS: u32 = 16;
override ROWS: u32 = 4;
override PICTURE: u32 = 0; // 1: colours of x's own shape

@compute @workgroup_size(COLUMNS, ROWS)
fn erase(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width || id.y >= params.height || id.z >= params.samples) { return; }
  let at = params.channels * ((id.z * params.height + id.y) * params.width + id.x);
  let row = f32(id.y) - boxes[4u * id.z];
  let column = f32(id.x) - boxes[4u * id.z + 1u];
  let isInside = row >= 0.0 && column >= 0.0 && row < boxes[4u * id.z + 2u] && column < boxes[4u * id.z + 3u];
  for (var c = 0u; c < params.channels; c++) {
    let colour = colours[select(id.z * params.channels, at, PICTURE == 1u) + c];
    y[at + c] = select(x[at + c], colour, isInside);
  }
}

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

fn noisy(value: f32, sigma: f32, bits: u32) -> f32 {
  if ((bitcast<u32>(sigma) << 1u) == 0u) { return value; }
  let moved = value + sigma * inverseNormal((f32(bits >> 9u) + 0.5) * 0x1p-23f);
  // Clamping drops a NaN on some drivers.
  let isNan = (bitcast<u32>(moved) & 0x7fffffffu) > 0x7f800000u;
  return select(clamp(moved, 0.0, 255.0), moved, isNan);
}

@compute @workgroup_size(COLUMNS, ROWS)
fn noise(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.width || id.y >= params.height || id.z >= params.samples) { return; }
  let lane = params.channels * (id.y * params.width + id.x);
  let at = params.channels * params.height * params.width * id.z + lane;
  let a = 4u * id.z;
  let sigma = boxes[id.z];
  for (var c = 0u; c < params.channels; c++) {
    var bits = 0u;
    if ((bitcast<u32>(sigma) << 1u) != 0u) { bits = randomBits(address[a], address[a + 1u], address[a + 2u], address[a + 3u], lane + c); }
    y[at + c] = noisy(x[at + c], sigma, bits);
  }
}
