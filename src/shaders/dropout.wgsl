// Dropout (Srivastava et al. 2014, inverted): y = x · keep / (1 − rate), keep 0 or 1 from the element's own address.
//   x, y: [N, perSample].  address[n] = (seed, stream, sample, op); lane = the element's number in its sample.
//   An element is kept where the upper 24 bits of its random number reach threshold = rate · 2^24.
// One invocation computes the up to four elements whose numbers come from one block of the generator.
// A dropped NaN or infinity stays NaN, so that nothing hides it. FLOPs per element: 1. Bytes: 8.
// The generator is that of random.wgsl, repeated because every file compiles alone.

struct Params {
  samples: u32,
  perSample: u32,
  threshold: u32,
  scale: f32, // 1 / (1 − rate)
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> address: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

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

@compute @workgroup_size(WORKGROUP)
fn dropout(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  let blocks = (params.perSample + 3u) / 4u;
  if (i >= params.samples * blocks) { return; }
  let sample = i / blocks;
  let first = 4u * (i % blocks);
  let at = 4u * sample;
  let counter = vec4<u32>(first / 4u, 0u, address[at + 3u], address[at + 2u]);
  let bits = philox4x32(counter, vec2<u32>(address[at], address[at + 1u]));
  for (var lane = 0u; lane < min(4u, params.perSample - first); lane++) {
    let element = sample * params.perSample + first + lane;
    y[element] = x[element] * select(0.0, params.scale, (bits[lane] >> 8u) >= params.threshold);
  }
}
