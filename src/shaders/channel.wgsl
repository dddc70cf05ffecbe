// Maps that have their own numbers for each channel (the last axis, NHWC), x seen as [rows, channels]:
//   biasAdd:        y[i] = x[i] + a[c]
//   channelScale:   y[i] = x[i] · a[c]
//   channelAffine:  y[i] = x[i] · a[c] + b[c]            with c = i mod channels
// One invocation computes one element. In the `…Vectors` entry points, for channels in multiples of four, it keeps the numbers of
// four channels and walks rows that lie a grid apart, whose width is exactly that of a row: no division, and the same bits.
// Bytes: 4 read and 4 written per element; the vectors stay in cache. FLOPs per element: 1, channelAffine 2.
// Gain: channelAffineVectors against channelAffine: 5 times faster on SwiftShader, 3.5 on lavapipe (docs/decisions/031).

struct Params {
  count: u32,
  channels: u32,
  rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> xVectors: array<vec4f>;
@group(0) @binding(2) var<storage, read> aVectors: array<vec4f>;
@group(0) @binding(3) var<storage, read> bVectors: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> yVectors: array<vec4f>;

override WORKGROUP: u32 = 64;
override WORKGROUP_X: u32 = 4;
override WORKGROUP_Y: u32 = 16;

@compute @workgroup_size(WORKGROUP)
fn biasAdd(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  y[i] = x[i] + a[i % params.channels];
}

@compute @workgroup_size(WORKGROUP)
fn channelScale(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  y[i] = x[i] * a[i % params.channels];
}

@compute @workgroup_size(WORKGROUP)
fn channelAffine(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  let c = i % params.channels;
  y[i] = x[i] * a[c] + b[c];
}

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn biasAddVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let width = params.channels / 4u;
  let c = id.x;
  let bias = aVectors[c];
  for (var r = id.y; r < params.rows; r += groups.y * WORKGROUP_Y) {
    yVectors[r * width + c] = xVectors[r * width + c] + bias;
  }
}

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn channelScaleVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let width = params.channels / 4u;
  let c = id.x;
  let factor = aVectors[c];
  for (var r = id.y; r < params.rows; r += groups.y * WORKGROUP_Y) {
    yVectors[r * width + c] = xVectors[r * width + c] * factor;
  }
}

@compute @workgroup_size(WORKGROUP_X, WORKGROUP_Y)
fn channelAffineVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let width = params.channels / 4u;
  let c = id.x;
  let factor = aVectors[c];
  let shift = bVectors[c];
  for (var r = id.y; r < params.rows; r += groups.y * WORKGROUP_Y) {
    yVectors[r * width + c] = xVectors[r * width + c] * factor + shift;
  }
}
