// One invocation changes one element of a parameter in place from a value of the same shape:
//   assign:           p[i] = x[i]
//   accumulate:       p[i] = p[i] + x[i]
//   runningAverage:   p[i] = p[i]·momentum + x[i]·(1 − momentum)        (Keras' moving statistics)
// Bytes: 8 to 12 per element. FLOPs: at most 3 per element.

struct Params {
  count: u32,
  momentum: f32,
  rest: f32, // 1 − momentum, rounded once
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> p: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn assign(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  p[i] = x[i];
}

@compute @workgroup_size(WORKGROUP)
fn accumulate(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  p[i] = p[i] + x[i];
}

@compute @workgroup_size(WORKGROUP)
fn runningAverage(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  p[i] = p[i] * params.momentum + x[i] * params.rest;
}
