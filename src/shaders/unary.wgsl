// One invocation computes one element of  y[i] = f(x[i]),  whatever the layout.
// Bytes: 4 read and 4 written per element.
// min, max, clamp and, on some drivers, exp of a NaN drop it: these entry points test the bits and let a NaN pass.

struct Params {
  count: u32,
  factor: f32,
  offset: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

override WORKGROUP: u32 = 64;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(WORKGROUP)
fn relu(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  let value = x[i];
  y[i] = select(max(value, 0.0), value, isNan(value));
}

@compute @workgroup_size(WORKGROUP)
fn relu6(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  let value = x[i];
  y[i] = select(min(max(value, 0.0), 6.0), value, isNan(value));
}

@compute @workgroup_size(WORKGROUP)
fn scale(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  y[i] = x[i] * params.factor + params.offset;
}

@compute @workgroup_size(WORKGROUP)
fn square(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  y[i] = x[i] * x[i];
}

@compute @workgroup_size(WORKGROUP)
fn exponential(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.x + id.y * groups.x * WORKGROUP;
  if (i >= params.count) { return; }
  let value = x[i];
  y[i] = select(exp(value), value, isNan(value));
}
