// y[i] = f(x[i]),  whatever the layout. Each function has two entry points with the same bits:
//   f:          the formula as it stands
//   fVectors:   x and y as vectors of four
// One invocation computes one element; in fVectors it walks vectors that lie a grid apart.
// Bytes: 4 read and 4 written per element. FLOPs per element: relu and square 1, relu6 and scale 2, exponential 8.
// min, max, clamp and, on some drivers, exp of a NaN drop it: these entry points test the bits and let a NaN pass.
// fVectors against f: 2.6 to 3.4 times faster on SwiftShader and on lavapipe (docs/decisions/031).

struct Params {
  count: u32, // elements, or vectors of four
  factor: f32,
  offset: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> xVectors: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> yVectors: array<vec4f>;

override WORKGROUP: u32 = 64;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

fn areNan(value: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(value) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
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

@compute @workgroup_size(WORKGROUP)
fn reluVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    let value = xVectors[i];
    yVectors[i] = select(max(value, vec4f()), value, areNan(value));
  }
}

@compute @workgroup_size(WORKGROUP)
fn relu6Vectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    let value = xVectors[i];
    yVectors[i] = select(min(max(value, vec4f()), vec4f(6.0)), value, areNan(value));
  }
}

@compute @workgroup_size(WORKGROUP)
fn scaleVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    yVectors[i] = xVectors[i] * params.factor + params.offset;
  }
}

@compute @workgroup_size(WORKGROUP)
fn squareVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    let value = xVectors[i];
    yVectors[i] = value * value;
  }
}

@compute @workgroup_size(WORKGROUP)
fn exponentialVectors(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  for (var i = id.x; i < params.count; i += groups.x * WORKGROUP) {
    let value = xVectors[i];
    yVectors[i] = select(exp(value), value, areNan(value));
  }
}
