// Convolutions, naive: one invocation computes one output and states the formula.
//   forward:         y[n, p, q, o] = Σ_{i, j, c} x[n, p·sy + i − top, q·sx + j − left, c] · w[i, j, c, o]
//   inputGradient:   dx[n, h, v, c] = Σ_{i, j, o} dy[n, p, q, o] · w[i, j, c, o]   where p·sy + i − top = h, q·sx + j − left = v
//   weightGradient:  dw[s, i, j, c, o] = Σ x[n, p·sy + i − top, q·sx + j − left, c] · dy[n, p, q, o]   over the lines (n, p) of split s
// Layout: images NHWC, weights HWIO. Outside the image x is zero: such terms are skipped. Neighbouring invocations
// compute neighbouring channels, so they read neighbouring weights and share the image.
// Binding a is x (forward, weightGradient) or dy (inputGradient); b is w, or dy (weightGradient).
// Epilogue: y = activation(y + bias[channel]) + residual.
// FLOPs: 2 · positions of y · kernel area · channels in · channels out.  Bytes at least: both operands and the result once.

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
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

override BIAS: u32 = 0;       // 1: add bias[channel]
override ACTIVATION: u32 = 0; // 1: relu, 2: relu6
override RESIDUAL: u32 = 0;   // 1: add residual last
override WORKGROUP: u32 = 64;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

fn epilogue(total: f32, channel: u32, at: u32) -> f32 {
  var value = total;
  if (BIAS == 1u) { value += bias[channel]; }
  if (ACTIVATION == 1u) { value = select(max(value, 0.0), value, isNan(value)); }
  if (ACTIVATION == 2u) { value = select(min(max(value, 0.0), 6.0), value, isNan(value)); }
  if (RESIDUAL == 1u) { value += residual[at]; }
  return value;
}

@compute @workgroup_size(WORKGROUP)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.batch * params.outHeight * params.outWidth * params.outChannels) { return; }
  let o = at % params.outChannels;
  let position = at / params.outChannels;
  let q = position % params.outWidth;
  let line = position / params.outWidth;
  let p = line % params.outHeight;
  let n = line / params.outHeight;
  var total = 0.0;
  for (var i = 0u; i < params.kernelHeight; i++) {
    let h = p * params.strideY + i - params.top; // below zero it wraps round and fails the test
    if (h >= params.height) { continue; }
    for (var j = 0u; j < params.kernelWidth; j++) {
      let v = q * params.strideX + j - params.left;
      if (v >= params.width) { continue; }
      let source = ((n * params.height + h) * params.width + v) * params.channels;
      let weights = (i * params.kernelWidth + j) * params.channels;
      for (var c = 0u; c < params.channels; c++) {
        total += a[source + c] * b[(weights + c) * params.outChannels + o];
      }
    }
  }
  result[at] = epilogue(total, o, at);
}

@compute @workgroup_size(WORKGROUP)
fn inputGradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  if (at >= params.batch * params.height * params.width * params.channels) { return; }
  let c = at % params.channels;
  let position = at / params.channels;
  let v = position % params.width;
  let line = position / params.width;
  let h = line % params.height;
  let n = line / params.height;
  var total = 0.0;
  for (var i = 0u; i < params.kernelHeight; i++) {
    let up = h + params.top - i; // p · strideY
    if (up % params.strideY != 0u || up / params.strideY >= params.outHeight) { continue; }
    for (var j = 0u; j < params.kernelWidth; j++) {
      let across = v + params.left - j;
      if (across % params.strideX != 0u || across / params.strideX >= params.outWidth) { continue; }
      let source = ((n * params.outHeight + up / params.strideY) * params.outWidth + across / params.strideX) * params.outChannels;
      let weights = ((i * params.kernelWidth + j) * params.channels + c) * params.outChannels;
      for (var o = 0u; o < params.outChannels; o++) {
        total += a[source + o] * b[weights + o];
      }
    }
  }
  result[at] = epilogue(total, c, at);
}

@compute @workgroup_size(WORKGROUP)
fn weightGradient(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let at = id.x + id.y * groups.x * WORKGROUP;
  let weights = params.kernelHeight * params.kernelWidth * params.channels * params.outChannels;
  if (at >= weights * params.splits) { return; }
  let o = at % params.outChannels;
  let c = at / params.outChannels % params.channels;
  let j = at / params.outChannels / params.channels % params.kernelWidth;
  let i = at % weights / params.outChannels / params.channels / params.kernelWidth;
  let first = at / weights * params.splitLength;
  let last = min(first + params.splitLength, params.batch * params.outHeight);
  var total = 0.0;
  for (var line = first; line < last; line++) {
    let h = line % params.outHeight * params.strideY + i - params.top;
    if (h >= params.height) { continue; }
    let source = (line / params.outHeight * params.height + h) * params.width;
    for (var q = 0u; q < params.outWidth; q++) {
      let v = q * params.strideX + j - params.left;
      if (v >= params.width) { continue; }
      total += a[(source + v) * params.channels + c] * b[(line * params.outWidth + q) * params.outChannels + o];
    }
  }
  result[at] = total;
}
