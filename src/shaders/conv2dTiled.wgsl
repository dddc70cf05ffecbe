// Convolutions in register tiles, any kernel and stride: one invocation computes a block of outputs as 4×4 matrices, each
// term of the sum adding one outer product, so each number loaded is used four to eight times.
//   forward:         8 neighbouring pixels × 8 channels of  y[n, p, q, o] = Σ_{i, j, c} x[n, p·sy + i − top, q·sx + j − left, c] · w[i, j, c, o]
//   inputGradient:   8 pixels, sx apart, × 4 channels of    dx[n, h, v, c] = Σ_{i, j, o} dy[n, p, q, o] · w[i, j, c, o]
//                    where p·sy + i − top = h, q·sx + j − left = v; pixels sx apart meet the same columns of the kernel
//   weightGradient:  4 of the (column, channel) pairs of a kernel line × 8 channels out of
//                    dw[s, i, j, c, o] = Σ x[n, p·sy + i − top, q·sx + j − left, c] · dy[n, p, q, o]   over the lines (n, p) of split s
// Layout: images NHWC, weights HWIO; forward and weightGradient need outChannels to be a multiple of 4. Outside the image x is
// zero. Sums run in the order of the naive kernel and give the same bits.
// Binding a is x (forward, weightGradient) or dy (inputGradient); b is w, or dy (weightGradient).
// Against conv2d.wgsl, on the first layer of MobileNetV2: forward 17, input gradient 6, weight gradient 7 times faster on lavapipe;
// 9, 5 and 8 times on SwiftShader (docs/decisions/030).
// Epilogue: y = activation(y + bias[channel]) + residual, then zero where a bit of mask is not set.

struct Params {
  batch: u32,
  height: u32,
  width: u32,
  channels: u32,
  outHeight: u32,
  outWidth: u32,
  outChannels: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideY: u32,
  strideX: u32,
  top: u32,
  left: u32,
  splitLength: u32,
  splits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read> bVectors: array<vec4f>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> biasVectors: array<vec4f>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read> residualVectors: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;
@group(0) @binding(5) var<storage, read_write> resultVectors: array<vec4f>;
@group(0) @binding(6) var<storage, read> mask: array<u32>;
@group(0) @binding(7) var<storage, read_write> written: array<u32>;

override BIAS: u32 = 0;       // 1: add bias[channel]
override ACTIVATION: u32 = 0; // 1: relu, 2: relu6
override RESIDUAL: u32 = 0;   // 1: add residual last
override MASK: u32 = 0;       // 1: then keep what the bits of mask say (bitMasks.wgsl)
override MASK_ROWS: u32 = 8;  // rows per word of mask
override MASK_BELOW: u32 = 1; // above 1: writes the bits of 0 < result < the float with these bits, eight pixels per word
override ROLLED: u32 = 0;     // 1: write the tile in a loop that stays one, for drivers that compile a store for each lane
override WORKGROUP: u32 = 64;

const steps = vec4u(0u, 1u, 2u, 3u);

fn isNan(value: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(value) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

const lanes = vec4u(1u, 2u, 4u, 8u);

/// Keeps the lanes whose bit is set for this row and vector of columns.
fn masked(value: vec4f, row: u32, n: u32, width: u32) -> vec4f {
  if (MASK == 0u) { return value; }
  let bits = mask[row / MASK_ROWS * width + n] >> (4u * (row % MASK_ROWS));
  return select(vec4f(), value, (vec4u(bits) & lanes) != vec4u());
}

/// Four bits for the mask of the result.
fn insideBits(value: vec4f) -> u32 {
  if (MASK_BELOW == 1u) { return 0u; }
  return dot(select(vec4u(), lanes, bitcast<vec4u>(value) - vec4u(1u) < vec4u(MASK_BELOW - 1u)), vec4u(1u));
}

fn activation(value: vec4f) -> vec4f {
  if (ACTIVATION == 1u) { return select(max(value, vec4f()), value, isNan(value)); }
  if (ACTIVATION == 2u) { return select(min(max(value, vec4f()), vec4f(6.0)), value, isNan(value)); }
  return value;
}

/// Row r of the result is column[r] · row.
fn outer(column: vec4f, row: vec4f) -> mat4x4f {
  return mat4x4f(column.x * row, column.y * row, column.z * row, column.w * row);
}

/// Four numbers of a, zero where not `inside`.
fn gather(at: vec4u, inside: vec4<bool>) -> vec4f {
  return select(vec4f(), vec4f(a[at.x], a[at.y], a[at.z], a[at.w]), inside);
}

/// Writes the pixels from q on of the vectors o and o + 1 of channels.
fn storePixels(low0: mat4x4f, low1: mat4x4f, high0: mat4x4f, high1: mat4x4f, line: u32, q: u32, o: u32) {
  let vectors = params.outChannels / 4u;
  let pixels = array<vec4f, 16>(
    low0[0], low1[0], low0[1], low1[1], low0[2], low1[2], low0[3], low1[3],
    high0[0], high1[0], high0[1], high1[1], high0[2], high1[2], high0[3], high1[3],
  );
  let start = ROLLED * params.width; // Mesa unrolls a loop that counts an array's elements from zero
  let end = start + select(16u, 2u * min(8u, params.outWidth - q), ROLLED == 1u);
  var bits = vec2u();
  for (var j = start; j < end; j++) {
    let k = j - start;
    let column = q + k / 2u;
    let channel = o + k % 2u;
    if (column >= params.outWidth || channel >= vectors) { continue; }
    let row = line * params.outWidth + column;
    let at = row * vectors + channel;
    var value = pixels[k];
    if (BIAS == 1u) { value += biasVectors[channel]; }
    value = activation(value);
    if (RESIDUAL == 1u) { value += residualVectors[at]; }
    value = masked(value, row, channel, vectors);
    resultVectors[at] = value;
    bits |= select(vec2u(insideBits(value), 0u), vec2u(0u, insideBits(value)), k % 2u == 1u) << vec2u(4u * (k / 2u));
  }
  if (MASK_BELOW > 1u) {
    let word = (line * params.outWidth + q) / 8u * vectors + o;
    written[word] = bits.x;
    if (o + 1u < vectors) { written[word + 1u] = bits.y; }
  }
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let vectors = params.outChannels / 4u;
  let channelBlocks = (vectors + 1u) / 2u;
  let pixelBlocks = (params.outWidth + 7u) / 8u;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.batch * params.outHeight * pixelBlocks * channelBlocks) { return; }
  let o = at % channelBlocks * 2u;
  let next = min(o + 1u, vectors - 1u);
  let q = at / channelBlocks % pixelBlocks * 8u;
  let line = at / channelBlocks / pixelBlocks;
  var low0 = mat4x4f();
  var low1 = mat4x4f();
  var high0 = mat4x4f();
  var high1 = mat4x4f();
  for (var i = 0u; i < params.kernelHeight; i++) {
    let h = line % params.outHeight * params.strideY + i - params.top; // below zero it wraps round and fails the test
    if (h >= params.height) { continue; }
    let start = (line / params.outHeight * params.height + h) * params.width;
    for (var j = 0u; j < params.kernelWidth; j++) {
      let lowColumns = (q + steps) * params.strideX + j - params.left;
      let highColumns = lowColumns + 4u * params.strideX;
      let lowStarts = (start + lowColumns) * params.channels;
      let highStarts = (start + highColumns) * params.channels;
      let weights = (i * params.kernelWidth + j) * params.channels;
      for (var c = 0u; c < params.channels; c++) {
        let low = gather(lowStarts + c, lowColumns < vec4u(params.width));
        let high = gather(highStarts + c, highColumns < vec4u(params.width));
        let w0 = bVectors[(weights + c) * vectors + o];
        let w1 = bVectors[(weights + c) * vectors + next];
        low0 += outer(low, w0);
        low1 += outer(low, w1);
        high0 += outer(high, w0);
        high1 += outer(high, w1);
      }
    }
  }
  storePixels(low0, low1, high0, high1, line, q, o);
}

fn storeChannel(value: f32, at: u32, c: u32) {
  if (c < params.channels) { result[at + c] = value; }
}

fn storeGradient(total: vec4f, line: u32, v: u32, c: u32) {
  if (v >= params.width) { return; }
  let at = (line * params.width + v) * params.channels;
  let channels = min(c + steps, vec4u(params.channels - 1u));
  var value = total;
  if (BIAS == 1u) { value += vec4f(bias[channels.x], bias[channels.y], bias[channels.z], bias[channels.w]); }
  value = activation(value);
  if (RESIDUAL == 1u) {
    value += vec4f(residual[at + channels.x], residual[at + channels.y], residual[at + channels.z], residual[at + channels.w]);
  }
  value = masked(value, line * params.width + v, c / 4u, params.channels / 4u);
  storeChannel(value.x, at, c);
  storeChannel(value.y, at, c + 1u);
  storeChannel(value.z, at, c + 2u);
  storeChannel(value.w, at, c + 3u);
}

/// Writes eight pixels of line (n, h), strideX apart from v on.
fn storeGradients(low: mat4x4f, high: mat4x4f, line: u32, v: u32, c: u32) {
  let pixels = array<vec4f, 8>(low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]);
  let start = ROLLED * params.width;
  let inside = (params.width - v + params.strideX - 1u) / params.strideX;
  let end = start + select(8u, min(8u, inside), ROLLED == 1u);
  for (var k = start; k < end; k++) { storeGradient(pixels[k - start], line, v + (k - start) * params.strideX, c); }
}

@compute @workgroup_size(WORKGROUP)
fn inputGradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let channelBlocks = (params.channels + 3u) / 4u;
  let span = 8u * params.strideX;
  let pixelBlocks = (params.width + span - 1u) / span * params.strideX;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.batch * params.height * pixelBlocks * channelBlocks) { return; }
  let c = at % channelBlocks * 4u;
  let block = at / channelBlocks % pixelBlocks;
  let v = block / params.strideX * span + block % params.strideX;
  let line = at / channelBlocks / pixelBlocks;
  var low = mat4x4f();
  var high = mat4x4f();
  for (var i = 0u; i < params.kernelHeight; i++) {
    let up = line % params.height + params.top - i; // p · strideY
    if (up % params.strideY != 0u || up / params.strideY >= params.outHeight) { continue; }
    let start = (line / params.height * params.outHeight + up / params.strideY) * params.outWidth;
    for (var j = 0u; j < params.kernelWidth; j++) {
      // kernelWidth columns to the right, so that it stays above zero where only the first pixels are outside.
      let across = v + params.left + params.kernelWidth * params.strideX - j;
      if (across % params.strideX != 0u) { continue; }
      let lowColumns = across / params.strideX - params.kernelWidth + steps;
      let highColumns = lowColumns + 4u;
      let lowStarts = (start + lowColumns) * params.outChannels;
      let highStarts = (start + highColumns) * params.outChannels;
      let weights = ((i * params.kernelWidth + j) * params.channels + min(c + steps, vec4u(params.channels - 1u))) * params.outChannels;
      for (var o = 0u; o < params.outChannels; o++) {
        let w = vec4f(b[weights.x + o], b[weights.y + o], b[weights.z + o], b[weights.w + o]);
        low += outer(gather(lowStarts + o, lowColumns < vec4u(params.outWidth)), w);
        high += outer(gather(highStarts + o, highColumns < vec4u(params.outWidth)), w);
      }
    }
  }
  storeGradients(low, high, line, v, c);
}

fn storeWeights(tile: mat4x4f, kernelLine: u32, pair: u32, o: u32) {
  let vectors = params.outChannels / 4u;
  let pairs = params.kernelWidth * params.channels;
  if (o >= vectors) { return; }
  let at = (kernelLine * pairs + pair) * vectors + o;
  resultVectors[at] = tile[0];
  if (pair + 1u < pairs) { resultVectors[at + vectors] = tile[1]; }
  if (pair + 2u < pairs) { resultVectors[at + 2u * vectors] = tile[2]; }
  if (pair + 3u < pairs) { resultVectors[at + 3u * vectors] = tile[3]; }
}

@compute @workgroup_size(WORKGROUP)
fn weightGradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let vectors = params.outChannels / 4u;
  let channelBlocks = (vectors + 1u) / 2u;
  let pairBlocks = (params.kernelWidth * params.channels + 3u) / 4u;
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.splits * params.kernelHeight * pairBlocks * channelBlocks) { return; }
  let o = at % channelBlocks * 2u;
  let next = min(o + 1u, vectors - 1u);
  let pair = at / channelBlocks % pairBlocks * 4u;
  let kernelLine = at / channelBlocks / pairBlocks; // split · kernelHeight + i
  let i = kernelLine % params.kernelHeight;
  let first = kernelLine / params.kernelHeight * params.splitLength;
  let last = min(first + params.splitLength, params.batch * params.outHeight);
  let shifts = (pair + steps) / params.channels - params.left;
  let channels = (pair + steps) % params.channels;
  var left = mat4x4f();
  var right = mat4x4f();
  for (var line = first; line < last; line++) {
    let h = line % params.outHeight * params.strideY + i - params.top;
    if (h >= params.height) { continue; }
    let start = (line / params.outHeight * params.height + h) * params.width;
    for (var q = 0u; q < params.outWidth; q++) {
      let columns = q * params.strideX + shifts;
      let x = gather((start + columns) * params.channels + channels, columns < vec4u(params.width));
      let upstream = (line * params.outWidth + q) * vectors;
      left += outer(x, bVectors[upstream + o]);
      right += outer(x, bVectors[upstream + next]);
    }
  }
  storeWeights(left, kernelLine, pair, o);
  storeWeights(right, kernelLine, pair, o + 1u);
}
