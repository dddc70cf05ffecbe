// Philox-4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011); the same bits as src/engine/random.ts.
// A number stands at (seed, stream, sample, op, lane):
//   number = word (lane mod 4) of philox(key = (seed, stream), counter = (⌊lane / 4⌋, 0, op, sample))
// Layout: no buffers; kernels repeat these functions.
// One invocation draws blocks of four numbers, and needs nothing from any other.
// The stream is usually the epoch; lanes reach 2^32 − 1 here, which no kernel exceeds.

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

// Uniform in [0, 1): 24 bits, exact in f32.
fn uniformRandom(seed: u32, stream: u32, sample: u32, op: u32, lane: u32) -> f32 {
  return f32(randomBits(seed, stream, sample, op, lane) >> 8u) * 0x1p-24f;
}
