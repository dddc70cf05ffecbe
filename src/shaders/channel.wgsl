// One invocation computes one element of a map that has its own numbers for each channel (the last axis, NHWC):
//   biasAdd:        y[i] = x[i] + a[c]
//   channelScale:   y[i] = x[i] · a[c]
//   channelAffine:  y[i] = x[i] · a[c] + b[c]            with c = i mod channels
// Bytes: 4 read and 4 written per element; the vectors stay in cache.

struct Params {
  count: u32,
  channels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> a: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

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
